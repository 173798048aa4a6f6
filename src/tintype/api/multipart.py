"""A multipart body, read as it arrives. Text parts are kept; the bytes of file parts pass by."""

import logging

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tintype.domain.errors import MalformedRequest, RequestTooLarge

MOST_PARTS = 10_000

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # what callers send wrongly is their business


class MultipartReader:
    """Feed it the body, then ask for the fields.

    `largest` bounds all text parts together, `largest_file` each file part; both in bytes.
    """

    def __init__(self, boundary: bytes, *, largest: int, largest_file: int) -> None:
        self._room = largest
        self._largest_file = largest_file
        self._pairs: list[tuple[str, str]] = []
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

    def feed(self, data: bytes) -> None:
        """Raises MalformedRequest, RequestTooLarge."""
        try:
            self._parser.write(data)
        except ValueError:
            raise MalformedRequest from None

    def fields(self) -> list[tuple[str, str]]:
        """Name and value of every text part, in order. Raises MalformedRequest if the body broke off."""
        if not self._complete:
            raise MalformedRequest
        return self._pairs

    # What the parser tells

    def _begin_part(self) -> None:
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._name: bytes | None = None
        self._is_file = False
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
            self._is_file = b"filename" in options
        self._header_name.clear()
        self._header_value.clear()

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > (self._largest_file if self._is_file else self._room):
            raise RequestTooLarge
        if not self._is_file:
            self._value += data[start:end]

    def _end_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS or self._name is None:
            raise MalformedRequest
        if not self._is_file:
            self._room -= self._size
            self._pairs.append((self._name.decode(), self._value.decode()))

    def _end(self) -> None:
        self._complete = True
