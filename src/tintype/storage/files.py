"""Stored files: what they are called, who may fetch them, and where their bytes lie."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, insert, select, update

from tintype.domain.task import File
from tintype.storage.tables import files

Role = Literal["input", "output", "upload"]

_OUTPUTS = (
    select(files)
    .where(
        files.c.task_id.in_(bindparam("task_ids", expanding=True)),
        files.c.role == "output",
        files.c.forget_time == 0,
    )
    .order_by(files.c.task_id, files.c.position)
)
_BY_ACCESS_KEY = select(files).where(files.c.access_key == bindparam("access_key"), files.c.forget_time == 0)


def add(
    connection: Connection,
    file: File,
    *,
    project_id: int,
    role: Role,
    task_id: int | None = None,
    position: int = 0,
) -> None:
    """Makes a stored object known. `position` orders the files of one task and role."""
    connection.execute(insert(files), _values(file, project_id, role, task_id, position))


def add_outputs(connection: Connection, outputs: Sequence[File], *, task_id: int, project_id: int) -> None:
    """Makes a task's outputs known, in their order."""
    if outputs:
        connection.execute(
            insert(files),
            [_values(file, project_id, "output", task_id, place) for place, file in enumerate(outputs)],
        )


def by_access_key(connection: Connection, access_key: str) -> File | None:
    """The file of an access key; None if there is none, or no longer."""
    if not (access_key.isascii() and access_key.isalnum()):
        return None
    row = connection.execute(_BY_ACCESS_KEY, {"access_key": access_key}).one_or_none()
    return None if row is None else _file(row)


def outputs_of(connection: Connection, task_ids: Sequence[int]) -> dict[int, tuple[File, ...]]:
    """The outputs of each of the tasks, in their order, by one query; tasks without are left out."""
    if not task_ids:
        return {}
    found: defaultdict[int, list[File]] = defaultdict(list)
    for row in connection.execute(_OUTPUTS, {"task_ids": list(task_ids)}):
        found[row.task_id].append(_file(row))
    return {task_id: tuple(outputs) for task_id, outputs in found.items()}


def forget(connection: Connection, *, task_id: int, now: int) -> list[str]:
    """The files of the task are found no more; the object keys of all, also of those forgotten earlier.

    `now` is in microseconds since the epoch.
    """
    connection.execute(
        update(files).where(files.c.task_id == task_id, files.c.forget_time == 0).values(forget_time=now)
    )
    keys = select(files.c.object_key).where(files.c.task_id == task_id).order_by(files.c.object_key)
    return list(connection.execute(keys).scalars())


def _values(file: File, project_id: int, role: Role, task_id: int | None, position: int) -> dict[str, Any]:
    return {
        "id": file.id,
        "project_id": project_id,
        "task_id": task_id,
        "role": role,
        "position": position,
        "name": file.name,
        "content_type": file.content_type,
        "size": file.size,
        "folder": file.folder,
        "access_key": file.access_key,
        "object_key": file.object_key,
        "add_time": file.added,
        "forget_time": 0,
    }


def _file(row: Any) -> File:
    return File(
        id=row.id,
        name=row.name,
        content_type=row.content_type,
        size=row.size,
        folder=row.folder,
        access_key=row.access_key,
        object_key=row.object_key,
        added=row.add_time,
    )
