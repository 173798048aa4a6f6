"""Everything that can go wrong for a caller. Light: imports nothing that talks to a network."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tintype_client.tasks import Task


class ClientError(Exception):
    """Base of all errors of the client."""


class Unreachable(ClientError):
    """No answer came: no server there, a lost connection, or a time-out."""


class ServerFault(ClientError):
    """The server answered, but not as Tintype does: a fault of its own, or of something in between."""

    def __init__(self, message: str, *, http_status: int) -> None:
        self.http_status = http_status
        super().__init__(message)


class Problem(msgspec.Struct, frozen=True):
    """One reason for a refusal, as the server gave it."""

    code: int = 0
    message: str = ""


class Refused(ClientError):
    """The server understood the request and said no."""

    def __init__(self, problems: tuple[Problem, ...], *, http_status: int) -> None:
        self.problems = problems or (Problem(message=f"refused without a reason (HTTP {http_status})"),)
        self.http_status = http_status
        super().__init__("; ".join(problem.message for problem in self.problems))

    @property
    def code(self) -> int:
        """The protocol's code of the first problem."""
        return self.problems[0].code

    @property
    def message(self) -> str:
        """All problems in one line."""
        return str(self)


class Unauthorized(Refused):
    """Key, secret or address are not accepted."""


class TooManyRequests(Refused):
    """The rate limit of Run or Upload is reached."""

    def __init__(self, problems: tuple[Problem, ...], *, http_status: int, retry_after: float) -> None:
        self.retry_after = retry_after
        """Seconds until the same request may pass."""
        super().__init__(problems, http_status=http_status)


class NotFinished(ClientError):
    """Waiting took longer than the caller allowed. The task goes on."""


class BadCallback(ClientError):
    """A request that was to be a callback is not from the server, is too old, or tells of no task."""


class TaskFailed(ClientError):
    """The task ended without a picture; `task.debug_error` says why."""

    def __init__(self, task: "Task") -> None:
        self.task = task
        super().__init__(task.debug_error or f"task {task.id} failed with exit code {task.exit_code}")


class TaskCancelled(ClientError):
    """The task was cancelled or killed."""

    def __init__(self, task: "Task") -> None:
        self.task = task
        super().__init__(f"task {task.id} was cancelled")
