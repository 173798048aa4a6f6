"""Who asks: a project's key and, where the project demands signatures, its secret."""

import hashlib
import hmac
import time

import msgspec

from tintype_client.exchange import Send
from tintype_client.signatures import sign_request


def sign(*, key: str, secret: str, nonce: str) -> str:
    """HMAC-SHA256 in hex. Key = API key, message = API secret directly followed by the nonce."""
    return hmac.new(key.encode(), (secret + nonce).encode(), hashlib.sha256).hexdigest()


class Credentials:
    """Makes the headers of one request after another; with `sign_requests` they sign the whole request.

    Without, the nonce is the time in milliseconds and grows with every request, so that it also satisfies
    projects that accept each nonce only once.
    """

    def __init__(self, *, key: str, secret: str | None = None, sign_requests: bool = False) -> None:
        if sign_requests and not secret:
            raise ValueError("requests are signed with the project's secret, and none is given")
        self._sign_requests = sign_requests
        self._key = key
        self._secret = secret
        self._last_nonce = 0

    def signed(self, request: Send) -> Send:
        """The request with fresh headers that say and prove who asks."""
        if not self._sign_requests:
            return msgspec.structs.replace(request, headers={**self.headers(), **request.headers})
        proof = sign_request(
            method=request.method,
            url=request.url,
            headers=request.headers,
            body=request.body,
            key=self._key,
            secret=self._secret or "",
        )
        return msgspec.structs.replace(request, headers={**request.headers, "x-api-key": self._key, **proof})

    def headers(self) -> dict[str, str]:
        """Fresh headers of a request that is not signed as a whole; without a secret just the key."""
        if not self._secret:
            return {"x-api-key": self._key}
        self._last_nonce = max(self._last_nonce + 1, time.time_ns() // 1_000_000)
        nonce = str(self._last_nonce)
        signature = sign(key=self._key, secret=self._secret, nonce=nonce)
        return {"x-api-key": self._key, "x-nonce": nonce, "x-signature": signature}

    def __repr__(self) -> str:
        return f"Credentials(key={self._key[:4]}…)"
