"""An index of what each project keeps as uploads, so that its limit is quickly looked up."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

IS_UPLOAD = "role = 'upload' AND forget_time = 0"


def upgrade() -> None:
    """What is there stays as it is."""
    op.create_index(
        "ix_files_uploads",
        "files",
        ["project_id", "size"],
        sqlite_where=sa.text(IS_UPLOAD),
        postgresql_where=sa.text(IS_UPLOAD),
    )


def downgrade() -> None:
    """The index is gone."""
    op.drop_index("ix_files_uploads", "files")
