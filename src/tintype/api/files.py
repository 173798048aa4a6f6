"""Downloads: a stored file to whoever knows its access key, whole or in part."""

import re
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tintype.api.answers import answering
from tintype.domain.task import File
from tintype.service import Service

_RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)
SHOWN_IN_PLACE = re.compile(
    r"image/(png|jpeg|gif|webp|heic|avif)|(audio|video)/[\w.+-]+|text/plain|application/pdf"
)
"""Types a browser shows without running anything; the rest is offered for saving."""


class Files:
    """Answers `/v1/File/{accesskey}/{name}`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """GET and HEAD."""
        return [Route("/v1/File/{accesskey}/{name}", answering(self.download), methods=["GET"])]

    async def download(self, request: Request) -> Response:
        """The file, the part of it asked for, or that the caller has it already."""
        file = await self._service.file(request.path_params["accesskey"], request.path_params["name"])
        headers = _headers(file)
        if _has_it(request, headers["etag"]):
            return Response(status_code=304, headers=headers)
        part = _part(request, headers["etag"], file.size)
        if part is None:
            return await self._bytes(request, file, range(file.size), 200, headers)
        if not part:
            return Response(status_code=416, headers={**headers, "content-range": f"bytes */{file.size}"})
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
        return await self._bytes(request, file, part, 206, headers)

    async def _bytes(
        self, request: Request, file: File, part: range, status: int, headers: dict[str, str]
    ) -> Response:
        headers = {**headers, "content-type": file.content_type, "content-length": str(len(part))}
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        stream = self._service.objects.stream(file.object_key, part.start, part.stop)
        # The first chunk before the status line, so that a missing object is still a 404.
        first = await anext(stream, b"")
        return StreamingResponse(_all(first, stream), status, headers=headers)


def _headers(file: File) -> dict[str, str]:
    in_place = SHOWN_IN_PLACE.fullmatch(file.content_type)
    return {
        "etag": f'"{file.id}"',
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "content-disposition": "inline" if in_place else "attachment",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
    }


def _has_it(request: Request, etag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
    return etag in tags or "*" in tags


def _part(request: Request, etag: str, size: int) -> range | None:
    """The bytes asked for, empty if there are none such; None if the whole file is meant.

    Several ranges at once, and what is no range at all, mean the whole file.
    """
    condition = request.headers.get("if-range", "").strip()
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if asked is None or asked.groups() == ("", "") or (condition and condition != etag):
        return None
    first, last = asked.groups()
    if not first:
        return range(max(size - int(last), 0), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
