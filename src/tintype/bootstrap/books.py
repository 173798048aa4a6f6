"""The database, and the vault that opens its secrets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tintype.domain.errors import BadSetting
from tintype.settings import Settings
from tintype.storage import projects
from tintype.storage.database import Database, open_database
from tintype.storage.vault import Vault, open_vault


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[tuple[Database, Vault]]:
    """The database and the vault that opens its secrets. Raises BadSetting."""
    _make_folder(settings)
    vault = open_vault(settings.data / "vault.key", key=settings.vault_key)
    async with open_database(settings.database_url) as database:
        await database.read(lambda connection: projects.check_vault(connection, vault))
        yield database, vault


def _make_folder(settings: Settings) -> None:
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BadSetting(
            name="TINTYPE_DATA", problem=f"cannot make the folder {settings.data} ({problem.strerror})"
        ) from problem
