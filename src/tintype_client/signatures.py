"""Signatures over whole requests: RFC 9421 with `hmac-sha256`, the body by its digest (RFC 9530)."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

COVERED_IF_SENT = ("content-type", "idempotency-key")
"""Headers that change what a request means, and so are signed with it."""
LABEL = "tintype"


def content_digest(body: bytes) -> str:
    """The Content-Digest of a body."""
    return f"sha-256=:{_base64(hashlib.sha256(body).digest())}:"


def signature_base(
    *, method: str, url: str, headers: Mapping[str, str], key: str, created: int, nonce: str
) -> tuple[str, str]:
    """What is signed, and the parameters that say so.

    `headers` have lower-case names and hold `content-digest`; `created` is in seconds since the epoch.
    """
    parts = urlsplit(url)
    covered = {
        "@method": method,
        "@path": parts.path or "/",
        "@query": f"?{parts.query}",
        "content-digest": headers["content-digest"],
        **{name: headers[name].strip() for name in COVERED_IF_SENT if name in headers},
    }
    names = " ".join(f'"{name}"' for name in covered)
    parameters = (
        f'({names});created={created};keyid="{_quoted(key)}";alg="hmac-sha256";nonce="{_quoted(nonce)}"'
    )
    lines = [f'"{name}": {value}' for name, value in covered.items()]
    return "\n".join([*lines, f'"@signature-params": {parameters}']), parameters


def sign_request(
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    key: str,
    secret: str,
    created: int | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """The headers that sign a request: `content-digest`, `signature-input` and `signature`.

    The URL is the one that the server is known by (its TINTYPE_PUBLIC_URL); `headers` are those that will be
    sent and count, with names in lower case. The time is now, in seconds, and the nonce is drawn at random.
    """
    digest = {"content-digest": content_digest(body)}
    base, parameters = signature_base(
        method=method,
        url=url,
        headers={**headers, **digest},
        key=key,
        created=int(time.time()) if created is None else created,
        nonce=secrets.token_urlsafe(18) if nonce is None else nonce,
    )
    signature = hmac.new(secret.encode(), base.encode("ascii"), hashlib.sha256).digest()
    return {
        **digest,
        "signature-input": f"{LABEL}={parameters}",
        "signature": f"{LABEL}=:{_base64(signature)}:",
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
