"""Keeping what callers send: bytes into the object store, rows into the database, and nothing left between.

Every object is announced before it is stored, and taken in the transaction that makes its file known. So
whatever dies in between, the bytes are either a file's, or found and deleted later.
"""

import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection

from tintype.domain.errors import FileNotAccepted
from tintype.domain.file_names import safe_name
from tintype.domain.file_types import SHOWN, FileType
from tintype.domain.folder import TOP, Folder
from tintype.domain.part import Part, parts_in, with_parts
from tintype.domain.project import Project
from tintype.domain.quota import UNLIMITED, Quota
from tintype.domain.task import File, Task
from tintype.domain.task_object import file_url
from tintype.domain.tokens import new_file_id, new_token
from tintype.storage import files, folders, loose, quotas
from tintype.storage.database import Database
from tintype.storage.objects import Objects


class Kept:
    """The parts of one Run, stored, and not yet anybody's."""

    def __init__(self, stored: Mapping[Part, File], *, public_url: str) -> None:
        self._stored = stored
        self._public_url = public_url
        self.is_taken = False
        """To be set once a committed task has taken them."""

    def shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with the files' addresses in the place of the parts."""
        return with_parts(values, lambda part: file_url(self._stored[part], self._public_url))

    def take(self, connection: Connection, task: Task) -> None:
        """The files are the task's inputs, as soon as the transaction is committed."""
        if self._stored:
            loose.take(connection, self.keys)
        for position, file in enumerate(self._stored.values()):
            files.add(
                connection,
                file,
                project_id=task.project_id,
                role="input",
                task_id=task.id,
                position=position,
            )

    @property
    def keys(self) -> list[str]:
        """Where the bytes lie."""
        return [file.object_key for file in self._stored.values()]


class Filing:
    """Uploads, folders, and the files of Runs. `now` tells the moment, in microseconds since the epoch."""

    def __init__(
        self,
        *,
        database: Database,
        objects: Objects,
        public_url: str,
        now: Callable[[], int],
        quota: Quota = UNLIMITED,
    ) -> None:
        self._database = database
        self._objects = objects
        self._public_url = public_url
        self._now = now
        self._quota = quota

    async def upload(self, project: Project, part: Part, folder: str) -> File:
        """Keeps a file for the project. Raises FileNotAccepted, NotPermitted, UploadLimit."""
        kind = _accepted(part)
        account = project.account.id

        def demand(connection: Connection) -> None:
            folders.demand(connection, account_id=account, folder=folder)
            quotas.demand_upload(connection, self._quota, project_id=project.id, size=part.size)

        await self._database.read(demand)
        file = self._file(part, kind, name=safe_name(part.name, kind), folder=folder, room="uploads")

        def add(connection: Connection) -> None:
            quotas.hold(connection, self._quota, project_id=project.id)
            quotas.demand_upload(connection, self._quota, project_id=project.id, size=file.size)
            loose.take(connection, [file.object_key])
            files.add(connection, file, project_id=project.id, role="upload")

        async with self._storing({part: file}):
            await self._database.write(add)
        return file

    async def create_folder(self, project: Project, *, name: str, parent: str) -> Folder:
        """The account's folder of that name, made if missing. Raises NotPermitted, FolderLimit."""
        account, moment = project.account.id, self._now()
        return await self._database.write(
            lambda connection: folders.ensure(
                connection, account_id=account, parent=parent, name=name, now=moment, quota=self._quota
            )
        )

    @asynccontextmanager
    async def keeping(self, inputs: Mapping[str, Any]) -> AsyncIterator[Kept]:
        """Stores the parts among a Run's inputs. What no task has taken at the end is deleted again."""
        numbers: defaultdict[str, itertools.count[int]] = defaultdict(itertools.count)
        stored: dict[Part, File] = {}
        for parameter, part in parts_in(inputs):
            kind = _accepted(part)
            name = f"{parameter}-{next(numbers[parameter])}.{kind.extension}"
            stored[part] = self._file(part, kind, name=name, folder=TOP, room="inputs")
        kept = Kept(stored, public_url=self._public_url)
        async with self._storing(stored):
            yield kept
        if stored and not kept.is_taken:
            await self._give_up(kept.keys)

    async def delete(self, keys: Sequence[str]) -> None:
        """Deletes the bytes of doomed objects for good."""
        for key in keys:
            await self._objects.discard(key)
        if keys:
            await self._database.write(lambda connection: loose.forget(connection, keys))

    @asynccontextmanager
    async def _storing(self, stored: Mapping[Part, File]) -> AsyncIterator[None]:
        """Announces and stores the bytes. If anything fails, those that nobody took are deleted again."""
        if not stored:
            yield
            return
        keys, moment = [file.object_key for file in stored.values()], self._now()
        await self._database.write(lambda connection: loose.announce(connection, keys, now=moment))
        try:
            for part, file in stored.items():
                await self._objects.put_file(file.object_key, part.content, file.content_type)
            yield
        except Exception:
            await self._give_up(keys)
            raise

    async def _give_up(self, keys: Sequence[str]) -> None:
        await self.delete(await self._database.write(lambda connection: loose.give_up(connection, keys)))

    def _file(self, part: Part, kind: FileType, *, name: str, folder: str, room: str) -> File:
        file_id = new_file_id()
        return File(
            id=file_id,
            name=name,
            content_type=kind.content_type,
            size=part.size,
            folder=folder,
            access_key=new_token(),
            object_key=f"{room}/{file_id[:2]}/{file_id}.{kind.extension}",
            added=self._now(),
        )


def _accepted(part: Part) -> FileType:
    if part.kind is None:
        raise FileNotAccepted(name=part.name[:100], accepted=SHOWN)
    return part.kind
