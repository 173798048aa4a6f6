"""The wallet: balances, and what is put aside for tasks that have not ended. Amounts are picodollars.

Every function locks the account's row to the end of the transaction, so that all changes of one balance come
one after another. Nothing else changes a balance, and nothing changes one without a row in the ledger.
"""

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text, update

from tintype.domain.errors import BalanceConcurrencyLimit, InsufficientBalance, UnfitAmount
from tintype.domain.money import MOST_MONEY, cents, dollars
from tintype.domain.wallet import LEAST_BALANCE, Kind, Wallet
from tintype.storage import ledger
from tintype.storage.columns import LARGEST
from tintype.storage.tables import IS_RUN, IS_UNFINISHED, accounts, projects, reservations, tasks
from tintype.storage.tables import ledger as ledger_rows


def wallet_of(connection: Connection, account_id: int) -> Wallet:
    """What the account has at this moment."""
    columns = select(accounts.c.balance, accounts.c.reserved).where(accounts.c.id == account_id)
    row = connection.execute(columns).one()
    return Wallet(balance=row.balance, reserved=row.reserved)


def admit(connection: Connection, account_id: int, price: int) -> None:
    """Returns if the account may run one more task that is expected to cost `price`.

    The account stays locked, so that parallel submissions see each other's reservations. Raises, in this
    order, InsufficientBalance below the least balance, BalanceConcurrencyLimit, and InsufficientBalance if
    what is not put aside for other tasks does not cover the price.
    """
    wallet = _lock(connection, account_id)
    if wallet.balance < LEAST_BALANCE:
        raise InsufficientBalance
    limit = wallet.max_concurrent
    if limit is not None and _count_unfinished(connection, account_id) >= limit:
        raise BalanceConcurrencyLimit(balance=cents(wallet.balance), limit=limit)
    if wallet.available < price:
        raise InsufficientBalance


def reserve(connection: Connection, account_id: int, *, task_id: int, price: int) -> None:
    """Puts the price of an admitted task aside, in the transaction that admitted it."""
    connection.execute(insert(reservations), {"task_id": task_id, "account_id": account_id, "amount": price})
    connection.execute(
        update(accounts).where(accounts.c.id == account_id).values(reserved=accounts.c.reserved + price)
    )


def settle(connection: Connection, row: Any, *, cost: int, now: int) -> None:
    """Gives back what was put aside for the locked row of a task that ends, and pays what it cost.

    What a run costs beyond its reservation is paid from what is not put aside for other tasks; what that
    does not cover is not paid, and the ledger shows it. A task without reservation is free.
    """
    held = connection.execute(
        delete(reservations)
        .where(reservations.c.task_id == row.id)
        .returning(reservations.c.account_id, reservations.c.amount)
    ).one_or_none()
    paid = None
    if held is not None:
        wallet = _lock(connection, held.account_id)
        others = wallet.reserved - held.amount
        paid = min(cost, wallet.balance - others)
        connection.execute(
            update(accounts)
            .where(accounts.c.id == held.account_id)
            .values(balance=wallet.balance - paid, reserved=others)
        )
    if cost:
        ledger.record_run(
            connection, task_id=row.id, project_id=row.billed_project_id, cost=cost, paid=paid, now=now
        )


def top_up(connection: Connection, account_id: int, amount: int, *, now: int, reason: str = "") -> Wallet:
    """Money paid in. Raises UnfitAmount."""
    if amount <= 0:
        raise UnfitAmount(problem=f"a top-up must be more than nothing, not ${dollars(amount)}")
    return _change(connection, account_id, Kind.TOP_UP, amount, now=now, reason=reason)


def adjust(connection: Connection, account_id: int, amount: int, *, now: int, reason: str) -> Wallet:
    """A correction, up or down; never below what is put aside. Raises UnfitAmount."""
    if amount == 0:
        raise UnfitAmount(problem="an adjustment of nothing changes nothing")
    return _change(connection, account_id, Kind.ADJUSTMENT, amount, now=now, reason=reason)


def refund(
    connection: Connection, task_id: int, *, now: int, reason: str, amount: int | None = None
) -> Wallet:
    """Gives back what the task was charged, or `amount` of it; all refunds together at most the charge.

    Raises UnfitAmount, also if the task was never charged.
    """
    charge = None
    if 0 < task_id <= LARGEST:
        rows = select(ledger_rows).where(ledger_rows.c.task_id == task_id, text(IS_RUN))
        charge = connection.execute(rows).one_or_none()
    if charge is None or charge.amount == 0:
        raise UnfitAmount(problem=f"task {task_id} was not charged; nothing can be given back")
    _lock(connection, charge.account_id)  # so that two refunds count each other
    refunded = sum(entry.amount for entry in ledger.of_task(connection, task_id) if entry.kind is Kind.REFUND)
    left = -charge.amount - refunded
    amount = left if amount is None else amount
    if not 0 < amount <= left:
        raise UnfitAmount(
            problem=f"task {task_id} was charged ${dollars(-charge.amount)}, of which ${dollars(left)} can"
            " still be given back"
        )
    return _change(
        connection,
        charge.account_id,
        Kind.REFUND,
        amount,
        now=now,
        reason=reason,
        task_id=task_id,
        project_id=charge.project_id,
    )


def _change(
    connection: Connection, account_id: int, kind: Kind, amount: int, *, now: int, reason: str, **run: int
) -> Wallet:
    if not reason.strip() and kind is not Kind.TOP_UP:
        raise UnfitAmount(problem=f"a {kind.value} needs a reason")
    before = _lock(connection, account_id)
    after = Wallet(balance=before.balance + amount, reserved=before.reserved)
    if after.available < 0:
        raise UnfitAmount(
            problem=f"at most ${dollars(before.available)} can be taken: the balance is"
            f" ${dollars(before.balance)}, of which ${dollars(before.reserved)} is put aside for tasks"
        )
    if after.balance > MOST_MONEY:
        raise UnfitAmount(problem=f"a balance can be at most ${cents(MOST_MONEY)}")
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(balance=after.balance))
    ledger.record(
        connection, account_id=account_id, kind=kind, amount=amount, reason=reason.strip(), now=now, **run
    )
    return after


def _lock(connection: Connection, account_id: int) -> Wallet:
    locked = (
        select(accounts.c.balance, accounts.c.reserved)
        .where(accounts.c.id == account_id)
        .with_for_update(key_share=True)
    )
    row = connection.execute(locked).one()
    return Wallet(balance=row.balance, reserved=row.reserved)


def _count_unfinished(connection: Connection, account_id: int) -> int:
    mine = select(projects.c.id).where(projects.c.account_id == account_id)
    count = select(func.count()).select_from(tasks).where(text(IS_UNFINISHED), tasks.c.project_id.in_(mine))
    return connection.execute(count).scalar_one()
