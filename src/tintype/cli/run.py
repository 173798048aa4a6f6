"""`tintype run`: a picture from a server."""

import difflib
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tintype.cli.again import original_of, tell_of
from tintype.cli.connection import Key, Secret, Url, connect
from tintype.cli.display import display
from tintype.cli.exits import Exit
from tintype.cli.pictures import Output, demand_writable, format_of, write_picture
from tintype.cli.printing import print_json, print_quote
from tintype.cli.refusals import Stop
from tintype.cli.sources import pictures

if TYPE_CHECKING:
    from tintype_client import Client, Progress, Task, Ticket

UNKNOWN_MODEL = "slug-owner-project-not-exist"
_WORDS = {
    "task_queue": "waiting in the queue",
    "task_accept": "accepted",
    "task_preprocess_start": "preparing",
    "task_preprocess_end": "preparing",
    "task_assign": "accepted",
    "task_start": "drawing",
    "task_output": "drawing",
    "task_end": "finishing",
    "task_postprocess_start": "finishing",
    "task_cancel": "cancelled",
}
_INPUTS = "Inputs (checked by the server; what is not given has the model's default)"


def _input(help_text: str, metavar: str) -> Any:
    return typer.Option(help=help_text, metavar=metavar, rich_help_panel=_INPUTS)


def run(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="OWNER/MODEL", help="Such as black-forest-labs/flux-2-flex-t2i.", show_default=False
        ),
    ] = None,
    again: Annotated[
        str | None,
        typer.Option(
            help="A picture, or a task's id or token, to be drawn again; what is given besides counts more.",
            metavar="PICTURE|TASK",
        ),
    ] = None,
    prompt: Annotated[str | None, _input("What to draw.", "TEXT")] = None,
    image: Annotated[
        list[str] | None, _input("A picture to edit or to draw after; may be repeated.", "FILE|URL")
    ] = None,
    width: Annotated[str | None, _input("In pixels.", "NUMBER")] = None,
    height: Annotated[str | None, _input("In pixels.", "NUMBER")] = None,
    steps: Annotated[str | None, _input("Number of inference steps.", "NUMBER")] = None,
    guidance: Annotated[str | None, _input("How closely to follow the prompt.", "NUMBER")] = None,
    seed: Annotated[str | None, _input("The same seed gives the same picture.", "NUMBER")] = None,
    safety_tolerance: Annotated[str | None, _input("0, most strict, to 6.", "NUMBER")] = None,
    output_format: Annotated[str | None, _input("png or jpeg. Default: as -o is named.", "FORMAT")] = None,
    callback_url: Annotated[str | None, _input("Called when the task has ended.", "URL")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="Any other input.", rich_help_panel=_INPUTS),
    ] = None,
    output: Output = None,
    quote: Annotated[
        bool, typer.Option("--quote", help="Only print what it is expected to take and to cost.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the task and its files as JSON.")] = False,
    url: Url = None,
    key: Key = None,
    secret: Secret = None,
) -> None:
    """Draw a picture with a model of a server, and download it.

    Ctrl-C kills the task. The name of the file goes to stdout, progress to stderr.
    """
    if model is not None:
        _demand_model(model)
    elif again is None:
        raise Stop("name a model, or --again PICTURE|TASK")
    demand_writable(output)
    given = {
        "prompt": prompt,
        "width": width,
        "height": height,
        "steps": steps,
        "guidance": guidance,
        "seed": seed,
        "safetyTolerance": safety_tolerance,
        "outputFormat": output_format or format_of(output),
        "callbackUrl": callback_url,
    }
    inputs: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    others = dict(_named_value(text) for text in parameter or ())
    with connect(url=url, key=key, secret=secret) as client:
        original = original_of(again, client, inputs, image or []) if again else None
        if original is not None:
            inputs, model = {**original.inputs, **inputs}, model or original.model
        model = _demand_model(model or "")
        _demand_known(others, client, model)
        with _naming_the_models(client, model):
            inputs |= pictures(image or [], client, model)
        if quote:
            with _naming_the_models(client, model):
                print_quote(client.quote(model, **(inputs | others)), as_json=as_json)
            return
        with _naming_the_models(client, model):
            task = _draw(client, model, inputs | others)
        files = [_download(client, task, number, output) for number in range(len(task.outputs))]
        if as_json:
            shown = client.call("/v1/Task/Detail", {"taskid": task.id})["tasklist"][0]
            print_json({"task": shown, "files": [str(file) for file in files]})
        task.raise_for_failure()
    if not as_json:
        typer.echo("\n".join(map(str, files)))
    if original is not None:
        tell_of(original, files[0])


