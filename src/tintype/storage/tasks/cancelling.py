"""Ending a task because its owner says so."""

from typing import Any

from sqlalchemy import Connection, update

from tintype.domain.errors import NotCancellable, NotKillable
from tintype.domain.lifecycle import CANCELLABLE, KILLABLE, Status
from tintype.domain.task import Task, TaskName
from tintype.storage import callbacks, statistics, wallet
from tintype.storage.tables import shares
from tintype.storage.tasks.rows import change, lock_by_name, task_of

ALREADY_FINISHED = "it has already finished."


def cancel(connection: Connection, project_id: int, name: TaskName, *, now: int) -> Task:
    """The project's queued task in `task_cancel`; an already cancelled one as it is.

    `now` is in microseconds since the epoch. Raises UnknownTask, NotCancellable.
    """
    row = lock_by_name(connection, project_id, name)
    if row.status == Status.CANCEL:
        return task_of(row)
    if row.status not in CANCELLABLE:
        raise NotCancellable
    return _cancelled(connection, row, now)


def kill(connection: Connection, project_id: int, name: TaskName, *, now: int) -> Task:
    """The project's unfinished task in `task_cancel`; an already cancelled one as it is.

    `now` is in microseconds since the epoch. Raises UnknownTask, NotKillable.
    """
    row = lock_by_name(connection, project_id, name)
    if row.status == Status.CANCEL:
        return task_of(row)
    if row.status not in KILLABLE:
        raise NotKillable(reason=ALREADY_FINISHED)
    return _cancelled(connection, row, now)


def _cancelled(connection: Connection, row: Any, now: int) -> Task:
    moment = max(now, row.change_time)
    values = {"status": Status.CANCEL.value, "cancel_time": moment, "change_time": moment}
    if row.accept_time:
        values["end_time"] = moment
    if row.postprocess_start_time:  # keeps the order: it cannot have begun before the end
        values["postprocess_start_time"] = moment
    task = change(connection, row, values)
    wallet.settle(connection, row, cost=0, now=moment)
    if row.attempt == 0:
        _refund(connection, row)
    statistics.count_end(connection, row, exit_code=None, end=moment)
    callbacks.fix(connection, task, now=moment)
    return task


def _refund(connection: Connection, row: Any) -> None:
    """A task that never ran has cost its share nothing."""
    charge = row.cost_estimate / row.weight
    mine = (shares.c.name == row.share) & (shares.c.priority == row.priority)
    connection.execute(update(shares).where(mine).values(last_rank=shares.c.last_rank - charge))
