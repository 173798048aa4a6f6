"""WebSocket connections for the two clients: opened, listened to, and given back. One at a time."""

from contextlib import AsyncExitStack, ExitStack
from typing import Any

from tintype_client.errors import Unreachable
from tintype_client.exchange import Open

OPTIONS: dict[str, Any] = {
    "open_timeout": 5,
    "close_timeout": 1,
    "ping_interval": 20,
    "ping_timeout": 20,
    "max_size": 8 * 2**20,
    "compression": None,
}
"""Times in seconds, sizes in bytes."""


class Line:
    """The WebSocket of a conversation of `Client`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._socket: Any = None

    def open(self, step: Open) -> None:
        """Raises Unreachable."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        self.close()
        try:
            self._socket = self._stack.enter_context(connect(step.url, **OPTIONS))
            self._socket.send(step.message)
        except (WebSocketException, OSError) as problem:
            raise lost(step.url, problem) from problem

    def hear(self, seconds: float) -> str | None:
        """The next text, None if none comes in time. Raises Unreachable."""
        from websockets.exceptions import WebSocketException

        try:
            return str(self._socket.recv(max(0.0, seconds)))
        except TimeoutError:
            return None
        except (WebSocketException, OSError) as problem:
            raise lost("the server", problem) from problem

    def close(self) -> None:
        """Gives the connection back, if there is one."""
        self._stack.close()


class AsyncLine:
    """The WebSocket of a conversation of `AsyncClient`."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._socket: Any = None

    async def open(self, step: Open) -> None:
        """Raises Unreachable."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        await self.close()
        try:
            self._socket = await self._stack.enter_async_context(connect(step.url, **OPTIONS))
            await self._socket.send(step.message)
        except (WebSocketException, OSError) as problem:
            raise lost(step.url, problem) from problem

    async def hear(self, seconds: float) -> str | None:
        """The next text, None if none comes in time. Raises Unreachable."""
        import asyncio

        from websockets.exceptions import WebSocketException

        try:
            async with asyncio.timeout(max(0.0, seconds)):
                return str(await self._socket.recv())
        except TimeoutError:
            return None
        except (WebSocketException, OSError) as problem:
            raise lost("the server", problem) from problem

    async def close(self) -> None:
        """Gives the connection back, if there is one."""
        await self._stack.aclose()


def lost(whom: str, problem: Exception) -> Unreachable:
    """The error that tells of a line that could not be opened or has broken."""
    return Unreachable(f"no line to {whom}: {str(problem) or type(problem).__name__}")
