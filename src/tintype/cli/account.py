"""`tintype account`: who owns projects, and who may sign in. Works on the database itself."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tintype.cli import books
from tintype.cli.owners import demand_account
from tintype.cli.printing import account_fields, money, print_fields, print_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tintype.domain.wallet import Entry
    from tintype.storage.vault import Vault

app = typer.Typer(
    no_args_is_help=True,
    help="Accounts and their money, in the database that the settings name. Balances count "
    "while TINTYPE_WALLET is on.",
)

Name = Annotated[str, typer.Argument(metavar="NAME|EMAIL|ID", help="The account.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="The new account's name.")],
    email: Annotated[str | None, typer.Option(help="For signing in.")] = None,
    as_json: Json = False,
) -> None:
    """Make an account. Its password is set with `tintype account set-password`."""
    from tintype.storage import accounts

    def make(connection: "Connection", _: "Vault", now: int) -> dict[str, Any]:
        made = accounts.create_account(connection, name=name, email=email, now=now)
        return account_fields(connection, made)

    print_fields(books.write(make), as_json=as_json)


@app.command()
def show(
    account: Name,
    entries: Annotated[int, typer.Option(help="How many rows of the ledger.", min=0, max=1000)] = 10,
    as_json: Json = False,
) -> None:
    """Show one account: its money, its projects and the latest rows of its ledger."""
    from tintype.storage import ledger

    def look(connection: "Connection") -> "tuple[dict[str, Any], list[Entry]]":
        found = demand_account(connection, account)
        return account_fields(connection, found), ledger.entries(connection, found.id, limit=entries)

    fields, rows = books.read(look)
    if as_json:
        print_json(fields | {"entries": [_entry_fields(row) for row in rows]})
        return
    print_fields(fields, as_json=False)
    for row in rows:
        typer.echo(_entry_line(row))


@app.command("list")
def list_accounts(as_json: Json = False) -> None:
    """List all accounts with their balances."""
    from tintype.storage import accounts

    listed = books.read(
        lambda connection: [account_fields(connection, each) for each in accounts.all_accounts(connection)]
    )
    if as_json:
        print_json(listed)
        return
    if not listed:
        books.say_none("accounts")
    for each in listed:
        suspended = "suspended" if each["suspended"] else ""
        line = (
            f"{each['id']:<8} {each['balance']:>14}  {each['name']:<24} {each['email'] or '':<30} {suspended}"
        )
        typer.echo(line.rstrip())


@app.command()
def suspend(account: Name, as_json: Json = False) -> None:
    """Let an account's projects submit nothing, and sign it out."""
    _suspend(account, suspended=True, as_json=as_json)


@app.command()
def resume(account: Name, as_json: Json = False) -> None:
    """Let a suspended account's projects submit again."""
    _suspend(account, suspended=False, as_json=as_json)


@app.command("set-email")
def set_email(
    account: Name,
    email: Annotated[str, typer.Argument(help="The new address.")],
    as_json: Json = False,
) -> None:
    """Set the e-mail address that an account signs in with."""
    from tintype.storage import accounts

    def change(connection: "Connection", _vault: "Vault", _now: int) -> dict[str, Any]:
        changed = accounts.set_email(connection, demand_account(connection, account), email)
        return account_fields(connection, changed)

    print_fields(books.write(change), as_json=as_json)


@app.command("set-password")
def set_password(account: Name) -> None:
    """Set an account's password, asked for on the terminal or read from stdin, and sign it out."""
    import asyncio

    from tintype.accounts import Accounts
    from tintype.bootstrap.books import open_books
    from tintype.domain.clock import now
    from tintype.settings import read_settings

    found = books.read(lambda connection: demand_account(connection, account))
    password = _ask_password()

    async def change() -> None:
        async with open_books(read_settings()) as (database, _vault):
            await Accounts(database, clock=now).set_password(found, password)

    asyncio.run(change())
    typer.echo(f"the password of {found.name} is set", err=True)


def _suspend(account: str, *, suspended: bool, as_json: bool) -> None:
    from tintype.storage import accounts

    def change(connection: "Connection", _vault: "Vault", _now: int) -> dict[str, Any]:
        found = demand_account(connection, account)
        accounts.suspend_account(connection, found.id, suspended=suspended)
        return account_fields(connection, found) | {"suspended": suspended}

    print_fields(books.write(change), as_json=as_json)


def _ask_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _entry_fields(entry: "Entry") -> dict[str, Any]:
    return {
        "id": entry.id,
        "created": entry.created // 1_000_000,
        "kind": entry.kind.value,
        "amount": money(entry.amount),
        "cost": money(entry.cost),
        "task": None if entry.task_id is None else str(entry.task_id),
        "project": entry.project_id,
        "reason": entry.reason,
    }


def _entry_line(entry: "Entry") -> str:
    moment = datetime.fromtimestamp(entry.created / 1_000_000).astimezone().isoformat(" ", "seconds")
    of = f"task {entry.task_id}" if entry.task_id is not None else ""
    short = f"({money(entry.shortfall)} not paid)" if entry.shortfall else ""
    line = f"{moment}  {entry.kind.value:<10} {money(entry.amount):>16}  {of:<14} {entry.reason}{short}"
    return line.rstrip()
