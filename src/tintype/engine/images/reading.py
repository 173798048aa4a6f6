"""Files in, pictures out: reference pictures from strangers, read under limits."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MOST_PIXELS = 64_000_000
SHORTEST_SIDE = 64
LONGEST_SHAPE = 8
"""Times as long as wide, or as wide as long. With `SHORTEST_SIDE` what FLUX.2 takes as a reference."""

_ORIENTATION = 0x0112
SIDEWAYS = frozenset({5, 6, 7, 8})
"""Orientations, as EXIF numbers them, in which width and height change places."""


class UnusablePicture(ValueError):
    """A reference picture that cannot be used; the message is a predicate, such as "is damaged"."""


def read_picture(file: bytes) -> "Image":
    """The picture in RGB as people see it: its first frame, upright, on white where it is transparent.

    Raises `UnusablePicture` for what is no picture, damaged, too large, too small or too long.
    """
    picture = _opened(file)
    try:
        picture.load()
        picture = _on_white(_in_eight_bits(_upright(picture)))
    except UnusablePicture:
        raise
    except Exception as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise UnusablePicture(f"is damaged: {what}") from error
    return picture


def size_of(file: bytes) -> tuple[int, int]:
    """Width and height of the picture as people see it, from its head alone. Raises like `read_picture`."""
    picture = _opened(file)
    width, height = picture.size
    # The size of a TIFF file is already that of its upright picture.
    turned = picture.format != "TIFF" and _orientation(picture) in SIDEWAYS
    return (height, width) if turned else (width, height)


def _opened(file: bytes) -> "Image":
    """The picture, its pixels not read yet."""
    from PIL import Image

    try:
        picture = Image.open(io.BytesIO(file), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusablePicture(f"has more than {MOST_PIXELS:,} pixels") from error
    except Exception as error:
        raise UnusablePicture("is not a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture") from error
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise UnusablePicture(f"has {width * height:,} pixels, more than {MOST_PIXELS:,}")
    if min(width, height) < SHORTEST_SIDE:
        raise UnusablePicture(f"is {width} × {height} pixels, but no side may be below {SHORTEST_SIDE}")
    if max(width, height) > LONGEST_SHAPE * min(width, height):
        raise UnusablePicture(f"is {width} × {height} pixels, longer than {LONGEST_SHAPE}:1")
    return picture


def _upright(picture: "Image") -> "Image":
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(_orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def _orientation(picture: "Image") -> int:
    """How the picture must be turned to stand upright, as EXIF numbers it; from what has been read of it."""
    from PIL import Image

    try:
        # That of PNG files decodes the whole picture in search of a block.
        return int(Image.Image.getexif(picture).get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block says nothing, and the pixels are whole
        return 1


def _in_eight_bits(picture: "Image") -> "Image":
    """Pillow clips deep greys when it converts them; here they are scaled."""
    import numpy as np
    from PIL import Image

    if picture.mode == "F":
        raise UnusablePicture("has floating-point pixels, and 8 or 16 bits a channel are read")
    if not picture.mode.startswith("I"):
        return picture
    levels = np.asarray(picture)
    if levels.min() < 0 or levels.max() > 0xFFFF:
        raise UnusablePicture("has 32-bit pixels, and 8 or 16 bits a channel are read")
    whole, rest = np.divmod(levels.astype(np.uint16, copy=False), np.uint16(257))
    return Image.fromarray(whole.astype(np.uint8) + (rest > 128))


def _on_white(picture: "Image") -> "Image":
    from PIL import Image

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
