"""Folders of uploaded files, and objects that belong to no file."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Two new tables; what is there stays as it is."""
    op.create_table(
        "folders",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("parent <> id", name=op.f("ck_folders_parent")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_folders_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_folders"),
        sa.UniqueConstraint("account_id", "parent", "name", name="uq_folders_account_id_parent_name"),
    )
    op.create_table(
        "loose_objects",
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("doomed", sa.Boolean(), nullable=False),
        sa.Column("since_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object_key", name="pk_loose_objects"),
    )
    op.create_index("ix_loose_objects_since_time", "loose_objects", ["since_time"])


def downgrade() -> None:
    """Files in folders lie at the top again."""
    op.drop_table("loose_objects")
    op.drop_table("folders")
    op.execute("UPDATE files SET folder = '0' WHERE role = 'upload'")
