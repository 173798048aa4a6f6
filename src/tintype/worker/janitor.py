"""Hands back the tasks of workers that died, and forgets what need not be remembered.

Safe to run anywhere, and more than once at a time.
"""

import asyncio
from pathlib import Path

import structlog
from sqlalchemy import Connection

from tintype.bus.protocol import Bus
from tintype.domain.task import Task
from tintype.service import now
from tintype.storage import idempotency, nonces, workers
from tintype.storage.database import Database
from tintype.worker import presence
from tintype.worker.story import tell_handed_back

MICROSECONDS = 1_000_000
NEVER = 0

log = structlog.get_logger()


class Janitor:
    """Looks every few seconds for workers that fell silent, and for locks on this machine that fell open."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        locks: Path,
        every: float = 3.0,
        silence: float = 15.0,
    ) -> None:
        self._database = database
        self._bus = bus
        self._locks = locks
        self._every = every
        self._silence = round(silence * MICROSECONDS)

    async def run(self) -> None:
        """Looks for ever; the first time at once."""
        while True:
            try:
                await self.rescue()
            except Exception as problem:
                log.error("rescue_failed", problem=repr(problem)[:200])
            await asyncio.sleep(self._every)

    async def rescue(self) -> list[Task]:
        """One look. Returns the tasks that were handed back or ended."""
        dead = await asyncio.to_thread(presence.absent, self._locks)

        def rescue(connection: Connection) -> list[Task]:
            for worker in dead:  # its lock says more than its heartbeat
                workers.register(connection, worker, now=NEVER)
            moment = now()
            idempotency.forget_expired(connection, now=moment)
            nonces.forget_expired(connection, now=moment)
            return workers.rescue(connection, silent_since=moment - self._silence, now=moment)

        rescued = await self._database.write(rescue)
        for worker in dead:
            presence.forget(self._locks, worker)
        for task in rescued:
            log.warning("task_rescued", task=task.id, status=task.status.value, lost=task.lost_attempts)
            await tell_handed_back(self._bus, task)
        return rescued
