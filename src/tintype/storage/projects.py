"""Accounts and projects: who may ask, by which key, within which limits. Secrets are stored sealed."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Text, bindparam, insert, select, text, update

from tintype.domain.errors import BadSetting
from tintype.domain.project import Account, Auth, Project
from tintype.domain.tokens import new_token
from tintype.storage.columns import LARGEST
from tintype.storage.tables import accounts, projects
from tintype.storage.vault import Vault

_ENSURE = text(
    "INSERT INTO accounts (uuid, name, suspended, create_time) VALUES (:uuid, :name, false, :now)"
    " ON CONFLICT (name) DO NOTHING"
).bindparams(bindparam("uuid", type_=Text), bindparam("name", type_=Text), bindparam("now", type_=BigInteger))


def create_account(connection: Connection, *, name: str, now: int) -> Account:
    """A new account. `now` is in microseconds since the epoch. Raises BadSetting if the name is taken."""
    if connection.execute(select(accounts.c.id).where(accounts.c.name == name)).first() is not None:
        raise BadSetting(name=f"account {name}", problem="there is one of this name already")
    return ensure_account(connection, name=name, now=now)


def ensure_account(connection: Connection, *, name: str, now: int) -> Account:
    """The account of that name, made if missing, also by several processes at once."""
    connection.execute(_ENSURE, {"uuid": str(uuid.uuid4()), "name": name, "now": now})
    row = connection.execute(select(accounts).where(accounts.c.name == name)).one()
    return Account(id=row.id, uuid=row.uuid, name=row.name, suspended=row.suspended)


def suspend_account(connection: Connection, account_id: int, *, suspended: bool = True) -> None:
    """A suspended account's projects submit nothing; `suspended=False` lifts it."""
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(suspended=suspended))


def create_project(
    connection: Connection,
    vault: Vault,
    *,
    account: Account,
    name: str,
    auth: Auth,
    now: int,
    key: str | None = None,
    secret: str | None = None,
    allowed_addresses: Sequence[str] = (),
    max_concurrent: int | None = None,
    weight: float = 1.0,
) -> tuple[Project, str]:
    """A new project and its secret; key and secret are drawn at random where not given.

    `now` is in microseconds since the epoch. Raises BadSetting if the name or the key is taken.
    """
    key, secret = key or new_token(), secret or new_token()
    taken = select(projects.c.id).where((projects.c.name == name) | (projects.c.key == key))
    if connection.execute(taken).first() is not None:
        raise BadSetting(name=f"project {name}", problem="there is one of this name or key already")
    values = {
        "account_id": account.id,
        "name": name,
        "auth": auth.value,
        "key": key,
        "sealed_secret": vault.seal(secret, owner=key),
        "allowed_addresses": list(allowed_addresses),
        "max_concurrent": max_concurrent,
        "weight": weight,
        "create_time": now,
    }
    project_id = connection.execute(insert(projects).returning(projects.c.id), values).scalar_one()
    project = by_id(connection, project_id)
    assert project is not None
    return project, secret


def by_key(connection: Connection, vault: Vault, key: str) -> tuple[Project, str] | None:
    """The project of an API key, with its secret; None if there is no such key. Raises BadSetting."""
    if not key.isprintable():
        return None
    row = connection.execute(_PROJECTS.where(projects.c.key == key)).one_or_none()
    return None if row is None else (_project(row), vault.open(row.sealed_secret, owner=row.key))


def by_id(connection: Connection, project_id: int) -> Project | None:
    """The project of an id."""
    if not 0 < project_id <= LARGEST:
        return None
    row = connection.execute(_PROJECTS.where(projects.c.id == project_id)).one_or_none()
    return None if row is None else _project(row)


def by_name(connection: Connection, name: str) -> Project | None:
    """The project of a name."""
    row = connection.execute(_PROJECTS.where(projects.c.name == name)).one_or_none()
    return None if row is None else _project(row)


def all_projects(connection: Connection) -> list[Project]:
    """Every project, oldest first."""
    return [_project(row) for row in connection.execute(_PROJECTS.order_by(projects.c.id))]


def secret_of(connection: Connection, vault: Vault, project_id: int) -> str | None:
    """The secret of a project; None if there is no such project. Raises BadSetting."""
    row = connection.execute(_PROJECTS.where(projects.c.id == project_id)).one_or_none()
    return None if row is None else vault.open(row.sealed_secret, owner=row.key)


def check_vault(connection: Connection, vault: Vault) -> None:
    """Raises BadSetting if the vault's key is not the one that sealed the stored secrets."""
    row = connection.execute(_PROJECTS.order_by(projects.c.id).limit(1)).one_or_none()
    if row is not None:
        vault.open(row.sealed_secret, owner=row.key)


def share_an_account(connection: Connection, project_id: int, other_id: int) -> bool:
    """Whether both projects exist and belong to one account."""
    if max(project_id, other_id) > LARGEST:
        return False
    owners = select(projects.c.account_id).where(projects.c.id.in_([project_id, other_id]))
    found = list(connection.execute(owners).scalars())
    return len(found) == len({project_id, other_id}) and len(set(found)) == 1


_PROJECTS: Select[Any] = select(
    projects, accounts.c.uuid, accounts.c.name.label("account_name"), accounts.c.suspended
).join(accounts, accounts.c.id == projects.c.account_id)


def _project(row: Any) -> Project:
    return Project(
        id=row.id,
        account=Account(id=row.account_id, uuid=row.uuid, name=row.account_name, suspended=row.suspended),
        name=row.name,
        auth=Auth(row.auth),
        key=row.key,
        allowed_addresses=tuple(row.allowed_addresses),
        max_concurrent=row.max_concurrent,
        weight=row.weight,
        created=row.create_time,
    )
