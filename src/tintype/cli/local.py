"""The server of this folder, for commands that were told no other.

While it serves, `tintype serve` leaves its address in the data folder. The credentials are those of the
oldest project, read from the database with the key of the vault: whoever may read these files is trusted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tintype.settings import Settings

ADDRESS = "address"
"""The file in the data folder."""


@dataclass(frozen=True, kw_only=True)
class LocalServer:
    """Where the server is, and one project of it."""

    url: str
    key: str
    secret: str = field(repr=False)
    signs: bool
    """Whether the project takes signatures over whole requests."""


@contextmanager
def announced(url: str, data: "Path") -> Iterator[None]:
    """Leaves the address in the data folder as long as the scope lasts."""
    file = data / ADDRESS
    file.write_text(url + "\n", "utf-8")
    try:
        yield
    finally:
        if file.read_text("utf-8").strip() == url:  # another server may have announced itself since
            file.unlink()


def local_server() -> LocalServer | None:
    """The server whose data folder the settings name; None if none is announced there."""
    import asyncio

    from tintype.settings import read_settings

    settings = read_settings()
    try:
        url = (settings.data / ADDRESS).read_text("utf-8").strip()
    except OSError:
        return None
    return asyncio.run(_with_credentials(url, settings))


async def _with_credentials(url: str, settings: "Settings") -> LocalServer | None:
    from tintype.bootstrap.books import open_books
    from tintype.domain.project import RequestSignature
    from tintype.storage import projects

    async with open_books(settings) as (database, vault):
        known = await database.read(projects.all_projects)
        if not known:
            return None
        first = known[0]
        secret = await database.read(lambda connection: projects.secret_of(connection, vault, first.id))
        signs = first.request_signature is not RequestSignature.OFF
        return LocalServer(url=url, key=first.key, secret=secret or "", signs=signs)
