"""Who is signed in. A session is found by the digest of its token; the token itself is never stored."""

import hashlib

from sqlalchemy import Connection, delete, insert, select

from tintype.domain.errors import BadBearer, ExpiredBearer
from tintype.domain.money import MICROSECONDS
from tintype.domain.project import Account
from tintype.storage.accounts import account_of
from tintype.storage.tables import accounts, sessions

REMEMBERED = 7 * 24 * 60 * 60 * MICROSECONDS
"""For so long after its end a session is told to have expired; later it is unknown."""


def open_session(connection: Connection, account: Account, token: str, *, now: int, expires: int) -> None:
    """The account is signed in by that token until `expires`. Moments are in microseconds since the epoch."""
    connection.execute(delete(sessions).where(sessions.c.expire_time <= now - REMEMBERED))
    session = {
        "digest": digest(token),
        "account_id": account.id,
        "create_time": now,
        "expire_time": expires,
    }
    connection.execute(insert(sessions), session)


def account_of_token(connection: Connection, token: str, *, now: int) -> Account:
    """Who is signed in by the token. Raises BadBearer, ExpiredBearer."""
    found = (
        select(accounts, sessions.c.expire_time)
        .join(sessions, sessions.c.account_id == accounts.c.id)
        .where(sessions.c.digest == digest(token))
    )
    row = connection.execute(found).one_or_none()
    if row is None:
        raise BadBearer
    if row.expire_time <= now:
        raise ExpiredBearer
    return account_of(row)


def close_session(connection: Connection, token: str) -> None:
    """The token counts no longer; it may have been nobody's."""
    connection.execute(delete(sessions).where(sessions.c.digest == digest(token)))


def digest(token: str) -> str:
    """SHA-256 in hex: tokens are random, so that nothing slower is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
