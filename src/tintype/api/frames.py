"""What a socket sends: frames of text, and the inbox in which they wait for a socket that reads slowly."""

import asyncio
from collections import deque
from typing import Any, NamedTuple

import msgspec

from tintype.domain.events import TaskEvent, progress_message, status_event
from tintype.domain.lifecycle import Status
from tintype.domain.task import Task
from tintype.service import Service, now

MICROSECONDS = 1_000_000
NO_TASK = 0
ROOM = 256
"""Frames that may wait before only the newest of every task is kept."""


class Frame(NamedTuple):
    """One text frame, and what must be known of it without reading it."""

    text: str
    task_id: int = NO_TASK
    sequence: int = 0
    type: str = ""
    terminal: bool = False


def _text(content: dict[str, Any]) -> str:
    return msgspec.json.encode(content).decode()


CONNECTED = Frame(_text({"type": "connected", "version": "1.0"}))


def error_frame(message: str) -> Frame:
    """Says that the client was wrong."""
    return Frame(_text({"type": "error", "message": message, "result": False}))


def event_frame(event: TaskEvent) -> Frame:
    """The frame that tells of an event."""
    content = {
        "type": event.type,
        "id": str(event.task_id),
        "tasktoken": event.token,
        "message": event.message,
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
    """The frames that one socket has yet to send. Bounded: a slow reader misses some, and slows nobody."""

    def __init__(self) -> None:
        self._waiting: deque[Frame] = deque()
        self._room = ROOM
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frame: Frame) -> None:
        self._waiting.append(frame)
        if len(self._waiting) > self._room:
            self._thin()
        self._changed.set()

    def take_back(self, task_id: int) -> None:
        """Removes what waits of a task."""
        self._waiting = deque(frame for frame in self._waiting if frame.task_id != task_id)

    async def next(self) -> Frame:
        """The frame that has waited longest."""
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()

    def _thin(self) -> None:
        """Keeps the newest frame of every task: after it, nothing older matters."""
        newest: dict[int, Frame] = {}
        for frame in self._waiting:
            newest.pop(frame.task_id, None)
            newest[frame.task_id] = frame
        self._waiting = deque(newest.values())
        self._room = max(ROOM, 2 * len(newest))
