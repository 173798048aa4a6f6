"""What a worker writes about one attempt: the stages it reaches, and its end. All under its lease."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from tintype.domain.errors import TintypeError
from tintype.domain.lifecycle import Status
from tintype.domain.task import Lease, Outcome, Task
from tintype.service import now
from tintype.storage import loose, tasks
from tintype.storage.database import Database

T = TypeVar("T")
Move = tuple[Status, int]
"""A status, and when it was reached, in microseconds since the epoch."""

PATIENCE = 60.0
"""Seconds for which a write is tried again while the database fails."""
LONGEST_PAUSE = 5.0

log = structlog.get_logger()


class Recording:
    """The rows of one attempt. What changes its task raises LeaseLost once the attempt is over.

    When the database fails they try again for a while: a drawn picture is worth some patience. A write
    whose answer was lost may have been done all the same; then the next try raises LeaseLost too.
    """

    def __init__(self, database: Database, lease: Lease) -> None:
        self._database = database
        self._lease = lease

    async def reached(self, moves: Sequence[Move]) -> list[Task]:
        """The task in every one of the stages, stored in one transaction."""
        if not moves:
            return []
        return await self._write(lambda connection: list(advance_all(connection, self._lease, moves)))

    async def finish(self, moves: Sequence[Move], outcome: Outcome) -> list[Task]:
        """The same, and the end of the task with it."""
        moment = now()

        def end(connection: Connection) -> list[Task]:
            stages = list(advance_all(connection, self._lease, moves))
            return [*stages, tasks.finish(connection, self._lease, outcome, now=moment)]

        return await self._write(end)

    async def hand_back(self, *, lost: bool) -> Task:
        """The task in the queue again, or at its end if too many attempts were lost."""
        return await self._write(
            lambda connection: tasks.hand_back(connection, self._lease, now=now(), lost=lost)
        )

    async def announce(self, object_key: str) -> None:
        """An object will be stored that belongs to the task as soon as the task is finished with it."""
        moment = now()
        await self._write(lambda connection: loose.announce(connection, [object_key], now=moment))

    async def give_up(self, outcome: Outcome) -> list[str]:
        """The objects of those outputs that the task has not taken after all, to be deleted, then forgotten.

        A commit's answer may have been lost: what the task has taken stays.
        """
        keys = [file.object_key for file in outcome.outputs]
        return await self._write(lambda connection: loose.give_up(connection, keys))

    async def forget(self, object_keys: Sequence[str]) -> None:
        """The bytes of given up objects are gone."""
        await self._write(lambda connection: loose.forget(connection, object_keys))

    async def _write(self, change: Callable[[Connection], T]) -> T:
        deadline, pause = time.monotonic() + PATIENCE, 0.1
        while True:
            try:
                return await self._database.write(change)
            except (TintypeError, LookupError):
                raise
            except Exception as problem:
                if time.monotonic() > deadline:
                    raise
                log.warning("write_failed", problem=type(problem).__name__, retry_after=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def advance_all(connection: Connection, lease: Lease, moves: Iterable[Move]) -> Iterator[Task]:
    """The task in one stage after another. Raises LeaseLost."""
    for status, moment in moves:
        if status is Status.OUTPUT:
            yield tasks.note_progress(connection, lease, now=moment)
        else:
            yield tasks.advance(connection, lease, status, now=moment)
