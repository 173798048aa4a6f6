"""A database that the first version filled goes on with this one, and back."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tintype.domain.pricing import Pace
from tintype.domain.wallet import Kind
from tintype.storage import ledger, projects, statistics
from tintype.storage.audit import audit
from tintype.storage.database import open_database
from tintype.storage.migrations import config_of
from tintype.storage.tables import MOMENTS

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

T = TypeVar("T")
MODEL = "black-forest-labs/flux-2-flex-t2i"
COST = 3_510_000_000
TASK: dict[str, Any] = {
    "account_uuid": "uuid",
    "project_id": 1,
    "billed_project_id": 1,
    "model": MODEL,
    "parameters": "{}",
    "inputs": "{}",
    "callback_url": '""',
    "cps": 585_000_000,
    "share": "1",
    "weight": 1.0,
    "rank": 1.0,
    "cost_estimate": 1048576.0,
    "change_time": 6_000_009,
    "worker": "w",
    "attempt": 1,
    "lost_attempts": 0,
    "sequence": 9,
    "debug_output": "",
    "debug_error": "",
    "output_folder": "0",
    "exit_code": None,
    "total_cost": 0,
    **{f"{name}_time": 0 for name in MOMENTS},
    "create_time": 1,
}
ENDED = {
    "status": "task_postprocess_end",
    "accept_time": 2,
    "end_time": 6_000_002,
    "postprocess_start_time": 6_000_003,
    "postprocess_end_time": 6_000_004,
}
TASKS = [
    {"token": "success", **ENDED, "exit_code": 0, "total_cost": COST},
    {"token": "failure", **ENDED, "exit_code": 1},
    {"token": "cancelled", "status": "task_cancel", "cancel_time": 5, "worker": None, "attempt": 0},
    {"token": "queued", "status": "task_queue", "worker": None, "attempt": 0, "create_time": 7},
    {"token": "tiny", **ENDED, "exit_code": 0, "cost_estimate": 0.5},
]


async def run(url: str, work: Callable[[Connection], T]) -> T:
    """The work on a plain connection to the database, whatever its version."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed)
        try:
            with engine.begin() as connection:
                return work(connection)
        finally:
            engine.dispose()
    server = create_async_engine(parsed.set(drivername="postgresql+asyncpg"))
    try:
        async with server.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await server.dispose()


def insert(connection: Connection, table: str, values: dict[str, Any]) -> None:
    names = ", ".join(values)
    given = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({given})"), values)


def fill_first_version(connection: Connection) -> None:
    command.upgrade(config_of(connection), "0001")
    account = {"uuid": "uuid", "name": "studio", "suspended": False, "create_time": 1}
    insert(connection, "accounts", account)
    project = {
        "account_id": 1,
        "name": "gallery",
        "auth": "key",
        "key": "k",
        "sealed_secret": b"sealed",
        "allowed_addresses": "[]",
        "max_concurrent": None,
        "weight": 1.0,
        "create_time": 1,
    }
    insert(connection, "projects", project)
    for task in TASKS:
        insert(connection, "tasks", TASK | task)
    charge = {"task_id": 1, "project_id": 1, "amount": COST, "create_time": 9}
    insert(connection, "ledger", charge)


async def test_what_was_charged_before_there_was_money_was_free(empty_url: str) -> None:
    await run(empty_url, fill_first_version)

    async with open_database(empty_url) as database:
        (entry,) = await database.read(lambda connection: ledger.entries(connection, 1))
        found = await database.read(audit)
        project = await database.read(lambda connection: projects.by_name(connection, "gallery"))

    assert (entry.kind, entry.amount, entry.cost, entry.task_id) == (Kind.FREE, 0, COST, 1)
    assert (entry.account_id, entry.project_id) == (1, 1)
    assert (found.problems, found.balance) == ((), 0)
    assert project is not None
    assert (project.suspended, project.account.email) == (False, None)


async def test_runs_that_ended_before_are_counted(empty_url: str) -> None:
    await run(empty_url, fill_first_version)

    async with open_database(empty_url) as database:
        counted = (await database.read(statistics.runs_by_model))[MODEL]
        paces = await database.read(lambda connection: statistics.paces(connection, MODEL))

    assert (counted.all, counted.successes, counted.failures, counted.last) == (5, 2, 1, 7)
    assert str(counted.average_elapsed) == "6.0000"
    assert sorted(paces, key=lambda pace: pace.work) == [
        Pace(work=0.5, seconds=6.0),
        Pace(work=1048576.0, seconds=6.0),
    ]


async def test_new_rows_go_on_from_the_old_ones(empty_url: str) -> None:
    await run(empty_url, fill_first_version)

    async with open_database(empty_url) as database:
        number = await database.write(
            lambda connection: ledger.record(
                connection, account_id=1, kind=Kind.TOP_UP, amount=5, reason="", now=1
            )
        )

    assert number == 2


async def test_one_can_go_back_and_forth(empty_url: str) -> None:
    await run(empty_url, fill_first_version)
    async with open_database(empty_url):
        pass

    def back(connection: Connection) -> list[Any]:
        command.downgrade(config_of(connection), "0001")
        return list(connection.execute(text("SELECT task_id, project_id, amount FROM ledger")).all())

    assert await run(empty_url, back) == [(1, 1, COST)]
    async with open_database(empty_url) as database:
        assert (await database.read(statistics.runs_by_model))[MODEL].all == 5
