"""What the server says about tasks, typed. Fields the client does not know are passed over."""

from decimal import Decimal
from typing import Any

import msgspec

from tintype_client.errors import NotFinished, TaskCancelled, TaskFailed

FINISHED = "task_postprocess_end"
CANCELLED = "task_cancel"
TERMINAL = frozenset({FINISHED, CANCELLED})
STATUSES = frozenset(
    {
        "task_queue",
        "task_accept",
        "task_preprocess_start",
        "task_preprocess_end",
        "task_assign",
        "task_start",
        "task_output",
        "task_end",
        "task_postprocess_start",
        *TERMINAL,
    }
)
SUCCESS = 0


class Ticket(
    msgspec.Struct, frozen=True, kw_only=True, rename={"id": "taskid", "token": "socketaccesstoken"}
):
    """What an accepted Run gives: the names of its task."""

    id: str
    token: str


class Output(msgspec.Struct, frozen=True, kw_only=True, rename={"content_type": "contenttype"}):
    """A picture of a finished task."""

    name: str
    content_type: str
    url: str
    """Absolute; downloadable without credentials."""
    size: int = 0
    """Bytes."""
    id: str = ""


_WIRE = {
    "token": "socketaccesstoken",
    "exit_status": "pexit",
    "debug_output": "debugoutput",
    "debug_error": "debugerror",
    "total_cost": "totalcost",
    "elapsed_seconds": "elapsedseconds",
    "created": "createtime",
    "started": "starttime",
    "ended": "endtime",
    "cancelled_at": "canceltime",
    "callback_url": "callbackurl",
    "model_owner": "modelslugowner",
    "model_project": "modelslugproject",
}


class Task(msgspec.Struct, frozen=True, kw_only=True, rename=_WIRE):
    """A task at the moment the server was asked."""

    id: str
    token: str
    status: str
    parameters: dict[str, Any] = {}
    outputs: tuple[Output, ...] = ()
    exit_status: str = ""
    """`""` until the task has ended, and for cancelled tasks."""
    debug_output: str = ""
    debug_error: str = ""
    """Why the task failed, and notes."""
    total_cost: Decimal = Decimal(0)
    """Dollars."""
    elapsed_seconds: Decimal = Decimal(0)
    created: int = 0
    """Unix seconds, like all moments; 0 where it has not happened."""
    started: int = 0
    ended: int = 0
    cancelled_at: int = 0
    callback_url: str = ""
    model_owner: str = ""
    model_project: str = ""

    @property
    def model(self) -> str:
        """`owner/model`."""
        return f"{self.model_owner}/{self.model_project}"

    @property
    def exit_code(self) -> int | None:
        """0 is success; None while the task runs and when it was cancelled."""
        return int(self.exit_status) if self.exit_status else None

    @property
    def is_terminal(self) -> bool:
        """Whether the task will never change again."""
        return self.status in TERMINAL

    @property
    def succeeded(self) -> bool:
        """Whether the task finished with a picture."""
        return self.status == FINISHED and self.exit_code == SUCCESS

    @property
    def cancelled(self) -> bool:
        """Whether the task was cancelled or killed."""
        return self.status == CANCELLED

    @property
    def output(self) -> Output:
        """The first picture. Raises TaskFailed or TaskCancelled if the task ended without one."""
        self.raise_for_failure()
        if not self.outputs:
            raise NotFinished(f"task {self.id} has no picture yet: it is {self.status}")
        return self.outputs[0]

    def raise_for_failure(self) -> None:
        """Raises TaskFailed or TaskCancelled if the task ended in another way than success."""
        if self.cancelled:
            raise TaskCancelled(self)
        if self.is_terminal and not self.succeeded:
            raise TaskFailed(self)


class Quote(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"elapsed_seconds": "elapsedseconds", "total_cost": "totalcost"},
):
    """What a run is expected to take and to cost, from what earlier runs of its model took."""

    elapsed_seconds: Decimal
    total_cost: Decimal
    """Dollars."""
    cps: Decimal
    """Dollars per second."""


class Page(msgspec.Struct, frozen=True, kw_only=True, rename={"tasks": "tasklist"}):
    """A part of a list of tasks."""

    total: int
    """How many match in all."""
    tasks: tuple[Task, ...]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a waiting caller is told. While there is no line to the server's WebSocket the status alone is
    known, and everything else is None."""

    task: Task
    """As it was when it was last looked at, with the status it has now."""
    waited: float
    """Seconds since the wait began."""
    step: int | None = None
    steps: int | None = None
    speed: float | None = None
    """Steps a second."""
    preview: bytes | None = None
    """The unfinished picture, a small JPEG."""

    @property
    def remaining(self) -> float | None:
        """Seconds that the steps ahead may take, if it is known."""
        if self.step is None or self.steps is None or not self.speed:
            return None
        return (self.steps - self.step) / self.speed


TaskName = Task | Ticket | str
"""What names a task: itself, the ticket of its Run, its id or its token."""
