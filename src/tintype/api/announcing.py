"""Tells the workers which tasks somebody looks at, so that they are shown while they are drawn."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from tintype.bus.protocol import WATCH, WATCHED_FOR, Bus

EVERY = WATCHED_FOR / 2.5
"""Seconds between two announcements of everything: one may be lost."""
AT_ONCE = 5000
"""Ids in one payload: far below what a bus carries."""

log = structlog.get_logger(__name__)


class Announcing:
    """Says it at once of a task that finds its first onlooker, and again and again of all that have some."""

    def __init__(self, bus: Bus, *, watched: Callable[[], Iterable[int]]) -> None:
        self._bus = bus
        self._watched = watched
        self._new: set[int] = set()
        self._changed = asyncio.Event()

    def add(self, task_id: int) -> None:
        """Somebody has come to look at the task."""
        self._new.add(task_id)
        self._changed.set()

    async def run(self) -> None:
        """Announces for ever."""
        while True:
            await self._say(self._watched())
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._say_of_new_ones()

    async def _say_of_new_ones(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            new, self._new = self._new, set()
            await self._say(new)

    async def _say(self, task_ids: Iterable[int]) -> None:
        try:
            names = [b"%d" % task_id for task_id in task_ids]
            for start in range(0, len(names), AT_ONCE):
                await self._bus.publish(WATCH, b" ".join(names[start : start + AT_ONCE]))
        except Exception as problem:
            log.warning("announcing_failed", problem=type(problem).__name__)
