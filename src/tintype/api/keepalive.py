"""How connections of the WebSocket are kept, and let go of when nobody is there any more."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LAST_WORDS = 1.0
"""Seconds in which a peer that was given up may still take what was sent to it."""


class KeptConnection(WebSocketsSansIOProtocol):
    """uvicorn's connection; without this, one whose peer reads nothing would wait for it for ever."""

    def keepalive_timeout(self) -> None:
        """A ping was not answered in time."""
        super().keepalive_timeout()
        self.loop.call_later(LAST_WORDS, self.transport.abort)


OPTIONS: dict[str, Any] = {
    "ws": KeptConnection,
    "ws_max_size": 2**20,
    "ws_per_message_deflate": False,
    "ws_ping_interval": 10,
    "ws_ping_timeout": 20,
}
"""The options of uvicorn; sizes in bytes, times in seconds."""
