"""Two gears of stopping: finish what runs, then hand it back."""

import asyncio

import structlog

log = structlog.get_logger()


class Shutdown:
    """First `drain`: claim nothing new. Second `drain`, or `grace` seconds later: hand back what runs."""

    def __init__(self, *, grace: float) -> None:
        self._grace = grace
        self._over = asyncio.Event()
        self.draining = False

    @property
    def grace_is_over(self) -> bool:
        return self._over.is_set()

    def drain(self) -> None:
        """One gear further."""
        if self.draining:
            self._over.set()
            return
        self.draining = True
        log.info("worker_draining", grace=self._grace)
        asyncio.get_running_loop().call_later(self._grace, self._over.set)

    async def until_grace_is_over(self) -> None:
        await self._over.wait()
