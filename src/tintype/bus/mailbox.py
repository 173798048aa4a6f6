"""The payloads that one listener has yet to read: bounded, so that a slow listener harms itself alone."""

import asyncio
from collections import deque
from typing import Self

LONGEST = 1000


class Mailbox:
    """An iterator over payloads. When more than `LONGEST` wait, the oldest is lost; `lost` counts them."""

    def __init__(self) -> None:
        self.lost = 0
        self._waiting: deque[bytes] = deque(maxlen=LONGEST)
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, payload: bytes) -> None:
        self.lost += len(self._waiting) == LONGEST
        self._waiting.append(payload)
        self._changed.set()

    def close(self) -> None:
        """Ends the iteration, after what is still waiting."""
        self._closed = True
        self._changed.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()
