"""How a project is guarded, as options of `tintype project set` and as fields of what is shown."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tintype.domain.project import Project

_PANEL = "Guards"
RATE = "RATE|off|default"

Strict = Annotated[
    Literal["on", "off"] | None,
    typer.Option(help="Whether each nonce must be a recent time and counts once.", rich_help_panel=_PANEL),
]
Signature = Annotated[
    Literal["off", "accepted", "required"] | None,
    typer.Option(help="Whether requests are signed as a whole (RFC 9421).", rich_help_panel=_PANEL),
]
RunRate = Annotated[
    str | None,
    typer.Option(metavar=RATE, help="How often it may Run: 10/s, 100/min burst 20.", rich_help_panel=_PANEL),
]
UploadRate = Annotated[
    str | None,
    typer.Option(metavar=RATE, help="How often it may upload a file.", rich_help_panel=_PANEL),
]


def asked_guards(
    *, strict: str | None, request_signature: str | None, rate_run: str | None, rate_upload: str | None
) -> dict[str, Any]:
    """What `storage.guards.guard_project` is to change; empty if no option was given."""
    from tintype.domain.project import RequestSignature
    from tintype.domain.rate import Limited

    asked: dict[str, Any] = {}
    if strict is not None:
        asked["strict"] = strict == "on"
    if request_signature is not None:
        asked["request_signature"] = RequestSignature(request_signature)
    given = {Limited.RUN: rate_run, Limited.UPLOAD: rate_upload}
    rates = {limited: rate for limited, rate in given.items() if rate is not None}
    return asked | ({"rates": rates} if rates else {})


def guard(connection: "Connection", project: "Project", asked: Mapping[str, Any]) -> "Project":
    """The project as it is then. Raises UnfitProject."""
    from tintype.storage.guards import guard_project

    return guard_project(connection, project, **asked) if asked else project


def guard_fields(project: "Project") -> dict[str, Any]:
    """How a project is guarded, to be shown."""
    return {
        "strict": project.strict,
        "request_signature": project.request_signature.value,
        "rate_run": project.rate_run or "default",
        "rate_upload": project.rate_upload or "default",
    }
