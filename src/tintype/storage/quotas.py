"""Whether there is room for another upload or folder. To be asked in the transaction that adds it."""

from sqlalchemy import Connection, func, select, text

from tintype.domain.errors import FolderLimit, UploadLimit
from tintype.domain.quota import MIB, Quota
from tintype.storage import accounts
from tintype.storage.tables import IS_UPLOAD, files, folders, projects


def hold(connection: Connection, quota: Quota, *, project_id: int) -> None:
    """Until the transaction ends nobody else adds an upload to the project."""
    if quota.uploads or quota.upload_bytes:
        project = select(projects.c.id).where(projects.c.id == project_id)
        connection.execute(project.with_for_update(key_share=True))


def demand_upload(connection: Connection, quota: Quota, *, project_id: int, size: int) -> None:
    """Raises UploadLimit if the project's uploads would be too many, or too large together.

    `size` is that of the new one, in bytes.
    """
    if not (quota.uploads or quota.upload_bytes):
        return
    kept = select(func.count(), func.coalesce(func.sum(files.c.size), 0))
    mine = kept.where(files.c.project_id == project_id, text(IS_UPLOAD))
    number, total = connection.execute(mine).one()
    if quota.uploads and number + 1 > quota.uploads:
        raise UploadLimit(limit=f"{quota.uploads} files")
    if quota.upload_bytes and int(total) + size > quota.upload_bytes:
        raise UploadLimit(limit=f"{quota.upload_bytes // MIB} MiB")


def demand_folder(connection: Connection, quota: Quota, *, account_id: int) -> None:
    """Raises FolderLimit if the account has as many folders as it may have."""
    if not quota.folders:
        return
    accounts.lock(connection, account_id)
    number = select(func.count()).select_from(folders).where(folders.c.account_id == account_id)
    if connection.execute(number).scalar_one() >= quota.folders:
        raise FolderLimit(limit=quota.folders)
