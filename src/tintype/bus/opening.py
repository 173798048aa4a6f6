"""From a URL to a bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tintype.bus.memory import MemoryBus
from tintype.bus.protocol import Bus
from tintype.domain.errors import BadSetting

EXPECTED = "expected memory: or nats://host:port (several separated by commas)"


@asynccontextmanager
async def open_bus(url: str) -> AsyncIterator[Bus]:
    """The bus that the URL names, until the context ends. Raises BadSetting; never repeats the URL."""
    if url == "memory:":
        yield MemoryBus()
        return
    servers = [server.strip() for server in url.split(",")]
    if not all(_is_nats(server) for server in servers):
        raise BadSetting(name="TINTYPE_BUS_URL", problem=EXPECTED)

    from tintype.bus.nats import NatsBus

    bus = NatsBus(servers=servers)
    async with bus.connected():
        yield bus


def _is_nats(server: str) -> bool:
    try:
        parts = urlsplit(server)
        return parts.scheme in ("nats", "tls") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
