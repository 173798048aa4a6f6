"""What the runs of each model have shown: how many, how they ended, how long they took."""

from decimal import ROUND_HALF_UP, Decimal

import msgspec
from sqlalchemy import Connection, case, func, select

from tintype.domain.money import MICROSECONDS
from tintype.domain.task import SUCCESS
from tintype.storage.tables import tasks


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of one model."""

    all: int = 0
    successes: int = 0
    failures: int = 0
    last: int = 0
    """When the latest was accepted, in microseconds since the epoch; 0 if there is none."""
    average_elapsed: Decimal = Decimal("0.0000")
    """Seconds that a success took from claim to end, with 4 decimals."""


_SUCCEEDED = tasks.c.exit_code == SUCCESS
_RUNS = select(
    tasks.c.model,
    func.count().label("all"),
    func.count(case((_SUCCEEDED, 1))).label("successes"),
    func.count(case((tasks.c.exit_code != SUCCESS, 1))).label("failures"),
    func.max(tasks.c.create_time).label("last"),
    func.avg(case((_SUCCEEDED, tasks.c.end_time - tasks.c.accept_time))).label("elapsed"),
).group_by(tasks.c.model)


def runs_by_model(connection: Connection) -> dict[str, Runs]:
    """The runs of every model that has any, by its slug."""
    return {
        row.model: Runs(
            all=row.all,
            successes=row.successes,
            failures=row.failures,
            last=row.last,
            average_elapsed=_seconds(row.elapsed),
        )
        for row in connection.execute(_RUNS)
    }


def _seconds(microseconds: float | Decimal | None) -> Decimal:
    return (Decimal(microseconds or 0) / MICROSECONDS).quantize(Decimal("0.0001"), ROUND_HALF_UP)
