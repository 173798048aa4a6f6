"""Signatures over whole requests: RFC 9421 with `hmac-sha256`, and the body's digest after RFC 9530.

Says whether the headers of one request sign it, and what they promise. Knows no project and no store.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

import http_sf
import msgspec
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver
from http_message_signatures.algorithms import HMAC_SHA256
from http_message_signatures.exceptions import HTTPMessageSignaturesException
from http_message_signatures.structures import VerifyResult
from starlette.requests import Request

ALWAYS_COVERED: Final = frozenset({"@method", "content-digest"})
TARGETS: Final = (frozenset({"@target-uri"}), frozenset({"@path", "@query"}))
"""One of these must be covered."""
COVERED_IF_SENT: Final = frozenset({"content-type", "idempotency-key"})
"""Headers that change what a request means."""
LONGEST_INPUT: Final = 4096
LONGEST_NONCE: Final = 255
SHA256_BYTES: Final = 32


class Unsigned(Exception):
    """The headers do not sign the request; why, for the operator's log alone."""


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What a valid signature says."""

    created: int
    """Seconds since the epoch."""
    nonce: str
    body_sha256: bytes


class _Message(NamedTuple):
    """A request as the verifier wants it. The URL is the one that the caller sees."""

    method: str
    url: str
    headers: "_Lines"


class _Lines(NamedTuple):
    lines: list[tuple[str, str]]

    def items(self) -> list[tuple[str, str]]:
        return self.lines


def is_signed(request: Request) -> bool:
    """Whether the request claims to be signed as a whole."""
    return "signature-input" in request.headers or "signature" in request.headers


def verify(
    request: Request, *, public_url: str, key: str, secrets: tuple[str, ...], now: float, window: float
) -> Signed:
    """What the signature of the request says, made with one of the secrets and named `key`.

    `now` and `window` are in seconds. Raises Unsigned.
    """
    if sum(map(len, request.headers.getlist("signature-input"))) > LONGEST_INPUT:
        raise Unsigned("signature-input is too long")
    message = _Message(request.method, _url(request, public_url), _Lines(request.headers.items()))
    verified = _verified(message, key, secrets, window)
    _check_coverage(set(verified.covered_components), request)
    created, nonce = verified.parameters["created"], verified.nonce
    if not isinstance(created, int) or abs(now - created) > window:
        raise Unsigned(f"created is not within {window:g} s of now")
    expires = verified.parameters.get("expires", now)
    if not isinstance(expires, int | float) or expires < now:
        raise Unsigned("expired")
    if not nonce or len(nonce) > LONGEST_NONCE:
        raise Unsigned(f"nonce is missing, or longer than {LONGEST_NONCE} characters")
    digest = read_digest(", ".join(request.headers.getlist("content-digest")))
    return Signed(created=created, nonce=nonce, body_sha256=digest)


def _verified(message: _Message, key: str, secrets: tuple[str, ...], window: float) -> VerifyResult:
    reason = "no secret"
    for secret in secrets:
        verifier = HTTPMessageVerifier(signature_algorithm=HMAC_SHA256, key_resolver=_Keys({key: secret}))
        verifier.max_clock_skew = timedelta(seconds=window)
        try:
            (verified,) = verifier.verify(message, max_age=None)
        except (HTTPMessageSignaturesException, ValueError) as problem:
            reason = str(problem) or "the signature is wrong"
        else:
            return verified
    raise Unsigned(reason)


def read_digest(header: str) -> bytes:
    """The SHA-256 of a Content-Digest. Raises Unsigned."""
    try:
        digests = http_sf.parse(header.encode("latin-1"), tltype="dictionary")
    except ValueError:
        digests = {}
    member = digests.get("sha-256") if isinstance(digests, dict) else None
    value = member[0] if isinstance(member, tuple) else None
    if not isinstance(value, bytes) or len(value) != SHA256_BYTES:
        raise Unsigned("content-digest holds no sha-256")
    return value


def _url(request: Request, public_url: str) -> str:
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return public_url + (path + b"?" + query if query else path).decode("latin-1")


def _check_coverage(covered: set[str], request: Request) -> None:
    wanted = ALWAYS_COVERED | {name for name in COVERED_IF_SENT if name in request.headers}
    missing = sorted(name for name in wanted if f'"{name}"' not in covered)
    if missing:
        raise Unsigned(f"does not cover {', '.join(missing)}")
    if not any(all(f'"{name}"' in covered for name in target) for target in TARGETS):
        raise Unsigned("covers neither @target-uri nor @path and @query")


class _Keys(HTTPSignatureKeyResolver):
    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def resolve_public_key(self, key_id: str) -> bytes | None:
        secret = self._secrets.get(key_id)
        return None if secret is None else secret.encode()
