"""A multipart body, read as it arrives. Texts and wanted files are kept; other files pass by."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tintype.api.list_names import plain_name
from tintype.api.spool import Spool
from tintype.domain.errors import InvalidInputs, MalformedRequest, RequestTooLarge
from tintype.domain.part import Part

MOST_PARTS = 10_000
_ENCODED_NAME = re.compile(rb"filename\*=utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
"""How some clients write a file's name that is not ASCII, though the standard says not to."""

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # what callers send wrongly is their business


class MultipartReader:
    """Feed it the body, then ask for the fields.

    `largest` bounds all text parts together, `largest_file` each file part; both in bytes. `wanted` are the
    names of file parts to keep, each with how many there may be; `folder` is where large ones are spooled.
    """

    def __init__(
        self,
        boundary: bytes,
        *,
        largest: int,
        largest_file: int,
        wanted: Mapping[str, int] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._room = largest
        self._largest_file = largest_file
        self._left = dict(wanted or {})
        self._folder = folder
        self._pairs: list[tuple[str, str | Spool]] = []
        self._spools: list[Spool] = []
        self._parts = 0
        self._complete = False
        self._begin_part()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._on_header_name,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._end_header,
                    "on_part_data": self._on_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError:
            raise MalformedRequest from None

    async def feed(self, data: bytes) -> None:
        """Raises MalformedRequest, RequestTooLarge, and InvalidInputs for more files than are wanted."""
        try:
            self._parser.write(data)
        except ValueError:
            raise MalformedRequest from None
        for spool in self._spools:
            if spool.is_full:
                await spool.flush()

    async def fields(self) -> list[tuple[str, str | Part]]:
        """Name and value of every part, in order. Raises MalformedRequest if the body broke off."""
        if not self._complete:
            raise MalformedRequest
        for spool in self._spools:
            await spool.flush()
        return [(name, value.part() if isinstance(value, Spool) else value) for name, value in self._pairs]

    def close(self) -> None:
        """The bytes of the parts are gone."""
        for spool in self._spools:
            spool.close()

    # What the parser tells

    def _begin_part(self) -> None:
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._name: bytes | None = None
        self._filename: bytes | None = None
        self._spool: Spool | None = None
        self._size = 0
        self._value = bytearray()

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._header_value))
            self._name = options.get(b"name")
            self._filename = options.get(b"filename")
            if self._filename is None and (encoded := _ENCODED_NAME.search(self._header_value)):
                self._filename = unquote(encoded[1].decode("latin-1"), errors="replace").encode()
        self._header_name.clear()
        self._header_value.clear()

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._filename is not None and self._size == 0 and end > start:
            self._spool = self._begin_file(self._filename)
        self._size += end - start
        if self._size > (self._room if self._filename is None else self._largest_file):
            raise RequestTooLarge
        if self._spool is not None:
            self._spool.add(data[start:end])
        elif self._filename is None:
            self._value += data[start:end]

    def _begin_file(self, filename: bytes) -> Spool | None:
        """Where the part's bytes go, if they are wanted."""
        name = plain_name((self._name or b"").decode(), self._left)
        if name not in self._left:
            return None
        self._left[name] -= 1
        if self._left[name] < 0:
            raise InvalidInputs(f"Request parameter [{name}] has too many files")
        spool = Spool(filename.decode(errors="replace"), folder=self._folder)
        self._spools.append(spool)
        return spool

    def _end_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS or self._name is None:
            raise MalformedRequest
        name = self._name.decode()
        if self._filename is None:
            self._room -= self._size
            self._pairs.append((name, self._value.decode()))
        elif self._size == 0 and self._filename:
            self._spool = self._begin_file(self._filename)
        if self._spool is not None:
            self._pairs.append((name, self._spool))

    def _end(self) -> None:
        self._complete = True
