"""Printing what was found: as lines for people, or as JSON."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from tintype.cli.project_guards import guard_fields

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tintype.domain.project import Account, Project
    from tintype_client import Quote


def print_fields(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing: a line for each of its fields."""
    if as_json:
        print_json(fields)
        return
    width = max(len(name) for name in fields) + 1
    for name, value in fields.items():
        shown = "any" if name == "allowed_addresses" and not value else _shown(value)
        typer.echo(f"{name.replace('_', ' ') + ':':<{width}} {shown}".rstrip())


def print_json(value: object) -> None:
    """Anything, as one line of JSON."""
    import msgspec

    typer.echo(msgspec.json.encode(value).decode())


def project_fields(project: "Project", *, moderation: object = None) -> dict[str, Any]:
    """A project without its secret, and with its moderation policy where that is known."""
    said = {} if moderation is None else {"moderation": str(moderation)}
    return {
        "id": project.id,
        "name": project.name,
        "auth": project.auth.value,
        "account": project.account.name,
        "key": project.key,
        "max_concurrent": project.max_concurrent,
        "weight": project.weight,
        "priority": project.priority.value,
        "allowed_addresses": list(project.allowed_addresses),
        "suspended": project.suspended,
        **guard_fields(project),
        **said,
    }


def account_fields(connection: "Connection", account: "Account") -> dict[str, Any]:
    """An account with its money and the names of its projects."""
    from tintype.storage import projects, wallet

    has = wallet.wallet_of(connection, account.id)
    return {
        "id": account.id,
        "name": account.name,
        "email": account.email,
        "balance": money(has.balance),
        "reserved": money(has.reserved),
        "suspended": account.suspended,
        "projects": [project.name for project in projects.of_account(connection, account.id)],
    }


def print_quote(quote: "Quote", *, as_json: bool) -> None:
    """What a run is expected to take and to cost, as the server says it."""
    fields = {
        "elapsedseconds": f"{quote.elapsed_seconds:f}",
        "totalcost": f"{quote.total_cost:f}",
        "cps": f"{quote.cps:f}",
    }
    if as_json:
        print_json(fields)
    else:
        typer.echo(f"about {quote.elapsed_seconds:.1f} s, ${_trimmed(fields['totalcost'])}")


def _trimmed(dollars: str) -> str:
    whole, _, decimals = dollars.partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def money(amount: int) -> str:
    """Picodollars as people write dollars: at least two decimals, and no more than are needed."""
    from tintype.domain.money import dollars

    return f"{'-' if amount < 0 else ''}${_trimmed(dollars(abs(amount)))}"


def _shown(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value)) or "none"
        case float():
            return f"{value:g}"
    return str(value)
