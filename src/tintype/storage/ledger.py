"""What was charged: one row per charge, at most one charge per task. Amounts are picodollars."""

from sqlalchemy import Connection, func, insert, select

from tintype.storage.tables import ledger


def charge(connection: Connection, *, task_id: int, project_id: int, amount: int, now: int) -> None:
    """Charges the project `amount` picodollars for the task.

    A second charge for one task violates a unique key and raises sqlalchemy.exc.IntegrityError.
    """
    connection.execute(
        insert(ledger), {"task_id": task_id, "project_id": project_id, "amount": amount, "create_time": now}
    )


def total(connection: Connection, project_id: int | None = None) -> int:
    """Picodollars charged to one project, or to all."""
    amounts = select(func.sum(ledger.c.amount))
    if project_id is not None:
        amounts = amounts.where(ledger.c.project_id == project_id)
    return int(connection.execute(amounts).scalar_one() or 0)
