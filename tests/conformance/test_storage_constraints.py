"""The tables refuse what the lifecycle does not know, whoever writes it."""

from typing import Any

import pytest
from sqlalchemy import Table, update
from sqlalchemy.exc import IntegrityError

from conformance.storekeeper import DAWN, Storekeeper, failure
from tintype.domain.money import MOST_MONEY
from tintype.domain.task import Task
from tintype.storage.tables import accounts, files, ledger, projects, tasks

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

IMPOSSIBLE: dict[str, list[dict[str, Any]]] = {
    "queued": [
        {"status": "task_error"},
        {"status": "task_accept"},
        {"status": "task_accept", "worker": "w1"},
        {"status": "task_postprocess_end"},
        {"status": "task_postprocess_end", "exit_code": 0},
        {"status": "task_cancel"},
        {"worker": "w1"},
        {"accept_time": DAWN},
        {"cancel_time": DAWN},
        {"exit_code": 0},
        {"total_cost": 1},
        {"create_time": 0},
        {"weight": 0.0},
        {"priority": "urgent"},
        {"sequence": 0},
        {"cps": -1},
        {"lost_attempts": 1},
        {"output_folder": "f" * 32},
        {"project_id": 404},
        {"token": None},
    ],
    "running": [
        {"worker": None},
        {"attempt": 0},
        {"accept_time": 0},
        {"accept_time": DAWN - 1},
        {"start_time": DAWN - 1},
        {"start_time": DAWN + 5, "end_time": DAWN + 4},
        {"assign_time": DAWN + 5, "postprocess_start_time": DAWN + 4},
        {"cancel_time": DAWN},
        {"exit_code": 1},
        {"total_cost": 1},
        {"lost_attempts": 3, "attempt": 3},
    ],
    "failed": [
        {"exit_code": None},
        {"total_cost": 1},
        {"end_time": 0},
        {"postprocess_end_time": 0},
        {"status": "task_end"},
        {"cancel_time": DAWN + 9},
        {"output_folder": "f" * 32},
    ],
    "succeeded": [{"total_cost": -1}, {"exit_code": 1}, {"postprocess_end_time": DAWN}],
    "cancelled": [{"cancel_time": 0}, {"exit_code": 0}, {"total_cost": 1}, {"status": "task_queue"}],
}


async def task_that_is(store: Storekeeper, state: str) -> Task:
    if state == "queued":
        return await store.submit()
    if state == "cancelled":
        return await store.cancel(await store.submit())
    task = await store.claimed()
    store.pass_time(1)
    if state == "running":
        return task
    return await store.finish(task.lease, failure() if state == "failed" else None)


OTHERS: list[tuple[Table, dict[str, Any]]] = [
    (accounts, {"uuid": None}),
    (projects, {"auth": "password"}),
    (projects, {"weight": -1.0}),
    (projects, {"priority": "urgent"}),
    (projects, {"max_concurrent": -1}),
    (projects, {"account_id": 404}),
    (files, {"role": "picture"}),
    (files, {"size": -1}),
    (files, {"task_id": None}),
    (files, {"task_id": 404}),
    (accounts, {"balance": -1}),
    (accounts, {"balance": 5, "reserved": 6}),
    (accounts, {"reserved": -1}),
    (accounts, {"balance": MOST_MONEY + 1}),
    (ledger, {"cost": 0}),
    (ledger, {"cost": -1}),
    (ledger, {"amount": -1}),
    (ledger, {"kind": "charge", "amount": 1}),
    (ledger, {"kind": "charge", "amount": -(2**62)}),
    (ledger, {"kind": "top-up"}),
    (ledger, {"kind": "gift"}),
    (ledger, {"kind": "adjustment", "cost": 0, "amount": 1, "task_id": None, "project_id": None}),
    (ledger, {"kind": "refund", "cost": 0, "amount": -1, "reason": "a mistake"}),
    (ledger, {"task_id": None}),
    (ledger, {"task_id": 404}),
]


@pytest.mark.parametrize("state", IMPOSSIBLE)
async def test_an_impossible_task_is_refused(store: Storekeeper, state: str) -> None:
    task = await task_that_is(store, state)

    taken = [values for values in IMPOSSIBLE[state] if await is_taken(store, tasks, values)]

    assert taken == []
    assert await store.find(task) == task


async def test_other_impossible_rows_are_refused(store: Storekeeper) -> None:
    await task_that_is(store, "succeeded")

    taken = [(table.name, values) for table, values in OTHERS if await is_taken(store, table, values)]

    assert taken == []


async def is_taken(store: Storekeeper, table: Table, values: dict[str, Any]) -> bool:
    """Whether the table's rows could be changed so."""
    try:
        await store.database.write(lambda connection: connection.execute(update(table).values(values)))
    except IntegrityError:
        return False
    return True
