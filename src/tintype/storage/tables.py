"""The tables. Their constraints repeat the lifecycle, so that an impossible row cannot be written."""

from collections.abc import Iterable
from itertools import combinations

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from tintype.domain.callback import Delivery
from tintype.domain.lifecycle import LEASED, LOST_ATTEMPTS_ALLOWED, TERMINAL, Status
from tintype.domain.money import MOST_MONEY
from tintype.domain.priority import Priority
from tintype.domain.task import Moments
from tintype.moderation.policy import GATES, WORDS
from tintype.storage.columns import Id, Json, Moment, Words

MOMENTS = tuple(field.name for field in msgspec.structs.fields(Moments))
"""The moments of a task in the order that they must keep; each has a column `{name}_time`."""


def one_of(statuses: Iterable[Status]) -> str:
    """`status IN (…)` as SQL text, since a bound parameter would hide it from the partial indexes."""
    listed = ", ".join(f"'{status.value}'" for status in Status if status in set(statuses))
    return f"status IN ({listed})"


IS_QUEUED = "status = 'task_queue'"
IS_LEASED = one_of(LEASED)
IS_UNFINISHED = one_of(set(Status) - TERMINAL)
IS_RUN = "kind IN ('charge', 'free')"
IS_UPLOAD = "role = 'upload' AND forget_time = 0"
IS_REFUND = "kind = 'refund'"
IS_DUE = "state = 'due'"
HAS_ENDED = "end_time > 0"
IS_PRIORITY = f"priority IN ({', '.join(repr(priority.value) for priority in Priority)})"

_IN_ORDER = " AND ".join(
    f"({earlier}_time = 0 OR {later}_time = 0 OR {earlier}_time <= {later}_time)"
    for earlier, later in combinations(MOMENTS, 2)
)
_UNTOUCHED = " AND ".join(f"{name}_time = 0" for name in MOMENTS if name != "create")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("uuid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("suspended", Boolean, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("email", Text, unique=True),
    Column("password_hash", Text),
    Column("balance", BigInteger, nullable=False, server_default=text("0")),
    Column("reserved", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint(f"0 <= reserved AND reserved <= balance AND balance <= {MOST_MONEY}", name="balance"),
)
"""The balance is the sum of the account's ledger, `reserved` that of its reservations; picodollars."""

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("create_time", Moment, nullable=False),
    Column("expire_time", Moment, nullable=False, index=True),
)
"""Who is signed in: the SHA-256 of each session's token, never the token."""

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("name", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since_time", Moment, nullable=False, index=True),
    CheckConstraint("failures > 0", name="failures"),
)
"""How often signing in has failed lately, by a digest of who tried."""

