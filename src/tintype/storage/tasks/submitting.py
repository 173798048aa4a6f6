"""Accepting a task: idempotency key, limits, price and place in the queue, in one transaction."""

import msgspec
from sqlalchemy import Connection, Double, Text, bindparam, insert, select, text

from tintype.domain.errors import ProjectConcurrencyLimit
from tintype.domain.lifecycle import Status
from tintype.domain.pricing import quote
from tintype.domain.task import Idempotency, Moments, NewTask, Task
from tintype.storage import callbacks, statistics, wallet
from tintype.storage import idempotency as remembered
from tintype.storage.tables import MOMENTS, accounts, projects, tasks
from tintype.storage.tasks.finding import count_unfinished
from tintype.storage.tasks.rows import with_outputs

# Start-time fair queueing, in each priority apart. The virtual time is the lowest rank that waits for its
# first attempt; tasks handed back would set it back. While nothing waits, everyone starts level with the
# share that is furthest on.
# The row's lock puts submissions of one share in order.
_NEXT_RANK = text(
    """
    INSERT INTO shares (name, priority, last_rank)
    VALUES (
        :share,
        :priority,
        :charge + COALESCE(
            (
                SELECT rank FROM tasks
                WHERE status = 'task_queue' AND priority = :priority AND attempt = 0
                ORDER BY rank, id LIMIT 1
            ),
            (SELECT MAX(last_rank) FROM shares WHERE priority = :priority),
            0
        )
    )
    ON CONFLICT (name, priority) DO UPDATE SET last_rank =
        CASE WHEN shares.last_rank + :charge > excluded.last_rank
        THEN shares.last_rank + :charge ELSE excluded.last_rank END
    RETURNING last_rank
    """
).bindparams(
    bindparam("share", type_=Text), bindparam("priority", type_=Text), bindparam("charge", type_=Double)
)

_INSERT = (
    insert(tasks)
    .values(
        account_uuid=select(accounts.c.uuid)
        .join(projects, projects.c.account_id == accounts.c.id)
        .where(projects.c.id == bindparam("owner_id"))
        .scalar_subquery(),
        status=Status.QUEUE.value,
        **{f"{name}_time": 0 for name in MOMENTS if name != "create"},
        attempt=0,
        lost_attempts=0,
        sequence=1,
        total_cost=0,
        debug_output="",
        output_folder="0",
    )
    .returning(tasks.c.id, tasks.c.account_uuid)
)


def submit(connection: Connection, new: NewTask, *, idempotency: Idempotency | None, now: int) -> Task:
    """The task, accepted; or the one accepted earlier under the same idempotency key.

    `now` is in microseconds since the epoch. Raises, in this order, IdempotencyConflict, what
    `wallet.admit` raises where an account pays, and ProjectConcurrencyLimit.
    """
    if idempotency is not None:
        first = remembered.reserve(connection, new.project_id, idempotency, now=now)
        if first is not None:
            row = connection.execute(select(tasks).where(tasks.c.id == first)).one()
            return with_outputs(connection, [row])[0]
    payer, price = new.paying_account_id, 0
    if payer is not None:
        recent = statistics.paces(connection, new.model)
        expected = quote(recent, work=new.cost_estimate, cps=new.cps, charge=new.expected_charge)
        price = expected.total_cost
        wallet.admit(connection, payer, price)
    if new.max_concurrent is not None:
        _refuse_beyond(connection, new.project_id, new.max_concurrent)
    task = _insert(connection, new, now)
    if payer is not None:
        wallet.reserve(connection, payer, task_id=task.id, price=price)
    if idempotency is not None:
        remembered.attach(connection, new.project_id, idempotency, task.id)
    return task


def _refuse_beyond(connection: Connection, project_id: int, limit: int) -> None:
    """Under the project's lock, so that parallel submissions count each other."""
    lock = select(projects.c.id).where(projects.c.id == project_id).with_for_update(key_share=True)
    connection.execute(lock)
    if count_unfinished(connection, project_id) >= limit:
        raise ProjectConcurrencyLimit(limit=limit)


def _insert(connection: Connection, new: NewTask, now: int) -> Task:
    charge = new.cost_estimate / new.weight
    rank = connection.execute(
        _NEXT_RANK, {"share": new.share, "priority": new.priority.value, "charge": charge}
    ).scalar_one()
    values = {
        "token": new.token,
        "project_id": new.project_id,
        "billed_project_id": new.billed_project_id,
        "model": new.model,
        "parameters": new.parameters,
        "inputs": new.inputs,
        "callback_url": new.callback_url,
        "cps": new.cps,
        "charge": msgspec.to_builtins(new.charge),
        "share": new.share,
        "weight": new.weight,
        "priority": new.priority.value,
        "rank": rank,
        "cost_estimate": new.cost_estimate,
        "create_time": now,
        "change_time": now,
        "debug_error": new.debug_error,
    }
    row = connection.execute(_INSERT, {**values, "owner_id": new.project_id}).one()
    task = Task(
        id=row.id,
        token=new.token,
        account_uuid=row.account_uuid,
        project_id=new.project_id,
        billed_project_id=new.billed_project_id,
        model=new.model,
        parameters=new.parameters,
        inputs=new.inputs,
        callback_url=new.callback_url,
        cps=new.cps,
        charge=new.charge,
        share=new.share,
        weight=new.weight,
        priority=new.priority,
        rank=rank,
        cost_estimate=new.cost_estimate,
        status=Status.QUEUE,
        moments=Moments(create=now),
        worker=None,
        attempt=0,
        lost_attempts=0,
        sequence=1,
        exit_code=None,
        total_cost=0,
        debug_output="",
        debug_error=new.debug_error,
        output_folder="0",
        outputs=(),
    )
    if new.callback is not None:
        callbacks.order(connection, task, new.callback)
    return task
