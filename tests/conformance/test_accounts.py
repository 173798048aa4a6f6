"""Signing in: passwords, sessions that end, and a limit to guessing."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Connection

from conformance.storekeeper import SECOND, Storekeeper
from tintype.accounts import LIFETIME, Accounts
from tintype.domain.errors import (
    AccountSuspended,
    BadBearer,
    BadPassword,
    ExpiredBearer,
    TooManyRequests,
    UnfitAccount,
)
from tintype.domain.project import Account
from tintype.storage import accounts as stored
from tintype.storage import sessions, sign_ins
from tintype.storage.database import Database

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

PASSWORD = "a kite over the sea"
HOME = "192.0.2.1"
MINUTE = 60 * SECOND

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Guessing costs a real desk's caller a tenth of a second, and would cost these tests as much each time."""

T = TypeVar("T")


@pytest.fixture
def desk(store: Storekeeper) -> Accounts:
    """Where one signs in; its clock is the store's."""
    return Accounts(store.database, clock=lambda: store.now, hasher=QUICK)


@pytest.fixture
async def studio(store: Storekeeper, desk: Accounts) -> Account:
    """An account with a password."""
    account = await make(store, "studio", "Studio@Example.org")
    await desk.set_password(account, PASSWORD)
    return account


async def make(store: Storekeeper, name: str, email: str | None = None) -> Account:
    return await store.database.write(
        lambda connection: stored.create_account(connection, name=name, email=email, now=store.now)
    )


async def test_who_signs_in_is_known_until_signing_out(desk: Accounts, studio: Account) -> None:
    session = await desk.sign_in("studio@example.org", PASSWORD, address=HOME)

    assert await desk.account_of_session(session.token) == studio
    await desk.sign_out(session.token)
    with pytest.raises(BadBearer):
        await desk.account_of_session(session.token)
    await desk.sign_out(session.token)


@pytest.mark.parametrize("login", ["STUDIO@example.ORG", " studio@example.org ", "studio", "Studio"])
async def test_the_e_mail_address_or_the_name_in_any_case_is_the_login(
    desk: Accounts, studio: Account, login: str
) -> None:
    assert (await desk.sign_in(login, PASSWORD, address=HOME)).account == studio


async def test_a_session_expires_and_is_later_forgotten(
    store: Storekeeper, desk: Accounts, studio: Account
) -> None:
    session = await desk.sign_in("studio", PASSWORD, address=HOME)
    store.now = session.expires - 1
    assert await desk.account_of_session(session.token) == studio

    store.now = session.expires
    with pytest.raises(ExpiredBearer):
        await desk.account_of_session(session.token)

    store.now += sessions.REMEMBERED
    await desk.sign_in("studio", PASSWORD, address=HOME)
    with pytest.raises(BadBearer):
        await desk.account_of_session(session.token)
    assert session.expires - LIFETIME > 0


@pytest.mark.parametrize("token", ["", "nobody's", "x" * 100_000, "\x00", "\ud800", "ключ"])
async def test_a_token_that_nobody_was_given_is_nobodys(desk: Accounts, studio: Account, token: str) -> None:
    with pytest.raises(BadBearer):
        await desk.account_of_session(token)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("studio", "a kite over the SEA"),
        ("studio", ""),
        ("studio", "\ud800"),
        ("nobody@example.org", PASSWORD),
        ("", PASSWORD),
        ("\x00", PASSWORD),
        ("s" * 100_000, PASSWORD),
        ("default", PASSWORD),
    ],
)
async def test_a_wrong_login_or_password_is_refused_alike(
    desk: Accounts, studio: Account, login: str, password: str
) -> None:
    with pytest.raises(BadPassword, match=r"E-mail address or password is wrong\."):
        await desk.sign_in(login, password, address=HOME)


async def test_passwords_and_tokens_are_stored_as_hashes(
    store: Storekeeper, desk: Accounts, studio: Account
) -> None:
    session = await desk.sign_in("studio", PASSWORD, address=HOME)

    rows = repr([*await store.rows("accounts"), *await store.rows("sessions")])

    assert PASSWORD not in rows
    assert session.token not in rows
    assert "$argon2id$" in rows


async def test_a_new_password_ends_every_session(desk: Accounts, studio: Account) -> None:
    session = await desk.sign_in("studio", PASSWORD, address=HOME)

    await desk.set_password(studio, "another good one")

    with pytest.raises(BadBearer):
        await desk.account_of_session(session.token)
    with pytest.raises(BadPassword):
        await desk.sign_in("studio", PASSWORD, address=HOME)
    await desk.sign_in("studio", "another good one", address=HOME)


@pytest.mark.parametrize("password", ["", "too short", "x" * 1025, "ten chars \ud800"])
async def test_a_password_that_is_worth_nothing_is_refused(
    desk: Accounts, studio: Account, password: str
) -> None:
    with pytest.raises(UnfitAccount):
        await desk.set_password(studio, password)


