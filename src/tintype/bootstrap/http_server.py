"""uvicorn: its options, its socket, and how it is stopped."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tintype.api import connection, keepalive
from tintype.domain.errors import BadSetting
from tintype.settings import Settings

OPTIONS: dict[str, Any] = {
    "access_log": False,
    "log_config": None,
    "lifespan": "off",
    "server_header": False,
    "date_header": True,
    "timeout_graceful_shutdown": 5,
    "timeout_keep_alive": 75,
    **connection.OPTIONS,
    **keepalive.OPTIONS,
}


class HttpServer(uvicorn.Server):
    """uvicorn, started and stopped by whoever owns it instead of by signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped = asyncio.Event()

    async def stop(self) -> None:
        """Answers what has been asked, then returns."""
        self.should_exit = True
        await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        self._stopped.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket, claimed before anything else is touched."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as problem:
        why, *_ = str(problem.strerror).split(" (while ")
        raise BadSetting(
            name="TINTYPE_PORT",
            problem=f"cannot listen on {settings.host}:{settings.port} ({why}); "
            "choose another TINTYPE_PORT or TINTYPE_HOST",
        ) from problem
    with listener:
        # Accepted sockets inherit it; event loops set it only where the protocol number is given.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener
