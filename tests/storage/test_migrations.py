"""The migrations make the very tables that the code describes."""

import asyncio
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, create_engine, text

from tintype.storage.database import open_database
from tintype.storage.migrations import NEWEST, config_of, migrate, revision_of
from tintype.storage.tables import metadata


def schema(connection: Connection) -> dict[str, set[str]]:
    """Every table and index with its columns and constraints, one per line, in any order."""
    found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {
        name: {line.strip().rstrip(",").replace('"', "") for line in sql.splitlines()}
        for name, sql in found
        if name != "alembic_version"
    }


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path / 't.db'}")


def test_migrating_from_nothing_gives_the_tables_of_the_code(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection)
        migrated = schema(connection)
    engine.dispose()

    described = create_engine("sqlite://")
    with described.begin() as connection:
        metadata.create_all(connection)
        assert migrated == schema(connection)
    described.dispose()


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection)
        before = schema(connection)
        migrate(connection)

        assert schema(connection) == before
    engine.dispose()


def test_the_newest_revision_is_the_one_that_migrations_lead_to(engine: Engine) -> None:
    with engine.begin() as connection:
        assert revision_of(connection) is None

        command.upgrade(config_of(connection), "head")

        assert revision_of(connection) == NEWEST
    engine.dispose()


OLD_ROWS = (
    "INSERT INTO accounts VALUES (7, 'uuid-7', 'studio', false, 1)",
    "INSERT INTO projects VALUES (8, 7, 'gallery', 'key', 'k', X'00', '[]', NULL, 1.0, 1)",
    "INSERT INTO idempotency VALUES (8, 'digest', 'fingerprint', NULL, 1)",
    "INSERT INTO tasks VALUES (9, 'token', 'uuid-7', 8, 8, 'o/m', '{}', '{}', '\"\"', 585000000, '8', 1.0,"
    " 1.0, 1048576.0, 'task_postprocess_end', 1, 2, 0, 0, 0, 3, 6000003, 6000004, 6000005, 0, 6000005, 'w',"
    " 1, 0, 9, 0, 3510000585, '', '', '0')",
    "INSERT INTO ledger VALUES (10, 9, 8, 3510000585, 6000005)",
)
"""Rows as the first version wrote them."""


def make_first_version(engine: Engine) -> None:
    with engine.begin() as connection:
        command.upgrade(config_of(connection), "0001")
        for row in OLD_ROWS:
            connection.execute(text(row))


def test_a_database_of_the_first_version_keeps_its_rows(engine: Engine) -> None:
    make_first_version(engine)

    async def open_and_close() -> None:
        async with open_database(str(engine.url)):
            pass

    asyncio.run(open_and_close())

    with engine.connect() as connection:
        for table, old in (("accounts", 7), ("projects", 8), ("tasks", 9), ("ledger", 10)):
            assert connection.execute(text(f"SELECT id FROM {table}")).scalars().all() == [old]
        assert connection.execute(text("SELECT task_id FROM ledger")).scalars().all() == [9]
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    engine.dispose()


def test_going_back_to_the_first_version_undoes_every_change(engine: Engine) -> None:
    make_first_version(engine)
    with engine.begin() as connection:
        first = schema(connection)
        migrate(connection)
        command.downgrade(config_of(connection), "0001")

        assert schema(connection) == first
        assert connection.execute(text("SELECT id FROM tasks")).scalars().all() == [9]
    engine.dispose()
