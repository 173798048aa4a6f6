"""Plain sockets: what HTTP libraries would not send."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from api.wire import Wire


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Line:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._stream = connection.makefile("rb")

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def receive(self, *, head: bool = False) -> Reply:
        """The next answer. Fails after the connection's time-out."""
        status = int(self._stream.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self._stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if head or status < 200 else int(headers.get("content-length", 0))
        return Reply(status, headers, self._stream.read(length))

    def is_closed(self) -> bool:
        """Whether the server ends the connection within the time-out."""
        try:
            return self._stream.read(1) == b""
        except ConnectionError:
            return True


@contextmanager
def line_to(wire: Wire, *, patience: float = 1.0) -> Iterator[Line]:
    """A connection on which nothing takes longer than `patience` seconds."""
    with socket.create_connection(("127.0.0.1", wire.port), timeout=patience) as connection:
        yield Line(connection)


def request(path: str, headers: dict[str, str], body: bytes | None = None, method: str = "POST") -> bytes:
    """A request with exactly these headers, and a Content-Length if there is a body."""
    length = {} if body is None else {"Content-Length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in {"Host": "x", **headers, **length}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + (body or b"")
