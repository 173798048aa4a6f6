"""`tintype project set`, `rotate-key` and the like: changes that running servers heed within a second."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tintype.cli import books
from tintype.cli.owners import demand_project
from tintype.cli.printing import print_fields, project_fields
from tintype.cli.project_guards import RunRate, Signature, Strict, UploadRate, asked_guards, guard
from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tintype.domain.project import Project
    from tintype.moderation.policy import Policy
    from tintype.storage.vault import Vault

Name = Annotated[str, typer.Argument(metavar="NAME|ID", help="The project's name or id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Overlap = Annotated[
    str, typer.Option(metavar="TIME", help="How long the old one counts, too: 0, 90s, 30m, 24h, 7d.")
]
_TIME = re.compile(r"(\d{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_OVERLAP = 365 * 86400


def add_to(app: typer.Typer) -> None:
    """Adds the commands to `tintype project`."""
    app.command("set")(change)
    app.command("rotate-key")(rotate_key)
    app.command("rotate-secret")(rotate_secret)
    app.command("rotate-callback-secret")(rotate_callback_secret)
    app.command("suspend")(suspend)
    app.command("resume")(resume)


def change(
    project: Name,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    max_concurrent: Annotated[
        str | None, typer.Option(metavar="NUMBER|none", help="How many of its tasks may be unfinished.")
    ] = None,
    weight: Annotated[
        float | None, typer.Option(help="Its part of the compute where projects compete; 1 is usual.")
    ] = None,
    priority: Annotated[
        Literal["high", "normal", "low"] | None,
        typer.Option(help="Which class it competes in; they get 16, 4 and 1 parts of the compute."),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS|any", help="Who may ask: addresses and networks, in place of the old list."
        ),
    ] = None,
    moderation: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            help="How it is moderated: default (as the server), off, 0 to 6, or such for single gates: "
            "prompt=off,input=2,image=6.",
        ),
    ] = None,
    strict: Strict = None,
    request_signature: Signature = None,
    rate_run: RunRate = None,
    rate_upload: UploadRate = None,
    as_json: Json = False,
) -> None:
    """Change a project; what is not given stays as it is."""
    from tintype.domain.priority import Priority
    from tintype.moderation.policy import read_policy

    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = name
    if max_concurrent is not None:
        changes["max_concurrent"] = _limit(max_concurrent)
    if weight is not None:
        changes["weight"] = weight
    if priority is not None:
        changes["priority"] = Priority(priority)
    if allow:
        changes["allowed_addresses"] = _addresses(allow)
    guards = asked_guards(
        strict=strict, request_signature=request_signature, rate_run=rate_run, rate_upload=rate_upload
    )
    policy = None if moderation is None else read_policy(moderation)
    if not changes and not guards and policy is None:
        raise Stop("nothing to change; `tintype project set --help` shows what can be")
    _change(project, as_json=as_json, guards=guards, policy=policy, **changes)


def suspend(project: Name, as_json: Json = False) -> None:
    """Let a project submit nothing; it still sees its tasks."""
    _change(project, as_json=as_json, suspended=True)


def resume(project: Name, as_json: Json = False) -> None:
    """Let a suspended project submit again."""
    _change(project, as_json=as_json, suspended=False)


def rotate_key(project: Name, overlap: Overlap = "24h", as_json: Json = False) -> None:
    """Give a project a new key; the old one counts for a while."""
    from tintype.storage import project_changes

    seconds = _seconds(overlap)

    def rotate(connection: "Connection", vault: "Vault", found: "Project", now: int) -> dict[str, Any]:
        until = now + seconds * 1_000_000
        changed = project_changes.rotate_key(connection, vault, found, old_until=until, now=now)
        return project_fields(changed) | {"old_key": found.key, "old_until": until // 1_000_000}

    _print_rotated(_with_project(project, rotate), what="key", overlap=seconds, as_json=as_json)


def rotate_secret(project: Name, overlap: Overlap = "24h", as_json: Json = False) -> None:
    """Give a project a new secret; the old one counts for a while."""
    from tintype.storage import project_changes

    seconds = _seconds(overlap)

    def rotate(connection: "Connection", vault: "Vault", found: "Project", now: int) -> dict[str, Any]:
        until = now + seconds * 1_000_000
        changed, secret = project_changes.rotate_secret(connection, vault, found, old_until=until, now=now)
        return project_fields(changed) | {"secret": secret, "old_until": until // 1_000_000}

    _print_rotated(_with_project(project, rotate), what="secret", overlap=seconds, as_json=as_json)


def rotate_callback_secret(project: Name, overlap: Overlap = "24h", as_json: Json = False) -> None:
    """Give a project a new secret for its callbacks; the old one signs beside it for a while."""
    from tintype.storage import callback_secrets

    seconds = _seconds(overlap)

    def rotate(connection: "Connection", vault: "Vault", found: "Project", now: int) -> dict[str, Any]:
        overlap = seconds * 1_000_000
        secret = callback_secrets.rotate(connection, vault, found.id, now=now, overlap=overlap)
        until = (now + overlap) // 1_000_000
        return project_fields(found) | {"callback_secret": secret, "old_until": until}

    _print_rotated(_with_project(project, rotate), what="callback secret", overlap=seconds, as_json=as_json)


def _change(
    project: str,
    *,
    as_json: bool,
    guards: Mapping[str, Any] | None = None,
    policy: "Policy | None" = None,
    **changes: Any,
) -> None:
    from tintype.storage import moderation
    from tintype.storage.project_changes import change_project

    def change(connection: "Connection", _: "Vault", found: "Project", now: int) -> dict[str, Any]:
        changed = change_project(connection, found, **changes)
        changed = guard(connection, changed, guards or {})
        if policy is not None:
            moderation.set_policy(connection, found.id, policy)
        return project_fields(changed, moderation=moderation.policy_of(connection, found.id))

    print_fields(_with_project(project, change), as_json=as_json)


def _with_project(
    name: str, change: Callable[["Connection", "Vault", "Project", int], dict[str, Any]]
) -> dict[str, Any]:
    return books.write(
        lambda connection, vault, now: change(connection, vault, demand_project(connection, name), now)
    )


def _print_rotated(fields: dict[str, Any], *, what: str, overlap: int, as_json: bool) -> None:
    from datetime import datetime

    until = fields["old_until"]
    if as_json:
        print_fields(fields, as_json=True)
        return
    fields.pop("old_until")
    print_fields(fields, as_json=False)
    moment = datetime.fromtimestamp(until).astimezone().isoformat(" ", "seconds")
    typer.echo(
        f"the old {what} counts until {moment}" if overlap else f"the old {what} counts no longer", err=True
    )


def _limit(text: str) -> int | None:
    if text.strip().lower() == "none":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Stop(f"--max-concurrent {text}: must be a whole number or none")
    return int(text)


def _addresses(given: list[str]) -> list[str]:
    if [text.strip().lower() for text in given] == ["any"]:
        return []
    if any(text.strip().lower() == "any" for text in given):
        raise Stop("--allow any stands alone: it allows every address")
    return given


def _seconds(text: str) -> int:
    match = _TIME.fullmatch(text.strip().lower())
    seconds = int(match[1]) * _SECONDS[match[2]] if match else -1
    if not 0 <= seconds <= LONGEST_OVERLAP:
        raise Stop(f"--overlap {text}: must be a time such as 0, 90s, 30m, 24h or 7d, at most 365d")
    return seconds
