"""Workers: who is alive, and what becomes of the tasks of those who are not."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, Text, bindparam, delete, func, select, text

from tintype.domain.task import Lease, Task
from tintype.storage.tables import IS_LEASED, tasks, workers
from tintype.storage.tasks.returning import return_row

_SEEN = text(
    """
    INSERT INTO workers (id, register_time, seen_time) VALUES (:worker, :now, :now)
    ON CONFLICT (id) DO UPDATE SET seen_time = excluded.seen_time
    """
).bindparams(bindparam("worker", type_=Text), bindparam("now", type_=BigInteger))


def register(connection: Connection, worker: str, *, now: int) -> None:
    """The worker is alive at `now` (microseconds since the epoch). To be called before its first claim."""
    connection.execute(_SEEN, {"worker": worker, "now": now})


def heartbeat(connection: Connection, worker: str, holding: Sequence[Lease], *, now: int) -> list[Lease]:
    """The worker is alive at `now`. Returns those of its leases that are over: their work must stop."""
    register(connection, worker, now=now)
    held = leases(connection, worker)
    return [lease for lease in holding if lease not in held]


def leases(connection: Connection, worker: str) -> set[Lease]:
    """What the worker holds; more than it knows of, if the answer to a claim was lost."""
    mine = select(tasks.c.id, tasks.c.attempt).where(tasks.c.worker == worker, text(IS_LEASED))
    return {Lease(task_id=row.id, worker=worker, attempt=row.attempt) for row in connection.execute(mine)}


def retire(connection: Connection, worker: str) -> None:
    """The worker is gone for good. Tasks it still held are for `rescue`."""
    connection.execute(delete(workers).where(workers.c.id == worker))


def rescue(connection: Connection, *, silent_since: int, now: int) -> list[Task]:
    """Hands back, as lost, the tasks of workers that gave no sign of life after `silent_since`.

    Where a worker is unknown, its tasks' last change is its last sign of life. May run anywhere, any number
    of times at once. Both moments are in microseconds since the epoch. Returns the tasks as they are now.
    """
    seen = select(workers.c.seen_time).where(workers.c.id == tasks.c.worker).scalar_subquery()
    orphaned = (
        select(tasks)
        .where(text(IS_LEASED), func.coalesce(seen, tasks.c.change_time) <= silent_since)
        .order_by(tasks.c.id)
        .with_for_update(skip_locked=True)
    )
    rescued = [return_row(connection, row, now=now, lost=True) for row in connection.execute(orphaned).all()]
    holders = select(tasks.c.worker).where(text(IS_LEASED))
    connection.execute(
        delete(workers).where(workers.c.seen_time <= silent_since, workers.c.id.not_in(holders))
    )
    return rescued
