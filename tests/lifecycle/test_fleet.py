"""Two worker processes on PostgreSQL and NATS, as on two machines; one dies, the other finishes."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from conformance.nats_server import NatsServer, nats_server
from conformance.postgres_server import PostgresServer, postgres_server
from tintype.domain.lifecycle import Status
from tintype.domain.task import Task
from worker.workshop import Workshop, open_workshop

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

TESTS = Path(__file__).parent.parent


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
async def nats() -> AsyncIterator[NatsServer]:
    async with nats_server() as server:
        yield server


@dataclass(frozen=True)
class Machine:
    """A worker process with a folder that no other machine sees."""

    process: asyncio.subprocess.Process
    locks: Path

    def runs(self, worker: str | None) -> bool:
        """Whether the worker is this machine's."""
        return (self.locks / f"{worker}.lock").exists()

    @contextmanager
    def frozen_engine(self) -> Iterator[None]:
        """Meanwhile its engine stands still, and so tells the worker nothing."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        (host,) = [child for child in children if "tintype.engine.host" in child.cmdline()]
        host.suspend()
        try:
            yield
        finally:
            host.resume()


class Fleet:
    """A database, a bus and a folder of pictures, and machines that come and go."""

    def __init__(self, workshop: Workshop, *, database_url: str, bus_url: str) -> None:
        self.workshop = workshop
        self._urls = (database_url, bus_url)
        self._machines = 0

    @asynccontextmanager
    async def machine(self, weights: str, *, heartbeat: float = 0.3) -> AsyncIterator[Machine]:
        self._machines += 1
        locks = self.workshop.folder / f"machine{self._machines}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lifecycle.worker_process", *self._urls),
            *(self.workshop.folder / "files", locks, weights, str(heartbeat)),
            cwd=TESTS,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield Machine(process, locks)
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(30):
                await process.wait()


@pytest.fixture
async def fleet(tmp_path: Path, postgres: PostgresServer, nats: NatsServer) -> AsyncIterator[Fleet]:
    url = postgres.new_url()
    async with open_workshop(tmp_path, database_url=url, bus_url=nats.url) as workshop:
        yield Fleet(workshop, database_url=url, bus_url=nats.url)


def is_drawn(task: Task) -> bool:
    return task.status in (Status.START, Status.OUTPUT)


async def test_a_worker_finishes_the_tasks_of_one_that_was_killed(fleet: Fleet, slow: str) -> None:
    workshop = fleet.workshop
    accepted = [await workshop.run(width=512, height=512, steps=50, seed=seed) for seed in range(2)]
    async with fleet.machine(slow) as doomed:
        held = await workshop.until(accepted[0], is_drawn)
        async with fleet.machine("blank:") as survivor:
            doomed.process.kill()

            ended = [await workshop.ends(task) for task in accepted]

            assert doomed.runs(held.worker)
            assert all(task.succeeded and survivor.runs(task.worker) for task in ended)
            assert ended[0].lost_attempts == 1
    assert await workshop.charges() == {task.id: 1 for task in accepted}


async def test_another_worker_draws_the_same_picture_from_the_beginning(fleet: Fleet, slow: str) -> None:
    workshop = fleet.workshop
    asked = {"width": 512, "height": 512, "steps": 50, "seed": 4711}
    async with fleet.machine(slow) as doomed:
        undisturbed = await workshop.ends(await workshop.run(**asked))
        assert doomed.runs(undisturbed.worker)
        broken_off = await workshop.run(**asked)
        await workshop.until(broken_off, is_drawn)
        doomed.process.kill()

    async with fleet.machine(slow) as other:
        ended = await workshop.ends(broken_off)
        assert other.runs(ended.worker)

    assert (ended.succeeded, ended.lost_attempts) == (True, 1)
    assert await workshop.picture(broken_off) == await workshop.picture(undisturbed)


async def test_many_tasks_end_once_though_workers_are_killed_under_load(fleet: Fleet) -> None:
    workshop = fleet.workshop
    accepted: list[Task] = []
    async with fleet.machine("blank:") as survivor:
        for _ in range(2):
            async with fleet.machine("blank:") as doomed:
                accepted += [await workshop.run(seed=seed) for seed in range(30)]
                await asyncio.sleep(random.uniform(0.5, 2))
                doomed.process.kill()

        ended = [await workshop.ends(task) for task in accepted]

        assert all(task.succeeded and len(task.outputs) == 1 for task in ended)
        assert any(survivor.runs(task.worker) for task in ended)
    assert await workshop.charges() == {task.id: 1 for task in accepted}


async def test_a_kill_reaches_the_worker_over_the_bus(fleet: Fleet, slow: str) -> None:
    workshop = fleet.workshop
    drawn = [await workshop.run(width=768, height=768, steps=50, seed=seed) for seed in range(2)]
    async with fleet.machine(slow, heartbeat=60) as machine:  # nothing else tells it for a minute
        for task in drawn:
            await workshop.until(task, is_drawn)
        with machine.frozen_engine():
            waiting = await workshop.run()
            await workshop.kill(drawn[0])

            async with asyncio.timeout(30):
                await workshop.until(waiting, lambda task: task.status is not Status.QUEUE)
            assert is_drawn(await workshop.look(drawn[1]))  # so that its place is the killed one's

        assert (await workshop.ends(waiting)).succeeded
    assert (await workshop.look(drawn[0])).status is Status.CANCEL


async def test_workers_live_through_a_restart_of_the_bus(fleet: Fleet, nats: NatsServer) -> None:
    workshop = fleet.workshop
    async with fleet.machine("blank:"):
        await workshop.ends(await workshop.run())
        await nats.stop()

        assert (await workshop.ends(await workshop.run())).succeeded
        await nats.start()

        assert (await workshop.ends(await workshop.run())).succeeded
