"""Previews: how large they are, and how they are encoded."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST_SIDE = 256
_QUALITY = 75


def preview_size(width: int, height: int) -> tuple[int, int]:
    """Of the same shape, with no side longer than `LONGEST_SIDE`; never larger than the picture."""
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def encode_preview(picture: "Image") -> bytes:
    """A JPEG, smaller and worse than a picture's."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
