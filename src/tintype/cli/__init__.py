"""The command line: one file per group of commands. Each parses, calls, and prints.

`tintype --help` must stay quick, so a command imports what it needs when it is called.
"""

from typing import Annotated

import typer

import tintype
from tintype.cli import (
    account,
    account_money,
    callback,
    draw,
    inspect,
    models,
    project,
    project_changes,
    run,
    serve,
    task,
    upload,
)
from tintype.cli.refusals import Commands

EPILOG = (
    "Exit codes: 0 done; 1 the task failed or was cancelled; 2 wrong usage or setting; "
    "3 refused by the server; 4 the server cannot be reached; 130 interrupted."
)


def kebab(name: str) -> str:
    """`--safetyTolerance`, as the protocol spells it, is `--safety-tolerance`."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    context_settings={"token_normalize_func": kebab},
)
app.command("serve")(serve.serve)
app.command("run")(run.run)
app.command("draw")(draw.draw)
app.command("inspect")(inspect.inspect)
app.command("upload")(upload.upload)
app.add_typer(task.app, name="task")
app.add_typer(models.app, name="models")
app.add_typer(callback.app, name="callback")
project_changes.add_to(project.app)
app.add_typer(project.app, name="project")
account_money.add_to(account.app)
app.add_typer(account.app, name="account")


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def tintype_command(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Tintype: a self-hosted image-generation service around FLUX.2."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"tintype {tintype.__version__}")


def main() -> None:
    """The `tintype` command."""
    app(prog_name="tintype")
