"""How connections to others' servers are made: addresses are checked where they are connected to.

A check of names alone is bypassed by numeric addresses, and by a name that means something else next time.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tintype.outbound.addresses import is_public

LOOKUPS = 16
"""Names looked up at once. Slow ones hold up nobody else in the process."""


class NotPublic(OSError):
    """A connection was not made, since its address is not public."""

    def __init__(self) -> None:
        super().__init__("the address is not public")


def public_socket(info: Any) -> socket.socket:
    """The socket to connect to one address (an entry of getaddrinfo). Raises NotPublic."""
    family, kind, protocol, _, address = info
    if family not in (socket.AF_INET, socket.AF_INET6) or not is_public(address[0]):
        raise NotPublic
    return socket.socket(family, kind, protocol)


def connector(*, allow_private: bool) -> aiohttp.TCPConnector:
    """Each request has a connection of its own, so that its address is checked for it."""
    factory: Callable[[Any], socket.socket] | None = None if allow_private else public_socket
    return aiohttp.TCPConnector(limit=0, force_close=True, resolver=Resolver(), socket_factory=factory)


class Resolver(AbstractResolver):
    """The system's own, in threads that nobody else waits for."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._pool, _look_up, host, port, family)
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=family,
                proto=protocol,
                flags=numeric,
            )
            for family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Waits for no name."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as problem:
        raise socket.gaierror(socket.EAI_NONAME, "no name can be written so") from problem
