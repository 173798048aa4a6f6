"""Two gears of stopping."""

import asyncio

import pytest
from sqlalchemy import select

from tintype.domain.lifecycle import Status
from tintype.storage.tables import workers
from worker.workshop import Hosts, Workshop, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


async def test_a_drained_worker_finishes_what_runs_and_takes_nothing_new(workshop: Workshop) -> None:
    hosts = Hosts(places=1, frozen=True)
    running, waiting = await workshop.run(), await workshop.run()
    worker = workshop.worker(hosts)
    working = asyncio.create_task(worker.run())
    await workshop.until(running, lambda task: task.status is Status.ASSIGN)

    worker.drain()
    hosts.thaw()
    await working

    assert (await workshop.look(running)).succeeded
    assert (await workshop.look(waiting)).attempt == 0


async def test_a_second_signal_hands_back_without_counting_an_attempt(workshop: Workshop) -> None:
    task = await workshop.run()
    worker = workshop.worker(Hosts(frozen=True))
    working = asyncio.create_task(worker.run())
    await workshop.until(task, lambda task: task.status is Status.ASSIGN)

    worker.drain()
    worker.drain()
    await working

    after = await workshop.look(task)
    assert (after.status, after.worker, after.lost_attempts) == (Status.QUEUE, None, 0)


async def test_the_end_of_the_grace_hands_back_too(workshop: Workshop) -> None:
    task = await workshop.run()
    worker = workshop.worker(Hosts(frozen=True), grace=0.2)
    working = asyncio.create_task(worker.run())
    await workshop.until(task, lambda task: task.status is Status.ASSIGN)

    worker.drain()
    await working

    after = await workshop.look(task)
    assert (after.status, after.lost_attempts) == (Status.QUEUE, 0)


async def test_a_worker_that_is_cancelled_hands_back_too(workshop: Workshop) -> None:
    task = await workshop.run()
    working = asyncio.create_task(workshop.worker(Hosts(frozen=True)).run())
    await workshop.until(task, lambda task: task.status is Status.ASSIGN)

    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    after = await workshop.look(task)
    assert (after.status, after.lost_attempts) == (Status.QUEUE, 0)


async def test_an_interrupted_task_is_drawn_by_the_next_worker(workshop: Workshop) -> None:
    task = await workshop.run()
    async with workshop.working(Hosts(frozen=True)):
        await workshop.until(task, lambda task: task.status is Status.ASSIGN)

    async with workshop.working():
        ended = await workshop.ends(task)

    assert ended.succeeded
    assert (ended.attempt, ended.lost_attempts) == (2, 0)


async def test_nothing_is_left_of_a_stopped_worker(workshop: Workshop) -> None:
    tasks_before = asyncio.all_tasks()
    hosts = Hosts()
    worker = workshop.worker(hosts)
    working = asyncio.create_task(worker.run())
    await until(lambda: worker.is_ready)

    worker.drain()
    await working

    assert list(workshop.locks.iterdir()) == []
    assert await workshop.database.read(lambda c: c.execute(select(workers)).all()) == []
    assert hosts.living == []
    assert asyncio.all_tasks() == tasks_before


async def test_a_worker_drained_before_it_began_does_nothing(workshop: Workshop) -> None:
    task = await workshop.run()
    worker = workshop.worker()

    worker.drain()
    await worker.run()

    assert (await workshop.look(task)).status is Status.QUEUE
