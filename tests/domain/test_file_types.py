"""Section 13: what a file is, by its bytes first."""

import pytest

from files import SAMPLES, brand, picture, zipped
from tintype.domain.file_types import recognize


def recognized(content: bytes, name: str) -> str | None:
    kind = recognize(content[:8192], name)
    return kind.content_type if kind else None


@pytest.mark.parametrize("extension", SAMPLES)
def test_every_type_that_must_be_accepted_is_recognized(extension: str) -> None:
    content, content_type = SAMPLES[extension]

    assert recognized(content, f"a.{extension}") == content_type
    assert recognized(content, f"A.{extension.upper()}") == content_type


@pytest.mark.parametrize("extension", sorted(SAMPLES.keys() - {"csv", "md", "docx", "xlsx", "pptx"}))
def test_the_bytes_alone_are_enough_where_they_can_tell(extension: str) -> None:
    content, content_type = SAMPLES[extension]

    for name in ("", "file", "blob.bin" if extension != "txt" else "", ".hidden"):
        assert recognized(content, name) == content_type


@pytest.mark.parametrize("name", ["a.jpg", "a.pdf", "a.txt", "a.exe", "a.html", "a.png.svg"])
def test_check_64_the_name_does_not_count_where_the_bytes_speak(name: str) -> None:
    assert recognized(picture("PNG"), name) == "image/png"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"MZ\x90\x00" + bytes(200), "setup.exe"),
        (b"MZ\x90\x00" + bytes(200), "setup.png"),
        (b"\x7fELF" + bytes(200), "a"),
        (b"<html><script>alert(1)</script>", "a.html"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.png"),
        (b"#!/bin/sh\n", "a.sh"),
        (b"plain words", "a.png"),
        (b"", "a.png"),
        (bytes(100), "a.txt"),
        (b"\x1a\x45\xdf\xa3\x42\x82\x88matroska" + bytes(64), "a.mkv"),
        (b"\x1f\x8b\x08" + bytes(64), "a.tar.gz"),
        (picture("BMP"), "a.bmp"),
        (picture("TIFF"), "a.tiff"),
    ],
)
def test_anything_else_is_nothing_accepted(content: bytes, name: str) -> None:
    assert recognized(content, name) is None


def test_a_page_or_a_picture_in_xml_called_a_text_is_a_text() -> None:
    assert recognized(b"<html><script>alert(1)</script>", "a.txt") == "text/plain"


@pytest.mark.parametrize("words", [b"BMW is a car", b"ID3 is a tag", b"GIF87 was first", b"Rar! he said"])
def test_a_text_may_begin_with_any_word(words: bytes) -> None:
    assert recognized(words, "a.txt") == "text/plain"


@pytest.mark.parametrize(
    "words", ["naïve".encode("latin-1"), "naïve".encode("utf-16"), "naïve".encode("utf-8-sig"), b""]
)
def test_a_table_may_be_in_the_sets_that_offices_write(words: bytes) -> None:
    assert recognized(words, "a.csv") == "text/csv"


def test_an_archive_is_what_its_name_says_if_it_can_be() -> None:
    hidden = zipped("a.xml", "b.xml")

    assert recognized(hidden, "letter.docx") == SAMPLES["docx"][1]
    assert recognized(hidden, "book.epub") == SAMPLES["epub"][1]
    assert recognized(hidden, "letter.png") == SAMPLES["zip"][1]
    assert recognized(SAMPLES["docx"][0], "letter.zip") == SAMPLES["docx"][1]


def test_brands_that_nobody_lists_follow_the_name() -> None:
    assert recognized(brand("dash", "iso6"), "a.mp4") == "video/mp4"
    assert recognized(brand("heix", "mif1"), "a.heic") == "image/heic"
    assert recognized(b"\0\0\0\x08wide\0\0\0\x08mdat" + bytes(50), "a.mov") == "video/quicktime"
    assert recognized(b"\xff\xfa\x90\x00" + bytes(50), "a.mp3") == "audio/mpeg"
    assert recognized(brand("dash", "iso6"), "a.png") is None
