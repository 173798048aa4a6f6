"""Bringing a database to this version's tables; run at every start, by any number of processes at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from tintype.domain.errors import BadSetting

_LOCK = 7_461_746_970  # any constant of our own


def migrate(connection: Connection) -> None:
    """Upgrades within the connection's transaction. Raises BadSetting for a database of a newer version."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as problem:
        raise BadSetting(
            name="TINTYPE_DATABASE_URL", problem=f"was not made by this version ({problem})"
        ) from problem
