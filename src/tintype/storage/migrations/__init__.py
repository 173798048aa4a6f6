"""Bringing a database to this version's tables; run at every start, by any number of processes at once."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from tintype.domain.errors import BadSetting

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST = max(path.stem[:4] for path in Path(__file__).parent.glob("versions/[0-9]*.py"))
"""The revision of this version's tables."""

_LOCK = 7_461_746_970  # any constant of our own


def migrate(connection: Connection) -> None:
    """Upgrades within the connection's transaction. Raises BadSetting for a database of a newer version.

    On SQLite a table that others refer to can be rebuilt only while `PRAGMA foreign_keys` is off, and that
    must be set before the transaction begins.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    before = revision_of(connection)
    if before == NEWEST:
        return
    from alembic import command  # takes a while, and mostly there is nothing to do
    from alembic.util import CommandError

    try:
        command.upgrade(config_of(connection), "head")
    except CommandError as problem:
        raise BadSetting(
            name="TINTYPE_DATABASE_URL", problem=f"was not made by this version ({problem})"
        ) from problem
    if before:
        _check_references(connection)


def revision_of(connection: Connection) -> str | None:
    """Where the database stands; None if it was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def config_of(connection: Connection) -> "Config":
    """What Alembic's commands need to work within the connection's transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _check_references(connection: Connection) -> None:
    """SQLite rebuilds tables while references are not enforced; they must hold again at the end."""
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise BadSetting(
            name="TINTYPE_DATABASE_URL", problem=f"a row of {broken[0]} names one of {broken[2]} that is gone"
        )
