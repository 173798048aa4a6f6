"""Folders of uploaded files, and where inputs come from."""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing so far."""


def downgrade() -> None:
    """Nothing so far."""
