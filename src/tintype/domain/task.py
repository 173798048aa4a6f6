"""A task, its outputs, and the few things a caller may say to name one."""

from typing import Any, Literal

import msgspec

from tintype.domain.lifecycle import Status
from tintype.domain.priority import Priority
from tintype.domain.tariff import Charge

SUCCESS, FAILURE = 0, 1
"""Exit codes of a finished task."""


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """When each stage was reached, in microseconds since the epoch; 0 where it was not.

    The names follow the wire's, and the fields stand in the order that their values must keep.
    """

    create: int = 0
    accept: int = 0
    preprocess_start: int = 0
    preprocess_end: int = 0
    assign: int = 0
    start: int = 0
    end: int = 0
    postprocess_start: int = 0
    postprocess_end: int = 0
    cancel: int = 0


MOMENT_OF: dict[Status, str] = {
    Status.ACCEPT: "accept",
    Status.PREPROCESS_START: "preprocess_start",
    Status.PREPROCESS_END: "preprocess_end",
    Status.ASSIGN: "assign",
    Status.START: "start",
    Status.END: "end",
    Status.POSTPROCESS_START: "postprocess_start",
    Status.POSTPROCESS_END: "postprocess_end",
    Status.CANCEL: "cancel",
}
"""The moment that reaching a status sets. `task_output` is the continuation of `task_start`."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file: an output, a run's input, or an upload."""

    id: str
    """32 hex digits."""
    name: str
    content_type: str
    size: int
    """Bytes."""
    folder: str
    """The id of the folder it lies in, 32 hex digits; `"0"` at the top."""
    access_key: str
    object_key: str
    """Where `tintype.storage.objects` keeps the bytes."""
    added: int
    """Microseconds since the epoch."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One request for a picture, from its acceptance to its end."""

    id: int
    token: str
    account_uuid: str
    project_id: int
    """The project that asked; the only one that sees the task."""
    billed_project_id: int
    """The project that pays; of the same account."""
    model: str
    """`owner/project`, clean slugs: a key of the catalogue."""
    parameters: dict[str, Any]
    """As sent, unknown keys included; shown to the caller, never drawn from."""
    inputs: dict[str, Any]
    """Checked, typed and complete with defaults; what is drawn."""
    callback_url: str
    cps: int
    """Picodollars per second when the task was accepted."""
    charge: Charge | None = None
    """What it is charged by instead."""
    share: str
    """Whoever the compute is charged to in fair sharing: the project's id as text."""
    weight: float
    priority: Priority = Priority.NORMAL
    """Its project's when it was accepted."""
    rank: float
    """The place in the queue: lower is claimed earlier."""
    cost_estimate: float
    """What fair sharing counts the task as: pixels × steps."""

    status: Status
    moments: Moments
    worker: str | None
    """The id of the worker that holds or held the task."""
    attempt: int
    """How often it has been claimed; with `worker` it fences every write of a worker."""
    lost_attempts: int
    """Attempts that died with their worker."""
    sequence: int
    """Grows with every event of the task, across restarts."""
    exit_code: int | None
    total_cost: int
    """Picodollars."""
    debug_output: str
    debug_error: str
    output_folder: str
    """32 hex digits; `"0"` if there are no outputs."""
    outputs: tuple[File, ...]

    @property
    def succeeded(self) -> bool:
        """Whether it finished with a picture."""
        return self.status is Status.POSTPROCESS_END and self.exit_code == SUCCESS

    @property
    def lease(self) -> "Lease":
        """The right to write to the task that its current claim gives."""
        return Lease(task_id=self.id, worker=self.worker or "", attempt=self.attempt)


class CallbackOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a callback says beside the task itself, settled when the task is accepted."""

    page: dict[str, Any]
    """The fields of the model's page."""
    public_url: str


class NewTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it is accepted, before the store gives it an id and a place in the queue."""

    token: str
    project_id: int
    billed_project_id: int
    model: str
    parameters: dict[str, Any]
    inputs: dict[str, Any]
    callback_url: str
    cps: int
    charge: Charge | None = None
    expected_charge: int | None = None
    """Picodollars that it will probably cost by its charge, if it has one."""
    share: str
    weight: float
    priority: Priority = Priority.NORMAL
    cost_estimate: float
    debug_error: str = ""
    max_concurrent: int | None = None
    """Refuse when the project already has so many unfinished tasks."""
    paying_account_id: int | None = None
    """The account whose wallet pays for it; None if it is free."""
    callback: CallbackOrder | None = None
    """To be sent to `callback_url` when the task has ended."""


class Idempotency(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's name for one Run, and a digest of what it asked."""

    key: str
    fingerprint: str


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's right to one attempt at one task."""

    task_id: int
    worker: str
    attempt: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended: with outputs, or with an exit code that is not 0 and a reason."""

    exit_code: int
    outputs: tuple[File, ...] = ()
    output_folder: str = "0"
    pixels: int = 0
    """Those of one output."""
    debug_output: str = ""
    debug_error: str = ""


class TaskName(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller calls a task: its id or its token."""

    kind: Literal["id", "token"]
    value: str


def name_task(*, task_id: str, token: str) -> TaskName | None:
    """What the caller means: the token counts before the id; digits alone are always an id.

    None if both are empty.
    """
    named = token or task_id
    if not named:
        return None
    return TaskName(kind="id" if named.isascii() and named.isdigit() else "token", value=named)
