"""For receivers of callbacks: is it from the server, is it fresh, and what does it say."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping

import msgspec

from tintype_client.errors import BadCallback
from tintype_client.tasks import Task

PREFIX = "whsec_"


class _Told(msgspec.Struct, frozen=True):
    """The part of a callback's body that counts."""

    tasklist: tuple[Task, ...]


def verify_callback(
    secret: str, headers: Mapping[str, str], body: bytes | str, *, tolerance: float = 300.0
) -> Task:
    """The ended task that a callback tells of. Raises BadCallback unless it is genuine and fresh, and
    ValueError for what is no secret.

    `secret` is the project's `whsec_…`, `headers` and `body` are those of the request as they came, and
    `tolerance` is how many seconds it may be old, or ahead of this clock. A genuine callback may come twice:
    its `webhook-id` is the same then.
    """
    body = body.encode() if isinstance(body, str) else body
    given = {name.lower(): value for name, value in headers.items()}
    missing = [
        name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not given.get(name)
    ]
    if missing:
        raise BadCallback(f"the header {missing[0]} is missing")
    timestamp = given["webhook-timestamp"]
    signed = f"{given['webhook-id']}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256))
    if not any(_is(signature, expected) for signature in given["webhook-signature"].split(" ")):
        raise BadCallback("no signature fits the secret")
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(time.time() - int(timestamp)) > tolerance:
        raise BadCallback(f"it is not fresh: sent at {timestamp}")
    try:
        (task,) = msgspec.json.decode(body, type=_Told, strict=False).tasklist
    except (msgspec.MsgspecError, ValueError) as problem:
        raise BadCallback(f"it tells of no task: {problem}") from problem
    return task


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:  # anybody can sign with an empty one
        raise ValueError(f"the secret is not {PREFIX} and base64")
    return key


def _is(signature: str, expected: bytes) -> bool:
    version, _, digest = signature.partition(",")
    return version == "v1" and hmac.compare_digest(digest.encode("utf-8", "replace"), expected)
