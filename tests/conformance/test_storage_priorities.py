"""Priorities: how classes of tasks divide the claims, while each queues in its own order."""

from collections import Counter

import pytest

from conformance.storekeeper import Storekeeper
from tintype.domain.priority import Priority, Turns

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def queue(store: Storekeeper, count: int, *priorities: Priority) -> None:
    for _ in range(count):
        for priority in priorities:
            await store.submit(priority=priority)


async def test_classes_divide_the_claims_by_their_parts(store: Storekeeper) -> None:
    await queue(store, 24, *Priority)

    claimed: Counter[Priority] = Counter()
    for _ in range(7):
        claimed.update(task.priority for task in await store.claim(3))

    assert claimed == {Priority.HIGH: 16, Priority.NORMAL: 4, Priority.LOW: 1}


async def test_a_part_is_one_of_compute_and_not_of_tasks(store: Storekeeper) -> None:
    for _ in range(40):
        await store.submit(priority=Priority.HIGH, cost_estimate=100.0)
        await store.submit(priority=Priority.NORMAL, cost_estimate=400.0)

    claimed = Counter(task.priority for task in await store.claim(34))

    assert claimed[Priority.HIGH] == 32


async def test_what_a_class_leaves_goes_to_the_others(store: Storekeeper) -> None:
    await queue(store, 2, Priority.HIGH)
    await queue(store, 8, Priority.LOW)

    claimed = Counter(task.priority for task in await store.claim(7))

    assert claimed == {Priority.HIGH: 2, Priority.LOW: 5}


async def test_a_class_that_did_not_wait_saves_nothing_up(store: Storekeeper) -> None:
    await queue(store, 64, Priority.LOW)
    await store.claim(40)
    await queue(store, 24, Priority.NORMAL)

    claimed = Counter(task.priority for task in await store.claim(10))

    assert claimed == {Priority.NORMAL: 8, Priority.LOW: 2}


async def test_urgent_places_are_for_high_priority_alone(store: Storekeeper) -> None:
    await queue(store, 3, Priority.LOW, Priority.NORMAL)

    assert await store.claim(0, urgent_places=2) == []
    await queue(store, 3, Priority.HIGH)
    assert [task.priority for task in await store.claim(0, urgent_places=2)] == [Priority.HIGH] * 2


async def test_projects_share_each_class_by_themselves(store: Storekeeper) -> None:
    busy, urgent = (
        await store.open_project("busy"),
        await store.open_project("urgent", priority=Priority.HIGH),
    )
    for _ in range(30):
        await store.submit(busy)
    other = await store.open_project("other", priority=Priority.HIGH)
    for _ in range(10):
        await store.submit(urgent)
    for _ in range(10):
        await store.submit(other)

    claimed = Counter(task.project_id for task in await store.claim(15))

    assert claimed[busy.id] == 3
    assert abs(claimed[urgent.id] - claimed[other.id]) <= 2


async def test_a_project_that_changes_its_class_leaves_its_past_behind(store: Storekeeper) -> None:
    rival = await store.open_project("rival")
    await queue(store, 50, Priority.LOW)
    for _ in range(10):
        await store.submit(rival)
        await store.submit(priority=Priority.NORMAL)
    store.turns.charge(Priority.LOW, 10_000.0)

    claimed = Counter(task.project_id for task in await store.claim(10))

    assert claimed == {rival.id: 5, store.project.id: 5}


async def test_a_cancelled_task_gives_back_its_cost_to_its_own_class(store: Storekeeper) -> None:
    first = await store.submit(priority=Priority.HIGH)
    await store.cancel(await store.submit(priority=Priority.HIGH))
    low = await store.submit(priority=Priority.LOW)

    again = await store.submit(priority=Priority.HIGH)

    assert (again.rank - first.rank, low.rank) == (100.0, 100.0)


def test_a_class_is_served_again_and_again_whoever_comes_and_goes() -> None:
    turns = Turns()
    waits, served = 0, 0

    for number in range(2000):
        others = [Priority.HIGH] if number % 3 else [Priority.HIGH, Priority.NORMAL]
        first = turns.next([*others, Priority.LOW])
        turns.charge(first, 1.0)
        waits = 0 if first is Priority.LOW else waits + 1
        served += first is Priority.LOW
        assert waits <= 21

    assert served >= 2000 // 21
