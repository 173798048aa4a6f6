"""Idempotency keys: a Run asked twice is accepted once. A key is remembered 24 h per project."""

import hashlib
from typing import Any

from sqlalchemy import BigInteger, Connection, Text, bindparam, delete, select, text, update

from tintype.domain.errors import IdempotencyConflict
from tintype.domain.money import MICROSECONDS
from tintype.domain.task import Idempotency
from tintype.storage.tables import idempotency as keys

REMEMBERED = 24 * 60 * 60 * MICROSECONDS

# Whoever comes second waits here until the first has committed, and then gets no row.
_RESERVE = text(
    """
    INSERT INTO idempotency (project_id, key_digest, fingerprint, task_id, create_time)
    VALUES (:project_id, :key_digest, :fingerprint, NULL, :now)
    ON CONFLICT (project_id, key_digest) DO UPDATE
        SET fingerprint = excluded.fingerprint, task_id = NULL, create_time = excluded.create_time
        WHERE idempotency.create_time <= :expired
    RETURNING key_digest
    """
).bindparams(
    bindparam("project_id", type_=BigInteger),
    bindparam("key_digest", type_=Text),
    bindparam("fingerprint", type_=Text),
    bindparam("now", type_=BigInteger),
    bindparam("expired", type_=BigInteger),
)


def reserve(connection: Connection, project_id: int, idempotency: Idempotency, *, now: int) -> int | None:
    """None if the key is now the caller's to `attach`; else the id of the task that was accepted under it.

    `now` is in microseconds since the epoch. Raises IdempotencyConflict if that task was asked differently.
    """
    values = {**_name(project_id, idempotency), "fingerprint": idempotency.fingerprint}
    reserved = connection.execute(_RESERVE, {**values, "now": now, "expired": now - REMEMBERED}).first()
    if reserved is not None:
        return None
    first = connection.execute(select(keys).where(*_is(project_id, idempotency))).one()
    if first.fingerprint != idempotency.fingerprint:
        raise IdempotencyConflict
    return int(first.task_id)


def attach(connection: Connection, project_id: int, idempotency: Idempotency, task_id: int) -> None:
    """Remembers the task under the key reserved in the same transaction."""
    connection.execute(update(keys).where(*_is(project_id, idempotency)).values(task_id=task_id))


def forget_expired(connection: Connection, *, now: int) -> int:
    """Drops keys that are remembered no longer; how many."""
    return connection.execute(delete(keys).where(keys.c.create_time <= now - REMEMBERED)).rowcount


def _name(project_id: int, idempotency: Idempotency) -> dict[str, Any]:
    # The digest, since a key may be longer than an index entry and hold what no database takes as text.
    digest = hashlib.sha256(idempotency.key.encode("utf-8", "surrogatepass")).hexdigest()
    return {"project_id": project_id, "key_digest": digest}


def _is(project_id: int, idempotency: Idempotency) -> list[Any]:
    return [keys.c[column] == value for column, value in _name(project_id, idempotency).items()]