def _demand_model(model: str) -> str:
    if model.count("/") != 1:
        raise Stop(f"{model!r} is no model's name; it has the form owner/model")
    return model


def _named_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Stop(f"-p {text}: write it as NAME=VALUE")
    return name, value


@contextmanager
def _naming_the_models(client: "Client", model: str) -> Iterator[None]:
    """Says more than the protocol's answer to an unknown model does."""
    from tintype_client import Refused

    try:
        yield
    except Refused as problem:
        if problem.message != UNKNOWN_MODEL:
            raise
        known = ", ".join(each.name for each in client.models())
        raise Stop(f"the server has no model {model}; it has {known}", Exit.REFUSED) from None


def _demand_known(names: Collection[str], client: "Client", model: str) -> None:
    """The protocol passes over inputs it does not know; a person would rather hear of a slip."""
    if not names:
        return
    with _naming_the_models(client, model):
        known = [item.id for item in client.model(model).inputs]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}"
            raise Stop(f"{model} has no input {name}; {hint}")


def _draw(client: "Client", model: str, inputs: dict[str, Any]) -> "Task":
    """The ended task. Ctrl-C at any moment, even before the server has answered, kills it."""
    idempotency_key = str(uuid.uuid4())
    ticket = None
    try:
        with display() as show:

            def on_progress(progress: "Progress") -> None:
                if words := _words(progress.task):
                    show.show(words, step=progress.step, steps=progress.steps, speed=progress.speed)

            show.show("sending")
            ticket = client.run(model, idempotency_key=idempotency_key, **inputs)
            return client.wait(ticket, on_progress)
    except KeyboardInterrupt:
        raise Stop(_killed(client, model, inputs, idempotency_key, ticket), Exit.INTERRUPTED) from None


def _words(task: "Task") -> str:
    """How far the task is; nothing when it has ended and it is not known yet how."""
    if task.is_terminal and not task.cancelled:
        if task.exit_code is None:
            return ""
        return "done" if task.succeeded else "failed"
    return _WORDS.get(task.status, task.status)


def _killed(
    client: "Client", model: str, inputs: dict[str, Any], idempotency_key: str, ticket: "Ticket | None"
) -> str:
    """Kills the task and says what became of it, once the server has confirmed it."""
    from tintype_client import ClientError, Refused

    typer.echo("killing the task", err=True)
    try:
        # The same Run again gives the task that the first one started, if it arrived.
        ticket = ticket or client.run(model, idempotency_key=idempotency_key, **inputs)
        client.kill(ticket)
    except Refused as problem:
        return f"interrupted; {problem}"
    except ClientError as problem:
        return f"interrupted, but a task may go on: {problem}"
    return f"interrupted; task {ticket.id} is killed"


def _download(client: "Client", task: "Task", number: int, output: Path | None) -> Path:
    picture = task.outputs[number]
    path = output if number == 0 or output is None else output.with_stem(f"{output.stem}-{number + 1}")
    image = client.download(picture)
    prompt = str(task.parameters.get("prompt", ""))
    return write_picture(image, to=path, prompt=prompt, content_type=picture.content_type)
