"""Between rows and tasks; and the two ways to hold a row: by a lease, or by its owner's name for it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Case, Connection, Select, Update, bindparam, case, select, text, update

from tintype.domain.errors import LeaseLost, UnknownTask
from tintype.domain.lifecycle import Status
from tintype.domain.priority import Priority
from tintype.domain.tariff import Charge
from tintype.domain.task import File, Lease, Moments, Task, TaskName
from tintype.storage import files
from tintype.storage.columns import LARGEST
from tintype.storage.tables import IS_LEASED, tasks

_TOKEN = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)

now_or_later: Case[int] = case(
    (tasks.c.change_time > bindparam("now", type_=BigInteger), tasks.c.change_time),
    else_=bindparam("now", type_=BigInteger),
)
"""The moment `now`, but never before the task's last change, should the clock have stepped back."""

LOCK_BY_LEASE = (
    select(tasks)
    .where(
        tasks.c.id == bindparam("task_id"),
        tasks.c.worker == bindparam("lease_worker"),
        tasks.c.attempt == bindparam("lease_attempt"),
        text(IS_LEASED),
    )
    .with_for_update()
)

# Built once, since building a statement takes several times as long as running it.
_MINE: Mapping[str, Select[Any]] = {
    kind: select(tasks).where(tasks.c.project_id == bindparam("project_id"), column == bindparam("name"))
    for kind, column in (("id", tasks.c.id), ("token", tasks.c.token))
}
_MINE_LOCKED = {kind: statement.with_for_update() for kind, statement in _MINE.items()}


def fenced(statement: Update) -> Update:
    """The update, done only under the lease given as `task_id`, `lease_worker` and `lease_attempt`."""
    return statement.where(
        tasks.c.id == bindparam("task_id"),
        tasks.c.worker == bindparam("lease_worker"),
        tasks.c.attempt == bindparam("lease_attempt"),
    )


def fence(lease: Lease) -> dict[str, Any]:
    """The values of `fenced`."""
    return {"task_id": lease.task_id, "lease_worker": lease.worker, "lease_attempt": lease.attempt}


def lost(lease: Lease) -> LeaseLost:
    """The error that tells a worker to stop."""
    return LeaseLost(task_id=lease.task_id, worker=lease.worker, attempt=lease.attempt)


def lock_by_lease(connection: Connection, lease: Lease) -> Any:
    """The row, locked to the end of the transaction. Raises LeaseLost."""
    row = connection.execute(LOCK_BY_LEASE, fence(lease)).one_or_none()
    if row is None:
        raise lost(lease)
    return row


def find_by_name(connection: Connection, project_id: int, name: TaskName) -> Any:
    """The row of the project's task. Raises UnknownTask."""
    return _by_name(connection, _MINE, project_id, name)


def lock_by_name(connection: Connection, project_id: int, name: TaskName) -> Any:
    """The row of the project's task, locked to the end of the transaction. Raises UnknownTask."""
    return _by_name(connection, _MINE_LOCKED, project_id, name)


def _by_name(connection: Connection, mine: Mapping[str, Select[Any]], project_id: int, name: TaskName) -> Any:
    value = read_id(name.value) if name.kind == "id" else read_token(name.value)
    row = connection.execute(mine[name.kind], {"project_id": project_id, "name": value}).one_or_none()
    if row is None:
        raise UnknownTask
    return row


def read_id(text: str) -> int:
    """The id, if it is one at all. Raises UnknownTask."""
    digits = text.lstrip("0")
    if (
        not (digits.isascii() and digits.isdigit())
        or len(digits) > len(str(LARGEST))
        or int(digits) > LARGEST
    ):
        raise UnknownTask
    return int(digits)


def read_token(token: str) -> str:
    """The token, if it is one at all. Raises UnknownTask."""
    if not _TOKEN.fullmatch(token):
        raise UnknownTask
    return token


def change(connection: Connection, row: Any, values: dict[str, Any], outputs: tuple[File, ...] = ()) -> Task:
    """The locked row changed, and its sequence moved on."""
    values = {**values, "sequence": row.sequence + 1}
    statement = update(tasks).where(
        tasks.c.id == row.id, tasks.c.attempt == row.attempt, tasks.c.status == row.status
    )
    changed = connection.execute(statement.values(values).returning(tasks)).one()
    return task_of(changed, outputs)


def with_outputs(connection: Connection, rows: Iterable[Any]) -> list[Task]:
    """The tasks of the rows, with their outputs by one query more."""
    rows = list(rows)
    outputs = files.outputs_of(connection, [row.id for row in rows if row.output_folder != "0"])
    return [task_of(row, outputs.get(row.id, ())) for row in rows]


def task_of(row: Any, outputs: tuple[File, ...] = ()) -> Task:
    """The task of a row of `tasks`. SQLite hands whole floats back as integers."""
    return Task(
        id=row.id,
        token=row.token,
        account_uuid=row.account_uuid,
        project_id=row.project_id,
        billed_project_id=row.billed_project_id,
        model=row.model,
        parameters=row.parameters,
        inputs=row.inputs,
        callback_url=row.callback_url,
        cps=row.cps,
        charge=charge_of(row),
        share=row.share,
        weight=float(row.weight),
        priority=Priority(row.priority),
        rank=float(row.rank),
        cost_estimate=float(row.cost_estimate),
        status=Status(row.status),
        moments=moments_of(row),
        worker=row.worker,
        attempt=row.attempt,
        lost_attempts=row.lost_attempts,
        sequence=row.sequence,
        exit_code=row.exit_code,
        total_cost=row.total_cost,
        debug_output=row.debug_output,
        debug_error=row.debug_error,
        output_folder=row.output_folder,
        outputs=outputs,
    )


def charge_of(row: Any) -> Charge | None:
    """What the task of a row is charged by instead of its seconds."""
    return msgspec.convert(row.charge, Charge | None)


def moments_of(row: Any) -> Moments:
    """The moments of a row of `tasks`."""
    return Moments(
        create=row.create_time,
        accept=row.accept_time,
        preprocess_start=row.preprocess_start_time,
        preprocess_end=row.preprocess_end_time,
        assign=row.assign_time,
        start=row.start_time,
        end=row.end_time,
        postprocess_start=row.postprocess_start_time,
        postprocess_end=row.postprocess_end_time,
        cancel=row.cancel_time,
    )
