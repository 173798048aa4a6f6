"""The request signature of the model page: HMAC-SHA256 of secret and nonce, keyed with the API key."""

import hashlib
import hmac
import re

_HEX_RUN = re.compile(r"[0-9A-Fa-f]+")
_HEX_DIGITS = 64


def sign(*, key: str, secret: str, nonce: str) -> str:
    """The signature in lower-case hex. Key = API key, message = secret directly followed by nonce."""
    return hmac.new(key.encode(), (secret + nonce).encode(), hashlib.sha256).hexdigest()


def read_signature(header: str) -> str | None:
    """The one maximal run of 64 hex digits in the header, lower-cased; None if there is not one.

    Tolerates what shells add: `SHA2-256(stdin)= <hex>`, `(stdin)= <hex>`, `<hex> *stdin`.
    """
    runs = [run for run in _HEX_RUN.findall(header) if len(run) == _HEX_DIGITS]
    return runs[0].lower() if len(runs) == 1 else None


def is_valid(*, key: str, secret: str, nonce: str, header: str) -> bool:
    """Whether the header signs this nonce; compared in constant time."""
    signature = read_signature(header)
    return signature is not None and hmac.compare_digest(signature, sign(key=key, secret=secret, nonce=nonce))
