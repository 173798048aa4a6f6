"""Whose worker is gone is handed back: at once on one machine, after a silence elsewhere."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from tintype.domain.lifecycle import Status
from tintype.domain.priority import Turns
from tintype.domain.task import Idempotency, Task
from tintype.service import now
from tintype.storage import idempotency, nonces, tables, tasks, workers
from tintype.worker.janitor import Janitor
from tintype.worker.presence import absent, present
from worker.workshop import Workshop, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

HOLD = """
import sys, time
from pathlib import Path
from tintype.worker.presence import present
with present(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def other_process(folder: Path, worker: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that holds a worker's lock."""
    with subprocess.Popen([sys.executable, "-c", HOLD, folder, worker], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


async def claimed_by(workshop: Workshop, worker: str) -> Task:
    await workshop.run()

    def claim(connection):  # type: ignore[no-untyped-def]
        workers.register(connection, worker, now=now())
        return tasks.claim(connection, worker=worker, places=1, now=now(), turns=Turns())

    (task,) = await workshop.database.write(claim)
    return task


def janitor(workshop: Workshop, silence: float = 60.0) -> Janitor:
    return Janitor(database=workshop.database, bus=workshop.bus, locks=workshop.locks, silence=silence)


async def test_a_worker_that_dies_on_this_machine_is_missed_at_once(workshop: Workshop) -> None:
    with other_process(workshop.locks, "doomed") as process:
        task = await claimed_by(workshop, "doomed")
        assert await janitor(workshop).rescue() == []

        process.kill()
        process.wait()
        (rescued,) = await janitor(workshop).rescue()

    assert (rescued.id, rescued.status, rescued.lost_attempts) == (task.id, Status.QUEUE, 1)
    assert list(workshop.locks.iterdir()) == []


async def test_a_worker_elsewhere_is_missed_after_its_silence(workshop: Workshop) -> None:
    task = await claimed_by(workshop, "elsewhere")

    assert await janitor(workshop).rescue() == []
    await asyncio.sleep(0.2)

    (rescued,) = await janitor(workshop, silence=0.1).rescue()
    assert rescued.id == task.id


async def test_what_is_rescued_is_told(workshop: Workshop) -> None:
    task = await claimed_by(workshop, "elsewhere")

    async with workshop.events(task) as events, workshop.bus.subscribe("work") as wakeups:
        await janitor(workshop, silence=0.0).rescue()
        async with asyncio.timeout(5):
            await anext(wakeups)
        await until(lambda: events)

    assert [event.type for event in events] == [Status.QUEUE]


async def test_two_janitors_rescue_a_task_once(workshop: Workshop) -> None:
    task = await claimed_by(workshop, "elsewhere")

    rescued = await asyncio.gather(*(janitor(workshop, silence=0.0).rescue() for _ in range(2)))

    assert [task.id for once in rescued for task in once] == [task.id]
    assert (await workshop.look(task)).lost_attempts == 1


def test_a_lock_is_held_as_long_as_its_worker_is_present(tmp_path: Path) -> None:
    with present(tmp_path, "one"), present(tmp_path, "other"):
        assert absent(tmp_path) == []

    assert list(tmp_path.iterdir()) == []


async def test_idempotency_keys_older_than_a_day_are_swept(workshop: Workshop) -> None:
    yesterday = now() - 25 * 3600 * 1_000_000

    def reserve(connection: Connection) -> None:
        for key, moment in (("old", yesterday), ("new", now())):
            named = Idempotency(key=key, fingerprint="what was asked")
            idempotency.reserve(connection, workshop.project.id, named, now=moment)

    def remembered(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(idempotency.keys)).scalar_one()

    await workshop.database.write(reserve)
    await janitor(workshop).rescue()

    assert await workshop.database.read(remembered) == 1


async def test_nonces_that_are_too_old_to_count_are_forgotten(workshop: Workshop) -> None:
    task = await workshop.run()

    def spend(connection: Connection) -> None:
        nonces.spend(connection, task.project_id, "old", expires=now() - 1)
        nonces.spend(connection, task.project_id, "new", expires=now() + 60 * 10**6)

    def remembered(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(tables.nonces)).scalar_one()

    await workshop.database.write(spend)
    await janitor(workshop).rescue()

    assert await workshop.database.read(remembered) == 1
