"""Waiting for a task to end: look, listen, tell the caller, look again.

News come over the WebSocket. While there is no line, Task/Detail is asked again and again, which also has the
last word: what is returned is always what it says.
"""

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tintype_client.calls import Calls
from tintype_client.errors import NotFinished, ServerFault, Unreachable
from tintype_client.exchange import Steps, pause
from tintype_client.listening import Listener, Told
from tintype_client.tasks import STATUSES, Progress, Task, TaskName

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
PART_OF_WAIT = 0.1
"""Without a line, a pause is this part of the time waited so far, so that the news is never much older than
the task."""
LOOK_EVERY = 20.0
"""With a line, seconds between two looks all the same."""
PATIENCE = 60.0
"""Seconds for which a server may be away in the midst of a wait, such as while it restarts."""

OnProgress = Callable[[Progress], None]


class Waiting:
    """One wait. `follow` is all of it, as steps."""

    def __init__(
        self,
        calls: Calls,
        name: TaskName,
        *,
        on_progress: OnProgress | None,
        within: float | None,
        previews: bool,
    ) -> None:
        self._calls = calls
        self._name = name
        self._on_progress = on_progress
        self._within = within
        self._previews = previews
        self._began = time.monotonic()
        self._heard: float | None = None
        self._listener: Listener | None = None
        self._task: Task | None = None

    def follow(self) -> Steps[Task]:
        """The task when it has ended, in whatever way. Raises NotFinished after `within` seconds."""
        while True:
            task = yield from self._look()
            if task is not None and task.is_terminal:
                return task
            if self._left <= 0:
                raise NotFinished(f"the task did not end within {self._within:g} s; it goes on")
            if self._listener and self._listener.may_listen:
                yield from self._listener.listen(self._tell, seconds=min(self._left, LOOK_EVERY))
            else:
                yield from pause(self._pause)

    def _look(self) -> Steps[Task | None]:
        """The task as it is; None if the server is away. Raises what the call raises, in the end."""
        try:
            task = yield from self._calls.task(self._name)
        except (Unreachable, ServerFault):
            if self._heard is None or time.monotonic() - self._heard > PATIENCE:
                raise
            return None
        self._heard = time.monotonic()
        self._task = task
        if self._listener is None:
            self._listener = Listener(self._calls.socket_url, task.token, previews=self._previews)
        self._say(Progress(task=task, waited=self._waited))
        return task

    def _tell(self, told: Told) -> None:
        """A frame, told as progress."""
        self._heard = time.monotonic()
        if self._task is None or told.type not in STATUSES:
            return
        self._task = msgspec.structs.replace(self._task, status=told.type)
        self._say(progress_of(self._task, told, waited=self._waited))

    def _say(self, progress: Progress) -> None:
        if self._on_progress is not None:
            self._on_progress(progress)

    @property
    def _waited(self) -> float:
        return time.monotonic() - self._began

    @property
    def _left(self) -> float:
        """Seconds that the caller has left to wait."""
        return float("inf") if self._within is None else self._within - self._waited

    @property
    def _pause(self) -> float:
        seconds = min(max(PART_OF_WAIT * self._waited, SHORTEST_PAUSE), LONGEST_PAUSE)
        return max(0.0, min(seconds, self._left))


def follow(
    calls: Calls,
    name: TaskName,
    *,
    on_progress: OnProgress | None = None,
    within: float | None = None,
    previews: bool = False,
) -> Steps[Task]:
    """See `Waiting.follow`."""
    return Waiting(calls, name, on_progress=on_progress, within=within, previews=previews).follow()


def draw(
    calls: Calls, model: str, inputs: Mapping[str, Any], *, idempotency_key: str | None = None
) -> Steps[Task]:
    """Runs a task and waits at the server, and by asking if the server stops waiting first."""
    task = yield from calls.run_sync(model, inputs, idempotency_key=idempotency_key)
    return task if task.is_terminal else (yield from follow(calls, task))


class _Drawing(msgspec.Struct, frozen=True):
    """The message of task_output, as far as it matters."""

    stepCurrent: int | None = None
    stepTotal: int | None = None
    speed: float | None = None
    preview: str = ""


def progress_of(task: Task, told: Told, *, waited: float) -> Progress:
    """What a frame says, with the task that it speaks of. A message that is no progress counts as none."""
    try:
        drawing = msgspec.convert(told.message, _Drawing, strict=False)
    except msgspec.ValidationError:
        drawing = _Drawing()
    return Progress(
        task=task,
        waited=waited,
        step=drawing.stepCurrent,
        steps=drawing.stepTotal,
        speed=drawing.speed or None,
        preview=_jpeg(drawing.preview),
    )


def _jpeg(url: str) -> bytes | None:
    try:
        return base64.b64decode(url.partition(";base64,")[2], validate=True) or None
    except binascii.Error:
        return None
