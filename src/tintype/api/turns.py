"""Who may send a large body without credentials: few at once, so that strangers fill no memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tintype.domain.errors import RequestTooLarge

SMALL = 64 * 1024
"""Bytes that every connection may hold."""
AT_ONCE = 2
PATIENCE = 30.0
"""Seconds that a large body waits for its turn."""


class Turns:
    """The turns of one process. A turn lasts until what was made of the body is needed no more."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._turns = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def taken(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
        """The chunks of a body; what is more than small comes when it is its turn. Raises RequestTooLarge."""
        has_turn = False

        async def in_turn() -> AsyncIterator[bytes]:
            nonlocal has_turn
            size = 0
            async for chunk in chunks:
                size += len(chunk)
                if size > SMALL and not has_turn:
                    await self._wait()
                    has_turn = True
                yield chunk

        try:
            yield in_turn()
        finally:
            if has_turn:
                self._turns.release()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turns.acquire()
        except TimeoutError:
            raise RequestTooLarge from None
