"""Callbacks to deliver, and every attempt at it."""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing so far."""


def downgrade() -> None:
    """Nothing so far."""
