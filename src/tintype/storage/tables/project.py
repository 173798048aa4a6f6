"""Projects: their credentials, policies and limits."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
)

from tintype.moderation.policy import GATES, WORDS
from tintype.storage.columns import Id, Json, Moment
from tintype.storage.tables.schema import IS_PRIORITY, metadata

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

idempotency = Table(
    "idempotency",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("key_digest", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("task_id", ForeignKey("tasks.id")),
    Column("create_time", Moment, nullable=False, index=True),
)

moderation = Table(
    "moderation",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True, autoincrement=False),
    *(Column(gate, Text, nullable=False) for gate in GATES),
    *(CheckConstraint(f"{gate} IN ({', '.join(map(repr, WORDS))})", name=gate) for gate in GATES),
)
"""Projects with a moderation policy of their own."""

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
