"""Signing in: passwords, sessions, and a limit to guessing.

Knows accounts and their storage; nothing of projects' keys, and nothing of HTTP.
"""

import asyncio
import secrets
from collections.abc import Callable
from functools import lru_cache

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection

from tintype.domain.account_rules import check_password
from tintype.domain.errors import AccountSuspended, BadBearer, BadPassword
from tintype.domain.money import MICROSECONDS
from tintype.domain.project import Account
from tintype.storage import accounts, sessions, sign_ins
from tintype.storage.database import Database

LIFETIME = 14 * 24 * 60 * 60 * MICROSECONDS
"""How long a session lasts."""
LONGEST_LOGIN = 254
LONGEST_TOKEN = 256
AT_ONCE = 2
"""So many passwords are hashed at a time; each takes 64 MiB and a while."""

HASHER = PasswordHasher()  # argon2id, with the parameters of RFC 9106 for little memory


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What signing in gives. The token is the authority and is shown this once."""

    token: str
    account: Account
    expires: int
    """Microseconds since the epoch."""


class Accounts:
    """Who is who. `clock` tells the microseconds since the epoch, and `hasher` what a guess costs."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], int],
        lifetime: int = LIFETIME,
        hasher: PasswordHasher = HASHER,
    ) -> None:
        self._database = database
        self._clock = clock
        self._lifetime = lifetime
        self._hasher = hasher
        self._hashing = asyncio.Semaphore(AT_ONCE)

    async def set_password(self, account: Account, password: str) -> None:
        """From now on that password counts; whoever was signed in is so no longer. Raises UnfitAccount."""
        hashed = await self._hash(check_password(account.name, password))
        await self._database.write(
            lambda connection: accounts.set_password_hash(connection, account.id, hashed)
        )

    async def sign_in(self, login: str, password: str, *, address: str) -> Session:
        """A new session of the account with that e-mail address, or without one, that name.

        `address` is where the caller comes from. Raises TooManyRequests, BadPassword, AccountSuspended.
        """
        login = login.strip().lower()[: LONGEST_LOGIN + 1]
        await self._database.write(
            lambda connection: sign_ins.count_attempt(connection, login, address, now=self._clock())
        )
        account, known = await self._database.read(lambda connection: _find(connection, login))
        # An unknown login takes as long as a known one, so that time tells nothing.
        right = await self._verify(known, password)
        if account is None or known is None or not right:
            raise BadPassword
        renewed = await self._hash(password) if self._hasher.check_needs_rehash(known) else ""
        now = self._clock()
        session = Session(token=secrets.token_urlsafe(32), account=account, expires=now + self._lifetime)

        def open_session(connection: Connection) -> None:
            latest = accounts.lock(connection, account.id)
            sign_ins.forgive(connection, login, address)
            if renewed:
                accounts.renew_password_hash(connection, account.id, old=known, new=renewed)
            if accounts.password_hash_of(connection, account.id) not in (known, renewed):
                raise BadPassword  # it was changed meanwhile
            if latest.suspended:
                raise AccountSuspended
            sessions.open_session(connection, account, session.token, now=now, expires=session.expires)

        await self._database.write(open_session)
        return session

    async def sign_out(self, token: str) -> None:
        """The session ends; a token that is nobody's is no error."""
        if len(token) <= LONGEST_TOKEN:
            await self._database.write(lambda connection: sessions.close_session(connection, token))

    async def account_of_session(self, token: str) -> Account:
        """Who is signed in by the token. Raises BadBearer, ExpiredBearer."""
        if len(token) > LONGEST_TOKEN:
            raise BadBearer
        return await self._database.read(
            lambda connection: sessions.account_of_token(connection, token, now=self._clock())
        )

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _verify(self, hashed: str | None, password: str) -> bool:
        async with self._hashing:
            return await asyncio.to_thread(_is_right, self._hasher, hashed, password)


def _find(connection: Connection, login: str) -> tuple[Account | None, str | None]:
    find = accounts.by_email if "@" in login else accounts.by_login
    account = find(connection, login) if login.isprintable() and login else None
    return account, accounts.password_hash_of(connection, account.id) if account else None


def _is_right(hasher: PasswordHasher, hashed: str | None, password: str) -> bool:
    try:
        return hasher.verify(hashed or _nobodys_hash(hasher), password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _nobodys_hash(hasher: PasswordHasher) -> str:
    return hasher.hash(secrets.token_urlsafe(16))
