"""The database goes away and comes back; what was accepted still ends once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from conformance.postgres_server import PostgresServer, postgres_server
from tintype.domain.lifecycle import Status
from tintype.domain.task import Task
from worker.workshop import Hosts, Workshop, open_workshop

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Outage:
    """A PostgreSQL that can be torn down, as if its machine had lost power, and started again."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    async def begin(self) -> None:
        await self._control("-m", "immediate", "stop")

    async def end(self) -> None:
        folder = self._server._folder
        await self._control("-o", f"-h '' -k {folder}", "-l", str(folder / "log"), "start")

    async def _control(self, *words: str) -> None:
        data = str(self._server._folder / "data")
        await asyncio.to_thread(self._server._run, "pg_ctl", "-D", data, "-w", *words)


@pytest.fixture
async def standing() -> AsyncIterator[tuple[PostgresServer, Outage]]:
    with postgres_server() as server:
        outage = Outage(server)
        try:
            yield server, outage
        finally:
            await outage.begin()


async def ends(workshop: Workshop, task: Task) -> Task:
    """As `Workshop.ends`, but the asker is cut off from the database now and then, too."""
    while True:
        try:
            return await workshop.ends(task)
        except TimeoutError:
            raise
        except (SQLAlchemyError, OSError):
            await asyncio.sleep(0.1)


async def test_tasks_end_once_though_the_database_was_away_meanwhile(
    tmp_path: Path, standing: tuple[PostgresServer, Outage]
) -> None:
    server, outage = standing
    hosts = Hosts(places=4, frozen=True)
    async with open_workshop(tmp_path, database_url=server.new_url()) as workshop, workshop.working(hosts):
        accepted = [await workshop.run(seed=seed) for seed in range(20)]
        await workshop.until(accepted[3], lambda task: task.status is Status.ASSIGN)

        await outage.begin()
        hosts.thaw()
        await asyncio.sleep(1)
        await outage.end()

        ended = [await ends(workshop, task) for task in accepted]
        assert all(task.succeeded for task in ended)
        assert await workshop.charges() == {task.id: 1 for task in accepted}
        assert len(workshop.stored()) == len(accepted)
