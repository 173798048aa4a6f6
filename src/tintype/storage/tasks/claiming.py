"""A worker's hold on tasks: claiming them, and telling how far they have come."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    Update,
    bindparam,
    exists,
    select,
    text,
    update,
)

from tintype.domain.lifecycle import LEASED, MOVES, Status
from tintype.domain.priority import Priority, Turns
from tintype.domain.task import MOMENT_OF, Lease, Task
from tintype.storage.tables import IS_QUEUED, one_of, tasks
from tintype.storage.tasks.rows import fence, fenced, lost, now_or_later, task_of


# The SELECT stands in a CTE, since inside IN (…) PostgreSQL can take more rows than LIMIT; the status is a
# literal, since with a bound parameter the generic plan skips the partial index.
def _claim(*conditions: ColumnElement[bool]) -> Update:
    picked = (
        select(tasks.c.id)
        .where(text(IS_QUEUED), tasks.c.priority == bindparam("class", type_=Text), *conditions)
        .order_by(tasks.c.rank, tasks.c.id)
        .limit(bindparam("places", type_=BigInteger))
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    return (
        update(tasks)
        .where(tasks.c.id.in_(select(picked.c.id)))
        .values(
            status=Status.ACCEPT.value,
            worker=bindparam("claimant", type_=Text),
            attempt=tasks.c.attempt + 1,
            accept_time=now_or_later,
            change_time=now_or_later,
            sequence=tasks.c.sequence + 1,
        )
        .returning(tasks)
    )


_CLAIM = _claim()
_CLAIM_BUT = _claim(tasks.c.project_id.not_in(bindparam("but", expanding=True, type_=BigInteger)))


_WAITING = select(
    *(
        exists(select(tasks.c.id).where(text(IS_QUEUED), tasks.c.priority == priority.value)).label(priority)
        for priority in Priority
    )
)


def claim(
    connection: Connection,
    *,
    worker: str,
    places: int,
    now: int,
    turns: Turns,
    urgent_places: int = 0,
    but: Collection[int] = (),
) -> list[Task]:
    """Leases tasks to the worker: at most `places`, and so many more of high priority; in `task_accept`.

    Those of the projects `but` stay where they are. Priorities take turns, as `turns` says and is told; of
    each come those that are first in its queue. `now` is in microseconds since the epoch.
    """
    if places <= 0 and urgent_places <= 0:
        return []

    def take(priority: Priority, count: int) -> list[Task]:
        asked: dict[str, Any] = {"claimant": worker, "class": priority.value, "places": count, "now": now}
        if but:
            asked["but"] = list(but)
        rows = connection.execute(_CLAIM_BUT if but else _CLAIM, asked).all()
        taken = [task_of(row) for row in sorted(rows, key=lambda row: (row.rank, row.id))]
        turns.charge(priority, sum(task.cost_estimate for task in taken))
        return taken

    found = connection.execute(_WAITING).one()
    waiting = [priority for priority, waits in zip(Priority, found, strict=True) if waits]
    claimed: list[Task] = []
    while waiting and len(claimed) < places:
        priority = turns.next(waiting)
        count = 1 if len(waiting) > 1 else places - len(claimed)
        taken = take(priority, count)
        claimed += taken
        if len(taken) < count:
            waiting.remove(priority)
    if urgent_places > 0 and Priority.HIGH in waiting:
        claimed += take(Priority.HIGH, urgent_places)
    return claimed


def _step(status: Status, *, froms: Iterable[Status]) -> Update:
    """The fenced update to a status from those that may become it."""
    reached = {f"{MOMENT_OF[status]}_time": now_or_later} if status in MOMENT_OF else {}
    return (
        fenced(update(tasks))
        .where(text(one_of(froms)))
        .values(
            status=status.value,
            change_time=now_or_later,
            sequence=tasks.c.sequence + 1,
            **reached,
        )
        .returning(tasks)
    )


_STEPS = {
    status: _step(status, froms=[before for before in LEASED if status in MOVES[before]])
    for status in LEASED - {Status.ACCEPT}
}
_PROGRESS = _step(Status.OUTPUT, froms=[*(s for s in LEASED if Status.OUTPUT in MOVES[s]), Status.OUTPUT])


def advance(connection: Connection, lease: Lease, status: Status, *, now: int) -> Task:
    """The task moved forward to a later stage. Its `sequence` has grown by one.

    `now` is in microseconds since the epoch. Raises LeaseLost if the lease is over, or the task is there
    already or further on; ValueError for a status that is reached by a claim or an end.
    """
    if status not in _STEPS:
        raise ValueError(f"{status} is not reached by advancing")
    return _move(connection, lease, _STEPS[status], now)


def note_progress(connection: Connection, lease: Lease, *, now: int) -> Task:
    """The task in `task_output`, reached or renewed, with a new `sequence`.

    To be called at most once a second. `now` is in microseconds since the epoch. Raises LeaseLost.
    """
    return _move(connection, lease, _PROGRESS, now)


def _move(connection: Connection, lease: Lease, statement: Update, now: int) -> Task:
    row = connection.execute(statement, {**fence(lease), "now": now}).one_or_none()
    if row is None:
        raise lost(lease)
    return task_of(row)
