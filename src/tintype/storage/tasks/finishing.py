"""The end of a task: final status, outputs, debug texts, charge and callback, in one transaction."""

from typing import Any

from sqlalchemy import Connection

from tintype.domain.lifecycle import Status
from tintype.domain.money import MOST_MONEY, cost, elapsed_seconds
from tintype.domain.task import SUCCESS, Lease, Outcome, Task
from tintype.storage import callbacks, files, loose, statistics, wallet
from tintype.storage.tasks.rows import change, charge_of, lock_by_lease


def finish(connection: Connection, lease: Lease, outcome: Outcome, *, now: int) -> Task:
    """The task in `task_postprocess_end`; charged if and only if it succeeded.

    `now` is in microseconds since the epoch. Raises LeaseLost if the lease is over: then nothing was written
    and the outputs belong to nobody. Raises ValueError for a failure with outputs, LookupError for an output
    whose object was not announced, or was given up.
    """
    return end_with(connection, lock_by_lease(connection, lease), outcome, now=now)


def end_with(
    connection: Connection, row: Any, outcome: Outcome, *, now: int, lost_attempts: int | None = None
) -> Task:
    """The locked row, ended with the outcome, and with a new number of lost attempts if one is given."""
    succeeded = outcome.exit_code == SUCCESS
    if outcome.outputs and not succeeded:
        raise ValueError("a failed task has no outputs")
    moment = max(now, row.change_time)
    end = row.end_time or row.postprocess_start_time or moment
    amount = min(_cost(row, outcome, end), MOST_MONEY) if succeeded else 0
    outputs = outcome.outputs
    if outputs:
        loose.take(connection, [file.object_key for file in outputs])
    files.add_outputs(connection, outputs, task_id=row.id, project_id=row.project_id)
    values = {
        "status": Status.POSTPROCESS_END.value,
        "end_time": end,
        "postprocess_start_time": row.postprocess_start_time or moment,
        "postprocess_end_time": moment,
        "change_time": moment,
        "lost_attempts": row.lost_attempts if lost_attempts is None else lost_attempts,
        "exit_code": outcome.exit_code,
        "total_cost": amount,
        "debug_output": outcome.debug_output,
        "debug_error": notes(outcome.debug_error, row.debug_error),
        "output_folder": outcome.output_folder if outputs else "0",
    }
    task = change(connection, row, values, outputs)
    wallet.settle(connection, row, cost=amount, now=moment)
    statistics.count_end(connection, row, exit_code=outcome.exit_code, end=end)
    callbacks.fix(connection, task, now=moment)
    return task


def _cost(row: Any, outcome: Outcome, end: int) -> int:
    charge = charge_of(row)
    if charge is None:
        return cost(elapsed_seconds(row.accept_time, end), row.cps)
    return charge.cost(outputs=len(outcome.outputs), pixels=outcome.pixels)


def notes(*texts: str) -> str:
    """Texts on lines of their own; empty ones are left out."""
    return "\n".join(text for text in texts if text)
