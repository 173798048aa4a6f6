"""What all tables share: names of constraints, and the lifecycle as SQL text."""

from collections.abc import Iterable

from sqlalchemy import MetaData

from tintype.domain.lifecycle import Status
from tintype.domain.priority import Priority


def one_of(statuses: Iterable[Status]) -> str:
    """`status IN (…)` as SQL text, since a bound parameter would hide it from the partial indexes."""
    listed = ", ".join(f"'{status.value}'" for status in Status if status in set(statuses))
    return f"status IN ({listed})"


IS_PRIORITY = f"priority IN ({', '.join(repr(priority.value) for priority in Priority)})"

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
