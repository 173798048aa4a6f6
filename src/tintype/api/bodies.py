"""A request's body in whatever form it comes: JSON, form or multipart. The content decides."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from tintype.api.multipart import MultipartReader
from tintype.api.plain_body import SPACE, gathered, read_body
from tintype.api.turns import Turns
from tintype.domain.errors import MalformedRequest, RequestTooLarge

PATIENCE = 30.0
"""Seconds to wait for the next bytes of a body that was announced."""
LONG = 256 * 1024
"""Bytes from which on others should not wait while a body is understood."""


class BodyReader:
    """Reads parameters from requests. `largest` is in bytes, uploaded files apart.

    `folder` is where large files lie, without a name, while their request is being answered.
    """

    def __init__(self, *, largest: int, largest_file: int, folder: Path | None = None) -> None:
        self._largest = largest
        self._largest_file = largest_file
        self._folder = folder
        self._turns = Turns()

    async def parameters(self, request: Request) -> dict[str, Any]:
        """The parameters of a request, without files. Raises MalformedRequest, RequestTooLarge."""
        async with self.parameters_with_files(request, {}) as parameters:
            return parameters

    @asynccontextmanager
    async def strangers_parameters(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        """The same for somebody who gave no credentials, as long as the context lasts."""
        async with (
            self._turns.taken(_chunks(request)) as chunks,
            self._read(request, chunks, {}, ()) as parameters,
        ):
            yield parameters

    @asynccontextmanager
    async def parameters_with_files(
        self, request: Request, wanted: Mapping[str, int], *, lists: Collection[str] = ()
    ) -> AsyncIterator[dict[str, Any]]:
        """The parameters of a request, with the file parts of the `wanted` names among them as long as the
        context lasts; each name comes with how many there may be. These and `lists` may be written `x[]`.

        Raises MalformedRequest, RequestTooLarge, and InvalidInputs for more files than are wanted.
        """
        async with self._read(request, _chunks(request), wanted, {*wanted, *lists}) as parameters:
            yield parameters

    @asynccontextmanager
    async def _read(
        self,
        request: Request,
        chunks: AsyncIterator[bytes],
        wanted: Mapping[str, int],
        lists: Collection[str],
    ) -> AsyncIterator[dict[str, Any]]:
        media_type, options = parse_options_header(request.headers.get("content-type"))
        boundary = options.get(b"boundary", b"")
        files = sum(wanted.values()) * self._largest_file if boundary else 0
        if (wanted or not boundary) and _announced(request) > self._largest + files:
            raise RequestTooLarge
        start = await _first_bytes(chunks)
        if boundary and start and start[:1] != b"{":
            with closing(self._multipart(boundary, wanted)) as reader:
                await reader.feed(start)
                async for chunk in chunks:
                    await reader.feed(chunk)
                yield gathered(await reader.fields(), lists)
        else:
            yield await self._plain(request, start, chunks, media_type, lists)

    def _multipart(self, boundary: bytes, wanted: Mapping[str, int]) -> MultipartReader:
        return MultipartReader(
            boundary,
            largest=self._largest,
            largest_file=self._largest_file,
            wanted=wanted,
            folder=self._folder,
        )

    async def _plain(
        self,
        request: Request,
        start: bytes,
        chunks: AsyncIterator[bytes],
        media_type: bytes,
        lists: Collection[str],
    ) -> dict[str, Any]:
        if _announced(request) > self._largest:
            raise RequestTooLarge
        body = bytearray(start)
        async for chunk in chunks:
            body += chunk
            if len(body) > self._largest:
                raise RequestTooLarge
        if len(body) < LONG:
            return read_body(bytes(body), media_type, lists)
        return await asyncio.to_thread(read_body, bytes(body), media_type, lists)


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
