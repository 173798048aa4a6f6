"""The database on a server: the same functions, each in a transaction of its own, through asyncpg."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from asyncpg import InterfaceError, PostgresError
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tintype.domain.errors import BadSetting
from tintype.storage.migrations import migrate

T = TypeVar("T")

CONNECTIONS = 10
CONNECTS_WITHIN = 10.0
ANSWERS_WITHIN = 60.0
"""Seconds; a server that keeps silent longer counts as gone."""
TRIES = 10
CONFLICTS = frozenset({"40001", "40P01"})
"""SQLSTATE of a serialisation failure and of a deadlock: the transaction was undone and may run again."""


class PostgresDatabase:
    """Concurrent transactions under READ COMMITTED; the functions lock what they must."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        async with self._reader.begin() as connection:
            return await connection.run_sync(query)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """See `Database.write`."""
        for tried in range(TRIES):
            try:
                async with self._engine.begin() as connection:
                    return await connection.run_sync(change)
            except DBAPIError as failure:
                if tried + 1 == TRIES or getattr(failure.orig, "sqlstate", None) not in CONFLICTS:
                    raise
            await asyncio.sleep(random.uniform(0, 0.005 * 2**tried))
        raise AssertionError("unreachable")


@asynccontextmanager
async def open_postgres(url: URL) -> AsyncIterator[PostgresDatabase]:
    """The database of a `postgresql://` URL, migrated. Raises BadSetting."""
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=CONNECTIONS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"timeout": CONNECTS_WITHIN, "command_timeout": ANSWERS_WITHIN},
    )
    try:
        await _prepare(engine, url)
        yield PostgresDatabase(engine)
    finally:
        await engine.dispose()


async def _prepare(engine: AsyncEngine, url: URL) -> None:
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    except (OSError, TypeError, ValueError, DBAPIError, PostgresError, InterfaceError) as problem:
        reason = " ".join(str(problem.orig if isinstance(problem, DBAPIError) else problem).split())
        shown = url.render_as_string(hide_password=True)
        raise BadSetting(name="TINTYPE_DATABASE_URL", problem=f"{shown}: {reason}") from problem
