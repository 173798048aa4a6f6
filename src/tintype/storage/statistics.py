"""What the runs of each model have shown: how many, how they ended, how long they took.

Ended tasks are counted in the transactions that end them, so that telling needs no look at them.
"""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, Double, Integer, Text, bindparam, func, select, text

from tintype.domain.money import MICROSECONDS
from tintype.domain.pricing import Pace, size_class
from tintype.domain.task import SUCCESS
from tintype.storage.tables import IS_UNFINISHED, runs, tasks

RECENT = 50
"""The averages of recent runs are those of about so many."""


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of one model."""

    all: int = 0
    successes: int = 0
    failures: int = 0
    last: int = 0
    """When the latest was accepted, in microseconds since the epoch; 0 if there is none."""
    average_elapsed: Decimal = Decimal("0.0000")
    """Seconds that a success took from claim to end, with 4 decimals."""


_COUNT = text(
    f"""
    INSERT INTO runs
        (model, size, successes, failures, cancelled, elapsed, last_time, recent_work, recent_elapsed)
    VALUES
        (:model, :size, :successes, :failures, :cancelled, :elapsed, :created, :work, :recent_elapsed)
    ON CONFLICT (model, size) DO UPDATE SET
        successes = runs.successes + excluded.successes,
        failures = runs.failures + excluded.failures,
        cancelled = runs.cancelled + excluded.cancelled,
        elapsed = runs.elapsed + excluded.elapsed,
        last_time = CASE WHEN excluded.last_time > runs.last_time
            THEN excluded.last_time ELSE runs.last_time END,
        recent_work = runs.recent_work + excluded.successes * (excluded.recent_work - runs.recent_work)
            / CASE WHEN runs.successes < {RECENT} THEN runs.successes + 1 ELSE {RECENT} END,
        recent_elapsed = runs.recent_elapsed
            + excluded.successes * (excluded.recent_elapsed - runs.recent_elapsed)
            / CASE WHEN runs.successes < {RECENT} THEN runs.successes + 1 ELSE {RECENT} END
    """
).bindparams(
    bindparam("model", type_=Text),
    bindparam("size", type_=Integer),
    *(
        bindparam(name, type_=BigInteger)
        for name in ("successes", "failures", "cancelled", "elapsed", "created")
    ),
    *(bindparam(name, type_=Double) for name in ("work", "recent_elapsed")),
)
_ENDED = select(
    runs.c.model, runs.c.successes, runs.c.failures, runs.c.cancelled, runs.c.elapsed, runs.c.last_time
)
_UNFINISHED = (
    select(tasks.c.model, func.count().label("number"), func.max(tasks.c.create_time).label("last"))
    .where(text(IS_UNFINISHED))
    .group_by(tasks.c.model)
)


def count_end(connection: Connection, row: Any, *, exit_code: int | None, end: int) -> None:
    """Counts a task that has just ended, with its exit code, or None if it was cancelled.

    `end` is in microseconds since the epoch. To be called last in a transaction: all who end a task of this
    model and size wait for each other from here to the commit.
    """
    succeeded = exit_code == SUCCESS
    elapsed = end - row.accept_time if succeeded else 0
    counted = {
        "model": row.model,
        "size": size_class(row.cost_estimate),
        "successes": int(succeeded),
        "failures": int(exit_code not in (SUCCESS, None)),
        "cancelled": int(exit_code is None),
        "elapsed": elapsed,
        "created": row.create_time,
        "work": float(row.cost_estimate) if succeeded else 0.0,
        "recent_elapsed": float(elapsed),
    }
    connection.execute(_COUNT, counted)


def runs_by_model(connection: Connection) -> dict[str, Runs]:
    """The runs of every model that has any, by its slug."""
    counted: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(_ENDED):
        counted[row.model].append(row)
    unfinished = {row.model: row for row in connection.execute(_UNFINISHED)}
    return {
        model: _runs(counted[model], unfinished.get(model)) for model in counted.keys() | unfinished.keys()
    }


def paces(connection: Connection, model: str) -> list[Pace]:
    """What recent successes of the model took, one for each size class that has any."""
    recent = select(runs.c.recent_work, runs.c.recent_elapsed).where(
        runs.c.model == model, runs.c.successes > 0
    )
    return [
        Pace(work=row.recent_work, seconds=row.recent_elapsed / MICROSECONDS)
        for row in connection.execute(recent)
    ]


def _runs(ended: list[Any], unfinished: Any) -> Runs:
    successes, failures = (sum(getattr(row, name) for row in ended) for name in ("successes", "failures"))
    cancelled, elapsed = (sum(getattr(row, name) for row in ended) for name in ("cancelled", "elapsed"))
    return Runs(
        all=successes + failures + cancelled + (unfinished.number if unfinished else 0),
        successes=successes,
        failures=failures,
        last=max([row.last_time for row in ended] + ([unfinished.last] if unfinished else [])),
        average_elapsed=_seconds(Decimal(elapsed) / successes if successes else Decimal(0)),
    )


def _seconds(microseconds: Decimal) -> Decimal:
    return (microseconds / MICROSECONDS).quantize(Decimal("0.0001"), ROUND_HALF_UP)
