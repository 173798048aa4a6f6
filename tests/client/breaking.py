"""A line to a server that breaks: passes connections on, and cuts those it is told to."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlsplit

Break = Literal["before", "after", "silence"]
"""Cut before the request reaches the server, or after it has, so that only the answer is lost; or the
request arrives and nothing ever comes back."""


class BreakingLine:
    """Where to connect, and how often it has been tried."""

    def __init__(self, server_url: str, breaks: list[Break]) -> None:
        parts = urlsplit(server_url)
        self._target = (parts.hostname or "", parts.port or 80)
        self._breaks = breaks
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._silent: list[socket.socket] = []

    def serve(self) -> None:
        """Handles one connection after another until the listener is closed."""
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            how = self._breaks.pop(0) if self._breaks else None
            if how != "before":
                self._pass_on(caller, answer=how is None)
            if how == "silence":
                self._silent.append(caller)
            else:
                caller.close()

    def cut(self) -> None:
        """From now on nobody gets through."""
        with contextlib.suppress(OSError):  # cut already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        self.cut()
        for caller in self._silent:
            caller.close()

    def _pass_on(self, caller: socket.socket, *, answer: bool) -> None:
        """One request of at most 64 KiB in one piece, and its answer."""
        request = caller.recv(65536)
        while b"\r\n\r\n" not in request:
            request += caller.recv(65536)
        length = _content_length(request)
        while len(request.partition(b"\r\n\r\n")[2]) < length:
            request += caller.recv(65536)
        with socket.create_connection(self._target) as server:
            server.sendall(request.replace(b"Connection: keep-alive", b"Connection: close", 1))
            while chunk := server.recv(65536):
                if answer:
                    caller.sendall(chunk)


def _content_length(request: bytes) -> int:
    for line in request.partition(b"\r\n\r\n")[0].lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


@contextmanager
def breaking_line(server_url: str, *breaks: Break) -> Iterator[BreakingLine]:
    """A line whose first connections break like this, one after another; later ones hold."""
    line = BreakingLine(server_url, list(breaks))
    thread = threading.Thread(target=line.serve)
    thread.start()
    try:
        yield line
    finally:
        line.close()
        thread.join(10)
