"""Reference pictures come from strangers, in every format there is."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFile

from tintype.engine.images.reading import MOST_PIXELS, UnusablePicture, read_picture, size_of

from .references import file, picture


def pixels(read: Image.Image) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(read).astype(np.int64)


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 100, "subsampling": 0}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("AVIF", {"quality": 100}),
    ],
)
def test_common_formats_are_read(file_format: str, options: dict[str, Any]) -> None:
    original = picture(96, 64)

    read = read_picture(file(original, file_format, **options))

    assert read.mode == "RGB"
    assert abs(pixels(read) - pixels(original)).max() <= 12


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "YCbCr", "1"])
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_every_kind_of_pixel_becomes_rgb(mode: str, file_format: str) -> None:
    if file_format == "PNG" and mode in ("CMYK", "YCbCr"):
        file_format = "JPEG"
    original = picture(96, 64).convert(mode)

    read = read_picture(file(original, file_format))

    assert (read.mode, read.size) == ("RGB", (96, 64))
    assert abs(pixels(read) - pixels(original.convert("RGB"))).mean() < 4


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_deep_greys_keep_their_tones(file_format: str) -> None:
    ramp = np.arange(2**16, dtype=np.uint16).reshape(256, 256)

    read = read_picture(file(Image.fromarray(ramp), file_format))

    assert np.array_equal(pixels(read)[:, :, 0], np.rint(ramp / 257).astype(np.int64))


def test_deep_colours_are_read() -> None:
    shades = np.full((64, 64, 3), 0x80FF, ">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in shades)

    read = read_picture(png(64, 64, 16, 2, rows))

    assert read.getpixel((0, 0)) == (0x80, 0x80, 0x80)


def png(width: int, height: int, depth: int, colours: int, rows: bytes) -> bytes:
    """A PNG by hand: what Pillow does not write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    ImageDraw.Draw(clear).rectangle((0, 0, 31, 63), (0, 0, 255, 128))

    read = read_picture(file(clear))

    assert read.getpixel((60, 5)) == (255, 255, 255)
    assert read.getpixel((5, 5)) == (127, 127, 255)


def test_a_transparent_colour_of_a_palette_is_white() -> None:
    palette = Image.new("P", (64, 64), 1)
    palette.putpalette([9, 9, 9, 200, 0, 0])
    palette.paste(0, (0, 0, 32, 64))

    read = read_picture(file(palette, "GIF", transparency=0))

    assert read.getpixel((5, 5)) == (255, 255, 255)
    assert read.getpixel((60, 5)) == (200, 0, 0)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_a_film_is_the_picture(file_format: str) -> None:
    first, second = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "blue")

    read = read_picture(file(first, file_format, save_all=True, append_images=[second]))

    red, _, blue = read.getpixel((32, 32))  # type: ignore[misc]
    assert red > 240
    assert blue < 15


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_stands_upright_however_the_camera_was_held(orientation: int, file_format: str) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    taken = file(picture(96, 64), file_format, exif=exif)

    read = read_picture(taken)

    meant = ImageOps.exif_transpose(Image.open(io.BytesIO(taken))).convert("RGB")
    assert read.size == ((64, 96) if orientation > 4 else (96, 64))
    assert np.array_equal(pixels(read), pixels(meant))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_damaged_exif_block_does_not_spoil_the_picture() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 20

    assert read_picture(file(picture(64, 64), "JPEG", exif=exif)).size == (64, 64)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a PNG"),
        (b"\x89PNG\r\n\x1a\n", "is not a PNG"),
        (file(picture(64, 64), "PPM"), "is not a PNG"),
        (file(picture(64, 64), "JPEG")[:-200], "is damaged: image file is truncated"),
        (file(picture(64, 64), "PNG")[:-200], "is damaged: "),
        (file(picture(64, 64), "WEBP")[:-200], "is damaged|is not a PNG"),
        (file(picture(63, 200)), "is 63 × 200 pixels, but no side may be below 64"),
        (file(picture(64, 520)), "is 64 × 520 pixels, longer than 8:1"),
        (file(Image.new("F", (64, 64), 0.5), "TIFF"), "floating-point"),
        (file(Image.new("I", (64, 64), 1 << 20), "TIFF"), "32-bit"),
        (png(8001, 8001, 8, 2, b""), f"has 64,016,001 pixels, more than {MOST_PIXELS:,}"),
        (png(10_000, 10_000, 8, 2, b""), "pixels"),
        (png(60_000, 60_000, 8, 2, b""), f"has more than {MOST_PIXELS:,} pixels"),
    ],
    ids=range(14),
)
def test_what_cannot_be_used_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(UnusablePicture, match=reason):
        read_picture(content)


def test_the_largest_picture_is_read_by_its_size_before_its_pixels() -> None:
    bomb = png(7_900, 7_900, 8, 2, b"\0" * 100)

    with pytest.raises(UnusablePicture, match="is damaged"):
        read_picture(bomb)


def test_a_size_is_known_without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[ImageFile.ImageFile] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded.append)

    assert size_of(png(7_900, 7_900, 8, 2, bytes(100))) == (7_900, 7_900)
    assert decoded == []
    assert size_of(file(picture(96, 64), "PNG")[:100]) == (96, 64)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_size_is_that_of_the_upright_picture(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    assert size_of(file(picture(96, 64), file_format, exif=exif)) == (64, 96)
