"""`tintype project`: who may ask. Works on the database itself, while a server runs and while none does."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tintype.cli.owners import demand_project
from tintype.cli.printing import print_fields, print_json, project_fields

if TYPE_CHECKING:
    from tintype.domain.project import Project

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
    account: Annotated[str, typer.Option(help="Who owns it; made if missing.")] = DEFAULT_ACCOUNT,
    as_json: Json = False,
) -> None:
    """Make a project and print its key and secret."""
    import asyncio

    project, secret = asyncio.run(_create(name=name, auth=auth, account=account))
    _print_project(project, secret, as_json=as_json)


@app.command()
def show(
    project: Annotated[str, typer.Argument(metavar="NAME|ID", help="The project's name or id.")],
    as_json: Json = False,
) -> None:
    """Show one project, with its key and secret."""
    import asyncio

    found, secret = asyncio.run(_find(project))
    _print_project(found, secret, as_json=as_json)


@app.command("list")
def list_projects(as_json: Json = False) -> None:
    """List all projects, without their secrets."""
    import asyncio

    projects = asyncio.run(_all())
    if as_json:
        print_json([project_fields(project) for project in projects])
        return
    for project in projects:
        typer.echo(f"{project.id:<8} {project.auth:<10} {project.key:<31} {project.name}")


async def _create(*, name: str, auth: str, account: str) -> "tuple[Project, str]":
    from tintype.bootstrap import open_books
    from tintype.domain.project import Auth
    from tintype.service import now
    from tintype.settings import read_settings
    from tintype.storage import accounts, projects

    async with open_books(read_settings()) as (database, vault):
        return await database.write(
            lambda connection: projects.create_project(
                connection,
                vault,
                account=accounts.ensure_account(connection, name=account, now=now()),
                name=name,
                auth=Auth(auth),
                now=now(),
            )
        )


async def _find(name: str) -> "tuple[Project, str]":
    from tintype.bootstrap import open_books
    from tintype.settings import read_settings
    from tintype.storage import projects

    async with open_books(read_settings()) as (database, vault):
        found = await database.read(lambda connection: demand_project(connection, name))
        secret = await database.read(lambda connection: projects.secret_of(connection, vault, found.id))
        return found, secret or ""


async def _all() -> "list[Project]":
    from tintype.bootstrap import open_books
    from tintype.settings import read_settings
    from tintype.storage import projects

    async with open_books(read_settings()) as (database, _vault):
        return await database.read(projects.all_projects)


def _print_project(project: "Project", secret: str, *, as_json: bool) -> None:
    print_fields(project_fields(project) | {"secret": secret}, as_json=as_json)
