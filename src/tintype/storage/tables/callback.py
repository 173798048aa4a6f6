"""The outbox of callbacks, the log of their attempts, and the secrets that sign them."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from tintype.domain.callback import Delivery
from tintype.storage.columns import Id, Json, Moment, Words
from tintype.storage.tables.schema import metadata

IS_DUE = "state = 'due'"
HAS_ENDED = "end_time > 0"

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
