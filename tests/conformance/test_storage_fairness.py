"""Fair sharing: who waits how long when projects compete, whatever they have queued."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import Connection

from conformance.storekeeper import Storekeeper
from tintype.storage import tasks

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def test_the_tasks_of_one_project_are_claimed_in_their_order(store: Storekeeper) -> None:
    submitted = [await store.submit() for _ in range(5)]

    assert [task.id for task in await store.claim(5)] == [task.id for task in submitted]


async def test_ten_thousand_tasks_do_not_starve_one(store: Storekeeper) -> None:
    quiet = await store.open_project("quiet")

    def flood(connection: Connection) -> None:
        for _ in range(10_000 if connection.dialect.name == "sqlite" else 500):  # to save the tests' time
            tasks.submit(connection, store.new_task(), idempotency=None, now=store.now)

    await store.database.write(flood)
    lonely = await store.submit(quiet)

    assert lonely.id in [task.id for task in await store.claim(3)]


async def test_competing_projects_take_turns(store: Storekeeper) -> None:
    other = await store.open_project("second")
    for _ in range(10):
        await store.submit()
    for _ in range(10):
        await store.submit(other)

    claimed = [(await store.claim(1))[0].project_id for _ in range(10)]

    assert max(Counter(claimed).values()) <= 6


async def test_a_project_of_weight_three_gets_three_parts_of_four(store: Storekeeper) -> None:
    heavy = await store.open_project("heavy", weight=3.0)
    for _ in range(30):
        await store.submit()
        await store.submit(heavy)

    claimed = Counter(task.project_id for task in await store.claim(20))

    assert 14 <= claimed[heavy.id] <= 16


async def test_dear_tasks_count_for_more(store: Storekeeper) -> None:
    frugal = await store.open_project("frugal")
    for _ in range(10):
        await store.submit(cost_estimate=400.0)
        for _ in range(4):
            await store.submit(frugal, cost_estimate=100.0)

    claimed = Counter(task.project_id for task in await store.claim(20))

    assert 15 <= claimed[frugal.id] <= 17


async def test_a_busy_past_costs_nothing_once_the_queue_was_empty(store: Storekeeper) -> None:
    newcomer = await store.open_project("newcomer")
    for _ in range(50):
        await store.submit()
    await store.claim(50)

    for _ in range(10):
        await store.submit(newcomer)
    mine = await store.submit()

    assert mine.id in [task.id for task in await store.claim(3)]


async def test_an_idle_past_saves_up_nothing(store: Storekeeper) -> None:
    newcomer = await store.open_project("newcomer")
    for _ in range(50):
        await store.submit()
    await store.claim(40)
    for _ in range(10):
        await store.submit(newcomer)

    claimed = Counter(task.project_id for task in await store.claim(10))

    assert max(claimed.values()) <= 6


async def test_a_cancelled_task_has_cost_its_project_nothing(store: Storekeeper) -> None:
    other = await store.open_project("second")
    for _ in range(10):
        await store.submit(other)
    for task in [await store.submit() for _ in range(20)]:
        await store.cancel(task)
    mine = await store.submit()

    assert mine.id in [task.id for task in await store.claim(3)]


async def test_a_task_handed_back_keeps_its_place(store: Storekeeper) -> None:
    first = await store.claimed()
    await store.submit()

    await store.hand_back(first.lease)

    assert (await store.claim(1))[0].id == first.id


async def test_a_task_handed_back_gives_newcomers_no_lead(store: Storekeeper) -> None:
    newcomer = await store.open_project("newcomer")
    early = await store.claimed()
    for _ in range(50):
        await store.submit()
    await store.claim(40)
    await store.hand_back(early.lease)
    for _ in range(10):
        await store.submit(newcomer)

    claimed = Counter(task.project_id for task in await store.claim(11))

    assert claimed[newcomer.id] <= 6


async def test_parallel_submissions_of_a_project_get_ranks_of_their_own(store: Storekeeper) -> None:
    submitted = await asyncio.gather(*(store.submit() for _ in range(20)))

    ranks = sorted(task.rank for task in submitted)
    assert ranks == [100.0 * place for place in range(1, 21)]
