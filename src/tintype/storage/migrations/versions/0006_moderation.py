"""How a project is moderated."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
GATES = ("prompt", "input", "image")
WORDS = "'', 'off', '0', '1', '2', '3', '4', '5', '6'"


def upgrade() -> None:
    """No project has a word of its own yet."""
    op.create_table(
        "moderation",
        sa.Column("project_id", ID, autoincrement=False, nullable=False),
        *(sa.Column(gate, sa.Text(), nullable=False) for gate in GATES),
        *(sa.CheckConstraint(f"{gate} IN ({WORDS})", name=op.f(f"ck_moderation_{gate}")) for gate in GATES),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_moderation_project_id"),
        sa.PrimaryKeyConstraint("project_id", name="pk_moderation"),
    )


def downgrade() -> None:
    """The general word counts for all."""
    op.drop_table("moderation")
