"""Waiting for a task to end: ask, tell the caller, pause, ask again.

`follow` is the one place that decides how news of a task arrives. It asks Task/Detail; whatever else may
bring news needs to produce the same `Progress`, and may fill in its `step` and `steps`.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tintype_client.calls import Calls
from tintype_client.errors import NotFinished, ServerFault, Unreachable
from tintype_client.exchange import Steps, pause
from tintype_client.tasks import Progress, Task, TaskName

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
PART_OF_WAIT = 0.1
"""A pause is this part of the time waited so far, so that the news is never much older than the task."""
PATIENCE = 60.0
"""Seconds for which a server may be away in the midst of a wait, such as while it restarts."""

OnProgress = Callable[[Progress], None]


def follow(
    calls: Calls, name: TaskName, *, on_progress: OnProgress | None = None, within: float | None = None
) -> Steps[Task]:
    """The task when it has ended, in whatever way. Raises NotFinished after `within` seconds."""
    began = time.monotonic()
    heard: float | None = None
    while True:
        try:
            task = yield from calls.task(name)
        except (Unreachable, ServerFault):
            if heard is None or time.monotonic() - heard > PATIENCE:
                raise
        else:
            heard = time.monotonic()
            if on_progress is not None:
                on_progress(Progress(task=task, waited=heard - began))
            if task.is_terminal:
                return task
        waited = time.monotonic() - began
        if within is not None and waited >= within:
            raise NotFinished(f"the task did not end within {within:g} s; it goes on")
        yield from pause(_next_pause(waited, within))


def draw(
    calls: Calls, model: str, inputs: Mapping[str, Any], *, idempotency_key: str | None = None
) -> Steps[Task]:
    """Runs a task and waits at the server, and by asking if the server stops waiting first."""
    task = yield from calls.run_sync(model, inputs, idempotency_key=idempotency_key)
    return task if task.is_terminal else (yield from follow(calls, task))


def _next_pause(waited: float, within: float | None) -> float:
    seconds = min(max(PART_OF_WAIT * waited, SHORTEST_PAUSE), LONGEST_PAUSE)
    return seconds if within is None else min(seconds, within - waited)
