"""Passwords, sessions, balances and a ledger that sums to them."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing so far."""


def downgrade() -> None:
    """Nothing so far."""
