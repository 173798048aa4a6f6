"""The body as it was signed: its bytes are digested as they arrive, and its last ones are not passed on
unless the digest is the promised one. So nothing is accepted of a body that somebody changed on its way.
"""

import hashlib
import hmac

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tintype.domain.errors import BadSignature

_KEY = "tintype.body"


class BodyDigests:
    """Wraps the application, so that credentials can promise a digest before the body is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body = _Body(receive)
            scope[_KEY] = body
            receive = body.receive
        await self.app(scope, receive, send)


def promise(scope: Scope, sha256: bytes) -> None:
    """From now on whoever reads the body to its end gets BadSignature if it has another digest."""
    scope[_KEY].promised = sha256


class _Body:
    def __init__(self, receive: Receive) -> None:
        self.promised: bytes | None = None
        self._receive = receive
        self._digest = hashlib.sha256()

    async def receive(self) -> Message:
        message = await self._receive()
        if self.promised is not None and message["type"] == "http.request":
            self._digest.update(message.get("body", b""))
            is_last = not message.get("more_body", False)
            if is_last and not hmac.compare_digest(self._digest.digest(), self.promised):
                raise BadSignature
        return message
