"""Money put aside when a task is accepted: enough for its price, and never the same twice."""

import asyncio
from typing import Any

import pytest

from conformance.purse import DOLLAR, PRICE, drawn
from conformance.storekeeper import CPS, Storekeeper
from tintype.domain.errors import (
    BalanceConcurrencyLimit,
    InsufficientBalance,
    ProjectConcurrencyLimit,
)
from tintype.domain.wallet import Wallet

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def refused(store: Storekeeper, **changes: Any) -> bool:
    try:
        await store.submit_paid(**changes)
    except (InsufficientBalance, BalanceConcurrencyLimit):
        return True
    return False


# Accepting


async def test_an_accepted_task_has_its_price_put_aside(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)

    await store.submit_paid()

    assert await store.wallet() == Wallet(balance=DOLLAR, reserved=PRICE)
    assert await store.problems() == ()


async def test_below_half_a_dollar_nothing_is_accepted(store: Storekeeper) -> None:
    await store.top_up(DOLLAR // 2 - 1)
    with pytest.raises(InsufficientBalance):
        await store.submit_paid()

    await store.top_up(1)
    await store.submit_paid()


async def test_what_is_put_aside_is_not_spent_twice(store: Storekeeper) -> None:
    await store.top_up(300 * DOLLAR)
    dear = {"cps": 200 * DOLLAR}  # for about a second

    await store.submit_paid(**dear)

    with pytest.raises(InsufficientBalance):
        await store.submit_paid(**dear)
    assert await store.problems() == ()


async def test_a_dear_run_needs_a_balance_that_covers_it(store: Storekeeper) -> None:
    await store.top_up(5 * DOLLAR)

    with pytest.raises(InsufficientBalance):
        await store.submit_paid(cps=6 * DOLLAR)


@pytest.mark.parametrize(
    ("dollars", "limit", "shown"),
    [(1, 1, "1.00"), (29.999, 2, "29.99"), (40, 4, "40.00"), (250, 25, "250.00")],
)
async def test_a_balance_limits_how_many_tasks_run_at_once(
    store: Storekeeper, dollars: float, limit: int, shown: str
) -> None:
    await store.top_up(round(dollars * 1000) * DOLLAR // 1000)
    for _ in range(limit):
        await store.submit_paid()

    with pytest.raises(BalanceConcurrencyLimit) as refusal:
        await store.submit_paid()

    assert str(refusal.value) == (
        f"You have reached your concurrent task limit. With your current balance of ${shown}, you can run up"
        f" to {limit} tasks at the same time. Add funds to increase your limit."
    )


async def test_above_250_dollars_the_number_of_tasks_is_free(store: Storekeeper) -> None:
    await store.top_up(250 * DOLLAR + 1)

    for _ in range(26):
        await store.submit_paid()


async def test_the_limit_counts_all_tasks_of_the_account_and_no_ended_ones(store: Storekeeper) -> None:
    sibling = await store.open_project("sibling")
    stranger = await store.open_project("stranger", account="someone else")
    await store.top_up(20 * DOLLAR)
    await store.top_up(20 * DOLLAR, stranger)
    first = await store.submit_paid()
    await store.submit_paid(sibling)

    for project in (store.project, sibling):
        with pytest.raises(BalanceConcurrencyLimit):
            await store.submit_paid(project)
    await store.submit_paid(stranger)
    await store.cancel(first)
    await store.submit_paid(sibling)


async def test_the_balance_is_asked_before_the_projects_own_limit(store: Storekeeper) -> None:
    with pytest.raises(InsufficientBalance):
        await store.submit_paid(max_concurrent=0)
    await store.top_up(DOLLAR)
    with pytest.raises(ProjectConcurrencyLimit):
        await store.submit_paid(max_concurrent=0)

    assert (await store.wallet()).reserved == 0


async def test_a_repeated_key_is_answered_whatever_the_balance(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)
    first = await store.submit_paid(key="a")

    again = await store.submit_paid(key="a")

    assert again.id == first.id
    assert (await store.wallet()).reserved == PRICE


async def test_parallel_submissions_never_put_more_aside_than_there_is(store: Storekeeper) -> None:
    await store.top_up(300 * DOLLAR)
    sibling = await store.open_project("sibling")

    refusals = await asyncio.gather(
        *(refused(store, project=project, cps=40 * DOLLAR) for _ in range(10) for project in (sibling, None))
    )

    assert refusals.count(False) == 7
    assert (await store.wallet()).available >= 0
    assert await store.problems() == ()


async def test_parallel_submissions_respect_the_limit_of_the_balance(store: Storekeeper) -> None:
    await store.top_up(35 * DOLLAR)
    sibling = await store.open_project("sibling")

    refusals = await asyncio.gather(
        *(refused(store, project=project) for _ in range(8) for project in (sibling, None))
    )

    assert refusals.count(False) == 3


# Top-ups, adjustments, refunds


async def test_the_price_follows_what_runs_have_taken(store: Storekeeper) -> None:
    await store.top_up(100 * DOLLAR)
    await drawn(store, seconds=20)

    await store.submit_paid()

    assert (await store.wallet()).reserved == 20 * CPS
