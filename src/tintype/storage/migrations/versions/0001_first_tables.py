"""The first tables."""

from itertools import combinations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENTS = (
    "create",
    "accept",
    "preprocess_start",
    "preprocess_end",
    "assign",
    "start",
    "end",
    "postprocess_start",
    "postprocess_end",
    "cancel",
)
IN_ORDER = " AND ".join(
    f"({earlier}_time = 0 OR {later}_time = 0 OR {earlier}_time <= {later}_time)"
    for earlier, later in combinations(MOMENTS, 2)
)
UNTOUCHED = " AND ".join(f"{name}_time = 0" for name in MOMENTS if name != "create")
LEASED = (
    "'task_accept', 'task_preprocess_start', 'task_preprocess_end', 'task_assign', 'task_start',"
    " 'task_output', 'task_end', 'task_postprocess_start'"
)
QUEUED = "status = 'task_queue'"


def upgrade() -> None:
    """Accounts, projects, tasks and all that hangs on them."""
    op.create_table(
        "accounts",
        sa.Column("id", ID, nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
        sa.UniqueConstraint("uuid", name="uq_accounts_uuid"),
    )
    op.create_table(
        "shares",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_rank", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_shares"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("register_time", sa.BigInteger(), nullable=False),
        sa.Column("seen_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "projects",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("auth", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("allowed_addresses", sa.Text(), nullable=False),
        sa.Column("max_concurrent", sa.Integer(), nullable=True),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("auth IN ('key', 'signature')", name=op.f("ck_projects_auth")),
        sa.CheckConstraint("max_concurrent >= 0", name=op.f("ck_projects_max_concurrent")),
        sa.CheckConstraint("weight > 0", name=op.f("ck_projects_weight")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_projects_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("key", name="uq_projects_key"),
        sa.UniqueConstraint("name", name="uq_projects_name"),
    )
    op.create_index("ix_projects_account_id", "projects", ["account_id"])
    op.create_table(
        "tasks",
        sa.Column("id", ID, nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("account_uuid", sa.Text(), nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("billed_project_id", ID, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("callback_url", sa.Text(), nullable=False),
        sa.Column("cps", sa.BigInteger(), nullable=False),
        sa.Column("share", sa.Text(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("rank", sa.Double(), nullable=False),
        sa.Column("cost_estimate", sa.Double(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("accept_time", sa.BigInteger(), nullable=False),
        sa.Column("preprocess_start_time", sa.BigInteger(), nullable=False),
        sa.Column("preprocess_end_time", sa.BigInteger(), nullable=False),
        sa.Column("assign_time", sa.BigInteger(), nullable=False),
        sa.Column("start_time", sa.BigInteger(), nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=False),
        sa.Column("postprocess_start_time", sa.BigInteger(), nullable=False),
        sa.Column("postprocess_end_time", sa.BigInteger(), nullable=False),
        sa.Column("cancel_time", sa.BigInteger(), nullable=False),
        sa.Column("change_time", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lost_attempts", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("total_cost", sa.BigInteger(), nullable=False),
        sa.Column("debug_output", sa.Text(), nullable=False),
        sa.Column("debug_error", sa.Text(), nullable=False),
        sa.Column("output_folder", sa.Text(), nullable=False),
        sa.CheckConstraint("(status = 'task_cancel') = (cancel_time > 0)", name=op.f("ck_tasks_cancelled")),
        sa.CheckConstraint(
            "(status = 'task_postprocess_end') = (exit_code IS NOT NULL)", name=op.f("ck_tasks_exit_code")
        ),
        sa.CheckConstraint(
            f"NOT (status = 'task_queue') OR (worker IS NULL AND {UNTOUCHED})", name=op.f("ck_tasks_queued")
        ),
        sa.CheckConstraint(
            f"NOT (status IN ({LEASED})) OR (worker IS NOT NULL AND attempt > 0 AND accept_time > 0)",
            name=op.f("ck_tasks_leased"),
        ),
        sa.CheckConstraint(
            "lost_attempts < 3 OR status = 'task_postprocess_end'", name=op.f("ck_tasks_lost_attempts")
        ),
        sa.CheckConstraint(
            "output_folder = '0' OR (exit_code IS NOT NULL AND exit_code = 0)",
            name=op.f("ck_tasks_output_folder"),
        ),
        sa.CheckConstraint(
            "status <> 'task_postprocess_end'"
            " OR (end_time > 0 AND postprocess_start_time > 0 AND postprocess_end_time > 0)",
            name=op.f("ck_tasks_finished"),
        ),
        sa.CheckConstraint(
            f"status IN ('task_queue', {LEASED}, 'task_postprocess_end', 'task_cancel')",
            name=op.f("ck_tasks_status"),
        ),
        sa.CheckConstraint("attempt >= lost_attempts AND lost_attempts >= 0", name=op.f("ck_tasks_attempt")),
        sa.CheckConstraint(f"create_time > 0 AND {IN_ORDER}", name=op.f("ck_tasks_moments")),
        sa.CheckConstraint(
            "total_cost = 0 OR (total_cost > 0 AND exit_code IS NOT NULL AND exit_code = 0)",
            name=op.f("ck_tasks_total_cost"),
        ),
        sa.CheckConstraint(
            "weight > 0 AND cost_estimate >= 0 AND cps >= 0 AND sequence > 0", name=op.f("ck_tasks_numbers")
        ),
        sa.ForeignKeyConstraint(["billed_project_id"], ["projects.id"], name="fk_tasks_billed_project_id"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_tasks_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.UniqueConstraint("token", name="uq_tasks_token"),
    )
    op.create_index(
        "ix_tasks_leased",
        "tasks",
        ["worker"],
        sqlite_where=sa.text(f"status IN ({LEASED})"),
        postgresql_where=sa.text(f"status IN ({LEASED})"),
    )
    op.create_index("ix_tasks_project", "tasks", ["project_id", "id"])
    op.create_index(
        "ix_tasks_queue",
        "tasks",
        ["rank", "id"],
        sqlite_where=sa.text(QUEUED),
        postgresql_where=sa.text(QUEUED),
    )
    op.create_index(
        "ix_tasks_unfinished",
        "tasks",
        ["project_id", "status"],
        sqlite_where=sa.text(f"status IN ('task_queue', {LEASED})"),
        postgresql_where=sa.text(f"status IN ('task_queue', {LEASED})"),
    )
    op.create_table(
        "files",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("access_key", sa.Text(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("add_time", sa.BigInteger(), nullable=False),
        sa.Column("forget_time", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role <> 'output' OR task_id IS NOT NULL", name=op.f("ck_files_output")),
        sa.CheckConstraint("role IN ('input', 'output', 'upload')", name=op.f("ck_files_role")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_files_size")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_files_project_id"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_files_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.UniqueConstraint("access_key", name="uq_files_access_key"),
        sa.UniqueConstraint("object_key", name="uq_files_object_key"),
    )
    op.create_index("ix_files_task_id", "files", ["task_id"])
    op.create_table(
        "idempotency",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("key_digest", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("task_id", ID, nullable=True),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_idempotency_project_id"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_idempotency_task_id"),
        sa.PrimaryKeyConstraint("project_id", "key_digest", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_create_time", "idempotency", ["create_time"])
    op.create_table(
        "ledger",
        sa.Column("id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_ledger_amount")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_ledger_project_id"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_ledger_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger"),
        sa.UniqueConstraint("task_id", name="uq_ledger_task_id"),
    )
    op.create_index("ix_ledger_project_id", "ledger", ["project_id"])


def downgrade() -> None:
    """Nothing is left."""
    for table in ("ledger", "idempotency", "files", "tasks", "projects", "workers", "shares", "accounts"):
        op.drop_table(table)
