"""What tasks cost once they have ended, never below zero, always in the ledger."""

import asyncio

import pytest

from conformance.purse import DOLLAR, PRICE, drawn
from conformance.storekeeper import CPS, SECOND, Storekeeper, failure
from tintype.domain.money import MOST_MONEY
from tintype.domain.wallet import Kind, Wallet
from tintype.storage import ledger

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
SILENCE = 15


async def test_a_success_is_paid_at_its_real_cost(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)

    task = await drawn(store, seconds=6)

    assert task.total_cost == 6 * CPS
    assert await store.wallet() == Wallet(balance=DOLLAR - 6 * CPS, reserved=0)
    (entry, _) = await store.database.read(
        lambda connection: ledger.entries(connection, store.project.account.id)
    )
    assert (entry.kind, entry.amount, entry.cost) == (Kind.CHARGE, -6 * CPS, 6 * CPS)
    assert (entry.task_id, entry.project_id, entry.shortfall) == (task.id, store.project.id, 0)
    assert await store.problems() == ()


async def test_another_project_of_the_account_may_pay(store: Storekeeper) -> None:
    sibling = await store.open_project("sibling")
    await store.top_up(DOLLAR)

    task = await drawn(store, seconds=2, billed_project_id=sibling.id)

    assert await store.charged(sibling) == task.total_cost == 2 * CPS
    assert await store.charged(store.project) == 0
    assert await store.problems() == ()


async def test_a_cost_beyond_the_balance_takes_all_and_is_noted(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)

    task = await drawn(store, seconds=10_000)

    assert task.total_cost == 10_000 * CPS > DOLLAR
    assert await store.wallet() == Wallet(balance=0, reserved=0)
    (entry,) = await store.database.read(lambda connection: ledger.of_task(connection, task.id))
    assert entry.shortfall == task.total_cost - DOLLAR
    assert await store.problems() == ()


async def test_a_cost_beyond_its_reservation_leaves_those_of_others_alone(store: Storekeeper) -> None:
    await store.top_up(20 * DOLLAR)
    await store.submit_paid()
    (long,) = await store.claim()
    await store.submit_paid(cps=10 * DOLLAR)
    other = (await store.wallet()).reserved - PRICE

    store.pass_time(1_000_000)
    await store.finish(long.lease)

    assert await store.wallet() == Wallet(balance=other, reserved=other)
    assert await store.problems() == ()


@pytest.mark.parametrize("end", ["cancel", "kill", "failure", "given up"])
async def test_whatever_else_ends_a_task_costs_nothing(store: Storekeeper, end: str) -> None:
    await store.top_up(DOLLAR)
    task = await store.submit_paid()
    if end == "cancel":
        await store.cancel(task)
    else:
        (task,) = await store.claim()
        store.pass_time(5)
    if end == "kill":
        await store.kill(task)
    if end == "failure":
        await store.finish(task.lease, failure())
    if end == "given up":
        for _ in range(3):
            store.pass_time(SILENCE + 1)
            await store.rescue(silence=SILENCE)
            await store.claim()

    assert (await store.find(task)).status.is_terminal
    assert await store.wallet() == Wallet(balance=DOLLAR, reserved=0)
    assert await store.rows("reservations") == []
    assert await store.problems() == ()


async def test_a_task_handed_back_keeps_its_reservation(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)
    await store.submit_paid()
    (task,) = await store.claim()

    await store.hand_back(task.lease, lost=True)

    assert (await store.wallet()).reserved == PRICE


async def test_a_task_accepted_for_free_stays_free(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)
    await store.submit()
    (task,) = await store.claim()
    store.pass_time(3)

    await store.finish(task.lease)

    assert await store.wallet() == Wallet(balance=DOLLAR, reserved=0)
    assert await store.charged() == 3 * CPS
    (entry,) = await store.database.read(lambda connection: ledger.of_task(connection, task.id))
    assert (entry.kind, entry.amount, entry.cost) == (Kind.FREE, 0, 3 * CPS)
    assert await store.problems() == ()


async def test_tasks_that_end_in_parallel_are_all_paid(store: Storekeeper) -> None:
    await store.top_up(300 * DOLLAR)
    for _ in range(12):
        await store.submit_paid()
    claimed = await store.claim(12)
    store.pass_time(2)

    await asyncio.gather(
        *(store.finish(task.lease) for task in claimed[:8]), *(store.kill(task) for task in claimed[8:])
    )

    assert await store.wallet() == Wallet(balance=300 * DOLLAR - 8 * 2 * CPS, reserved=0)
    assert await store.problems() == ()


async def test_a_lease_that_is_over_pays_nothing(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)
    await store.submit_paid()
    (task,) = await store.claim()
    await store.kill(task)
    store.pass_time(5)

    with pytest.raises(Exception, match="no longer leased"):
        await store.finish(task.lease)

    assert await store.wallet() == Wallet(balance=DOLLAR, reserved=0)


async def test_time_is_paid_as_printed(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)

    task = await drawn(store, seconds=1.00005)

    assert task.total_cost == 585_058_500  # 1.0001 s
    assert task.moments.end - task.moments.accept == SECOND + 50


async def test_a_cost_that_no_column_could_hold_ends_at_the_most(store: Storekeeper) -> None:
    await store.submit(cps=10**18)
    (task,) = await store.claim()
    store.pass_time(100_000)

    ended = await store.finish(task.lease)

    assert ended.total_cost == await store.charged() == MOST_MONEY
    assert await store.problems() == ()
