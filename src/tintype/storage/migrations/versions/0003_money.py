"""Passwords, sessions, balances and a ledger that sums to them; counters of ended runs."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOST_MONEY = 9_000_000_000_000_000_000
UNFINISHED = (
    "status IN ('task_queue', 'task_accept', 'task_preprocess_start', 'task_preprocess_end', 'task_assign',"
    " 'task_start', 'task_output', 'task_end', 'task_postprocess_start')"
)
IS_RUN = "kind IN ('charge', 'free')"
IS_REFUND = "kind = 'refund'"


def upgrade() -> None:
    """Nobody has any money yet: what was charged so far was free."""
    _accounts()
    _projects()
    _ledger()
    op.create_table(
        "reservations",
        sa.Column("task_id", ID, autoincrement=False, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_reservations_amount")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_reservations_account_id"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_reservations_task_id"),
        sa.PrimaryKeyConstraint("task_id", name="pk_reservations"),
    )
    op.create_index("ix_reservations_account_id", "reservations", ["account_id"])
    _runs()


def _accounts() -> None:
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("email", sa.Text()))
        accounts.add_column(sa.Column("password_hash", sa.Text()))
        for name in ("balance", "reserved"):
            accounts.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0")))
        accounts.create_unique_constraint("uq_accounts_email", ["email"])
        accounts.create_check_constraint(
            op.f("ck_accounts_balance"),
            f"0 <= reserved AND reserved <= balance AND balance <= {MOST_MONEY}",
        )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sessions_account_id"),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_index("ix_sessions_expire_time", "sessions", ["expire_time"])
    op.create_table(
        "sign_in_failures",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since_time", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("failures > 0", name=op.f("ck_sign_in_failures_failures")),
        sa.PrimaryKeyConstraint("name", name="pk_sign_in_failures"),
    )
    op.create_index("ix_sign_in_failures_since_time", "sign_in_failures", ["since_time"])


def _projects() -> None:
    with op.batch_alter_table("projects") as projects:
        projects.add_column(sa.Column("suspended", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "retired_credentials",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_retired_credentials_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_retired_credentials"),
    )
    op.create_index("ix_retired_credentials_project_id", "retired_credentials", ["project_id"])
    op.create_index("ix_retired_credentials_key", "retired_credentials", ["key"])


def _ledger() -> None:
    with op.batch_alter_table("ledger") as ledger:
        ledger.drop_constraint("uq_ledger_task_id", type_="unique")
        ledger.drop_constraint(op.f("ck_ledger_amount"), type_="check")
        ledger.alter_column("task_id", existing_type=ID, nullable=True)
        ledger.alter_column("project_id", existing_type=ID, nullable=True)
        for column in (
            sa.Column("account_id", ID),
            sa.Column("kind", sa.Text()),
            sa.Column("cost", sa.BigInteger()),
            sa.Column("reason", sa.Text()),
        ):
            ledger.add_column(column)
    op.execute(
        "UPDATE ledger SET cost = amount, amount = 0, kind = 'free', reason = '',"
        " account_id = (SELECT account_id FROM projects WHERE projects.id = ledger.project_id)"
    )
    with op.batch_alter_table("ledger") as ledger:
        for name, kind in (
            ("account_id", ID),
            ("kind", sa.Text()),
            ("cost", sa.BigInteger()),
            ("reason", sa.Text()),
        ):
            ledger.alter_column(name, existing_type=kind, nullable=False)
        ledger.create_foreign_key("fk_ledger_account_id", "accounts", ["account_id"], ["id"])
        for name, rule in (
            ("kind", "kind IN ('charge', 'free', 'refund', 'top-up', 'adjustment')"),
            (
                "amount",
                "(kind = 'charge' AND amount <= 0 AND amount >= -cost) OR (kind = 'free' AND amount = 0)"
                " OR (kind IN ('top-up', 'refund') AND amount > 0) OR (kind = 'adjustment' AND amount <> 0)",
            ),
            ("cost", "cost >= 0 AND (cost > 0) = (kind IN ('charge', 'free'))"),
            (
                "task",
                "(task_id IS NOT NULL AND project_id IS NOT NULL) = (kind IN ('charge', 'free', 'refund'))",
            ),
            ("reason", "reason <> '' OR kind IN ('charge', 'free', 'top-up')"),
        ):
            ledger.create_check_constraint(op.f(f"ck_ledger_{name}"), rule)
    op.create_index("ix_ledger_account", "ledger", ["account_id", "id"])
    op.create_index(
        "uq_ledger_run",
        "ledger",
        ["task_id"],
        unique=True,
        sqlite_where=sa.text(IS_RUN),
        postgresql_where=sa.text(IS_RUN),
    )
    op.create_index(
        "ix_ledger_refunds",
        "ledger",
        ["task_id"],
        sqlite_where=sa.text(IS_REFUND),
        postgresql_where=sa.text(IS_REFUND),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("successes", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("cancelled", sa.BigInteger(), nullable=False),
        sa.Column("elapsed", sa.BigInteger(), nullable=False),
        sa.Column("last_time", sa.BigInteger(), nullable=False),
        sa.Column("recent_work", sa.Double(), nullable=False),
        sa.Column("recent_elapsed", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "successes >= 0 AND failures >= 0 AND cancelled >= 0 AND elapsed >= 0",
            name=op.f("ck_runs_counts"),
        ),
        sa.PrimaryKeyConstraint("model", "size", name="pk_runs"),
    )
    for statement in _counted():
        op.execute(statement)
    _index_unfinished(["project_id", "status", "model", "create_time"])


def _counted() -> Iterator[str]:
    """One INSERT for each size class: those tasks whose work w has 2ⁿ⁻¹ ≤ w < 2ⁿ; class 0 is below 1."""
    for size in range(64):
        low, high = (0 if size == 0 else 2 ** (size - 1)), 2**size
        ended = "end_time - accept_time"
        yield (
            "INSERT INTO runs SELECT model,"
            f" {size}, COUNT(CASE WHEN exit_code = 0 THEN 1 END), COUNT(CASE WHEN exit_code <> 0 THEN 1 END),"
            " COUNT(CASE WHEN status = 'task_cancel' THEN 1 END),"
            f" COALESCE(SUM(CASE WHEN exit_code = 0 THEN {ended} END), 0), MAX(create_time),"
            " COALESCE(AVG(CASE WHEN exit_code = 0 THEN cost_estimate END), 0),"
            f" COALESCE(AVG(CASE WHEN exit_code = 0 THEN {ended} END), 0)"
            " FROM tasks WHERE status IN ('task_postprocess_end', 'task_cancel')"
            f" AND cost_estimate >= {low}.0 AND cost_estimate < {high}.0 GROUP BY model"
        )


def _index_unfinished(columns: list[str]) -> None:
    op.drop_index("ix_tasks_unfinished", "tasks")
    op.create_index(
        "ix_tasks_unfinished",
        "tasks",
        columns,
        sqlite_where=sa.text(UNFINISHED),
        postgresql_where=sa.text(UNFINISHED),
    )


def downgrade() -> None:
    """Balances and what moved them are forgotten; what runs cost is kept."""
    _index_unfinished(["project_id", "status"])
    for table in ("runs", "reservations", "retired_credentials", "sign_in_failures", "sessions"):
        op.drop_table(table)
    op.execute("DELETE FROM ledger WHERE kind NOT IN ('charge', 'free')")
    for index in ("ix_ledger_refunds", "uq_ledger_run", "ix_ledger_account"):
        op.drop_index(index, "ledger")
    with op.batch_alter_table("ledger") as ledger:
        for name in ("kind", "amount", "cost", "task", "reason"):
            ledger.drop_constraint(op.f(f"ck_ledger_{name}"), type_="check")
        ledger.drop_constraint("fk_ledger_account_id", type_="foreignkey")
    op.execute("UPDATE ledger SET amount = cost")
    with op.batch_alter_table("ledger") as ledger:
        for name in ("account_id", "kind", "cost", "reason"):
            ledger.drop_column(name)
        for name in ("task_id", "project_id"):
            ledger.alter_column(name, existing_type=ID, nullable=False)
        ledger.create_unique_constraint("uq_ledger_task_id", ["task_id"])
        ledger.create_check_constraint(op.f("ck_ledger_amount"), "amount > 0")
    with op.batch_alter_table("projects") as projects:
        projects.drop_column("suspended")
    with op.batch_alter_table("accounts") as accounts:
        accounts.drop_constraint(op.f("ck_accounts_balance"), type_="check")
        accounts.drop_constraint("uq_accounts_email", type_="unique")
        for name in ("email", "password_hash", "balance", "reserved"):
            accounts.drop_column(name)
