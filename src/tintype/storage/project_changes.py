"""Changing a project: its name and limits, its key and its secret. Servers notice within a second."""

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from tintype.domain.errors import UnfitProject
from tintype.domain.priority import Priority
from tintype.domain.project import Project
from tintype.domain.project_rules import check_addresses, check_max_concurrent, check_name, check_weight
from tintype.domain.tokens import new_token
from tintype.storage.projects import by_id
from tintype.storage.tables import projects, retired_credentials
from tintype.storage.vault import Vault

UNCHANGED: Any = object()
"""None means something for a limit."""


def change_project(
    connection: Connection,
    project: Project,
    *,
    name: str = UNCHANGED,
    allowed_addresses: list[str] = UNCHANGED,
    max_concurrent: int | None = UNCHANGED,
    weight: float = UNCHANGED,
    priority: Priority = UNCHANGED,
    suspended: bool = UNCHANGED,
) -> Project:
    """The project as it is from now on; what is not given stays. Raises UnfitProject."""
    values: dict[str, Any] = {}
    if name is not UNCHANGED and name != project.name:
        values["name"] = check_name(name)
        taken = select(projects.c.id).where(projects.c.name == name)
        if connection.execute(taken).first() is not None:
            raise UnfitProject(name=name, problem="there is one of this name already")
    if allowed_addresses is not UNCHANGED:
        values["allowed_addresses"] = list(check_addresses(project.name, allowed_addresses))
    if max_concurrent is not UNCHANGED:
        values["max_concurrent"] = check_max_concurrent(project.name, max_concurrent)
    if weight is not UNCHANGED:
        values["weight"] = check_weight(project.name, weight)
    if priority is not UNCHANGED:
        values["priority"] = priority.value
    if suspended is not UNCHANGED:
        values["suspended"] = suspended
    if values:
        connection.execute(update(projects).where(projects.c.id == project.id).values(**values))
    return _again(connection, project)


def rotate_key(
    connection: Connection, vault: Vault, project: Project, *, old_until: int, now: int
) -> Project:
    """The project with a new key and its old secret.

    The old key counts until `old_until`; both moments are in microseconds since the epoch.
    """
    row, secret = _locked(connection, vault, project)
    key = new_token()
    _retire(connection, row, old_until=old_until, now=now)
    values = {"key": key, "sealed_secret": vault.seal(secret, owner=key)}
    connection.execute(update(projects).where(projects.c.id == row.id).values(**values))
    return _again(connection, project)


def rotate_secret(
    connection: Connection, vault: Vault, project: Project, *, old_until: int, now: int
) -> tuple[Project, str]:
    """The project with its old key, and its new secret.

    The old secret counts until `old_until`; both moments are in microseconds since the epoch.
    """
    row, _ = _locked(connection, vault, project)
    secret = new_token()
    _retire(connection, row, old_until=old_until, now=now)
    sealed = vault.seal(secret, owner=row.key)
    connection.execute(update(projects).where(projects.c.id == row.id).values(sealed_secret=sealed))
    return _again(connection, project), secret


def _locked(connection: Connection, vault: Vault, project: Project) -> tuple[Any, str]:
    row = connection.execute(select(projects).where(projects.c.id == project.id).with_for_update()).one()
    return row, vault.open(row.sealed_secret, owner=row.key)


def _retire(connection: Connection, row: Any, *, old_until: int, now: int) -> None:
    """What counted so far expires at the latest then: a rotation also ends earlier overlaps in time."""
    mine = retired_credentials.c.project_id == row.id
    connection.execute(delete(retired_credentials).where(mine, retired_credentials.c.expire_time <= now))
    connection.execute(
        update(retired_credentials)
        .where(mine, retired_credentials.c.expire_time > old_until)
        .values(expire_time=old_until)
    )
    if old_until > now:
        retired = {
            "project_id": row.id,
            "key": row.key,
            "sealed_secret": row.sealed_secret,
            "expire_time": old_until,
        }
        connection.execute(insert(retired_credentials), retired)


def _again(connection: Connection, project: Project) -> Project:
    changed = by_id(connection, project.id)
    assert changed is not None
    return changed
