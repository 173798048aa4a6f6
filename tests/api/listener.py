"""A client of the WebSocket, with the words that tests need to speak with it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

CONNECTED = {"type": "connected", "version": "1.0"}


class Listener:
    """One connection; the first frame has been read."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def say(self, message: Any) -> None:
        """Text and bytes as they are, everything else as JSON."""
        self._connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def register(self, token: str, **more: Any) -> None:
        self.say({"type": "task_info", "tasktoken": token, **more})

    def next(self, *, within: float = 10.0) -> dict[str, Any]:
        """The next frame: a JSON object, in text, of less than 8 MiB."""
        text = self._connection.recv(within)
        assert isinstance(text, str)
        assert len(text.encode()) < 8 * 2**20
        frame = json.loads(text)
        assert isinstance(frame, dict)
        return frame

    def through(self, kind: str, *, within: float = 30.0) -> list[dict[str, Any]]:
        """The frames up to the first of that type."""
        deadline = time.monotonic() + within
        frames = [self.next(within=within)]
        while frames[-1]["type"] != kind:
            frames.append(self.next(within=deadline - time.monotonic()))
        return frames

    def hears_nothing(self, *, during: float = 0.4) -> bool:
        """Whether the connection stays open and quiet for so long."""
        try:
            self._connection.recv(during)
        except TimeoutError:
            return True
        return False

    def close_code(self, *, within: float = 2.0) -> int:
        """The code with which the server closes, after no further frame."""
        with pytest.raises(ConnectionClosed):
            pytest.fail(f"a frame instead of the close: {self._connection.recv(within)!r}")
        assert self._connection.protocol.close_rcvd is not None, "closed without a close frame"
        return self._connection.protocol.close_rcvd.code


@contextmanager
def listening(url: str, *tokens: str, **options: Any) -> Iterator[Listener]:
    """A listener at the server of `url`, an http URL, with these tokens registered."""
    address = url.replace("http", "ws", 1) + "/v1"
    with connect(address, proxy=None, ping_interval=None, close_timeout=1, **options) as connection:
        listener = Listener(connection)
        assert listener.next() == CONNECTED
        for token in tokens:
            listener.register(token)
        yield listener


def assert_in_order(frames: list[dict[str, Any]]) -> None:
    """Sequence numbers increase, and no frame comes twice."""
    sequence = [frame["seq"] for frame in frames]
    assert sequence == sorted(set(sequence))


def types(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames]
