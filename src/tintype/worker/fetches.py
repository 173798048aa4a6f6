"""Who may fetch from others' servers now: some tasks at once, and few of one project."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

AT_ONCE = 32
"""Tasks of one worker that fetch, or have their files and wait for a place. Each may hold 128 MiB."""
OF_PROJECT = 8
"""Those of them that may belong to one project, whose servers may all be slow."""
MOST_AWAY = 512
"""Tasks that a worker may hold besides those with a place on an engine."""


class Fetches:
    """The turns of one worker's tasks, in the order in which they came."""

    def __init__(self) -> None:
        self._away = 0
        self._all = asyncio.Semaphore(AT_ONCE)
        self._projects: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    @property
    def is_full(self) -> bool:
        """Whether a task should rather keep its place, so that its worker claims no more."""
        return self._away >= MOST_AWAY

    @asynccontextmanager
    async def turn(self, project_id: int) -> AsyncIterator[None]:
        """To be held until the task has its place again."""
        of_project = self._projects.setdefault(project_id, asyncio.Semaphore(OF_PROJECT))
        self._away += 1
        try:
            async with of_project, self._all:
                yield
        finally:
            self._away -= 1
