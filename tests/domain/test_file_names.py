"""Names of stored files: what callers call them, and nothing that could mean more."""

import pytest

from tintype.domain.file_names import LONGEST, safe_name
from tintype.domain.file_types import recognize

PNG = recognize(b"\x89PNG\r\n\x1a\n" + bytes(20), "")
JPEG = recognize(b"\xff\xd8\xff\xe0" + bytes(20), "")
assert PNG
assert JPEG


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.png", "a.png"),
        ("A.PNG", "A.PNG"),
        ("Grüße aus Köln.png", "Grüße aus Köln.png"),
        ("日本.png", "日本.png"),
        ("../../etc/passwd", "passwd.png"),
        ("..\\..\\windows\\win.ini", "win.ini.png"),
        ("/a/b/c.png", "c.png"),
        ("a.png/", "file.png"),
        ("..", "file.png"),
        (".png", "png.png"),
        (".htaccess", "htaccess.png"),
        ("", "file.png"),
        ("   ", "file.png"),
        ("a\x00.png", "a.png"),
        ("a\r\nSet-Cookie: b.png", "aSet-Cookie_ b.png"),
        ("a\u202egnp.exe", "agnp.exe.png"),
        ('a<b>:"|?*%#&.png', "a_b_________.png"),
        ("evil.html", "evil.html.png"),
        ("a.jpg", "a.jpg.png"),
        ("a. .png", "a.png"),
        ("e\u0301.png", "é.png"),
        ("\ud800.png", "png.png"),
    ],
)
def test_a_name_is_one_plain_segment_with_an_extension_that_fits(given: str, name: str) -> None:
    assert safe_name(given, PNG) == name


def test_other_extensions_of_the_type_may_stay() -> None:
    assert safe_name("a.jpeg", JPEG) == "a.jpeg"
    assert safe_name("a.JPG", JPEG) == "a.JPG"


@pytest.mark.parametrize("letter", ["a", "é", "😀"])
def test_a_long_name_is_cut_before_its_extension(letter: str) -> None:
    name = safe_name(letter * 10_000 + ".png", PNG)

    assert name.endswith(f"{letter}.png")
    assert len(name) <= LONGEST
    assert len(name.encode()) <= 2 * LONGEST
    assert set(name.removesuffix(".png")) == {letter}
