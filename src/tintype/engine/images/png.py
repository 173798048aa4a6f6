"""The PNG container: chunks around compressed rows. Knows nothing of filters or pixels.

Format: https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from collections.abc import Mapping

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = struct.pack(">BBBBB", 8, 2, 0, 0, 0)  # depth, colour type, compression, filter, interlace


def png(width: int, height: int, rows: bytes, texts: Mapping[str, str]) -> bytes:
    """A PNG file of 8-bit RGB.

    `rows` is the zlib stream of filtered rows; `texts` become `iTXt` chunks, in the given order.
    """
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">II", width, height) + _RGB),
            *(_text(keyword, text) for keyword, text in texts.items()),
            _chunk(b"IDAT", rows),
            _chunk(b"IEND", b""),
        )
    )


def _text(keyword: str, text: str) -> bytes:
    # keyword, no compression, no language, no translated keyword; a NUL cannot stand in a text
    uncompressed = b"\0\0\0\0\0"
    return _chunk(b"iTXt", keyword.encode("latin-1") + uncompressed + text.replace("\0", " ").encode())


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
