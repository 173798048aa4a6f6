"""How a project is moderated."""

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing so far."""


def downgrade() -> None:
    """Nothing so far."""
