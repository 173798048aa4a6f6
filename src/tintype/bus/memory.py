"""The bus of one process: for `tintype serve`, where everything lives in one event loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tintype.bus.listeners import Listeners


class MemoryBus:
    """Hands payloads over at once, to listeners in this event loop."""

    def __init__(self) -> None:
        self._listeners = Listeners()

    async def publish(self, subject: str, payload: bytes = b"") -> None:
        self._listeners.tell(subject, payload)

    @asynccontextmanager
    async def subscribe(self, subject: str) -> AsyncIterator[AsyncIterator[bytes]]:
        with self._listeners.mailbox(subject) as mailbox:
            yield mailbox
