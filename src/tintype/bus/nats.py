"""The bus between machines: NATS core, at most once.

While the server is away nothing is kept for it: what is published then is lost, and said so once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import nats
import nats.errors
import structlog

from tintype.bus.listeners import Listeners

PENDING = 4 * 2**20
"""Bytes that may wait for a server that reads slowly; beyond them, payloads are lost."""
PATIENCE = 5
"""Seconds given to a round trip, to a connection attempt, and to the drain at close."""

log = structlog.get_logger()


class NatsBus:
    """One connection, kept for ever, and one subscription for each subject listened to here."""

    def __init__(self, *, servers: list[str], retry_after: float = 1.0) -> None:
        self._servers = servers
        self._retry_after = retry_after
        self._listeners = Listeners()
        self._subscriptions: dict[str, Any] = {}
        self._tuning = asyncio.Lock()
        self._client: Any = None
        self._lost = 0

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Connects, waiting for a server as long as it takes; drains at the end."""
        first = asyncio.Event()
        keeper = asyncio.create_task(self._stay_connected(first))
        try:
            await first.wait()
            yield
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            await self._close()

    async def publish(self, subject: str, payload: bytes = b"") -> None:
        client = self._client
        if not client.is_connected or client.pending_data_size > PENDING:
            self._lose(subject)
            return
        try:
            await client.publish(subject, payload)
        except nats.errors.Error as problem:
            log.warning("bus_refused", subject=subject, problem=str(problem))

    @asynccontextmanager
    async def subscribe(self, subject: str) -> AsyncIterator[AsyncIterator[bytes]]:
        try:
            with self._listeners.mailbox(subject) as mailbox:
                await self._tune(subject)
                with suppress(nats.errors.Error):
                    await self._client.flush(PATIENCE)
                yield mailbox
        finally:
            await self._tune(subject)

    async def _stay_connected(self, first: asyncio.Event) -> None:
        """The client reconnects by itself, but gives up when the server refuses it; so a new one follows."""
        while True:
            closed = asyncio.Event()
            self._client = await self._connect(closed)
            self._subscriptions.clear()
            for subject in self._listeners:
                await self._tune(subject)
            first.set()
            await closed.wait()
            await asyncio.sleep(self._retry_after)

    async def _connect(self, closed: asyncio.Event) -> Any:
        async def on_error(problem: Exception) -> None:
            log.warning("bus_problem", problem=str(problem) or type(problem).__name__)

        async def on_disconnect() -> None:
            log.warning("bus_disconnected")

        async def on_reconnect() -> None:
            log.info("bus_reconnected", lost=self._lost)
            self._lost = 0

        async def on_close() -> None:
            closed.set()

        while True:
            try:
                return await nats.connect(
                    servers=self._servers,
                    name="tintype",
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=self._retry_after,
                    connect_timeout=PATIENCE,
                    drain_timeout=PATIENCE,
                    ping_interval=10,
                    pending_size=2 * PENDING,
                    error_cb=on_error,
                    disconnected_cb=on_disconnect,
                    reconnected_cb=on_reconnect,
                    closed_cb=on_close,
                )
            except (nats.errors.Error, OSError) as problem:
                log.warning("bus_unreachable", problem=str(problem) or type(problem).__name__)
                await asyncio.sleep(self._retry_after)

    async def _tune(self, subject: str) -> None:
        """Subscribes or unsubscribes, so that the server sends what is listened to, once."""

        async def hear(message: Any) -> None:
            self._listeners.tell(subject, message.data)

        async with self._tuning:
            heard, wanted = subject in self._subscriptions, subject in self._listeners
            with suppress(nats.errors.Error):  # a closed connection: the next one is tuned anew
                if wanted and not heard:
                    self._subscriptions[subject] = await self._client.subscribe(subject, cb=hear)
                elif heard and not wanted:
                    await self._subscriptions.pop(subject).unsubscribe()

    def _lose(self, subject: str) -> None:
        if not self._lost:
            log.warning("bus_losing_payloads", subject=subject)
        self._lost += 1

    async def _close(self) -> None:
        if self._client is None:
            return
        with suppress(nats.errors.Error, TimeoutError):
            await self._client.drain()
        if not self._client.is_closed:
            await self._client.close()
