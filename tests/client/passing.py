"""A line to a server over which everything passes both ways, until it is cut; it may refuse WebSockets."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class PassingLine:
    """Where to connect, and what has passed."""

    def __init__(self, server_url: str, *, refuses_sockets: bool) -> None:
        parts = urlsplit(server_url)
        self._target = (parts.hostname or "", parts.port or 80)
        self._refuses_sockets = refuses_sockets
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.upgrades = 0
        """How many WebSockets were asked for."""
        self.requests = 0
        """How many other requests were begun."""

    def serve(self) -> None:
        """Takes one connection after another until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(caller,), daemon=True).start()

    def cut(self) -> None:
        """Breaks every connection there is; new ones may come."""
        broken, self._open = self._open, []
        for end in broken:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _pass(self, caller: socket.socket) -> None:
        server = socket.create_connection(self._target)
        self._open += [caller, server]
        threading.Thread(target=self._pump, args=(server, caller), daemon=True).start()
        self._pump(caller, server, requests=True)

    def _pump(self, source: socket.socket, sink: socket.socket, *, requests: bool = False) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if requests and chunk.startswith(b"GET /v1 "):
                    self.upgrades += 1
                    if self._refuses_sockets:
                        source.sendall(REFUSAL)
                        break
                self.requests += requests and chunk.startswith((b"POST ", b"GET /v1/"))
                sink.sendall(chunk)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def passing_line(server_url: str, *, refuses_sockets: bool = False) -> Iterator[PassingLine]:
    """A line that holds until it is told to break."""
    line = PassingLine(server_url, refuses_sockets=refuses_sockets)
    thread = threading.Thread(target=line.serve)
    thread.start()
    try:
        yield line
    finally:
        line.close()
        thread.join(10)
