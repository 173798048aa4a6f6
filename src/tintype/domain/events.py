"""What is told about a task while it lives: small, losable, ordered by `sequence`."""

from base64 import b64encode
from typing import Any

import msgspec

from tintype.domain.lifecycle import Status
from tintype.domain.task import Task

ROOM = 1000
"""Sequence numbers between two stored changes of a task, for events that are told but not stored."""


def is_same_state(one: int, other: int) -> bool:
    """Whether two sequence numbers are of events of the same stored state of a task."""
    return one // ROOM == other // ROOM


class TaskEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a task's story, as the WebSocket will tell it."""

    task_id: int
    token: str
    sequence: int
    type: str
    """A status, or the name of an event that is no status."""
    message: Any = None
    success: bool | None = None
    terminal: bool = False
    exit_code: int | None = None


def status_event(task: Task, message: Any = None) -> TaskEvent:
    """The event that says a task has reached its present status."""
    return TaskEvent(
        task_id=task.id,
        token=task.token,
        sequence=task.sequence * ROOM,
        type=task.status,
        message=message,
        success=task.succeeded if task.status.is_terminal else None,
        terminal=task.status.is_terminal,
        exit_code=task.exit_code,
    )


def progress_event(task: Task, number: int, message: Any) -> TaskEvent:
    """The `number`-th event (1..999) told of a task since it reached its present status, task_output."""
    return TaskEvent(
        task_id=task.id,
        token=task.token,
        sequence=task.sequence * ROOM + number,
        type=Status.OUTPUT,
        message=message,
    )


def progress_message(
    *, step: int, steps: int, elapsed: float, preview: bytes | None = None
) -> dict[str, str]:
    """The progress object of `task_output`. All values are strings; `elapsed` is in seconds.

    `preview` is a JPEG, shown as a data URL.
    """
    speed = step / elapsed if elapsed > 0 else 0.0
    remaining = (steps - step) / speed if speed else 0.0
    message = {
        "type": "progressGenerate",
        "task": "Generate",
        "percentage": str(100 * step // steps),
        "stepCurrent": str(step),
        "stepTotal": str(steps),
        "speed": f"{speed:.1f}",
        "speedType": "it/s",
        "elapsedTime": duration(elapsed),
        "remainingTime": duration(remaining),
    }
    return message | {"preview": data_url(preview)} if preview else message


def data_url(jpeg: bytes) -> str:
    """The picture as a URL that holds it."""
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"


def duration(seconds: float) -> str:
    """`5s`, or `1m 5s` from a minute on."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"
