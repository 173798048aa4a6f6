"""Loose objects: stored bytes that belong to no file, since they are on their way in, or out.

An object is announced before its bytes are stored, and taken by the transaction that makes its file known.
One that is doomed is never taken any more: its bytes may be deleted at any time, by anyone.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Text, bindparam, delete, select, text, update

from tintype.storage.tables import loose_objects as loose

_ANNOUNCE = text(
    "INSERT INTO loose_objects (object_key, doomed, since_time) VALUES (:object_key, false, :now)"
    " ON CONFLICT (object_key) DO NOTHING"
).bindparams(bindparam("object_key", type_=Text), bindparam("now", type_=BigInteger))
_DOOM = text(
    "INSERT INTO loose_objects (object_key, doomed, since_time) VALUES (:object_key, true, :now)"
    " ON CONFLICT (object_key) DO UPDATE SET doomed = true"
).bindparams(bindparam("object_key", type_=Text), bindparam("now", type_=BigInteger))


def announce(connection: Connection, keys: Sequence[str], *, now: int) -> None:
    """Bytes will be stored under these keys. May be repeated. `now` is in microseconds since the epoch."""
    connection.execute(_ANNOUNCE, [{"object_key": key, "now": now} for key in keys])


def take(connection: Connection, keys: Sequence[str]) -> None:
    """The objects belong to files from now on. Raises LookupError if one is doomed or was not announced."""
    taken = connection.execute(delete(loose).where(*_is(keys), loose.c.doomed.is_(False))).rowcount
    if taken != len(keys):
        raise LookupError(f"{len(keys) - taken} of {len(keys)} objects were given up meanwhile")


def give_up(connection: Connection, keys: Sequence[str]) -> list[str]:
    """Dooms those of the announced objects that nobody has taken; returns them, to be deleted next."""
    doomed = update(loose).where(*_is(keys)).values(doomed=True).returning(loose.c.object_key)
    return sorted(connection.execute(doomed).scalars())


def doom(connection: Connection, keys: Sequence[str], *, now: int) -> None:
    """The objects of files that are known no longer, to be deleted next."""
    if keys:
        connection.execute(_DOOM, [{"object_key": key, "now": now} for key in keys])


def doom_old(connection: Connection, *, before: int, limit: int) -> list[str]:
    """Objects that have been loose since before that moment; they are doomed, and to be deleted next.

    `before` is in microseconds since the epoch.
    """
    old = select(loose.c.object_key).where(loose.c.since_time < before).order_by(loose.c.since_time)
    return give_up(connection, list(connection.execute(old.limit(limit)).scalars()))


def forget(connection: Connection, keys: Sequence[str]) -> None:
    """The bytes of the doomed objects are gone."""
    connection.execute(delete(loose).where(*_is(keys), loose.c.doomed.is_(True)))


def _is(keys: Sequence[str]) -> list[Any]:
    return [loose.c.object_key.in_(keys)]
