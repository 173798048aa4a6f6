"""How often signing in has failed lately: by whom, from where, and both together."""

import hashlib
import math

from sqlalchemy import BigInteger, Connection, Text, bindparam, delete, text, update

from tintype.domain.errors import TooManyRequests
from tintype.domain.money import MICROSECONDS
from tintype.storage.tables import sign_in_failures as failures

WINDOW = 15 * 60 * MICROSECONDS
"""Failures are forgotten so long after the first of them."""
LIMITS = {"pair": 5, "login": 50, "address": 50}
"""Failures in one window of one login from one address, of one login, and from one address. The first stops
guessing; the others stop guessing from many addresses and for many logins, and are high, since strangers can
use them up."""

_COUNT = text(
    """
    INSERT INTO sign_in_failures (name, failures, since_time) VALUES (:name, 1, :now)
    ON CONFLICT (name) DO UPDATE SET
        failures = CASE WHEN sign_in_failures.since_time <= :forgotten
            THEN 1 ELSE sign_in_failures.failures + 1 END,
        since_time = CASE WHEN sign_in_failures.since_time <= :forgotten
            THEN excluded.since_time ELSE sign_in_failures.since_time END
    RETURNING failures, since_time
    """
).bindparams(
    bindparam("name", type_=Text),
    bindparam("now", type_=BigInteger),
    bindparam("forgotten", type_=BigInteger),
)


def count_attempt(connection: Connection, login: str, address: str, *, now: int) -> None:
    """Counts an attempt as failed before it is made, so that parallel ones count each other.

    `now` is in microseconds since the epoch. Raises TooManyRequests; then the attempt must not be made.
    """
    connection.execute(delete(failures).where(failures.c.since_time <= now - WINDOW))
    for kind, name in _names(login, address).items():
        values = {"name": name, "now": now, "forgotten": now - WINDOW}
        row = connection.execute(_COUNT, values).one()
        if row.failures > LIMITS[kind]:
            left = row.since_time + WINDOW - now
            raise TooManyRequests(retry_after=max(1, math.ceil(left / MICROSECONDS)))


def forgive(connection: Connection, login: str, address: str) -> None:
    """The attempt was right: it counts for nothing, and what this caller got wrong before is forgotten."""
    names = _names(login, address)
    connection.execute(delete(failures).where(failures.c.name == names.pop("pair")))
    mine = failures.c.name.in_(sorted(names.values()))
    connection.execute(delete(failures).where(mine, failures.c.failures <= 1))
    connection.execute(update(failures).where(mine).values(failures=failures.c.failures - 1))


def _names(login: str, address: str) -> dict[str, str]:
    """Digests, since a login may be long, hold what no database takes as text, or be a mistyped password."""
    named = {"address": (address,), "login": (login,), "pair": (login, address)}
    return {kind: _digest(kind, *parts) for kind, parts in named.items()}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
