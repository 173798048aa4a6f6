"""Priorities of projects and of their tasks; shares stand in the queue of each priority apart."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ALLOWED = "priority IN ('high', 'normal', 'low')"
QUEUED = sa.text("status = 'task_queue'")


def upgrade() -> None:
    """What is there is of normal priority."""
    # SQLite would note the columns outside of the tables' definitions, unlike in tables made anew.
    rebuilt = op.get_context().dialect.name == "sqlite"
    op.drop_index("ix_tasks_queue", table_name="tasks")
    for table in ("projects", "tasks"):
        with op.batch_alter_table(table, recreate="always" if rebuilt else "never") as batch:
            batch.add_column(_priority())
            batch.create_check_constraint(op.f(f"ck_{table}_priority"), ALLOWED)
    _index_queue("priority", "rank", "id")
    with op.batch_alter_table("shares", recreate="always" if rebuilt else "never") as batch:
        batch.add_column(_priority())
        batch.drop_constraint("pk_shares", type_="primary")
        batch.create_primary_key("pk_shares", ["name", "priority"])


def downgrade() -> None:
    """All are equal again."""
    op.drop_index("ix_tasks_queue", table_name="tasks")
    op.execute("DELETE FROM shares WHERE priority <> 'normal'")
    with op.batch_alter_table("shares") as batch:
        batch.drop_constraint("pk_shares", type_="primary")
        batch.create_primary_key("pk_shares", ["name"])
        batch.drop_column("priority")
    for table in ("projects", "tasks"):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"ck_{table}_priority"), type_="check")
            batch.drop_column("priority")
    _index_queue("rank", "id")


def _priority() -> sa.Column[str]:
    return sa.Column("priority", sa.Text(), nullable=False, server_default="normal")


def _index_queue(*columns: str) -> None:
    op.create_index("ix_tasks_queue", "tasks", columns, sqlite_where=QUEUED, postgresql_where=QUEUED)
