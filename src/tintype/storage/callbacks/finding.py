"""Looking callbacks up, with what became of every attempt."""

from typing import Any

from sqlalchemy import Connection, Select, select

from tintype.domain.callback import Attempt, Callback, Delivery
from tintype.storage.columns import LARGEST
from tintype.storage.tables import callback_attempts, callbacks

COLUMNS = tuple(column for column in callbacks.c if column.name not in ("body", "context"))
"""Of a callback, without what may be large."""


def find(connection: Connection, name: str) -> Callback | None:
    """The callback of an id or a message id; None if there is none."""
    wanted = select(*COLUMNS)
    if name.isascii() and name.isdigit():
        if int(name) > LARGEST:
            return None
        wanted = wanted.where(callbacks.c.id == int(name))
    else:
        wanted = wanted.where(callbacks.c.message_id == name)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else callback_of(row)


def list_callbacks(
    connection: Connection, *, limit: int, task_id: int | None = None, failed: bool = False
) -> list[Callback]:
    """The newest callbacks, newest first; of one task, or only those with a failed attempt, if asked so.

    With `failed`: dropped, or due again after an attempt that failed.
    """
    wanted: Select[Any] = select(*COLUMNS).order_by(callbacks.c.id.desc()).limit(min(limit, LARGEST))
    if task_id is not None:
        wanted = wanted.where(callbacks.c.task_id == min(task_id, LARGEST))
    if failed:
        is_due = (callbacks.c.state == Delivery.DUE.value) & (callbacks.c.tries > 0)
        wanted = wanted.where((callbacks.c.state == Delivery.DROPPED.value) | is_due)
    return [callback_of(row) for row in connection.execute(wanted)]


def attempts_of(connection: Connection, callback_id: int) -> list[Attempt]:
    """Every attempt, in their order."""
    wanted = (
        select(callback_attempts)
        .where(callback_attempts.c.callback_id == callback_id)
        .order_by(callback_attempts.c.number)
    )
    return [
        Attempt(
            number=row.number,
            started=row.start_time,
            ended=row.end_time,
            status=row.status,
            answer=row.answer,
            error=row.error,
        )
        for row in connection.execute(wanted)
    ]


def callback_of(row: Any) -> Callback:
    """The callback of a row with the columns of COLUMNS."""
    return Callback(
        id=row.id,
        message_id=row.message_id,
        task_id=row.task_id,
        project_id=row.project_id,
        url=row.url,
        host=row.host,
        state=Delivery(row.state),
        attempts=row.attempts,
        tries=row.tries,
        begun=row.begin_time,
        due=row.due_time,
        ended=row.end_time,
    )
