"""The database that the settings name, for commands that work on it, whether a server runs or not."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tintype.storage.vault import Vault

T = TypeVar("T")


def read(query: "Callable[[Connection], T]") -> T:
    """What the query finds."""
    import asyncio

    from tintype.bootstrap.books import open_books
    from tintype.settings import read_settings

    async def carry_out() -> T:
        async with open_books(read_settings()) as (database, _vault):
            return await database.read(query)

    return asyncio.run(carry_out())


def say_none(what: str) -> None:
    """On stderr, that there are none, and where: a command in another folder looks into another database."""
    import typer

    from tintype.settings import read_settings

    url = read_settings().database_url
    place = url.removeprefix("sqlite:///") if url.startswith("sqlite:") else "the database of the settings"
    typer.echo(f"no {what} in {place}", err=True)


def write(change: "Callable[[Connection, Vault, int], T]") -> T:
    """What the change returns, once it is on disk; it gets the vault and the moment in microseconds."""
    import asyncio

    from tintype.bootstrap.books import open_books
    from tintype.domain.clock import now
    from tintype.settings import read_settings

    async def carry_out() -> T:
        async with open_books(read_settings()) as (database, vault):
            return await database.write(lambda connection: change(connection, vault, now()))

    return asyncio.run(carry_out())
