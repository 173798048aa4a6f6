"""`tintype task`: looking at a server's tasks, and ending them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tintype.cli.connection import Key, Secret, Url, connect
from tintype.cli.printing import print_json

if TYPE_CHECKING:
    from tintype_client import Client, Task

app = typer.Typer(no_args_is_help=True, help="Look at a server's tasks, and end them.")

Name = Annotated[str, typer.Argument(metavar="ID", help="The task's id or token.")]
Json = Annotated[bool, typer.Option("--json", help="Print what the server says of it, as JSON.")]


@app.command()
def show(task: Name, as_json: Json = False, url: Url = None, key: Key = None, secret: Secret = None) -> None:
    """Show one task."""
    with connect(url=url, key=key, secret=secret) as client:
        _print_task(_ask(client, "Detail", task), as_json=as_json)


@app.command()
def cancel(
    task: Name, as_json: Json = False, url: Url = None, key: Key = None, secret: Secret = None
) -> None:
    """Cancel a task that is still in the queue."""
    with connect(url=url, key=key, secret=secret) as client:
        _print_task(_ask(client, "Cancel", task), as_json=as_json)


@app.command()
def kill(task: Name, as_json: Json = False, url: Url = None, key: Key = None, secret: Secret = None) -> None:
    """Kill a task in any state but an ended one."""
    with connect(url=url, key=key, secret=secret) as client:
        _print_task(_ask(client, "Kill", task), as_json=as_json)


@app.command("list")
def list_tasks(
    limit: Annotated[int, typer.Option(help="How many, 1 to 100.", min=1, max=100)] = 20,
    start: Annotated[int, typer.Option(help="How many to pass over.", min=0)] = 0,
    model: Annotated[str, typer.Option(help="Only models with this in their name.")] = "",
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
    secret: Secret = None,
) -> None:
    """List the project's tasks, newest first."""
    with connect(url=url, key=key, secret=secret) as client:
        if as_json:
            print_json(client.call("/v1/Task/List", {"start": start, "limit": limit, "modelName": model}))
            return
        page = client.list(start=start, limit=limit, model=model)
    for task in page.tasks:
        prompt = str(task.parameters.get("prompt", ""))
        typer.echo(f"{task.id:<8} {task.status:<22} {_moment(task.created):<26} {task.model}  {prompt}")
    typer.echo(f"{len(page.tasks)} of {page.total}", err=True)


def _ask(client: "Client", endpoint: str, name: str) -> dict[str, Any]:
    """The task as the protocol shows it."""
    from tintype_client.calls import named

    answer = client.call(f"/v1/Task/{endpoint}", named(name))
    task: dict[str, Any] = answer["tasklist"][0]
    return task


def _print_task(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    import msgspec

    from tintype_client import Task

    task = msgspec.convert(shown, Task, strict=False)
    lines = {
        "id": task.id,
        "token": task.token,
        "status": _status(task),
        "model": task.model,
        "prompt": str(task.parameters.get("prompt", "")),
        "created": _moment(task.created),
        "seconds": str(task.elapsed_seconds),
        "cost": f"${task.total_cost.normalize():f}",
        "note": task.debug_error,
        "picture": "\n          ".join(output.url for output in task.outputs),
    }
    typer.echo("\n".join(f"{name + ':':<9} {value}" for name, value in lines.items() if value))


def _status(task: "Task") -> str:
    if task.is_terminal and not task.succeeded and not task.cancelled:
        return f"{task.status} (failed)"
    return task.status


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds") if seconds else ""
