"""Forgetting callbacks that ended long ago, and secrets that sign no more."""

from sqlalchemy import Connection, delete, select, text

from tintype.domain.money import MICROSECONDS
from tintype.storage.tables import HAS_ENDED, callback_secrets, callbacks

KEPT = 30 * 24 * 60 * 60 * MICROSECONDS
"""How long a callback is kept after it was delivered or dropped: 30 days."""
AT_ONCE = 1000


def sweep(connection: Connection, *, now: int) -> int:
    """Drops a number of callbacks that need not be remembered, with their log; how many. To be repeated.

    `now` is in microseconds since the epoch.
    """
    connection.execute(
        delete(callback_secrets).where(
            callback_secrets.c.expire_time > 0, callback_secrets.c.expire_time <= now
        )
    )
    old = (
        select(callbacks.c.id)
        .where(text(HAS_ENDED), callbacks.c.end_time <= now - KEPT)
        .order_by(callbacks.c.end_time)
        .limit(AT_ONCE)
    )
    return connection.execute(delete(callbacks).where(callbacks.c.id.in_(old))).rowcount
