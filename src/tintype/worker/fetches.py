"""Who may hold input files, or fetch them, now: so many tasks of one worker, and few with many bytes."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from tintype.engine.protocol import LARGEST_IMAGES
from tintype.worker.turns import Turns

AT_ONCE = 32
"""Tasks of one worker that fetch, or have their files and wait for a place."""
USUAL = 16 * 2**20
"""Bytes of files that each of them may hold."""
LARGE_AT_ONCE = 4
"""Those of them that may hold as many as a task may have at all: 1 GiB for all of them."""
MOST_AWAY = 512
"""Tasks of all projects that a worker may hold besides those with a place on an engine."""

T = TypeVar("T")


class TooManyBytes(Exception):
    """The files of the task have more bytes than were offered."""


class Fetches:
    """The turns of one worker's tasks."""

    def __init__(self, most_away: int = MOST_AWAY) -> None:
        self._most_away = most_away
        self._away: Counter[int] = Counter()
        self._usual = Turns(AT_ONCE)
        self._large = Turns(LARGE_AT_ONCE)

    @property
    def full(self) -> frozenset[int]:
        """Projects of which the worker should claim no more: they have as many tasks here as are left for
        others."""
        left = self._most_away - self._away.total()
        return frozenset(project for project, tasks in self._away.items() if tasks >= left)

    @asynccontextmanager
    async def holding(self, project_id: int, prepare: Callable[[int], Awaitable[T]]) -> AsyncIterator[T]:
        """What `prepare` gives, to be held until the task has its place again.

        It is told how many bytes there may be, and asked anew for more if it raises TooManyBytes.
        """
        self._away[project_id] += 1
        try:
            async with self._usual.turn(project_id):
                try:
                    prepared = await prepare(USUAL)
                except TooManyBytes:
                    async with self._large.turn(project_id):
                        yield await prepare(LARGEST_IMAGES)
                else:
                    yield prepared
        finally:
            self._away[project_id] -= 1
            self._away = +self._away  # forgets who has none
