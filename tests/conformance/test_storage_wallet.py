"""Money: put aside when a task is accepted, paid when it succeeds, never below zero, always in the ledger."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, update

from conformance.storekeeper import CPS, SECOND, Storekeeper, failure
from tintype.domain.errors import (
    BalanceConcurrencyLimit,
    InsufficientBalance,
    ProjectConcurrencyLimit,
    UnfitAmount,
)
from tintype.domain.money import MOST_MONEY, PICODOLLARS
from tintype.domain.task import Task
from tintype.domain.wallet import Kind, Wallet
from tintype.storage import ledger, tables, wallet
from tintype.storage.tables import accounts

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

DOLLAR = PICODOLLARS
PRICE = CPS
"""What a task of the storekeeper's is expected to cost while no run was measured: one second."""
SILENCE = 15


async def drawn(store: Storekeeper, *, seconds: float, **changes: Any) -> Task:
    """A paid task that succeeded after so many seconds."""
    await store.submit_paid(**changes)
    (task,) = await store.claim()
    store.pass_time(seconds)
    return await store.finish(task.lease)


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


# Ending


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


# Top-ups, adjustments, refunds


async def test_the_price_follows_what_runs_have_taken(store: Storekeeper) -> None:
    await store.top_up(100 * DOLLAR)
    await drawn(store, seconds=20)

    await store.submit_paid()

    assert (await store.wallet()).reserved == 20 * CPS


async def test_money_comes_and_goes_with_a_reason(store: Storekeeper) -> None:
    account_id = store.project.account.id

    def change(amount: int, reason: str = "counted wrong") -> Any:
        return store.database.write(
            lambda connection: wallet.adjust(connection, account_id, amount, now=store.now, reason=reason)
        )

    await store.top_up(DOLLAR)
    assert (await change(-DOLLAR // 4)).balance == 3 * DOLLAR // 4
    assert (await change(5)).balance == 3 * DOLLAR // 4 + 5
    for amount, reason in ((0, "nothing"), (-DOLLAR, "too much"), (MOST_MONEY, "too much"), (1, " ")):
        with pytest.raises(UnfitAmount):
            await change(amount, reason)
    with pytest.raises(UnfitAmount):
        await store.top_up(-1)

    assert (await store.wallet()).balance == 3 * DOLLAR // 4 + 5
    assert await store.problems() == ()


async def test_what_is_put_aside_cannot_be_taken(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)
    await store.submit_paid()

    with pytest.raises(UnfitAmount, match=r"at most \$0\.999415000000 can be taken"):
        await store.database.write(
            lambda connection: wallet.adjust(
                connection, store.project.account.id, -DOLLAR, now=store.now, reason="all"
            )
        )


async def test_a_charge_is_given_back_once(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)
    task = await drawn(store, seconds=4)

    def refund(amount: int | None = None) -> Any:
        return store.database.write(
            lambda connection: wallet.refund(
                connection, task.id, amount=amount, now=store.now, reason="blurred"
            )
        )

    assert (await refund(CPS)).balance == DOLLAR - 3 * CPS
    with pytest.raises(UnfitAmount):
        await refund(3 * CPS + 1)
    attempts = await asyncio.gather(refund(), refund(), refund(), return_exceptions=True)

    assert [type(attempt) for attempt in attempts].count(Wallet) == 1
    assert (await store.wallet()).balance == DOLLAR
    assert await store.problems() == ()


async def test_what_was_not_charged_is_not_given_back(store: Storekeeper) -> None:
    free = await store.finished()

    for task_id in (free.id, 404, 2**70):
        with pytest.raises(UnfitAmount, match="was not charged"):
            await store.database.write(
                lambda connection, task_id=task_id: wallet.refund(
                    connection, task_id, now=store.now, reason="none"
                )
            )


async def test_sums_beyond_64_bits_are_exact(store: Storekeeper) -> None:
    for number in range(3):
        await store.top_up(MOST_MONEY - number, await store.open_project(str(number), account=str(number)))

    def total(connection: Connection) -> int:
        return ledger.exact_sum(connection, tables.ledger.c.amount)

    assert await store.database.read(total) == 3 * MOST_MONEY - 3
    assert await store.problems() == ()


# Looking whether the books are right


async def test_the_audit_finds_a_balance_that_nobody_booked(store: Storekeeper) -> None:
    await store.top_up(DOLLAR)
    await store.submit_paid()

    await store.database.write(
        lambda connection: connection.execute(
            update(accounts).values(balance=accounts.c.balance + 1, reserved=accounts.c.reserved + 1)
        )
    )

    assert await store.problems() == (
        "account default: the balance is $1.000000000001, its ledger sums to $1.000000000000",
        "account default: $0.000585000001 is put aside, its reservations sum to $0.000585000000",
    )


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("DELETE FROM ledger WHERE kind = 'charge'", "its cost and its row in the ledger differ"),
        (
            "UPDATE ledger SET cost = cost + 1 WHERE kind = 'charge'",
            "its cost and its row in the ledger differ",
        ),
        (
            "UPDATE ledger SET project_id = (SELECT MAX(id) FROM projects) WHERE kind = 'charge'",
            "was charged to another project",
        ),
        (
            "INSERT INTO reservations SELECT id, 1, 5 FROM tasks WHERE exit_code = 0",
            "has ended, and money is still put aside",
        ),
        (
            "INSERT INTO ledger (account_id, kind, amount, cost, reason, task_id, project_id, create_time)"
            " SELECT account_id, 'refund', 1 - amount, 0, 'x', task_id, project_id, 1 FROM ledger"
            " WHERE kind = 'charge'",
            "more was given back than it was charged",
        ),
        ("UPDATE reservations SET account_id = (SELECT MAX(id) FROM accounts)", "does not own it"),
    ],
)
async def test_the_audit_finds_what_does_not_fit(store: Storekeeper, damage: str, problem: str) -> None:
    await store.open_project("stranger", account="someone else")
    await store.top_up(20 * DOLLAR)
    await drawn(store, seconds=1)
    await store.submit_paid()
    assert await store.problems() == ()
    account_id = store.project.account.id

    await store.database.write(
        lambda connection: connection.exec_driver_sql(damage.replace("id, 1, 5", f"id, {account_id}, 5"))
    )

    assert any(problem in found for found in await store.problems())


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
