"""A callback is ordered with its task, and fixed in the transaction that ends the task."""

import msgspec
from sqlalchemy import Connection, insert, select, update

from tintype.domain.callback import Delivery, callback_body
from tintype.domain.task import CallbackOrder, Task
from tintype.domain.tokens import new_token
from tintype.domain.web_address import read_web_address
from tintype.storage.tables import callbacks


def order(connection: Connection, task: Task, wanted: CallbackOrder) -> None:
    """To be sent to the task's callback URL, which must be one, when the task has ended."""
    values = {
        "message_id": f"msg_{new_token()}",
        "task_id": task.id,
        "project_id": task.project_id,
        "url": task.callback_url,
        "host": read_web_address(task.callback_url).server,
        "context": msgspec.to_builtins(wanted),
        "state": Delivery.WAITING.value,
        **dict.fromkeys(("attempts", "tries", "begin_time", "due_time", "lease_time", "end_time"), 0),
    }
    connection.execute(insert(callbacks), values)


def fix(connection: Connection, task: Task, *, now: int) -> None:
    """If a callback was ordered with the ended task, it is due, and its body will not change any more.

    `now` is in microseconds since the epoch.
    """
    if not task.callback_url:
        return
    waiting = (callbacks.c.task_id == task.id, callbacks.c.state == Delivery.WAITING.value)
    context = connection.execute(select(callbacks.c.context).where(*waiting)).scalar_one_or_none()
    if context is None:
        return
    body = callback_body(task, msgspec.convert(context, CallbackOrder))
    values = {"body": body, "state": Delivery.DUE.value, "due_time": now}
    connection.execute(update(callbacks).where(*waiting).values(values))
