"""The ledger, and what is put aside."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, Text, text

from tintype.storage.columns import Id, Moment, Words
from tintype.storage.tables.schema import metadata

IS_RUN = "kind IN ('charge', 'free')"
IS_REFUND = "kind = 'refund'"

ledger = Table(
    "ledger",
    metadata,
    Column("id", Id, primary_key=True),
    Column("task_id", ForeignKey("tasks.id")),
    Column("project_id", ForeignKey("projects.id"), index=True),
    Column("amount", BigInteger, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("reason", Words, nullable=False),
    CheckConstraint("kind IN ('charge', 'free', 'refund', 'top-up', 'adjustment')", name="kind"),
    CheckConstraint(
        "(kind = 'charge' AND amount <= 0 AND amount >= -cost) OR (kind = 'free' AND amount = 0)"
        " OR (kind IN ('top-up', 'refund') AND amount > 0) OR (kind = 'adjustment' AND amount <> 0)",
        name="amount",
    ),
    CheckConstraint("cost >= 0 AND (cost > 0) = (kind IN ('charge', 'free'))", name="cost"),
    CheckConstraint(
        "(task_id IS NOT NULL AND project_id IS NOT NULL) = (kind IN ('charge', 'free', 'refund'))",
        name="task",
    ),
    CheckConstraint("reason <> '' OR kind IN ('charge', 'free', 'top-up')", name="reason"),
    Index("ix_ledger_account", "account_id", "id"),
    Index("uq_ledger_run", "task_id", unique=True, sqlite_where=text(IS_RUN), postgresql_where=text(IS_RUN)),
    Index("ix_ledger_refunds", "task_id", sqlite_where=text(IS_REFUND), postgresql_where=text(IS_REFUND)),
)
"""Every change of a balance, and every run that cost something: `amount` is what the balance changed by,
`cost` what the run cost. Picodollars."""

reservations = Table(
    "reservations",
    metadata,
    Column("task_id", ForeignKey("tasks.id"), primary_key=True, autoincrement=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
    CheckConstraint("amount >= 0", name="amount"),
)
"""What is put aside for tasks that have not ended. A task without a row was accepted for free."""
