"""What every request passes on its way in and out: exact paths, CORS, honest connections."""

from typing import Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANY_ORIGIN: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"retry-after, ratelimit, ratelimit-policy"),
]
STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start"})
"""What begins an answer; the latter one to an upgrade that is refused."""
PREFLIGHT: Final = [
    (b"access-control-allow-methods", b"POST, GET, HEAD, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"content-type, x-api-key, x-nonce, x-signature, authorization, idempotency-key, range, "
        b"content-digest, signature, signature-input, last-event-id",
    ),
    (b"access-control-max-age", b"7200"),
]


class Edge:
    """Wraps the application; knows no endpoint."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.app(scope, receive, _with_headers(send, ANY_ORIGIN))
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["path"] = path = exact_path(scope)
        if path == "/v1" or path.startswith("/v1/"):
            send = _with_headers(send, ANY_ORIGIN)
            if scope["method"] == "OPTIONS":
                await send({"type": "http.response.start", "status": 204, "headers": PREFLIGHT})
                await send({"type": "http.response.body"})
                return
        if any(name == b"expect" for name, _ in scope["headers"]):
            receive, send = _closing_unread(receive, send)
        await self.app(scope, receive, send)


def exact_path(scope: Scope) -> str:
    """The path, percent-decoded but for `%2F`, so that an encoded slash parts no segments."""
    raw: bytes | None = scope.get("raw_path")
    if raw is None or b"%" not in raw:
        return str(scope["path"])
    segments = raw.decode("ascii").split("/")
    return "/".join(unquote(segment).replace("/", "%2F") for segment in segments)


def _with_headers(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in STARTS:
            message["headers"] = [*message.get("headers", ()), *headers]
        await send(message)

    return sending


def _closing_unread(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """For `Expect: 100-continue`: a final answer instead of the go-ahead also ends the connection.

    The caller may then send the body or not, so nothing after it could be told apart.
    """
    invited = False

    async def receiving() -> Message:
        nonlocal invited
        invited = True
        return await receive()

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and not invited:
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(message)

    return receiving, sending
