"""Accounts: the owners of projects and balances, how they sign in, and whether they may."""

import uuid
from typing import Any

from sqlalchemy import BigInteger, Connection, Text, bindparam, delete, func, select, text, update

from tintype.domain.account_rules import check_email, check_name
from tintype.domain.errors import UnfitAccount
from tintype.domain.project import Account
from tintype.storage.columns import LARGEST
from tintype.storage.tables import accounts, sessions

_ENSURE = text(
    "INSERT INTO accounts (uuid, name, suspended, create_time) VALUES (:uuid, :name, false, :now)"
    " ON CONFLICT (name) DO NOTHING"
).bindparams(bindparam("uuid", type_=Text), bindparam("name", type_=Text), bindparam("now", type_=BigInteger))


def create_account(connection: Connection, *, name: str, now: int, email: str | None = None) -> Account:
    """A new account. `now` is in microseconds since the epoch.

    Raises UnfitAccount, also if the name or the e-mail address is taken.
    """
    check_name(name)
    if by_name(connection, name) is not None:
        raise UnfitAccount(name=name, problem="there is one of this name already")
    address = None if email is None else check_email(name, email)
    if address is not None and by_email(connection, address) is not None:
        raise UnfitAccount(name=name, problem="another account has this e-mail address")
    account = ensure_account(connection, name=name, now=now)
    return account if address is None else set_email(connection, account, address)


def ensure_account(connection: Connection, *, name: str, now: int) -> Account:
    """The account of that name, made if missing, also by several processes at once."""
    connection.execute(_ENSURE, {"uuid": str(uuid.uuid4()), "name": name, "now": now})
    return account_of(connection.execute(select(accounts).where(accounts.c.name == name)).one())


def by_name(connection: Connection, name: str) -> Account | None:
    """The account of a name."""
    return _one(connection, accounts.c.name == name)


def by_email(connection: Connection, email: str) -> Account | None:
    """The account of an e-mail address, in any case."""
    return _one(connection, accounts.c.email == email.strip().lower())


def by_login(connection: Connection, name: str) -> Account | None:
    """The account of a name in any case, if no other differs from it in case alone."""
    found = connection.execute(select(accounts).where(func.lower(accounts.c.name) == name.lower())).all()
    return account_of(found[0]) if len(found) == 1 else None


def by_id(connection: Connection, account_id: int) -> Account | None:
    """The account of an id."""
    return _one(connection, accounts.c.id == account_id) if 0 < account_id <= LARGEST else None


def lock(connection: Connection, account_id: int) -> Account:
    """The account as it stands until the transaction ends: nobody else changes it."""
    found = select(accounts).where(accounts.c.id == account_id).with_for_update(key_share=True)
    return account_of(connection.execute(found).one())


def all_accounts(connection: Connection) -> list[Account]:
    """Every account, oldest first."""
    return [account_of(row) for row in connection.execute(select(accounts).order_by(accounts.c.id))]


def set_email(connection: Connection, account: Account, email: str) -> Account:
    """The account with that e-mail address. Raises UnfitAccount if it is none, or another's."""
    address = check_email(account.name, email)
    other = by_email(connection, address)
    if other is not None and other.id != account.id:
        raise UnfitAccount(name=account.name, problem="another account has this e-mail address")
    mine = accounts.c.id == account.id
    row = connection.execute(update(accounts).where(mine).values(email=address).returning(accounts)).one()
    return account_of(row)


def suspend_account(connection: Connection, account_id: int, *, suspended: bool = True) -> None:
    """A suspended account's projects submit nothing and it is signed out; `suspended=False` lifts it."""
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(suspended=suspended))
    if suspended:
        connection.execute(delete(sessions).where(sessions.c.account_id == account_id))


def set_password_hash(connection: Connection, account_id: int, password_hash: str) -> None:
    """From now on that password counts; whoever was signed in is so no longer."""
    values = {"password_hash": password_hash}
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(values))
    connection.execute(delete(sessions).where(sessions.c.account_id == account_id))


def renew_password_hash(connection: Connection, account_id: int, *, old: str, new: str) -> None:
    """The same password, hashed as hashes are made today; nobody is signed out."""
    mine = (accounts.c.id == account_id) & (accounts.c.password_hash == old)
    connection.execute(update(accounts).where(mine).values(password_hash=new))


def password_hash_of(connection: Connection, account_id: int) -> str | None:
    """The hash of the account's password; None if it has none and cannot sign in."""
    found = select(accounts.c.password_hash).where(accounts.c.id == account_id)
    return connection.execute(found).scalar_one_or_none()


def account_of(row: Any) -> Account:
    """The account of a row of `accounts`."""
    return Account(id=row.id, uuid=row.uuid, name=row.name, suspended=row.suspended, email=row.email)


def _one(connection: Connection, condition: Any) -> Account | None:
    row = connection.execute(select(accounts).where(condition)).one_or_none()
    return None if row is None else account_of(row)
