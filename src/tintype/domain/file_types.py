"""Which files are taken, and what a file is: its bytes say, and where they leave it open, its name.

What a caller declares a file to be plays no part.
"""

from collections.abc import Mapping

import filetype
import msgspec

BEGINNING = 8192
"""So many bytes of a file are enough to tell."""


class FileType(msgspec.Struct, frozen=True):
    """One type of files."""

    extension: str
    """Without the dot."""
    content_type: str
    others: tuple[str, ...] = ()
    """Further extensions that fit."""

    @property
    def is_picture(self) -> bool:
        """Whether a model can be shown it."""
        return self.extension in PICTURES


_OFFICE = "application/vnd.openxmlformats-officedocument"
ACCEPTED: tuple[FileType, ...] = (
    FileType("jpg", "image/jpeg", ("jpeg", "jpe", "jfif")),
    FileType("png", "image/png"),
    FileType("gif", "image/gif"),
    FileType("webp", "image/webp"),
    FileType("heic", "image/heic", ("heif",)),
    FileType("mp4", "video/mp4", ("m4v",)),
    FileType("webm", "video/webm"),
    FileType("mov", "video/quicktime", ("qt",)),
    FileType("mp3", "audio/mpeg"),
    FileType("wav", "audio/wav", ("wave",)),
    FileType("m4a", "audio/mp4"),
    FileType("pdf", "application/pdf"),
    FileType("csv", "text/csv"),
    FileType("docx", f"{_OFFICE}.wordprocessingml.document"),
    FileType("xlsx", f"{_OFFICE}.spreadsheetml.sheet"),
    FileType("pptx", f"{_OFFICE}.presentationml.presentation"),
    FileType("txt", "text/plain", ("text", "log")),
    FileType("md", "text/markdown", ("markdown",)),
    FileType("epub", "application/epub+zip"),
    FileType("zip", "application/zip"),
)
PICTURES = ("jpg", "png", "gif", "webp")
"""What models can be shown, by extension."""
SHOWN = ", ".join(kind.extension for kind in ACCEPTED)
"""For messages."""

_BY_EXTENSION: Mapping[str, FileType] = {
    extension: kind for kind in ACCEPTED for extension in (kind.extension, *kind.others)
}
_PLAIN = _BY_EXTENSION["txt"]
_MEDIA = frozenset({"mp4", "mov", "m4a", "heic"})
_ZIPPED = frozenset({"docx", "xlsx", "pptx", "epub", "zip"})
_TEXTS = frozenset({"txt", "csv", "md"})
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\v\f\r\x1b")


def recognize(beginning: bytes, name: str) -> FileType | None:
    """The type of a file that begins so and is called so; None if it is none of `ACCEPTED`.

    `beginning` is the first `BEGINNING` bytes, or all if there are fewer.
    """
    named = _BY_EXTENSION.get(extension_of(name))
    sniffed = _sniffed(beginning)
    if sniffed is not None and sniffed.extension == "zip":
        return named if named and named.extension in _ZIPPED else sniffed
    if sniffed is not None and not (named and named.extension in _TEXTS and _is_text(beginning)):
        return sniffed
    if _is_text(beginning) and (named is None or named.extension in _TEXTS):
        return named or (None if extension_of(name) else _PLAIN)
    return named if named and _may_be(named, beginning) else None


def extension_of(name: str) -> str:
    """What follows the last dot, in lower case; `""` if there is none."""
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem else ""


def _sniffed(beginning: bytes) -> FileType | None:
    found = filetype.guess(beginning) if beginning else None
    return _BY_EXTENSION.get(found.extension) if found else None


def _is_text(beginning: bytes) -> bool:
    """Whether nothing in it is no text, in UTF-8, UTF-16 (with its mark) or one of the one-byte sets."""
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not beginning.startswith(b"%PDF-") and _CONTROLS.isdisjoint(beginning)


def _may_be(named: FileType, beginning: bytes) -> bool:
    """Whether bytes that no library tells apart fit what the name says."""
    if named.extension in _MEDIA:  # a brand that is not in the list; QuickTime of before there were brands
        box = beginning[4:8]
        return box == b"ftyp" or (named.extension == "mov" and box in (b"moov", b"mdat", b"wide", b"free"))
    if named.extension == "mp3":  # frames with a checksum, and the low rates of MPEG 2.5
        return len(beginning) > 1 and beginning[0] == 0xFF and beginning[1] & 0xE6 == 0xE2
    return False
