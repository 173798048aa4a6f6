"""Handing a task back to the queue: its worker stops, or is gone."""

from typing import Any

from sqlalchemy import Connection

from tintype.domain.lifecycle import LOST_ATTEMPTS_ALLOWED, Status
from tintype.domain.task import FAILURE, Lease, Outcome, Task
from tintype.storage.tables import MOMENTS
from tintype.storage.tasks.finishing import end_with
from tintype.storage.tasks.rows import change, lock_by_lease

GIVEN_UP = "The task was given up: its worker was lost {times} times."


def hand_back(connection: Connection, lease: Lease, *, now: int, lost: bool) -> Task:
    """The task in the queue again, at its old rank, as if never claimed.

    With `lost` the attempt counts as lost; after LOST_ATTEMPTS_ALLOWED the task ends as a failure instead.
    `now` is in microseconds since the epoch. Raises LeaseLost.
    """
    return return_row(connection, lock_by_lease(connection, lease), now=now, lost=lost)


def return_row(connection: Connection, row: Any, *, now: int, lost: bool) -> Task:
    """The locked row of a leased task, handed back."""
    lost_attempts = row.lost_attempts + lost
    if lost_attempts >= LOST_ATTEMPTS_ALLOWED:
        outcome = Outcome(exit_code=FAILURE, debug_error=GIVEN_UP.format(times=lost_attempts))
        return end_with(connection, row, outcome, now=now, lost_attempts=lost_attempts)
    values = {
        "status": Status.QUEUE.value,
        "worker": None,
        "lost_attempts": lost_attempts,
        "change_time": max(now, row.change_time),
        **{f"{name}_time": 0 for name in MOMENTS if name != "create"},
    }
    return change(connection, row, values)
