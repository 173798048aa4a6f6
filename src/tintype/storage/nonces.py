"""Nonces that were seen: each counts once per project, also when it arrives several times at once."""

import hashlib

from sqlalchemy import BigInteger, Connection, Text, bindparam, delete, text

from tintype.storage.tables import nonces

# Whoever comes second waits here until the first has committed, and then gets no row.
_SPEND = text(
    "INSERT INTO nonces (project_id, digest, expire_time) VALUES (:project_id, :digest, :expires)"
    " ON CONFLICT (project_id, digest) DO NOTHING RETURNING digest"
).bindparams(
    bindparam("project_id", type_=BigInteger),
    bindparam("digest", type_=Text),
    bindparam("expires", type_=BigInteger),
)


def spend(connection: Connection, project_id: int, nonce: str, *, expires: int) -> bool:
    """Whether the nonce was new; from now on it is not, until `expires` (microseconds since the epoch)."""
    digest = hashlib.sha256(nonce.encode("utf-8", "surrogatepass")).hexdigest()
    values = {"project_id": project_id, "digest": digest, "expires": expires}
    return connection.execute(_SPEND, values).first() is not None


def forget_expired(connection: Connection, *, now: int) -> int:
    """Drops nonces that are remembered no longer; how many."""
    return connection.execute(delete(nonces).where(nonces.c.expire_time <= now)).rowcount
