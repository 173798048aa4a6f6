"""From an error to a line on stderr and an exit code. What is not named here is a bug and keeps its trace."""

from typing import Any

import typer
from typer.core import TyperGroup

from tintype.cli.exits import Exit

NEEDS_EXTRAS = "this command needs `pip install 'tintype[server,engine]'`"


class Stop(Exception):
    """A command cannot go on; says why, and with which exit code."""

    def __init__(self, message: str, exit_code: Exit = Exit.USAGE) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class Commands(TyperGroup):
    """The command tree; turns errors into exit codes."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] == "tintype":
                raise
            typer.echo(f"tintype: {missing.name} is not installed; {NEEDS_EXTRAS}", err=True)
            raise typer.Exit(Exit.USAGE) from None
        except Exception as problem:
            code = exit_code_of(problem)
            if code is None:
                raise
            typer.echo(f"tintype: {problem}", err=True)
            raise typer.Exit(code) from None


def exit_code_of(problem: Exception) -> Exit | None:
    """The exit code of an expected error; None for a bug."""
    from tintype.domain.errors import InvalidInputs, TintypeError
    from tintype.engine.process import HostDied, HostNotReady
    from tintype_client.errors import ClientError, Refused, TaskCancelled, TaskFailed

    match problem:
        case Stop():
            return problem.exit_code
        case InvalidInputs() | Refused():
            return Exit.REFUSED
        case TaskFailed() | TaskCancelled() | HostDied() | HostNotReady():
            return Exit.FAILED
        case ClientError():
            return Exit.UNREACHABLE
        case TintypeError():
            return Exit.USAGE
    return None
