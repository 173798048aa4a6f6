"""Each suite's implementations."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from conformance.outbox import Outbox
from conformance.postgres_server import PostgresServer, postgres_server
from conformance.storekeeper import Storekeeper
from databases import place_database
from tintype.storage.database import Database, open_database
from tintype.storage.tables import metadata


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresServer) -> str:
    """The URL of a migrated database, which the tests use in turn."""
    url = postgres.new_url()
    asyncio.run(migrate(url))
    return url


async def migrate(url: str) -> None:
    async with open_database(url):
        pass


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database, each in turn."""
    return str(request.param)


@pytest.fixture
def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return str(request.getfixturevalue("postgres").new_url())


@pytest.fixture
def database_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without rows that only this test uses now."""
    if kind == "sqlite":
        return f"sqlite:///{place_database(tmp_path / 'tintype.db')}"
    url = str(request.getfixturevalue("migrated_postgres"))
    request.getfixturevalue("postgres").clear(url, metadata.tables)
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def store(database: Database) -> Storekeeper:
    """The database, with short words for what tests do with it, and one project."""
    store = Storekeeper(database)
    await store.open_project("first")
    return store


@pytest.fixture
def outbox(store: Storekeeper) -> Outbox:
    return Outbox(store)
