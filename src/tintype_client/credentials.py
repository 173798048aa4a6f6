"""Who asks: a project's key and, where the project demands signatures, its secret."""

import hashlib
import hmac
import time


def sign(*, key: str, secret: str, nonce: str) -> str:
    """HMAC-SHA256 in hex. Key = API key, message = API secret directly followed by the nonce."""
    return hmac.new(key.encode(), (secret + nonce).encode(), hashlib.sha256).hexdigest()


class Credentials:
    """Makes the headers of one request after another.

    The nonce is the time in milliseconds and grows with every request, so that it also satisfies
    projects that accept each nonce only once.
    """

    def __init__(self, *, key: str, secret: str | None = None) -> None:
        self._key = key
        self._secret = secret
        self._last_nonce = 0

    def headers(self) -> dict[str, str]:
        """Fresh headers; without a secret just the key."""
        if not self._secret:
            return {"x-api-key": self._key}
        self._last_nonce = max(self._last_nonce + 1, time.time_ns() // 1_000_000)
        nonce = str(self._last_nonce)
        signature = sign(key=self._key, secret=self._secret, nonce=nonce)
        return {"x-api-key": self._key, "x-nonce": nonce, "x-signature": signature}

    def __repr__(self) -> str:
        return f"Credentials(key={self._key[:4]}…)"
