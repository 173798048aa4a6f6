"""A folder of uploaded files."""

import re

import msgspec

from tintype.domain.errors import InvalidInputs

TOP = "0"
"""What a file or folder that lies in no folder has for its parent."""
LONGEST_NAME = 128
_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """One folder."""

    id: str
    """32 hex digits."""
    name: str
    parent: str
    """The id of the folder it lies in; `"0"` at the top."""
    added: int
    """Microseconds since the epoch."""


def folder_name(text: str) -> str:
    """The text, if a folder may be called so. Raises InvalidInputs."""
    if not text:
        raise InvalidInputs("Request parameter [name] required")
    if len(text) > LONGEST_NAME or not _NAME.fullmatch(text):
        raise InvalidInputs(
            "Request parameter [name] must consist of A-Z, a-z, 0-9, - and _, "
            f"{LONGEST_NAME} characters at most"
        )
    return text
