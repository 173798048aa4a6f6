"""Turns at something of which there is little, for tasks of projects that may all be slow."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A project may have as many turns as are left for others: half of all if it is alone, a third beside one
    other, and so on. So however slow some projects are, the next one finds a turn at once."""

    def __init__(self, at_once: int) -> None:
        self._left = at_once
        self._taken: Counter[int] = Counter()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, project_id: int) -> AsyncIterator[None]:
        """Waits until it is the project's turn; those of one project come in their order."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (project_id, mine)
        self._waiting.append(waiter)
        self._give()
        try:
            await mine
            yield
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            else:
                self._taken[project_id] -= 1
                self._left += 1
            self._give()

    def _give(self) -> None:
        for waiter in list(self._waiting):
            project_id, mine = waiter
            if self._taken[project_id] < self._left:
                self._waiting.remove(waiter)
                self._taken[project_id] += 1
                self._left -= 1
                if not mine.done():
                    mine.set_result(None)
        self._taken = +self._taken  # forgets who has none
