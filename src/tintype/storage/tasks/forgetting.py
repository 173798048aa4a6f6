"""Giving up a task's files, when its owner wants them gone."""

from sqlalchemy import Connection, update

from tintype.domain.errors import TaskNotTerminal, UnknownTask, UnknownTaskOfFiles
from tintype.domain.lifecycle import Status
from tintype.domain.task import TaskName
from tintype.storage import files, loose
from tintype.storage.tables import tasks
from tintype.storage.tasks.rows import lock_by_name


def forget_files(connection: Connection, project_id: int, name: TaskName, *, now: int) -> list[str]:
    """Nobody finds the files of the terminal task any more; returns their object keys, doomed, to be deleted.

    May be repeated and then returns the same keys, so that an interrupted deletion can be completed.
    `now` is in microseconds since the epoch. Raises UnknownTaskOfFiles, TaskNotTerminal.
    """
    try:
        row = lock_by_name(connection, project_id, name)
    except UnknownTask:
        raise UnknownTaskOfFiles from None
    if not Status(row.status).is_terminal:
        raise TaskNotTerminal
    connection.execute(update(tasks).where(tasks.c.id == row.id).values(output_folder="0"))
    keys = files.forget(connection, task_id=row.id, now=max(now, row.change_time))
    loose.doom(connection, keys, now=now)
    return keys
