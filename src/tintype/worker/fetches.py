"""Who may hold input files, or fetch them, now: so many tasks of one worker, and few with many bytes."""

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
"""Tasks that a worker may hold besides those with a place on an engine."""

T = TypeVar("T")


class TooManyBytes(Exception):
    """The files of the task have more bytes than were offered."""


class Fetches:
    """The turns of one worker's tasks."""

    def __init__(self) -> None:
        self._away = 0
        self._usual = Turns(AT_ONCE)
        self._large = Turns(LARGE_AT_ONCE)

    @property
    def is_full(self) -> bool:
        """Whether a task should rather keep its place, so that its worker claims no more."""
        return self._away >= MOST_AWAY

    @asynccontextmanager
    async def holding(self, project_id: int, prepare: Callable[[int], Awaitable[T]]) -> AsyncIterator[T]:
        """What `prepare` gives, to be held until the task has its place again.

        It is told how many bytes there may be, and asked anew for more if it raises TooManyBytes.
        """
        self._away += 1
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
            self._away -= 1
