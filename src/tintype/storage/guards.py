"""How a project is guarded: strict nonces, request signatures, rates of its own."""

from typing import Any

from sqlalchemy import Connection, update

from tintype.domain.errors import UnfitProject
from tintype.domain.project import Auth, Project, RequestSignature
from tintype.domain.rate import OFF, Limited, read_rate
from tintype.storage import projects
from tintype.storage.tables import projects as table

DEFAULT = "default"
"""Said of a rate: the one of the settings."""


def guard_project(
    connection: Connection,
    project: Project,
    *,
    strict: bool | None = None,
    request_signature: RequestSignature | None = None,
    rates: dict[Limited, str] | None = None,
) -> Project:
    """The project as changed; None leaves a guard as it is. A rate is `default` or what `read_rate` reads.

    Raises UnfitProject for a rate that is none, and for a project that does not sign.
    """
    changes: dict[str, Any] = {}
    if strict is not None:
        changes["strict"] = strict
    if request_signature is not None:
        changes["request_signature"] = request_signature.value
    if project.auth is not Auth.SIGNATURE and (strict or changes.get("request_signature", OFF) != OFF):
        raise UnfitProject(
            name=project.name,
            problem="is known by its key alone; only a signature project can be strict or sign its requests",
        )
    for limited, rate in (rates or {}).items():
        changes[f"rate_{limited.value}"] = _stored(project, limited, rate)
    if changes:
        connection.execute(update(table).where(table.c.id == project.id).values(changes))
    changed = projects.by_id(connection, project.id)
    assert changed is not None
    return changed


def _stored(project: Project, limited: Limited, rate: str) -> str | None:
    if rate.strip().lower() == DEFAULT:
        return None
    try:
        return str(read_rate(rate) or OFF)
    except ValueError as problem:
        raise UnfitProject(name=project.name, problem=f"a rate of {limited.value} {problem}") from None
