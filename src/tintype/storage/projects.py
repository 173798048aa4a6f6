"""Projects: who may ask, by which key, within which limits. Secrets are stored sealed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, insert, select

from tintype.domain.errors import UnfitProject
from tintype.domain.priority import Priority
from tintype.domain.project import Account, Auth, Project, RequestSignature
from tintype.domain.project_rules import check_name
from tintype.domain.tokens import new_token
from tintype.storage.columns import LARGEST
from tintype.storage.tables import accounts, projects, retired_credentials
from tintype.storage.vault import Vault


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
    priority: Priority = Priority.NORMAL,
) -> tuple[Project, str]:
    """A new project and its secret; key and secret are drawn at random where not given.

    `now` is in microseconds since the epoch. Raises UnfitProject if the name or the key is taken.
    """
    key, secret = key or new_token(), secret or new_token()
    check_name(name)
    taken = select(projects.c.id).where((projects.c.name == name) | (projects.c.key == key))
    retired = select(retired_credentials.c.id).where(retired_credentials.c.key == key)
    if any(connection.execute(query).first() is not None for query in (taken, retired)):
        raise UnfitProject(name=name, problem="there is one of this name or key already")
    values = {
        "account_id": account.id,
        "name": name,
        "auth": auth.value,
        "key": key,
        "sealed_secret": vault.seal(secret, owner=key),
        "allowed_addresses": list(allowed_addresses),
        "max_concurrent": max_concurrent,
        "weight": weight,
        "priority": priority.value,
        "create_time": now,
    }
    project_id = connection.execute(insert(projects).returning(projects.c.id), values).scalar_one()
    project = by_id(connection, project_id)
    assert project is not None
    return project, secret


def by_key(
    connection: Connection, vault: Vault, key: str, *, now: int
) -> tuple[Project, tuple[str, ...]] | None:
    """The project of an API key, with the secrets that count with it; None if there is no such key.

    The current secret is the first; those that were replaced follow until they expire. `now` is in
    microseconds since the epoch. Raises BadSetting.
    """
    if not key.isprintable():
        return None
    current = connection.execute(_PROJECTS.where(projects.c.key == key)).one_or_none()
    retired = connection.execute(
        select(retired_credentials)
        .where(retired_credentials.c.key == key, retired_credentials.c.expire_time > now)
        .order_by(retired_credentials.c.id.desc())
    ).all()
    if current is None and not retired:
        return None
    sealed = [row.sealed_secret for row in ([current] if current else []) + list(retired)]
    row = current or connection.execute(_PROJECTS.where(projects.c.id == retired[0].project_id)).one()
    return project_of(row), tuple(vault.open(secret, owner=key) for secret in sealed)


def by_id(connection: Connection, project_id: int) -> Project | None:
    """The project of an id."""
    if not 0 < project_id <= LARGEST:
        return None
    row = connection.execute(_PROJECTS.where(projects.c.id == project_id)).one_or_none()
    return None if row is None else project_of(row)


def by_name(connection: Connection, name: str) -> Project | None:
    """The project of a name."""
    row = connection.execute(_PROJECTS.where(projects.c.name == name)).one_or_none()
    return None if row is None else project_of(row)


def all_projects(connection: Connection) -> list[Project]:
    """Every project, oldest first."""
    return [project_of(row) for row in connection.execute(_PROJECTS.order_by(projects.c.id))]


def of_account(connection: Connection, account_id: int) -> list[Project]:
    """The account's projects, oldest first."""
    mine = _PROJECTS.where(projects.c.account_id == account_id).order_by(projects.c.id)
    return [project_of(row) for row in connection.execute(mine)]


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
    projects,
    accounts.c.uuid,
    accounts.c.email,
    accounts.c.name.label("account_name"),
    accounts.c.suspended.label("account_suspended"),
).join(accounts, accounts.c.id == projects.c.account_id)


def project_of(row: Any) -> Project:
    """The project of a row of `_PROJECTS`."""
    return Project(
        id=row.id,
        account=Account(
            id=row.account_id,
            uuid=row.uuid,
            name=row.account_name,
            suspended=row.account_suspended,
            email=row.email,
        ),
        name=row.name,
        auth=Auth(row.auth),
        key=row.key,
        allowed_addresses=tuple(row.allowed_addresses),
        max_concurrent=row.max_concurrent,
        weight=row.weight,
        created=row.create_time,
        suspended=row.suspended,
        strict=row.strict,
        request_signature=RequestSignature(row.request_signature),
        rate_run=row.rate_run,
        rate_upload=row.rate_upload,
        priority=Priority(row.priority),
    )
