"""What a socket sends: frames of text, and the inbox in which they wait for a socket that reads slowly."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from tintype.domain.events import TaskEvent, progress_message, status_event
from tintype.domain.lifecycle import Status
from tintype.domain.task import Task
from tintype.service import Service, now

MICROSECONDS = 1_000_000
NO_TASK = 0
ROOM, ROOM_BYTES = 256, 2**17
"""Frames, and their characters, that may wait before only the newest of every task is kept."""


class Frame(NamedTuple):
    """One text frame, and what must be known of it without reading it."""

    text: str
    task_id: int = NO_TASK
    sequence: int = 0
    type: str = ""
    terminal: bool = False
    plain: "Frame | None" = None
    """The same without its preview, if it has one."""

    def without_preview(self) -> "Frame":
        return self.plain or self

    def numbered(self, sequence: int) -> "Frame":
        """The same, told again under the number of what the listener has heard of this state already."""
        text = _text(msgspec.json.decode(self.text) | {"seq": sequence})
        plain = self.plain.numbered(sequence) if self.plain else None
        return self._replace(text=text, sequence=sequence, plain=plain)


def _text(content: dict[str, Any]) -> str:
    return msgspec.json.encode(content).decode()


CONNECTED = Frame(_text({"type": "connected", "version": "1.0"}))


def error_frame(message: str) -> Frame:
    """Says that the client was wrong."""
    return Frame(_text({"type": "error", "message": message, "result": False}))


def event_frame(event: TaskEvent) -> Frame:
    """The frame that tells of an event."""
    message = event.message
    if isinstance(message, dict) and "preview" in message:
        plain = _frame_of(event, {key: value for key, value in message.items() if key != "preview"})
        return _frame_of(event, message)._replace(plain=plain)
    return _frame_of(event, message)


def _frame_of(event: TaskEvent, message: Any) -> Frame:
    content = {
        "type": event.type,
        "id": str(event.task_id),
        "tasktoken": event.token,
        "message": message,
        "result": True,
        "seq": event.sequence,
        "success": event.success,
        "terminal": event.terminal,
        "exitCode": event.exit_code,
    }
    return Frame(
        _text(content),
        task_id=event.task_id,
        sequence=event.sequence,
        type=event.type,
        terminal=event.terminal,
    )


def state_frame(task: Task, service: Service) -> Frame:
    """The frame that tells where a task stands, as the store has it."""
    message: Any = None
    if task.status is Status.POSTPROCESS_END:
        message = service.show(task)["outputs"]
    elif task.status is Status.OUTPUT:  # the store knows no steps: the next frame will tell
        elapsed = (now() - task.moments.start) / MICROSECONDS
        message = progress_message(step=0, steps=task.inputs.get("steps") or 1, elapsed=elapsed)
    return event_frame(status_event(task, message))


class Inbox:
    """The frames that one listener has yet to be sent. Bounded: a slow one misses some, and slows nobody.

    What waits is at most `ROOM` frames of `ROOM_BYTES` characters, and beyond that one frame without a
    preview of each of the listener's tasks.
    """

    def __init__(self) -> None:
        self._waiting: deque[Frame] = deque()
        self._size = 0
        self._room, self._room_bytes = ROOM, ROOM_BYTES
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def size(self) -> int:
        """The characters of all that waits."""
        return self._size

    def put(self, frame: Frame) -> None:
        self._waiting.append(frame)
        self._size += len(frame.text)
        if len(self._waiting) > self._room or self._size > self._room_bytes:
            self._thin()
        self._changed.set()

    def take_back(self, task_id: int) -> None:
        """Removes what waits of a task."""
        self._keep(frame for frame in self._waiting if frame.task_id != task_id)

    async def next(self) -> Frame:
        """The frame that has waited longest."""
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        frame = self._waiting.popleft()
        self._size -= len(frame.text)
        return frame

    def _thin(self) -> None:
        """Keeps the newest frame of every task: after it, nothing older matters."""
        newest: dict[int, Frame] = {}
        for frame in self._waiting:
            newest.pop(frame.task_id, None)
            newest[frame.task_id] = frame.without_preview()
        self._keep(newest.values())
        self._room, self._room_bytes = max(ROOM, 2 * len(newest)), max(ROOM_BYTES, 2 * self._size)

    def _keep(self, frames: Iterable[Frame]) -> None:
        self._waiting = deque(frames)
        self._size = sum(len(frame.text) for frame in self._waiting)
