"""The first project, and what a server says of it when it listens."""

from dataclasses import dataclass
from typing import Any

from tintype.domain.errors import BadSetting
from tintype.domain.project import Auth, Project
from tintype.service import Service, now
from tintype.settings import Settings
from tintype.storage import accounts, projects

ACCOUNT = "default"
FIRST_PROJECT = "first"
BOOTSTRAP_PROJECT = "bootstrap"


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """What a server says when it listens."""

    url: str
    project: Project
    secret: str | None
    """The project's secret, at the first start only."""


async def first_project(service: Service, settings: Settings) -> Welcome:
    """Makes the project of the settings, or any at all, if it is missing."""
    key, secret = settings.bootstrap_key, settings.bootstrap_secret
    name = BOOTSTRAP_PROJECT if key else FIRST_PROJECT

    def make(connection: Any) -> tuple[Project, str | None]:
        known = projects.by_key(connection, service.vault, key, now=now()) if key else None
        if known is not None and (secret not in known[1] or known[0].auth is not Auth.SIGNATURE):
            raise BadSetting(
                name="TINTYPE_BOOTSTRAP_SECRET",
                problem="a project has TINTYPE_BOOTSTRAP_KEY already, with another secret or proof",
            )
        if known is not None:
            return known[0], None
        existing = projects.all_projects(connection)
        if existing and not key:
            return existing[0], None
        account = accounts.ensure_account(connection, name=ACCOUNT, now=now())
        return projects.create_project(
            connection,
            service.vault,
            account=account,
            name=_free_name(name, {project.name for project in existing}),
            auth=Auth.SIGNATURE,
            now=now(),
            key=key or None,
            secret=secret or None,
        )

    project, shown = await service.database.write(make)
    return Welcome(url=settings.public_url, project=project, secret=None if key else shown)


def _free_name(wanted: str, taken: set[str]) -> str:
    number = 2
    name = wanted
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name
