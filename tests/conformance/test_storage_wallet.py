"""Money that comes and goes beside the runs: top-ups, adjustments, refunds."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection

from conformance.purse import DOLLAR, drawn
from conformance.storekeeper import CPS, Storekeeper
from tintype.domain.errors import (
    UnfitAmount,
)
from tintype.domain.money import MOST_MONEY
from tintype.domain.wallet import Wallet
from tintype.storage import ledger, tables, wallet

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


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
