"""`tintype callback`: what was told to whom, and telling it again. Works on the database itself."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tintype.cli import books
from tintype.cli.printing import print_json
from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tintype.domain.callback import Attempt, Callback
    from tintype.storage.vault import Vault

app = typer.Typer(
    no_args_is_help=True,
    help="Look at callbacks and send them again, in the database that the settings name.",
)

Name = Annotated[str, typer.Argument(metavar="ID", help="The callback's number, or its webhook-id (msg_…).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MICROSECONDS = 1_000_000


@app.command("list")
def list_callbacks(
    task: Annotated[int | None, typer.Option(help="Only that of the task with this id.", min=1)] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only those that were dropped, or failed and will be sent again.")
    ] = False,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """List callbacks, newest first."""
    from tintype.storage import callbacks

    found = books.read(
        lambda connection: callbacks.list_callbacks(connection, limit=limit, task_id=task, failed=failed)
    )
    if as_json:
        print_json([_fields(callback) for callback in found])
        return
    if not found:
        books.say_none("such callbacks" if failed or task else "callbacks")
    for callback in found:
        typer.echo(
            f"{callback.id:<8} task {callback.task_id:<8} {callback.state:<10} "
            f"{_times(callback.attempts):<12} {printable(callback.url)}"
        )


@app.command()
def show(callback: Name, as_json: Json = False) -> None:
    """Show one callback, with every attempt to deliver it."""
    from tintype.storage import callbacks

    def look(connection: "Connection") -> "tuple[Callback, list[Attempt]]":
        found = demand_callback(connection, callback)
        return found, callbacks.attempts_of(connection, found.id)

    _print(*books.read(look), as_json=as_json)


@app.command()
def resend(callback: Name, as_json: Json = False) -> None:
    """Send a callback again, whatever became of it: now, and if that fails, on the whole schedule.

    The body and the webhook-id stay the same.
    """
    from tintype.storage import callbacks

    def resend(connection: "Connection", _: "Vault", now: int) -> "tuple[Callback, list[Attempt]]":
        found = demand_callback(connection, callback)
        if not callbacks.resend(connection, found.id, now=now):
            raise Stop(
                f"the callback {callback} is sent when its task has ended; task {found.task_id} has not"
            )
        return demand_callback(connection, callback), callbacks.attempts_of(connection, found.id)

    _print(*books.write(resend), as_json=as_json)


def demand_callback(connection: "Connection", name: str) -> "Callback":
    """The callback of that id or message id. Raises Stop."""
    from tintype.storage import callbacks

    found = callbacks.find(connection, name)
    if found is None:
        raise Stop(f"there is no callback {name!r}; `tintype callback list` shows the newest")
    return found


def _print(callback: "Callback", attempts: "list[Attempt]", *, as_json: bool) -> None:
    if as_json:
        print_json(_fields(callback) | {"log": [_attempt_fields(attempt) for attempt in attempts]})
        return
    lines = {
        "id": callback.id,
        "webhook-id": callback.message_id,
        "task": callback.task_id,
        "project": callback.project_id,
        "url": printable(callback.url),
        "state": callback.state.value,
        "due": _moment(callback.due) if callback.state == "due" else "",
        "ended": _moment(callback.ended),
    }
    for name, value in lines.items():
        if value:
            typer.echo(f"{name + ':':<11} {value}")
    for attempt in attempts:
        typer.echo(f"{_moment(attempt.started)}  attempt {attempt.number}: {_result(attempt)}")


def _result(attempt: "Attempt") -> str:
    if attempt.status is not None:
        answer = " ".join(attempt.answer.split())
        return f"HTTP {attempt.status} after {_seconds(attempt):.1f} s  {printable(answer[:200])}".rstrip()
    if attempt.ended:
        return f"{printable(attempt.error)} ({_seconds(attempt):.1f} s)"
    return "no answer so far, or the server was killed"


def printable(text: str) -> str:
    """What strangers sent, without the characters that a terminal obeys."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _fields(callback: "Callback") -> dict[str, Any]:
    return {
        "id": callback.id,
        "webhook_id": callback.message_id,
        "task": callback.task_id,
        "project": callback.project_id,
        "url": callback.url,
        "state": callback.state.value,
        "attempts": callback.attempts,
        "due": callback.due / MICROSECONDS if callback.state == "due" else None,
        "ended": callback.ended / MICROSECONDS if callback.ended else None,
    }


def _attempt_fields(attempt: "Attempt") -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started": attempt.started / MICROSECONDS,
        "seconds": round(_seconds(attempt), 3) if attempt.ended else None,
        "status": attempt.status,
        "answer": attempt.answer,
        "error": attempt.error,
    }


def _seconds(attempt: "Attempt") -> float:
    return (attempt.ended - attempt.started) / MICROSECONDS


def _times(number: int) -> str:
    return f"{number} attempt{'' if number == 1 else 's'}"


def _moment(microseconds: int) -> str:
    if not microseconds:
        return ""
    return datetime.fromtimestamp(microseconds / MICROSECONDS).astimezone().isoformat(" ", "seconds")
