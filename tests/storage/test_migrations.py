"""The migrations make the very tables that the code describes."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from tintype.storage.migrations import migrate
from tintype.storage.tables import metadata


def schema(connection: Connection) -> dict[str, set[str]]:
    """Every table and index with its columns and constraints, one per line, in any order."""
    found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {
        name: {line.strip().rstrip(",") for line in sql.splitlines()}
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
