"""Whatever happens in whatever order: no task is lost, none ends twice, none is charged twice."""

import asyncio
import shutil
import tempfile
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from conformance.postgres_server import PostgresServer
from databases import place_database
from lifecycle_model.machine import LifeOfTasks
from tintype.storage.database import Database, open_database
from tintype.storage.tables import metadata

pytestmark = pytest.mark.timeout(120)

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where syncing costs nothing: these stories are about order, not about power cuts."""


def play(machine: type[LifeOfTasks], *, stories: int, events: int) -> None:
    with asyncio.Runner() as machine.runner:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=stories,
                stateful_step_count=events,
                deadline=None,
                database=None,
                phases=[Phase.generate],  # add Phase.shrink to make the story of a failure short
                suppress_health_check=list(HealthCheck),
            ),
        )


class Opened(LifeOfTasks):
    """Opens a database at the start of each story and closes it at the end."""

    opened: AbstractAsyncContextManager[Database] | None = None

    def url(self) -> str:
        raise NotImplementedError

    def open_store(self) -> Database:
        self.opened = open_database(self.url())
        database: Database = self.do(self.opened.__aenter__())
        return database

    def teardown(self) -> None:
        if self.opened is not None:
            self.do(self.opened.__aexit__(None, None, None))


def test_on_sqlite() -> None:
    class OnSqlite(Opened):
        def url(self) -> str:
            self.folder = Path(tempfile.mkdtemp(prefix="tintype-life-", dir=MEMORY))
            return f"sqlite:///{place_database(self.folder / 't.db')}"

        def teardown(self) -> None:
            super().teardown()
            shutil.rmtree(self.folder)

    play(OnSqlite, stories=20, events=50)


def test_on_postgres(postgres: PostgresServer, migrated_postgres: str) -> None:
    class OnPostgres(Opened):
        def url(self) -> str:
            postgres.clear(migrated_postgres, metadata.tables)
            return migrated_postgres

    play(OnPostgres, stories=5, events=40)
