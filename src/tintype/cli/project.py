"""`tintype project`: who may ask. Works on the database itself, while a server runs and while none does."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tintype.cli import books
from tintype.cli.owners import demand_project
from tintype.cli.printing import print_fields, print_json, project_fields

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tintype.domain.project import Project
    from tintype.storage.vault import Vault

app = typer.Typer(
    no_args_is_help=True, help="Make and look at projects, in the database that the settings name."
)

DEFAULT_ACCOUNT = "default"
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="The new project's name.")],
    auth: Annotated[
        Literal["key", "signature"],
        typer.Option(help="By key alone, or by key and a signature made with the secret."),
    ] = "signature",
    account: Annotated[
        str, typer.Option(help="Who owns it; made if missing, which is said.", metavar="NAME")
    ] = DEFAULT_ACCOUNT,
    as_json: Json = False,
) -> None:
    """Make a project and print its key and secrets."""
    made, is_new_account = _create(name=name, auth=auth, account=account)
    if is_new_account:
        typer.echo(f"there was no account {account!r}: it was made for this project", err=True)
    print_fields(made, as_json=as_json)


@app.command()
def show(
    project: Annotated[str, typer.Argument(metavar="NAME|ID", help="The project's name or id.")],
    as_json: Json = False,
) -> None:
    """Show one project, with its key and secrets."""
    print_fields(_find(project), as_json=as_json)


@app.command("list")
def list_projects(as_json: Json = False) -> None:
    """List all projects, without their secrets."""
    from tintype.storage import projects

    found = books.read(projects.all_projects)
    if as_json:
        print_json([project_fields(project) for project in found])
        return
    if not found:
        books.say_none("projects")
    for project in found:
        typer.echo(f"{project.id:<8} {project.auth:<10} {project.key:<31} {project.name}")


def _create(*, name: str, auth: str, account: str) -> tuple[dict[str, Any], bool]:
    """The new project, and whether its account is new, too."""
    from tintype.domain.project import Auth
    from tintype.storage import accounts, projects

    def create(connection: "Connection", vault: "Vault", now: int) -> tuple[dict[str, Any], bool]:
        owner = accounts.by_name(connection, account)
        project, _ = projects.create_project(
            connection,
            vault,
            account=owner or accounts.create_account(connection, name=account, now=now),
            name=name,
            auth=Auth(auth),
            now=now,
        )
        return _with_secrets(connection, vault, project, now), owner is None

    return books.write(create)


def _find(name: str) -> dict[str, Any]:
    return books.write(
        lambda connection, vault, now: _with_secrets(connection, vault, demand_project(connection, name), now)
    )


def _with_secrets(connection: "Connection", vault: "Vault", project: "Project", now: int) -> dict[str, Any]:
    from tintype.storage import callback_secrets, moderation, projects

    policy = moderation.policy_of(connection, project.id)
    return project_fields(project, moderation=policy) | {
        "secret": projects.secret_of(connection, vault, project.id) or "",
        "callback_secret": callback_secrets.current(connection, vault, project.id, now=now),
    }