projects = Table(
    "projects",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", Text, nullable=False, unique=True),
    Column("auth", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("allowed_addresses", Json, nullable=False),
    Column("max_concurrent", Integer),
    Column("weight", Double, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("suspended", Boolean, nullable=False, server_default=false()),
    Column("strict", Boolean, nullable=False, server_default=false()),
    Column("request_signature", Text, nullable=False, server_default="off"),
    Column("rate_run", Text),
    Column("rate_upload", Text),
    Column("priority", Text, nullable=False, server_default="normal"),
    CheckConstraint("auth IN ('key', 'signature')", name="auth"),
    CheckConstraint("max_concurrent >= 0", name="max_concurrent"),
    CheckConstraint("weight > 0", name="weight"),
    CheckConstraint("request_signature IN ('off', 'accepted', 'required')", name="request_signature"),
    CheckConstraint("auth = 'signature' OR (NOT strict AND request_signature = 'off')", name="guards"),
    CheckConstraint(IS_PRIORITY, name="priority"),
)

retired_credentials = Table(
    "retired_credentials",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False, index=True),
    Column("key", Text, nullable=False, index=True),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("expire_time", Moment, nullable=False),
)
"""Keys with their secrets that have been replaced and still count until they expire."""

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

files = Table(
    "files",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("task_id", ForeignKey("tasks.id"), index=True),
    Column("role", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("folder", Text, nullable=False),
    Column("access_key", Text, nullable=False, unique=True),
    Column("object_key", Text, nullable=False, unique=True),
    Column("add_time", Moment, nullable=False),
    Column("forget_time", Moment, nullable=False),
    CheckConstraint("role IN ('input', 'output', 'upload')", name="role"),
    CheckConstraint("role <> 'output' OR task_id IS NOT NULL", name="output"),
    CheckConstraint("size >= 0", name="size"),
    Index(
        "ix_files_uploads",
        "project_id",
        "size",
        sqlite_where=text(IS_UPLOAD),
        postgresql_where=text(IS_UPLOAD),
    ),
)

folders = Table(
    "folders",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("parent", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("create_time", Moment, nullable=False),
    UniqueConstraint("account_id", "parent", "name"),
    CheckConstraint("parent <> id", name="parent"),
)

loose_objects = Table(
    "loose_objects",
    metadata,
    Column("object_key", Text, primary_key=True),
    Column("doomed", Boolean, nullable=False),
    Column("since_time", Moment, nullable=False, index=True),
)
"""Stored bytes that belong to no file, yet or any longer. What stands here for long is deleted."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("key_digest", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("task_id", ForeignKey("tasks.id")),
    Column("create_time", Moment, nullable=False, index=True),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Id, primary_key=True),
    Column("task_id", ForeignKey("tasks.id")),
    Column("project_id", ForeignKey("projects.id"), index=True),
    Column("amount", BigInteger, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("reason", Words, nullable=False),
    CheckConstraint("kind IN ('charge', 'free', 'refund', 'top-up', 'adjustment')", name="kind"),
    CheckConstraint(
        "(kind = 'charge' AND amount <= 0 AND amount >= -cost) OR (kind = 'free' AND amount = 0)"
        " OR (kind IN ('top-up', 'refund') AND amount > 0) OR (kind = 'adjustment' AND amount <> 0)",
        name="amount",
    ),
    CheckConstraint("cost >= 0 AND (cost > 0) = (kind IN ('charge', 'free'))", name="cost"),
    CheckConstraint(
        "(task_id IS NOT NULL AND project_id IS NOT NULL) = (kind IN ('charge', 'free', 'refund'))",
        name="task",
    ),
    CheckConstraint("reason <> '' OR kind IN ('charge', 'free', 'top-up')", name="reason"),
    Index("ix_ledger_account", "account_id", "id"),
    Index("uq_ledger_run", "task_id", unique=True, sqlite_where=text(IS_RUN), postgresql_where=text(IS_RUN)),
    Index("ix_ledger_refunds", "task_id", sqlite_where=text(IS_REFUND), postgresql_where=text(IS_REFUND)),
)
"""Every change of a balance, and every run that cost something: `amount` is what the balance changed by,
`cost` what the run cost. Picodollars."""

reservations = Table(
    "reservations",
    metadata,
    Column("task_id", ForeignKey("tasks.id"), primary_key=True, autoincrement=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
    CheckConstraint("amount >= 0", name="amount"),
)
"""What is put aside for tasks that have not ended. A task without a row was accepted for free."""

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

moderation = Table(
    "moderation",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True, autoincrement=False),
    *(Column(gate, Text, nullable=False) for gate in GATES),
    *(CheckConstraint(f"{gate} IN ({', '.join(map(repr, WORDS))})", name=gate) for gate in GATES),
)
"""Projects with a moderation policy of their own."""

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("register_time", Moment, nullable=False),
    Column("seen_time", Moment, nullable=False),
)

nonces = Table(
    "nonces",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("expire_time", Moment, nullable=False, index=True),
)
"""Nonces that may not come again before they are too old to count anyway."""

rate_buckets = Table(
    "rate_buckets",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("limited", Text, primary_key=True),
    Column("rate", Text, nullable=False),
    Column("full_time", Moment, nullable=False),
    CheckConstraint("limited IN ('run', 'upload')", name="limited"),
)
"""When the bucket of a limited project will be full again, at its rate."""
callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("message_id", Text, nullable=False, unique=True),
    Column("task_id", ForeignKey("tasks.id"), nullable=False, unique=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("url", Json, nullable=False),
    Column("host", Text, nullable=False),
    Column("context", Json, nullable=False),
    Column("body", LargeBinary),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("begin_time", Moment, nullable=False),
    Column("due_time", Moment, nullable=False),
    Column("lease_time", Moment, nullable=False),
    Column("end_time", Moment, nullable=False),
    CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in Delivery)})", name="state"),
    CheckConstraint("(state = 'waiting') = (body IS NULL)", name="body"),
    CheckConstraint("(state IN ('delivered', 'dropped')) = (end_time > 0)", name="end"),
    CheckConstraint("attempts >= tries AND tries >= 0", name="attempts"),
    Index(
        "ix_callbacks_due",
        "due_time",
        "id",
        sqlite_where=text(IS_DUE),
        postgresql_where=text(IS_DUE),
    ),
    Index(
        "ix_callbacks_ended",
        "end_time",
        sqlite_where=text(HAS_ENDED),
        postgresql_where=text(HAS_ENDED),
    ),
)
"""The outbox. `lease_time` is when an attempt that nobody has heard of may be made anew."""

callback_attempts = Table(
    "callback_attempts",
    metadata,
    Column("callback_id", ForeignKey("callbacks.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("start_time", Moment, nullable=False),
    Column("end_time", Moment, nullable=False),
    Column("status", Integer),
    Column("answer", Words, nullable=False),
    Column("error", Words, nullable=False),
)

callback_secrets = Table(
    "callback_secrets",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("expire_time", Moment, nullable=False),
    Index(
        "ix_callback_secrets_current",
        "project_id",
        unique=True,
        sqlite_where=text("expire_time = 0"),
        postgresql_where=text("expire_time = 0"),
    ),
    Index("ix_callback_secrets_project", "project_id"),
)
"""A project has one secret that does not expire; others sign beside it until they do."""