async def test_a_suspended_account_is_signed_out_and_kept_out(
    store: Storekeeper, desk: Accounts, studio: Account
) -> None:
    session = await desk.sign_in("studio", PASSWORD, address=HOME)

    await store.database.write(lambda connection: stored.suspend_account(connection, studio.id))

    with pytest.raises(BadBearer):
        await desk.account_of_session(session.token)
    with pytest.raises(AccountSuspended):
        await desk.sign_in("studio", PASSWORD, address=HOME)
    with pytest.raises(BadPassword):
        await desk.sign_in("studio", "a wrong guess", address=HOME)


class SuspendingMeanwhile:
    """A database in which the account is suspended as soon as something has been read."""

    def __init__(self, database: Database, account: Account) -> None:
        self._database = database
        self._account = account
        self.write = database.write

    async def read(self, query: Callable[[Connection], T]) -> T:
        found = await self._database.read(query)
        await self.write(lambda connection: stored.suspend_account(connection, self._account.id))
        return found


async def test_who_is_suspended_while_signing_in_is_kept_out(store: Storekeeper, studio: Account) -> None:
    database: Any = SuspendingMeanwhile(store.database, studio)
    desk = Accounts(database, clock=lambda: store.now, hasher=QUICK)

    with pytest.raises(AccountSuspended):
        await desk.sign_in("studio", PASSWORD, address=HOME)

    assert await store.rows("sessions") == []


async def test_guessing_is_slowed_down_for_who_guesses_and_for_no_other(
    store: Storekeeper, desk: Accounts, studio: Account
) -> None:
    for _ in range(5):
        with pytest.raises(BadPassword):
            await desk.sign_in("studio", "a wrong guess", address="198.51.100.9")

    with pytest.raises(TooManyRequests) as refusal:
        await desk.sign_in("studio", PASSWORD, address="198.51.100.9")

    assert refusal.value.retry_after == 15 * 60
    await desk.sign_in("studio", PASSWORD, address=HOME)
    store.now += 15 * MINUTE
    await desk.sign_in("studio", PASSWORD, address="198.51.100.9")


async def test_a_right_password_forgives_the_wrong_ones(desk: Accounts, studio: Account) -> None:
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(BadPassword):
                await desk.sign_in("studio", "a wrong guess", address=HOME)
        await desk.sign_in("studio", PASSWORD, address=HOME)


async def attempt(store: Storekeeper, login: str, address: str) -> bool:
    """Whether the attempt may be made."""
    try:
        await store.database.write(
            lambda connection: sign_ins.count_attempt(connection, login, address, now=store.now)
        )
    except TooManyRequests:
        return False
    return True


async def test_parallel_guesses_count_each_other(store: Storekeeper) -> None:
    allowed = await asyncio.gather(*(attempt(store, "studio", HOME) for _ in range(20)))

    assert allowed.count(True) == 5


async def test_guessing_from_many_addresses_and_for_many_logins_has_an_end(store: Storekeeper) -> None:
    by_address = [await attempt(store, f"login {number}", HOME) for number in range(55)]
    by_login = [await attempt(store, "studio", f"address {number}") for number in range(55)]

    assert by_address.count(True) == by_login.count(True) == 50


async def test_failures_are_swept_away(store: Storekeeper) -> None:
    await attempt(store, "studio", HOME)
    store.now += 15 * MINUTE
    await attempt(store, "other", "address")

    assert len(await store.rows("sign_in_failures")) == 3


@pytest.mark.parametrize(
    ("name", "email", "problem"),
    [
        ("studio", None, "there is one of this name already"),
        ("other", "STUDIO@example.org", "another account has this e-mail address"),
        ("other", "no address", "'no address' is no e-mail address"),
        ("other", "a@b", "is no e-mail address"),
        ("a@b.example", None, "a name has 1 to 200 printable characters, no @"),
        ("", None, "a name has"),
    ],
)
async def test_an_account_that_makes_no_sense_is_not_made(
    store: Storekeeper, studio: Account, name: str, email: str | None, problem: str
) -> None:
    before = await store.rows("accounts")

    with pytest.raises(UnfitAccount, match=problem):
        await make(store, name, email)

    assert await store.rows("accounts") == before


async def test_an_e_mail_address_is_changed(store: Storekeeper, desk: Accounts, studio: Account) -> None:
    other = await make(store, "other")

    def set_email(account: Account, email: str):  # type: ignore[no-untyped-def]
        return store.database.write(lambda connection: stored.set_email(connection, account, email))

    assert (await set_email(studio, "New@example.org")).email == "new@example.org"
    assert (await set_email(studio, "new@example.org")).email == "new@example.org"
    with pytest.raises(UnfitAccount):
        await set_email(other, "new@example.org")
    await desk.sign_in("new@example.org", PASSWORD, address=HOME)
