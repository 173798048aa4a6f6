"""What somebody may do to a picture file."""

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each chunk."""
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def from_chunks(parts: list[tuple[bytes, bytes]]) -> bytes:
    """A well-formed PNG of the chunks."""
    written = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return _SIGNATURE + b"".join(written)


def with_a_pixel_changed(png: bytes) -> bytes:
    """One channel of the last pixel is another; everything else, signatures too, is as it was."""
    rows = bytearray(zlib.decompress(b"".join(body for kind, body in chunks(png) if kind == b"IDAT")))
    rows[-1] ^= 1
    parts = [(kind, body) for kind, body in chunks(png) if kind != b"IDAT"]
    return from_chunks([*parts[:-1], (b"IDAT", zlib.compress(bytes(rows))), parts[-1]])


def without_signature(png: bytes) -> bytes:
    """As one strips it."""
    return from_chunks([(kind, body) for kind, body in chunks(png) if kind != b"caBX"])
