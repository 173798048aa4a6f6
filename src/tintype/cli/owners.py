"""Which project or account is meant: its name, its id, or an account's e-mail address."""

from typing import TYPE_CHECKING

from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tintype.domain.project import Account, Project


def demand_project(connection: "Connection", name: str) -> "Project":
    """The project of that name or id. Raises Stop."""
    from tintype.storage import projects

    found = projects.by_name(connection, name)
    if found is None and name.isdigit():
        found = projects.by_id(connection, int(name))
    if found is None:
        raise Stop(f"there is no project {name!r}; `tintype project list` shows all")
    return found


def demand_account(connection: "Connection", name: str) -> "Account":
    """The account of that name, e-mail address or id. Raises Stop."""
    from tintype.storage import accounts

    found = accounts.by_name(connection, name) or accounts.by_email(connection, name)
    if found is None and name.isdigit():
        found = accounts.by_id(connection, int(name))
    if found is None:
        raise Stop(f"there is no account {name!r}; `tintype account list` shows all")
    return found
