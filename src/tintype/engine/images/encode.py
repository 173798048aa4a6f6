"""Pixels in, file out: PNG or JPEG, with what the picture says about itself.

PNG rows are filtered by `Up` alone and compressed by isal at level 1. Measured on drawn and on
photograph-like pictures, choosing the best of Up, Sub and Paeth for each row is 0–1 % smaller and
takes 5–8 times as long; Pillow's own default is 5–15 % smaller and takes 25 times as long.
"""

import io
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

from tintype.engine.images.metadata import JpegBlocks, jpeg_blocks, png_texts
from tintype.engine.images.png import png
from tintype.engine.protocol import OutputFormat

Pixels = NDArray[np.uint8]
"""(height, width, 3), RGB."""

_UP = 2
_LEVEL = 1
_JPEG_QUALITY = 95


def encode(pixels: Pixels, output_format: OutputFormat, metadata: dict[str, Any]) -> bytes:
    """The file. Equal arguments give equal bytes."""
    if output_format == "png":
        return encode_png(pixels, png_texts(metadata))
    return encode_jpeg(pixels, jpeg_blocks(metadata))


def encode_png(pixels: Pixels, texts: dict[str, str]) -> bytes:
    """A lossless PNG; `texts` become its `iTXt` chunks."""
    height, width, _ = pixels.shape
    rows = pixels.reshape(height, 3 * width)
    filtered = np.empty((height, 1 + 3 * width), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return png(width, height, isal_zlib.compress(filtered, _LEVEL), texts)


def encode_jpeg(pixels: Pixels, blocks: JpegBlocks) -> bytes:
    """A JPEG of quality 95 with full colour resolution (4:4:4)."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0, **blocks._asdict())
    return stream.getvalue()
