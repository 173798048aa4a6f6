"""Everything that a picture of anybody's says about itself, and what it is worth."""

import io
from typing import TYPE_CHECKING, Any

import msgspec

from tintype.engine.images import xmp
from tintype.engine.images.metadata import XMP_KEYWORD, metadata_of
from tintype.engine.images.verifying import Signature, Verdict, check_signature

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_MANIFEST = b"jumdc2pa"
"""How a C2PA manifest store begins, in whatever file it lies."""
_SOFTWARE = 0x0131
_DESCRIPTION = 0x010E


class Inspection(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was found. Texts of pictures can hold anything, also what a terminal obeys."""

    format: str
    """As Pillow names it, such as `PNG`."""
    width: int
    height: int
    metadata: dict[str, Any] | None = None
    """What Tintype has written (`tintype.engine.images.metadata.describe`)."""
    digital_source_type: str = ""
    """The URI in the picture's XMP."""
    software: str = ""
    description: str = ""
    ai_system: str = ""
    ai_prompt: str = ""
    signature: Signature | None = None


def inspect(image: bytes, *, roots: str = "") -> Inspection:
    """Asks nobody.

    `roots` are certificates in PEM form whose descendants are trusted. Raises `ValueError` if the bytes are
    no readable picture.
    """
    picture = opened(image)
    packet = picture.info.get("xmp") or picture.info.get(XMP_KEYWORD) or ""
    said = xmp.read_packet(packet)
    metadata = metadata_of(picture)
    exif = _exif(picture)
    return Inspection(
        format=str(picture.format),
        width=picture.width,
        height=picture.height,
        metadata=metadata or None,
        digital_source_type=said.get(xmp.SOURCE, ""),
        software=said.get(xmp.TOOL) or _text(picture.info.get("Software")) or _text(exif.get(_SOFTWARE)),
        description=_text(picture.info.get("Description")) or _text(exif.get(_DESCRIPTION)),
        ai_system=said.get(xmp.SYSTEM, ""),
        ai_prompt=said.get(xmp.PROMPT, ""),
        signature=_signature(image, picture, roots),
    )


def opened(image: bytes) -> "ImageFile":
    """The picture, its pixels not read yet. Raises `ValueError` if it is none."""
    from PIL import Image

    try:
        return Image.open(io.BytesIO(image))
    except Exception as error:  # Pillow's readers fail in many ways on damaged files
        raise ValueError("not a readable picture") from error


def _signature(image: bytes, picture: "ImageFile", roots: str) -> Signature | None:
    try:
        return check_signature(image, picture.get_format_mimetype() or "", roots=roots)
    except ModuleNotFoundError:
        return Signature(verdict=Verdict.UNCHECKED) if _MANIFEST in image else None


def _exif(picture: "ImageFile") -> Any:
    from PIL import Image

    try:
        # That of PNG files decodes the whole picture in search of a block.
        return Image.Image.getexif(picture)
    except Exception:  # a damaged block says nothing
        return {}


def _text(value: object) -> str:
    return str(value) if isinstance(value, str) else ""  # Pillow has kinds of its own
