"""Request signatures, strict mode and rates."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Guards of projects, nonces that were seen, and the buckets of rates."""
    with op.batch_alter_table("projects") as batch:
        batch.add_column(sa.Column("strict", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("request_signature", sa.Text(), nullable=False, server_default="off"))
        batch.add_column(sa.Column("rate_run", sa.Text(), nullable=True))
        batch.add_column(sa.Column("rate_upload", sa.Text(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_projects_request_signature"), "request_signature IN ('off', 'accepted', 'required')"
        )
        batch.create_check_constraint(
            op.f("ck_projects_guards"), "auth = 'signature' OR (NOT strict AND request_signature = 'off')"
        )
    op.create_table(
        "nonces",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_nonces_project_id"),
        sa.PrimaryKeyConstraint("project_id", "digest", name="pk_nonces"),
    )
    op.create_index("ix_nonces_expire_time", "nonces", ["expire_time"])
    op.create_table(
        "rate_buckets",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("limited", sa.Text(), nullable=False),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("full_time", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("limited IN ('run', 'upload')", name=op.f("ck_rate_buckets_limited")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_rate_buckets_project_id"),
        sa.PrimaryKeyConstraint("project_id", "limited", name="pk_rate_buckets"),
    )


def downgrade() -> None:
    """Projects as they were, without guards."""
    op.drop_table("rate_buckets")
    op.drop_table("nonces")
    with op.batch_alter_table("projects") as batch:
        batch.drop_constraint(op.f("ck_projects_guards"), type_="check")
        batch.drop_constraint(op.f("ck_projects_request_signature"), type_="check")
        batch.drop_column("rate_upload")
        batch.drop_column("rate_run")
        batch.drop_column("request_signature")
        batch.drop_column("strict")
