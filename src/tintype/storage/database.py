"""The Database: one function of a connection at a time, reading or writing; SQLite and PostgreSQL alike."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from tintype.domain.errors import BadSetting

T = TypeVar("T")


class Database(Protocol):
    """One suite, `tests/conformance/test_database.py`, runs on every implementation."""

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What the query finds, in one consistent view. Writing in it fails."""
        ...

    async def write(self, change: Callable[[Connection], T]) -> T:
        """What the change returns, once it is on disk; if it raises, nothing of it was written.

        The change may run more than once before one run counts, so it must touch the connection alone.
        Whoever is cancelled while waiting does not know whether it was made.
        """
        ...


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """The database of `sqlite:///path` or `postgresql://…`, migrated to this version's tables.

    Raises BadSetting if it cannot be opened.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        from tintype.storage.sqlite import open_sqlite

        async with open_sqlite(Path(parsed.database or "")) as sqlite:
            yield sqlite
    else:
        from tintype.storage.postgres import open_postgres

        async with open_postgres(parsed) as postgres:
            yield postgres


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise BadSetting(
            name="TINTYPE_DATABASE_URL", problem="is not a URL (sqlite:///path, postgresql://…)"
        ) from None
    if backend in ("postgres", "postgresql"):
        return parsed
    if backend != "sqlite":
        raise BadSetting(name="TINTYPE_DATABASE_URL", problem=f"{backend} is neither sqlite nor postgresql")
    if parsed.database in (None, "", ":memory:"):
        raise BadSetting(name="TINTYPE_DATABASE_URL", problem="SQLite needs a file: sqlite:///path")
    return parsed
