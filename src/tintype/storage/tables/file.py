"""Files, their folders, and stored bytes that belong to none."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from tintype.storage.columns import Moment
from tintype.storage.tables.schema import metadata

IS_UPLOAD = "role = 'upload' AND forget_time = 0"

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
