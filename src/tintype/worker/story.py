"""Tells whoever follows a task what becomes of it, in an order that its sequence numbers keep."""

from collections.abc import Sequence

import msgspec

from tintype.bus.protocol import CALLBACK, WORK, Bus, task_subject
from tintype.domain.events import (
    ROOM,
    TaskEvent,
    progress_event,
    progress_message,
    status_event,
)
from tintype.domain.lifecycle import Status
from tintype.domain.task import Task
from tintype.engine.protocol import Progress


class Story:
    """What is told of one task. A status is told once it is stored; progress needs no storing."""

    def __init__(self, bus: Bus, task: Task) -> None:
        self._bus = bus
        self._task = task
        self._told_since = 0

    async def reached(self, stages: Sequence[Task]) -> None:
        """The task, as it was stored in one stage after another. Of task_output, progress tells."""
        for task in stages:
            self._task, self._told_since = task, 0
            if task.status is not Status.OUTPUT:
                await tell_status(self._bus, task)

    async def progressed(self, progress: Progress) -> None:
        """A step is done, or the latest one is shown."""
        self._told_since += 1
        if self._told_since < ROOM:
            message = progress_message(
                step=progress.step,
                steps=progress.steps,
                elapsed=progress.elapsed,
                preview=progress.preview,
            )
            await tell(self._bus, progress_event(self._task, self._told_since, message))


async def tell(bus: Bus, event: TaskEvent) -> None:
    """Publishes the event to those who follow its task."""
    await bus.publish(task_subject(event.task_id), msgspec.msgpack.encode(event))


async def tell_status(bus: Bus, task: Task) -> None:
    """Publishes where the task stands; if it has ended, also to those who deliver callbacks."""
    await tell(bus, status_event(task))
    if task.status.is_terminal and task.callback_url:
        await bus.publish(CALLBACK)


async def tell_handed_back(bus: Bus, task: Task) -> None:
    """The task is in the queue again, or has ended because too many attempts were lost."""
    await tell_status(bus, task)
    if not task.status.is_terminal:
        await bus.publish(WORK)
