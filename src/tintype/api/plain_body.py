"""A body that is not multipart, as parameters: JSON or a form."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from tintype.api.list_names import plain_name
from tintype.domain.errors import MalformedRequest

SPACE = b" \t\r\n\v\f"
PIECE = 64 * 1024
MOST_FIELDS = 10_000
DEEPEST = 64
"""How far JSON may nest."""


def read_body(body: bytes, media_type: bytes, lists: Collection[str] = ()) -> dict[str, Any]:
    """The parameters of a body that is not multipart; `lists` may be written `x[]`.

    Raises MalformedRequest.
    """
    body = body.strip(SPACE)
    if not body:
        return {}
    if body[:1] == b"{":
        return {plain_name(name, lists): value for name, value in _read_json(body).items()}
    if media_type == b"application/x-www-form-urlencoded":
        return _read_form(body, lists)
    raise MalformedRequest


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        parameters = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise MalformedRequest from None
    if not isinstance(parameters, dict) or not _is_shallow(body, parameters):
        raise MalformedRequest
    return parameters


def _is_shallow(body: bytes, parameters: dict[str, Any]) -> bool:
    if body.count(b"{") + body.count(b"[") <= DEEPEST:
        return True
    layer: list[Any] = [parameters]
    for _ in range(DEEPEST):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return True
    return False


def _read_form(body: bytes, lists: Collection[str]) -> dict[str, Any]:
    if body.count(b"&") >= MOST_FIELDS:
        raise MalformedRequest
    fields = (field.partition(b"=") for field in body.split(b"&") if field)
    try:
        return gathered([(_decoded(name), _decoded(value)) for name, _, value in fields], lists)
    except UnicodeDecodeError:
        raise MalformedRequest from None


def _decoded(text: bytes) -> str:
    return b"".join(map(unquote_to_bytes, _pieces(text.replace(b"+", b" ")))).decode()


def _pieces(text: bytes) -> Iterator[bytes]:
    """The text in pieces that cut no escape, since decoding one takes many times its size."""
    start = 0
    while start < len(text):
        end = start + PIECE
        if (cut := text[end - 2 : end].find(b"%")) >= 0:
            end += cut - 2
        yield text[start:end]
        start = end


def gathered(pairs: Sequence[tuple[str, Any]], lists: Collection[str] = ()) -> dict[str, Any]:
    """Pairs as parameters: a repeated key becomes a list, in the order sent. `x[]` is `x` of `lists`."""
    parameters: dict[str, Any] = {}
    for given, value in pairs:
        name = plain_name(given, lists)
        if name not in parameters:
            parameters[name] = value
        elif isinstance(parameters[name], list):
            parameters[name].append(value)
        else:
            parameters[name] = [parameters[name], value]
    return parameters
