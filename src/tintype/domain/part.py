"""A file that came within a request. It lives as long as the request does."""

from collections.abc import Callable, Mapping
from typing import IO, Any

from tintype.domain.file_types import FileType


class Part:
    """Name, size and type of the file, and its bytes."""

    def __init__(
        self, *, name: str, size: int, digest: str, kind: FileType | None, content: IO[bytes]
    ) -> None:
        self.name = name
        """As the caller called it."""
        self.size = size
        """Bytes."""
        self.digest = digest
        """SHA-256 of the bytes, in hex."""
        self.kind = kind
        """What the bytes are; None if that is nothing accepted."""
        self.content = content


def parts_in(values: Mapping[str, Any]) -> list[tuple[str, Part]]:
    """Every part among the values and in their lists, with the name of its value."""
    return [
        (name, entry)
        for name, value in values.items()
        for entry in (value if isinstance(value, list) else [value])
        if isinstance(entry, Part)
    ]


def with_parts(values: Mapping[str, Any], shown: Callable[[Part], Any]) -> dict[str, Any]:
    """The values with something else in the place of every part."""

    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return [replaced(entry) if isinstance(entry, Part) else entry for entry in value]
        return shown(value) if isinstance(value, Part) else value

    return {name: replaced(value) for name, value in values.items()}
