"""Request signatures, strict mode and rates."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing so far."""


def downgrade() -> None:
    """Nothing so far."""
