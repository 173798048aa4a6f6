"""Tasks, who draws them, and what has become of them. Constraints repeat the lifecycle."""

from itertools import combinations

import msgspec
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from tintype.domain.lifecycle import LEASED, LOST_ATTEMPTS_ALLOWED, TERMINAL, Status
from tintype.domain.task import Moments
from tintype.storage.columns import Id, Json, Moment, Words
from tintype.storage.tables.schema import IS_PRIORITY, metadata, one_of

MOMENTS = tuple(field.name for field in msgspec.structs.fields(Moments))
"""The moments of a task in the order that they must keep; each has a column `{name}_time`."""

IS_QUEUED = "status = 'task_queue'"
IS_LEASED = one_of(LEASED)
IS_UNFINISHED = one_of(set(Status) - TERMINAL)

_IN_ORDER = " AND ".join(
    f"({earlier}_time = 0 OR {later}_time = 0 OR {earlier}_time <= {later}_time)"
    for earlier, later in combinations(MOMENTS, 2)
)
_UNTOUCHED = " AND ".join(f"{name}_time = 0" for name in MOMENTS if name != "create")

shares = Table(
    "shares",
    metadata,
    Column("name", Text, primary_key=True),
    Column("last_rank", Double, nullable=False),
    Column("priority", Text, primary_key=True, server_default="normal"),
)
"""Where each competitor for the compute stands: the rank of the last task it queued, at each priority."""

tasks = Table(
    "tasks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token", Text, nullable=False, unique=True),
    Column("account_uuid", Text, nullable=False),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("billed_project_id", ForeignKey("projects.id"), nullable=False),
    Column("model", Text, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("inputs", Json, nullable=False),
    Column("callback_url", Json, nullable=False),
    Column("cps", BigInteger, nullable=False),
    Column("charge", Json),
    Column("share", Text, nullable=False),
    Column("weight", Double, nullable=False),
    Column("rank", Double, nullable=False),
    Column("cost_estimate", Double, nullable=False),
    Column("status", Text, nullable=False),
    *(Column(f"{name}_time", Moment, nullable=False) for name in MOMENTS),
    Column("change_time", Moment, nullable=False),
    Column("worker", Text),
    Column("attempt", Integer, nullable=False),
    Column("lost_attempts", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("exit_code", Integer),
    Column("total_cost", BigInteger, nullable=False),
    Column("debug_output", Words, nullable=False),
    Column("debug_error", Words, nullable=False),
    Column("output_folder", Text, nullable=False),
    Column("priority", Text, nullable=False, server_default="normal"),
    CheckConstraint(one_of(Status), name="status"),
    CheckConstraint(
        f"NOT ({IS_LEASED}) OR (worker IS NOT NULL AND attempt > 0 AND accept_time > 0)", name="leased"
    ),
    CheckConstraint(f"NOT ({IS_QUEUED}) OR (worker IS NULL AND {_UNTOUCHED})", name="queued"),
    CheckConstraint(
        "status <> 'task_postprocess_end'"
        " OR (end_time > 0 AND postprocess_start_time > 0 AND postprocess_end_time > 0)",
        name="finished",
    ),
    CheckConstraint("(status = 'task_postprocess_end') = (exit_code IS NOT NULL)", name="exit_code"),
    CheckConstraint("(status = 'task_cancel') = (cancel_time > 0)", name="cancelled"),
    CheckConstraint(
        "total_cost = 0 OR (total_cost > 0 AND exit_code IS NOT NULL AND exit_code = 0)", name="total_cost"
    ),
    CheckConstraint("output_folder = '0' OR (exit_code IS NOT NULL AND exit_code = 0)", name="output_folder"),
    CheckConstraint(f"create_time > 0 AND {_IN_ORDER}", name="moments"),
    CheckConstraint("attempt >= lost_attempts AND lost_attempts >= 0", name="attempt"),
    CheckConstraint(
        f"lost_attempts < {LOST_ATTEMPTS_ALLOWED} OR status = 'task_postprocess_end'", name="lost_attempts"
    ),
    CheckConstraint("weight > 0 AND cost_estimate >= 0 AND cps >= 0 AND sequence > 0", name="numbers"),
    CheckConstraint(IS_PRIORITY, name="priority"),
    Index(
        "ix_tasks_queue",
        "priority",
        "rank",
        "id",
        sqlite_where=text(IS_QUEUED),
        postgresql_where=text(IS_QUEUED),
    ),
    Index(
        "ix_tasks_unfinished",
        "project_id",
        "status",
        "model",
        "create_time",
        sqlite_where=text(IS_UNFINISHED),
        postgresql_where=text(IS_UNFINISHED),
    ),
    Index("ix_tasks_leased", "worker", sqlite_where=text(IS_LEASED), postgresql_where=text(IS_LEASED)),
    Index("ix_tasks_project", "project_id", "id"),
)

runs = Table(
    "runs",
    metadata,
    Column("model", Text, primary_key=True),
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("successes", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("cancelled", BigInteger, nullable=False),
    Column("elapsed", BigInteger, nullable=False),
    Column("last_time", Moment, nullable=False),
    Column("recent_work", Double, nullable=False),
    Column("recent_elapsed", Double, nullable=False),
    CheckConstraint("successes >= 0 AND failures >= 0 AND cancelled >= 0 AND elapsed >= 0", name="counts"),
)
"""Counters of ended tasks by model and size class, kept in the transactions that end them."""

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("register_time", Moment, nullable=False),
    Column("seen_time", Moment, nullable=False),
)
