"""Deletes the bytes that belong to no file: what died on its way in, or was interrupted on its way out.

Safe to run anywhere, and more than once at a time.
"""

import asyncio

import structlog

from tintype.domain.money import MICROSECONDS
from tintype.service import now
from tintype.storage import loose
from tintype.storage.database import Database
from tintype.storage.objects import Objects

LONGEST_WAY = 3600
"""Seconds after which an object that no file has taken is on its way no more."""
AT_ONCE = 100

log = structlog.get_logger()


class Sweeper:
    """Looks every few minutes."""

    def __init__(
        self, *, database: Database, objects: Objects, every: float = 300.0, longest_way: float = LONGEST_WAY
    ) -> None:
        self._database = database
        self._objects = objects
        self._every = every
        self._longest_way = round(longest_way * MICROSECONDS)

    async def run(self) -> None:
        """Looks for ever; the first time at once."""
        while True:
            try:
                while await self.sweep() == AT_ONCE:
                    pass
            except Exception as problem:
                log.error("sweep_failed", problem=repr(problem)[:200])
            await asyncio.sleep(self._every)

    async def sweep(self) -> int:
        """Deletes up to `AT_ONCE` objects; how many."""
        before = now() - self._longest_way
        keys = await self._database.write(lambda c: loose.doom_old(c, before=before, limit=AT_ONCE))
        for key in keys:
            await self._objects.discard(key)
        if keys:
            await self._database.write(lambda connection: loose.forget(connection, keys))
            log.info("loose_objects_deleted", objects=len(keys))
        return len(keys)
