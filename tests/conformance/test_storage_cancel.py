"""Ending a task because its owner says so: cancelling what waits, killing what runs."""

import asyncio

import pytest

from conformance.storekeeper import DAWN, SECOND, Storekeeper
from tintype.domain.errors import LeaseLost, NotCancellable, NotKillable, UnknownTask
from tintype.domain.lifecycle import LEASED, STAGES, Status
from tintype.domain.task import Moments, Task, TaskName

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def running(store: Storekeeper, status: Status) -> Task:
    """A claimed task, led to the status."""
    task = await store.claimed()
    return task if status is Status.ACCEPT else await store.advance(task.lease, status)


async def test_a_waiting_task_is_cancelled(store: Storekeeper) -> None:
    task = await store.submit()
    store.pass_time(2)

    cancelled = await store.cancel(task)

    assert cancelled.status is Status.CANCEL
    assert cancelled.moments == Moments(create=DAWN, cancel=DAWN + 2 * SECOND)
    assert (cancelled.exit_code, cancelled.total_cost, cancelled.outputs) == (None, 0, ())
    assert cancelled.sequence > task.sequence
    assert await store.find(task) == cancelled
    assert await store.claim() == []


async def test_a_task_is_cancelled_by_its_token_too(store: Storekeeper) -> None:
    task = await store.submit()

    cancelled = await store.cancel(TaskName(kind="token", value=task.token))

    assert cancelled.id == task.id


@pytest.mark.parametrize("by", ["cancel", "kill"])
async def test_cancelling_and_killing_may_be_repeated(store: Storekeeper, by: str) -> None:
    cancelled = await store.cancel(await store.submit())
    store.pass_time(2)

    assert await getattr(store, by)(cancelled) == cancelled


async def test_what_has_left_the_queue_is_not_cancelled(store: Storekeeper) -> None:
    for status in [stage for stage in STAGES if stage in LEASED]:
        task = await running(store, status)

        with pytest.raises(NotCancellable):
            await store.cancel(task)
        assert await store.find(task) == task


async def test_a_finished_task_is_neither_cancelled_nor_killed(store: Storekeeper) -> None:
    done = await store.finished()

    with pytest.raises(NotCancellable):
        await store.cancel(done)
    with pytest.raises(NotKillable, match="already finished"):
        await store.kill(done)
    assert await store.find(done) == done


async def test_whatever_has_not_ended_is_killed(store: Storekeeper) -> None:
    for status in [stage for stage in STAGES if stage in LEASED]:
        task = await running(store, status)
        store.pass_time(3)

        killed = await store.kill(task)

        assert killed.status is Status.CANCEL
        assert killed.moments.cancel == killed.moments.end == store.now
        assert (killed.exit_code, killed.total_cost, killed.outputs) == (None, 0, ())


async def test_a_waiting_task_is_killed_too(store: Storekeeper) -> None:
    killed = await store.kill(await store.submit())

    assert (killed.status, killed.moments.end) == (Status.CANCEL, 0)


async def test_the_worker_of_a_killed_task_is_fenced_off(store: Storekeeper) -> None:
    task = await running(store, Status.START)
    killed = await store.kill(task)

    for write in (
        store.advance(task.lease, Status.END),
        store.note_progress(task.lease),
        store.finish(task.lease),
        store.hand_back(task.lease, lost=True),
    ):
        with pytest.raises(LeaseLost):
            await write
    assert await store.find(task) == killed
    assert await store.charged() == 0


async def test_another_projects_task_is_unknown(store: Storekeeper) -> None:
    other = await store.open_project("second")
    task = await store.submit()

    for end in (store.cancel, store.kill):
        with pytest.raises(UnknownTask):
            await end(task, other)
        with pytest.raises(UnknownTask):
            await end(TaskName(kind="token", value=task.token), other)
    assert await store.find(task) == task


async def test_a_task_is_either_claimed_or_cancelled(store: Storekeeper) -> None:
    tasks = [await store.submit() for _ in range(20)]

    _, *claims = await asyncio.gather(
        asyncio.gather(*(store.cancel(task) for task in tasks), return_exceptions=True),
        *(store.claim(2, worker=f"w{number}") for number in range(5)),
    )

    claimed = {task.id for claim in claims for task in claim}
    for task in tasks:
        expected = Status.ACCEPT if task.id in claimed else Status.CANCEL
        assert (await store.find(task)).status is expected
