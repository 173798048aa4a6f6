"""The ledger: one row for each run that cost something, unique by task, and one for each other change of a
balance. Rows are written once and never changed. Amounts are picodollars."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select

from tintype.domain.wallet import Entry, Kind
from tintype.storage.tables import ledger, projects

_PART = 10**9


def record_run(
    connection: Connection, *, task_id: int, project_id: int, cost: int, paid: int | None, now: int
) -> None:
    """The project's run cost something, and that much of it was paid; None if it was free.

    A second row for one task violates a unique key and raises sqlalchemy.exc.IntegrityError.
    """
    owner = select(projects.c.account_id).where(projects.c.id == project_id).scalar_subquery()
    row = {
        "kind": Kind.FREE.value if paid is None else Kind.CHARGE.value,
        "task_id": task_id,
        "project_id": project_id,
        "amount": -(paid or 0),
        "cost": cost,
        "reason": "",
        "create_time": now,
    }
    connection.execute(insert(ledger).values(account_id=owner, **row))


def record(
    connection: Connection,
    *,
    account_id: int,
    kind: Kind,
    amount: int,
    reason: str,
    now: int,
    task_id: int | None = None,
    project_id: int | None = None,
) -> int:
    """A change of the balance that is no run; returns the row's id. For `storage.wallet` alone."""
    row = {
        "account_id": account_id,
        "kind": kind.value,
        "amount": amount,
        "reason": reason,
        "task_id": task_id,
        "project_id": project_id,
        "cost": 0,
        "create_time": now,
    }
    return int(connection.execute(insert(ledger).values(**row).returning(ledger.c.id)).scalar_one())


def total(connection: Connection, project_id: int | None = None) -> int:
    """Picodollars that the runs of one project, or of all, have cost, paid or free."""
    return exact_sum(connection, ledger.c.cost, *_of(ledger.c.project_id, project_id))


def balance(connection: Connection, account_id: int) -> int:
    """The sum of the account's amounts."""
    return exact_sum(connection, ledger.c.amount, ledger.c.account_id == account_id)


def entries(connection: Connection, account_id: int, *, start: int = 0, limit: int = 20) -> list[Entry]:
    """A page of the account's rows, newest first."""
    page = (
        select(ledger)
        .where(ledger.c.account_id == account_id)
        .order_by(ledger.c.id.desc())
        .offset(start)
        .limit(limit)
    )
    return [entry_of(row) for row in connection.execute(page)]


def of_task(connection: Connection, task_id: int) -> list[Entry]:
    """The rows of one task: at most one run, and its refunds."""
    rows = select(ledger).where(ledger.c.task_id == task_id).order_by(ledger.c.id)
    return [entry_of(row) for row in connection.execute(rows)]


def exact_sum(connection: Connection, column: Any, *conditions: ColumnElement[bool]) -> int:
    """A sum of 64-bit numbers of any size; SQLite's own fails beyond 64 bits."""
    parts = select(func.sum(column // _PART), func.sum(column % _PART)).where(*conditions)
    high, low = connection.execute(parts).one()
    return int(high or 0) * _PART + int(low or 0)


def entry_of(row: Any) -> Entry:
    """The entry of a row."""
    return Entry(
        id=row.id,
        account_id=row.account_id,
        kind=Kind(row.kind),
        amount=row.amount,
        cost=row.cost,
        task_id=row.task_id,
        project_id=row.project_id,
        reason=row.reason,
        created=row.create_time,
    )


def _of(column: Any, value: int | None) -> list[ColumnElement[bool]]:
    return [] if value is None else [column == value]
