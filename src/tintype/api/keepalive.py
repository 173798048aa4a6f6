"""How connections of the WebSocket begin, are kept, and are let go of when nobody is there any more."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from tintype.api.handshake import Handshakes

LAST_WORDS = 1.0
"""Seconds in which a peer that was given up may still take what was sent to it."""


class KeptConnection(WebSocketsSansIOProtocol):
    """uvicorn's connection; without this, one whose peer reads nothing would wait for it for ever, and what
    is wrong before there is a WebSocket would be told in plain text."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = Handshakes(max_size=self.config.ws_max_size, logger=self.logger)

    def data_received(self, data: bytes) -> None:
        """uvicorn would leave unsaid why a head cannot be read."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

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
