"""`tintype account top-up` and the like: what changes balances, and whether the books are right."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tintype.cli import books
from tintype.cli.account import Json, Name
from tintype.cli.exits import Exit
from tintype.cli.owners import demand_account
from tintype.cli.printing import account_fields, money, print_fields, print_json
from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tintype.storage.vault import Vault

Amount = Annotated[str, typer.Argument(metavar="DOLLARS", help="Such as 25 or 12.50.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the ledger.")]
_DOLLARS = re.compile(r"([+-]?)\$?(\d{1,9}(?:\.\d{1,12})?)", re.ASCII)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to `tintype account`."""
    app.command("top-up")(top_up)
    # Unknown options may be amounts: -12.50.
    app.command("adjust", context_settings={"ignore_unknown_options": True})(adjust)
    app.command("refund")(refund)
    app.command("audit")(audit)


def top_up(account: Name, amount: Amount, reason: Reason = "", as_json: Json = False) -> None:
    """Add money that was paid in."""
    from tintype.storage import wallet

    picodollars = _picodollars(amount)

    def change(connection: "Connection", account_id: int, now: int) -> None:
        wallet.top_up(connection, account_id, picodollars, reason=reason, now=now)

    _book(account, change, as_json=as_json)


def adjust(account: Name, amount: Amount, reason: Reason, as_json: Json = False) -> None:
    """Correct a balance, up or down (-12.50); never below what is put aside for tasks."""
    from tintype.storage import wallet

    picodollars = _picodollars(amount)

    def change(connection: "Connection", account_id: int, now: int) -> None:
        wallet.adjust(connection, account_id, picodollars, reason=reason, now=now)

    _book(account, change, as_json=as_json)


def refund(
    task: Annotated[int, typer.Argument(metavar="TASK", help="The task's id.")],
    reason: Reason,
    amount: Annotated[
        str | None, typer.Option(metavar="DOLLARS", help="Only so much; default: all that is left.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give back what a task was charged."""
    from tintype.storage import accounts, ledger, wallet

    picodollars = None if amount is None else _picodollars(amount)

    def give_back(connection: "Connection", _: "Vault", now: int) -> dict[str, Any]:
        wallet.refund(connection, task, amount=picodollars, reason=reason, now=now)
        owner = accounts.by_id(connection, ledger.of_task(connection, task)[0].account_id)
        assert owner is not None
        return account_fields(connection, owner)

    print_fields(books.write(give_back), as_json=as_json)


def audit(as_json: Json = False) -> None:
    """Check that balances, ledger, reservations and tasks agree; exit code 1 if they do not."""
    from tintype.storage.audit import audit as look

    found = books.read(look)
    fields = {
        "accounts": found.accounts,
        "entries": found.entries,
        "balance": money(found.balance),
        "shortfall": money(found.shortfall),
    }
    if as_json:
        print_json(fields | {"problems": found.problems})
    else:
        print_fields(fields, as_json=False)
    for problem in found.problems:
        typer.echo(f"tintype: {problem}", err=True)
    if found.problems:
        raise typer.Exit(Exit.FAILED)
    typer.echo("everything agrees", err=True)


def _book(account: str, change: Callable[["Connection", int, int], None], *, as_json: bool) -> None:
    def carry_out(connection: "Connection", _: "Vault", now: int) -> dict[str, Any]:
        found = demand_account(connection, account)
        change(connection, found.id, now)
        return account_fields(connection, found)

    print_fields(books.write(carry_out), as_json=as_json)


def _picodollars(text: str) -> int:
    """Dollars as people write them. Raises Stop."""
    from tintype.domain.money import picodollars

    match = _DOLLARS.fullmatch(text.strip())
    if match is None:
        raise Stop(f"{text!r} is no amount; write dollars with at most 12 decimals, such as 25 or 12.50")
    return picodollars(match[1] + match[2])
