"""Looking whether the books are right."""

import pytest
from sqlalchemy import update

from conformance.purse import DOLLAR, drawn
from conformance.storekeeper import Storekeeper
from tintype.storage.tables import accounts

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


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
