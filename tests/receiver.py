"""A little HTTP server that somebody else might run: answers as a test says, and keeps what it was asked."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    """By the monotonic clock."""


@dataclass(frozen=True)
class Reply:
    """What is answered; `slowly` seconds pass before it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    slowly: float = 0.0
    endless: bool = False
    """The body is repeated until nobody listens, and has no announced length."""


Answer = Callable[[Asked], Reply]


class Receiver:
    """What was asked so far, and how the next request is answered."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self.port = 0
        self.host = ""

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


def in_turn(*statuses: int) -> Answer:
    """These statuses, one after another, and the last again and again."""
    left = list(statuses)
    return lambda _: Reply(left.pop(0) if len(left) > 1 else left[0])


def ok(_: Asked) -> Reply:
    return Reply()


@contextmanager
def receiving(answer: Answer = ok, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Receiver]:
    """A receiver that listens while the scope lasts."""
    receiver = Receiver(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body, time.monotonic())
            receiver.asked.append(asked)
            try:
                self._reply(receiver.answer(asked))
            except OSError:  # whoever asked has hung up
                self.close_connection = True

        do_GET = do_POST = _serve

        def _reply(self, reply: Reply) -> None:
            receiver.closing.wait(reply.slowly)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.endless:
                self.close_connection = True
            else:
                self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
            while reply.endless and not receiver.closing.is_set():
                self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    receiver.host, receiver.port = host, server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
