"""The secrets that sign a project's callbacks: one for good, and others beside it while they run out."""

from sqlalchemy import BigInteger, Connection, LargeBinary, bindparam, select, text, update

from tintype.domain.tokens import new_callback_secret
from tintype.storage.tables import callback_secrets
from tintype.storage.vault import Vault

_ENSURE = text(
    "INSERT INTO callback_secrets (project_id, sealed_secret, create_time, expire_time)"
    " VALUES (:project_id, :sealed, :now, 0)"
    " ON CONFLICT (project_id) WHERE expire_time = 0 DO NOTHING"
).bindparams(
    bindparam("project_id", type_=BigInteger),
    bindparam("sealed", type_=LargeBinary),
    bindparam("now", type_=BigInteger),
)


def current(connection: Connection, vault: Vault, project_id: int, *, now: int) -> str:
    """The project's secret, `whsec_…`; made if it has none, also by several processes at once.

    `now` is in microseconds since the epoch. Raises BadSetting.
    """
    return signing(connection, vault, project_id, now=now)[0]


def signing(connection: Connection, vault: Vault, project_id: int, *, now: int) -> list[str]:
    """The secrets that sign at `now`, the one that stays first. Raises BadSetting."""
    found = _signing(connection, vault, project_id, now)
    if not found or found[0][1]:
        _make(connection, vault, project_id, now)
        found = _signing(connection, vault, project_id, now)
    return [secret for secret, _ in found]


def rotate(connection: Connection, vault: Vault, project_id: int, *, now: int, overlap: int) -> str:
    """A new secret. Until `overlap` microseconds from now the old one signs, too.

    `now` is in microseconds since the epoch.
    """
    signing(connection, vault, project_id, now=now)
    replaced = (callback_secrets.c.project_id == project_id, callback_secrets.c.expire_time == 0)
    connection.execute(update(callback_secrets).where(*replaced).values(expire_time=now + overlap))
    _make(connection, vault, project_id, now)
    return current(connection, vault, project_id, now=now)


def _make(connection: Connection, vault: Vault, project_id: int, now: int) -> None:
    sealed = vault.seal(new_callback_secret(), owner=_owner(project_id))
    connection.execute(_ENSURE, {"project_id": project_id, "sealed": sealed, "now": now})


def _signing(connection: Connection, vault: Vault, project_id: int, now: int) -> list[tuple[str, int]]:
    """The secrets with their expiry, that which has none first, then the newest."""
    live = (callback_secrets.c.expire_time == 0) | (callback_secrets.c.expire_time > now)
    wanted = (
        select(callback_secrets)
        .where(callback_secrets.c.project_id == project_id, live)
        .order_by(callback_secrets.c.expire_time != 0, callback_secrets.c.id.desc())
    )
    return [
        (vault.open(row.sealed_secret, owner=_owner(project_id)), row.expire_time)
        for row in connection.execute(wanted)
    ]


def _owner(project_id: int) -> str:
    return f"callbacks of project {project_id}"
