"""Whether the books are right: what the tables must agree on and no single constraint can say."""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, func, select, text

from tintype.domain.money import dollars
from tintype.domain.wallet import Kind
from tintype.storage import ledger
from tintype.storage.tables import IS_RUN, accounts, projects, reservations, tasks
from tintype.storage.tables import ledger as rows


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and what was wrong."""

    accounts: int
    entries: int
    balance: int
    """Picodollars of all accounts together."""
    shortfall: int
    """Picodollars that charged runs cost beyond what the balances could pay; not an error."""
    problems: tuple[str, ...]


def audit(connection: Connection) -> Audit:
    """Looks at everything, in the one consistent view of a read transaction."""
    count = connection.execute(select(func.count()).select_from(rows)).scalar_one()
    charges = rows.c.kind == Kind.CHARGE.value
    short = ledger.exact_sum(connection, rows.c.cost, charges)
    short += ledger.exact_sum(connection, rows.c.amount, charges)
    owners = connection.execute(select(accounts).order_by(accounts.c.id)).all()
    problems = [problem for owner in owners for problem in _of_account(connection, owner)]
    return Audit(
        accounts=len(owners),
        entries=count,
        balance=sum(owner.balance for owner in owners),
        shortfall=short,
        problems=(*problems, *_of_tasks(connection)),
    )


def _of_account(connection: Connection, owner: Any) -> Iterator[str]:
    booked = ledger.balance(connection, owner.id)
    if booked != owner.balance:
        yield (
            f"account {owner.name}: the balance is ${dollars(owner.balance)}, its ledger sums to"
            f" ${dollars(booked)}"
        )
    held = ledger.exact_sum(connection, reservations.c.amount, reservations.c.account_id == owner.id)
    if held != owner.reserved:
        yield (
            f"account {owner.name}: ${dollars(owner.reserved)} is put aside, its reservations sum to"
            f" ${dollars(held)}"
        )


_RUN = select(rows.c.task_id, rows.c.cost, rows.c.project_id).where(text(IS_RUN)).subquery("run")
_REFUNDED = (
    select(rows.c.task_id, func.sum(rows.c.amount).label("amount"))
    .where(rows.c.kind == Kind.REFUND.value)
    .group_by(rows.c.task_id)
    .subquery("refunded")
)
_CHECKS: tuple[tuple[str, Select[Any]], ...] = (
    (
        "task {id} has ended, and money is still put aside for it",
        select(tasks.c.id)
        .join(reservations, reservations.c.task_id == tasks.c.id)
        .where(tasks.c.status.in_(["task_postprocess_end", "task_cancel"])),
    ),
    (
        "task {id}: money is put aside on an account that does not own it",
        select(tasks.c.id)
        .join(reservations, reservations.c.task_id == tasks.c.id)
        .join(projects, projects.c.id == tasks.c.billed_project_id)
        .where(projects.c.account_id != reservations.c.account_id),
    ),
    (
        "task {id}: its cost and its row in the ledger differ",
        select(tasks.c.id)
        .outerjoin(_RUN, _RUN.c.task_id == tasks.c.id)
        .where(func.coalesce(_RUN.c.cost, 0) != tasks.c.total_cost),
    ),
    (
        "task {id} was charged to another project than the one that pays",
        select(tasks.c.id)
        .join(_RUN, _RUN.c.task_id == tasks.c.id)
        .where(_RUN.c.project_id != tasks.c.billed_project_id),
    ),
    (
        "task {id}: more was given back than it was charged",
        select(rows.c.task_id.label("id"))
        .join(_REFUNDED, _REFUNDED.c.task_id == rows.c.task_id)
        .where(text(IS_RUN), _REFUNDED.c.amount > -rows.c.amount),
    ),
)


def _of_tasks(connection: Connection) -> Iterator[str]:
    for words, query in _CHECKS:
        for row in connection.execute(query):
            yield words.format(id=row.id)
