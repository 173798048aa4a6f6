"""Files on their way to the server, and what it says about those it keeps."""

import mimetypes
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

import msgspec

Source: TypeAlias = "Path | bytes | bytearray | memoryview | IO[bytes]"
"""What can be sent as a file: its path, its bytes, or an open binary file."""


class File(msgspec.Struct, frozen=True, kw_only=True, rename={"content_type": "contenttype"}):
    """A file that the server keeps; as an input it stands for its URL."""

    id: str
    name: str
    content_type: str
    """What the server found it to be."""
    url: str
    """Absolute; downloadable without credentials."""
    size: int = 0
    """Bytes."""
    folder: str = msgspec.field(default="0", name="parentid")
    """The id of its folder; `"0"` at the top."""


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder for files."""

    id: str
    name: str
    parent: str = msgspec.field(default="0", name="parentid")


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A request's body and what it is."""

    content_type: str
    content: bytes


def body_of(inputs: Mapping[str, Any]) -> Body:
    """The inputs as JSON, or as multipart if there are files among them or in their lists."""
    plain = {name: _addressed(value) for name, value in inputs.items()}
    if not any(is_source(entry) for value in plain.values() for entry in _entries(value)):
        return Body(content_type="application/json", content=msgspec.json.encode(plain))
    return multipart((name, entry) for name, value in plain.items() for entry in _entries(value))


def multipart(fields: Iterator[tuple[str, Any]], *, name: str | None = None) -> Body:
    """A form of texts and files; what is None is left out. Files are called `name`, or as they are."""
    boundary = f"tintype-{secrets.token_hex(16)}"
    content = bytearray()
    for field, value in fields:
        if value is None:
            continue
        disposition = f'form-data; name="{_quoted(field)}"'
        kind = ""
        if is_source(value):
            filename = name or name_of(value)
            disposition += f'; filename="{_quoted(filename)}"'
            guessed = mimetypes.guess_type(filename)[0] or "application/octet-stream"
            kind = f"Content-Type: {guessed}\r\n"
        content += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n{kind}\r\n".encode()
        content += bytes_of(value) if is_source(value) else _text(value).encode()
        content += b"\r\n"
    content += f"--{boundary}--\r\n".encode()
    return Body(content_type=f"multipart/form-data; boundary={boundary}", content=bytes(content))


def is_source(value: Any) -> bool:
    """Whether the value is a file."""
    return isinstance(value, bytes | bytearray | memoryview | os.PathLike) or hasattr(value, "read")


def bytes_of(source: Any) -> bytes:
    """What is in the file, from its beginning. Raises OSError."""
    if isinstance(source, os.PathLike):
        return Path(source).read_bytes()
    if hasattr(source, "read"):
        if source.seekable():
            source.seek(0)
        return bytes(source.read())
    return bytes(source)


def name_of(source: Any) -> str:
    """What the file is called, as far as it has a name."""
    named = source if isinstance(source, os.PathLike) else getattr(source, "name", "")
    return Path(named).name if isinstance(named, str | os.PathLike) and str(named) else "file"


def _addressed(value: Any) -> Any:
    """The value with the URLs of kept files in their place."""
    if isinstance(value, list | tuple):
        return [_addressed(entry) for entry in value]
    return value.url if isinstance(value, File) else value


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _quoted(text: str) -> str:
    """As browsers write names into forms."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
