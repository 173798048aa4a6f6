"""Folders that callers sort their uploads into. They belong to an account, and are for all its projects."""

from typing import Any

from sqlalchemy import BigInteger, Connection, Text, bindparam, select, text

from tintype.domain.errors import NotPermitted
from tintype.domain.folder import TOP, Folder
from tintype.domain.quota import UNLIMITED, Quota
from tintype.domain.tokens import new_file_id
from tintype.storage.quotas import demand_folder
from tintype.storage.tables import folders

_ENSURE = text(
    "INSERT INTO folders (id, account_id, parent, name, create_time)"
    " VALUES (:id, :account_id, :parent, :name, :now)"
    " ON CONFLICT (account_id, parent, name) DO NOTHING"
).bindparams(
    bindparam("id", type_=Text),
    bindparam("account_id", type_=BigInteger),
    bindparam("parent", type_=Text),
    bindparam("name", type_=Text),
    bindparam("now", type_=BigInteger),
)


def ensure(
    connection: Connection, *, account_id: int, parent: str, name: str, now: int, quota: Quota = UNLIMITED
) -> Folder:
    """The account's folder of that name in `parent`, made if missing.

    `now` is in microseconds since the epoch. Raises NotPermitted if `parent` is no folder of the account,
    FolderLimit if it may have no more.
    """
    demand(connection, account_id=account_id, folder=parent)
    place = {"account_id": account_id, "parent": parent, "name": name}
    wanted = select(folders).where(*(folders.c[column] == value for column, value in place.items()))
    if (known := connection.execute(wanted).one_or_none()) is not None:
        return _folder(known)
    demand_folder(connection, quota, account_id=account_id)
    connection.execute(_ENSURE, {**place, "id": new_file_id(), "now": now})
    return _folder(connection.execute(wanted).one())


def demand(connection: Connection, *, account_id: int, folder: str) -> None:
    """Raises NotPermitted unless it is the top or one of the account's folders: of others nothing is told."""
    if folder == TOP:
        return
    known = select(folders.c.id).where(folders.c.id == folder, folders.c.account_id == account_id)
    if not folder.isalnum() or connection.execute(known).first() is None:
        raise NotPermitted


def _folder(row: Any) -> Folder:
    return Folder(id=row.id, name=row.name, parent=row.parent, added=row.create_time)
