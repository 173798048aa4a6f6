"""Callbacks to deliver, and every attempt at it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DUE = "state = 'due'"
ENDED = "end_time > 0"
CURRENT = "expire_time = 0"


def upgrade() -> None:
    """The outbox, its log, and the projects' secrets that sign."""
    op.create_table(
        "callbacks",
        sa.Column("id", ID, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("begin_time", sa.BigInteger(), nullable=False),
        sa.Column("due_time", sa.BigInteger(), nullable=False),
        sa.Column("lease_time", sa.BigInteger(), nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'due', 'delivered', 'dropped')", name=op.f("ck_callbacks_state")
        ),
        sa.CheckConstraint("(state = 'waiting') = (body IS NULL)", name=op.f("ck_callbacks_body")),
        sa.CheckConstraint(
            "(state IN ('delivered', 'dropped')) = (end_time > 0)", name=op.f("ck_callbacks_end")
        ),
        sa.CheckConstraint("attempts >= tries AND tries >= 0", name=op.f("ck_callbacks_attempts")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_callbacks_project_id"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_callbacks_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_callbacks"),
        sa.UniqueConstraint("message_id", name="uq_callbacks_message_id"),
        sa.UniqueConstraint("task_id", name="uq_callbacks_task_id"),
    )
    op.create_index(
        "ix_callbacks_due",
        "callbacks",
        ["due_time", "id"],
        sqlite_where=sa.text(DUE),
        postgresql_where=sa.text(DUE),
    )
    op.create_index(
        "ix_callbacks_ended",
        "callbacks",
        ["end_time"],
        sqlite_where=sa.text(ENDED),
        postgresql_where=sa.text(ENDED),
    )
    op.create_table(
        "callback_attempts",
        sa.Column("callback_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("start_time", sa.BigInteger(), nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["callback_id"], ["callbacks.id"], name="fk_callback_attempts_callback_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("callback_id", "number", name="pk_callback_attempts"),
    )
    op.create_table(
        "callback_secrets",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_callback_secrets_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_callback_secrets"),
    )
    op.create_index(
        "ix_callback_secrets_current",
        "callback_secrets",
        ["project_id"],
        unique=True,
        sqlite_where=sa.text(CURRENT),
        postgresql_where=sa.text(CURRENT),
    )
    op.create_index("ix_callback_secrets_project", "callback_secrets", ["project_id"])


def downgrade() -> None:
    """No callbacks are kept."""
    for table in ("callback_secrets", "callback_attempts", "callbacks"):
        op.drop_table(table)
