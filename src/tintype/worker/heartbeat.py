"""One row that says: this worker lives. It learns which of its tasks are no longer its own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from tintype.domain.task import Lease
from tintype.service import now
from tintype.storage import workers
from tintype.storage.database import Database

log = structlog.get_logger()


class Heartbeat:
    """Beats every few seconds while it runs; also through times without a database."""

    def __init__(
        self,
        *,
        worker: str,
        database: Database,
        every: float,
        holding: Callable[[], Sequence[Lease]],
        on_lost: Callable[[Lease], Awaitable[None]],
    ) -> None:
        self._worker = worker
        self._database = database
        self._every = every
        self._holding = holding
        self._on_lost = on_lost

    async def run(self) -> None:
        """Beats for ever."""
        while True:
            try:
                await self.beat()
            except Exception as problem:
                log.error("heartbeat_failed", worker=self._worker, problem=repr(problem)[:200])
            await asyncio.sleep(self._every)

    async def beat(self) -> None:
        holding = self._holding()
        lost = await self._database.write(
            lambda connection: workers.heartbeat(connection, self._worker, holding, now=now())
        )
        for lease in lost:
            await self._on_lost(lease)
