"""What a task is charged by, where that is not its seconds."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is there is charged by the second."""
    # SQLite would note the column outside of the table's definition, unlike in a table made anew.
    rebuilt = op.get_context().dialect.name == "sqlite"
    with op.batch_alter_table("tasks", recreate="always" if rebuilt else "never") as tasks:
        tasks.add_column(sa.Column("charge", sa.Text()))


def downgrade() -> None:
    """What has not ended yet is charged by the second after all."""
    with op.batch_alter_table("tasks") as tasks:
        tasks.drop_column("charge")
