"""Small files of every type, as bytes."""

import io
import zipfile

from PIL import Image


def picture(
    form: str = "PNG", *, size: tuple[int, int] = (48, 32), colour: str = "red", **more: object
) -> bytes:
    """An encoded picture of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, form, **more)
    return stream.getvalue()


def zipped(*names: str) -> bytes:
    """A zip archive of files with these names."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, f"the content of {name}")
    return stream.getvalue()


def brand(name: str, *others: str) -> bytes:
    """The beginning of a file of the MPEG-4 family."""
    brands = b"".join(other.encode() for other in others)
    box = b"ftyp" + name.encode() + b"\0\0\2\0" + brands
    return (len(box) + 4).to_bytes(4, "big") + box + b"\0\0\0\x08free" + bytes(64)


EPUB = b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/epub+zip" + bytes(100)
_OFFICE = ("[Content_Types].xml", "_rels/.rels")

SAMPLES: dict[str, tuple[bytes, str]] = {
    "jpg": (picture("JPEG"), "image/jpeg"),
    "png": (picture("PNG"), "image/png"),
    "gif": (picture("GIF"), "image/gif"),
    "webp": (picture("WEBP"), "image/webp"),
    "heic": (brand("heic", "mif1", "heic"), "image/heic"),
    "mp4": (brand("isom", "isom", "mp42"), "video/mp4"),
    "webm": (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm" + bytes(64), "video/webm"),
    "mov": (brand("qt  ", "qt  "), "video/quicktime"),
    "mp3": (b"ID3\x04\0\0\0\0\0\x00" + b"\xff\xfb\x90\x00" + bytes(64), "audio/mpeg"),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(64), "audio/wav"),
    "m4a": (brand("M4A ", "M4A ", "mp42", "isom"), "audio/mp4"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "application/pdf"),
    "csv": (b"name;price\napple;1\n", "text/csv"),
    "docx": (
        zipped(*_OFFICE, "word/document.xml"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "xlsx": (
        zipped(*_OFFICE, "xl/workbook.xml"),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    "pptx": (
        zipped(*_OFFICE, "ppt/presentation.xml"),
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
    "txt": ("Grüße\n".encode(), "text/plain"),
    "md": (b"# Title\n", "text/markdown"),
    "epub": (EPUB, "application/epub+zip"),
    "zip": (zipped("a.txt"), "application/zip"),
}
"""Bytes and type by extension: every type that must be accepted."""
