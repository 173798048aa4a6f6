"""A request's body in whatever form it comes: JSON, form or multipart. The content decides."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from tintype.api.multipart import MultipartReader
from tintype.domain.errors import MalformedRequest, RequestTooLarge

SPACE = b" \t\r\n\v\f"
PATIENCE = 30.0
"""Seconds to wait for the next bytes of a body that was announced."""
LONG = 256 * 1024
"""Bytes from which on others should not wait while a body is understood."""
PIECE = 64 * 1024
MOST_FIELDS = 10_000
DEEPEST = 64
"""How far JSON may nest."""


class BodyReader:
    """Reads parameters from requests. `largest` is in bytes, uploaded files apart.

    `folder` is where large files lie, without a name, while their request is being answered.
    """

    def __init__(self, *, largest: int, largest_file: int, folder: Path | None = None) -> None:
        self._largest = largest
        self._largest_file = largest_file
        self._folder = folder

    async def parameters(self, request: Request) -> dict[str, Any]:
        """The parameters of a request, without files. Raises MalformedRequest, RequestTooLarge."""
        async with self.parameters_with_files(request, {}) as parameters:
            return parameters

    @asynccontextmanager
    async def parameters_with_files(
        self, request: Request, wanted: Mapping[str, int]
    ) -> AsyncIterator[dict[str, Any]]:
        """The parameters of a request, with the file parts of the `wanted` names among them as long as the
        context lasts; each name comes with how many there may be.

        Raises MalformedRequest, RequestTooLarge, and InvalidInputs for more files than are wanted.
        """
        media_type, options = parse_options_header(request.headers.get("content-type"))
        boundary = options.get(b"boundary", b"")
        files = sum(wanted.values()) * self._largest_file if boundary else 0
        if (wanted or not boundary) and _announced(request) > self._largest + files:
            raise RequestTooLarge
        chunks = _chunks(request)
        start = await _first_bytes(chunks)
        if boundary and start and start[:1] != b"{":
            with closing(self._multipart(boundary, wanted)) as reader:
                await reader.feed(start)
                async for chunk in chunks:
                    await reader.feed(chunk)
                yield gathered(await reader.fields())
        else:
            yield await self._plain(request, start, chunks, media_type)

    def _multipart(self, boundary: bytes, wanted: Mapping[str, int]) -> MultipartReader:
        return MultipartReader(
            boundary,
            largest=self._largest,
            largest_file=self._largest_file,
            wanted=wanted,
            folder=self._folder,
        )

    async def _plain(
        self, request: Request, start: bytes, chunks: AsyncIterator[bytes], media_type: bytes
    ) -> dict[str, Any]:
        if _announced(request) > self._largest:
            raise RequestTooLarge
        body = bytearray(start)
        async for chunk in chunks:
            body += chunk
            if len(body) > self._largest:
                raise RequestTooLarge
        if len(body) < LONG:
            return read_body(bytes(body), media_type)
        return await asyncio.to_thread(read_body, bytes(body), media_type)


def read_body(body: bytes, media_type: bytes) -> dict[str, Any]:
    """The parameters of a body that is not multipart. Raises MalformedRequest."""
    body = body.strip(SPACE)
    if not body:
        return {}
    if body[:1] == b"{":
        return _read_json(body)
    if media_type == b"application/x-www-form-urlencoded":
        return _read_form(body)
    raise MalformedRequest


def _announced(request: Request) -> int:
    """The body's length, as far as the headers tell."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    more = True
    while more:
        try:
            async with asyncio.timeout(PATIENCE):
                message = await request.receive()
        except TimeoutError:
            raise MalformedRequest from None
        if message["type"] == "http.disconnect":
            raise MalformedRequest
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk


async def _first_bytes(chunks: AsyncIterator[bytes]) -> bytes:
    """The body from its first byte that is not space to the end of that chunk; empty if there is none."""
    async for chunk in chunks:
        if start := chunk.lstrip(SPACE):
            return start
    return b""


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


def _read_form(body: bytes) -> dict[str, Any]:
    if body.count(b"&") >= MOST_FIELDS:
        raise MalformedRequest
    fields = (field.partition(b"=") for field in body.split(b"&") if field)
    try:
        return gathered([(_decoded(name), _decoded(value)) for name, _, value in fields])
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


def gathered(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Pairs as parameters: a repeated key becomes a list, in the order sent."""
    parameters: dict[str, Any] = {}
    for name, value in pairs:
        if name not in parameters:
            parameters[name] = value
        elif isinstance(parameters[name], list):
            parameters[name].append(value)
        else:
            parameters[name] = [parameters[name], value]
    return parameters
