"""A web site of somebody else, on this machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from worker.input_pictures import PNG


class Site:
    """A web site of somebody else, on this machine."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.released = Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                site.pages[self.path.partition("?")[0]](self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def shows(self, path: str, content: bytes, *, status: int = 200, **headers: str) -> str:
        """The URL of a page with this content."""

        def show(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"content_length": str(len(content)), **headers}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(content)

        self.pages[path] = show
        return self.url + path

    def hangs(self, path: str) -> str:
        """The URL of a page that begins and does not go on."""

        def hang(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.end_headers()
            handler.wfile.write(PNG[:50])
            handler.wfile.flush()
            self.released.wait(60)

        self.pages[path] = hang
        return self.url + path


@contextmanager
def open_site() -> Iterator[Site]:
    site = Site()
    thread = Thread(target=site.server.serve_forever)
    thread.start()
    try:
        yield site
    finally:
        site.released.set()
        site.server.shutdown()
        thread.join(10)
        site.server.server_close()
