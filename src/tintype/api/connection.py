"""HTTP connections under limits: heads of bounded size, and peers who neither dawdle nor stuff trailers.

uvicorn parses and answers; this bounds what its parser would gather, and whom it would await without end.
Knows bytes and seconds, and nothing of endpoints.
"""

import asyncio
from typing import Any, Final

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tintype.api.answers import refusal
from tintype.api.edge import ANY_ORIGIN
from tintype.domain.errors import HeadersTooLarge, MalformedHttp, RequestTooSlow, TintypeError

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of a request's line and headers together."""
MOST_PIPELINED: Final = 32
"""Requests that may wait on one connection for the answer to an earlier one."""
LAST_WORDS: Final = 5.0
"""Seconds in which an answer that ends the connection may still be taken."""


class GuardedConnection(HttpToolsProtocol):
    """One connection, with patience that its peer uses up by being slow and earns back by sending."""

    head_within = 30.0
    """Seconds in which the head of a request must have arrived."""
    patience = 45.0
    """Seconds of silence after which a peer is given up in the middle of a body or of an answer."""
    slowest = 1024
    """Bytes per second of a body, or of an answer that is waited for, that use up no patience."""
    tick = 5.0
    """Seconds between two looks."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._phase = "head"
        self._head_size = 0
        self._heard = False
        self._stuck = 0  # bytes that arrived since the parser last made something of them
        self._earned = 0  # bytes that arrived or were taken since the last look
        self._unsent = 0  # bytes that waited to be taken at the last look
        self._left = self.head_within
        self._looking: asyncio.TimerHandle | None = None
        self._served: RequestResponseCycle | None = None
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_looking()
        if self._served is not None:  # uvicorn tells the last request, which may be another
            self._served.disconnected = True
            self._served.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._stop_looking()
        super().handle_websocket_upgrade()

    # What arrives

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._stuck += len(data)
        self._earned += len(data)
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        if self._phase == "idle" and self._stuck:
            self._expect("head", self.head_within)  # empty lines between two requests
        if self._stuck > LARGEST_HEAD:
            self._refuse(HeadersTooLarge())
        elif self._phase == "idle":
            self._keep_alive_again()
        else:
            self._look_again()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_size = self._stuck = 0
        self._expect("head", self.head_within)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + len(": \r\n"))
        if self._phase == "head":  # what comes after a body must not pass for a header
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MOST_PIPELINED:
            raise MalformedHttp
        self._stuck = 0
        self._expect("body", self.patience)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._stuck = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stuck = 0
        self._phase = "idle"
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self._stuck = 0
        self._head_size += size
        if self._head_size > LARGEST_HEAD:
            raise HeadersTooLarge

    def _keep_alive_again(self) -> None:
        """uvicorn forgets to, where the end of a body comes after the answer to it."""
        answered = self.cycle is None or self.cycle.response_complete
        if answered and not self.pipeline and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    # What is sent

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unsent = self.transport.get_write_buffer_size()
        self._left = self.patience
        self._look_again()

    # Patience

    def _expect(self, phase: str, patience: float) -> None:
        self._phase = phase
        self._left = patience

    def _look_again(self) -> None:
        if self._looking is None:
            self._looking = self.loop.call_later(self.tick, self._look)

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _look(self) -> None:
        """What the peer did since the last look; whoever is given up is told why, where that still helps."""
        self._looking = None
        if self.transport.is_closing():
            return
        if self.flow.write_paused:
            unsent = self.transport.get_write_buffer_size()
            if self._is_spent(max(self._unsent - unsent, 0)):
                self.transport.abort()
                return
            self._unsent = unsent
        elif self._phase == "idle":
            return
        elif not self.flow.read_paused and self._is_spent(self._earned if self._phase == "body" else 0):
            self._refuse(RequestTooSlow())
            return
        self._earned = 0
        self._look_again()

    def _is_spent(self, moved: int) -> bool:
        self._left = min(self._left + moved / self.slowest, self.patience) - self.tick
        return self._left <= 0

    # Refusals

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser stops."""
        self._refuse(HeadersTooLarge() if self._head_size > LARGEST_HEAD else MalformedHttp())

    def _refuse(self, error: TintypeError) -> None:
        """Ends the connection; with an answer unless it would be read as that to an earlier request."""
        self._stop_looking()
        is_new = self.cycle is None or self.cycle.response_complete
        is_awaited = self._phase == "body" and self.cycle is not None and not self.cycle.response_started
        if self._heard and (is_new or (is_awaited and not self.pipeline)):
            answer = refusal(error)
            headers = [*answer.raw_headers, *ANY_ORIGIN, (b"connection", b"close")]
            lines = b"".join(b"%b: %b\r\n" % header for header in headers)
            self.transport.write(STATUS_LINE[answer.status_code] + lines + b"\r\n" + bytes(answer.body))
        self.transport.close()
        self.loop.call_later(LAST_WORDS, self.transport.abort)


OPTIONS: dict[str, Any] = {"http": GuardedConnection, "proxy_headers": False}
"""The options of uvicorn; who may speak for others is decided in `tintype.api.proxies`."""
