"""`tintype inspect`: what a picture says about itself, and whether that is signed."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from certificates import Authority, Credentials, write_credentials
from cli.commands import tintype
from pictures import with_a_pixel_changed
from tintype.engine.images import xmp

DRAW = ("draw", "a red apple", "-o", "apple.png", "--width", "128", "--height", "64", "--weights", "blank:")


@pytest.fixture
def files(tmp_path: Path) -> Credentials:
    return write_credentials(tmp_path)


def signing(files: Credentials) -> dict[str, str]:
    """The settings of an operator who signs."""
    return {"c2pa_certificate": str(files.certificate), "c2pa_key": str(files.key)}


def test_a_picture_tells_its_inputs(tmp_path: Path) -> None:
    tintype(*DRAW, "--seed", "7", cwd=tmp_path)

    shown = tintype("inspect", "apple.png", cwd=tmp_path)

    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0] == "apple.png: PNG, 128 × 64 pixels"
    assert "prompt:      a red apple" in lines
    assert "size:        128 × 64" in lines
    assert "seed:        7" in lines
    assert "checkpoint:  blank" in lines
    assert f"source:      made by a generative model ({xmp.DRAWN})" in lines
    assert "signature:   none; anybody can have written the above" in lines


def test_programs_get_the_same_as_json(tmp_path: Path) -> None:
    tintype(*DRAW, cwd=tmp_path)

    found = json.loads(tintype("inspect", "apple.png", "--json", cwd=tmp_path).stdout)

    assert (found["format"], found["width"], found["height"]) == ("PNG", 128, 64)
    assert found["metadata"]["inputs"]["prompt"] == "a red apple"
    assert found["digitalSourceType"] == xmp.DRAWN
    assert (found["signature"], found["sound"]) == (None, True)


def test_a_signed_picture_names_its_signer(tmp_path: Path, files: Credentials) -> None:
    drawn = tintype(*DRAW, cwd=tmp_path, **signing(files))
    assert drawn.returncode == 0, drawn.stderr

    shown = tintype("inspect", "apple.png", "--trust", "roots.pem", cwd=tmp_path)

    assert shown.returncode == 0, shown.stdout
    assert "signature:   valid; the picture is as it was signed\n" in shown.stdout
    assert "signer:      Studio (pictures.example), with Tintype" in shown.stdout
    assert "certificate: trusted by roots.pem\n" in shown.stdout


def test_an_altered_picture_is_told_and_fails(tmp_path: Path, files: Credentials) -> None:
    tintype(*DRAW, cwd=tmp_path, **signing(files))
    picture = tmp_path / "apple.png"
    picture.write_bytes(with_a_pixel_changed(picture.read_bytes()))

    shown = tintype("inspect", "apple.png", cwd=tmp_path)
    found = tintype("inspect", "apple.png", "--json", cwd=tmp_path)

    assert shown.returncode == found.returncode == 1
    assert "signature:   BROKEN; the picture was altered after it was signed" in shown.stdout
    assert (json.loads(found.stdout)["signature"]["verdict"], json.loads(found.stdout)["sound"]) == (
        "altered",
        False,
    )


def test_with_trust_a_stranger_and_nobody_are_not_enough(tmp_path: Path, files: Credentials) -> None:
    (tmp_path / "others.pem").write_bytes(Authority("Somebody Else").pem)
    tintype(*DRAW, cwd=tmp_path, **signing(files))
    stranger = tintype("inspect", "apple.png", "--trust", "others.pem", cwd=tmp_path)
    tintype(*DRAW, cwd=tmp_path)
    nobody = tintype("inspect", "apple.png", "--trust", "others.pem", cwd=tmp_path)

    assert (stranger.returncode, nobody.returncode) == (1, 1)
    assert "certificate: NOT TRUSTED by others.pem" in stranger.stdout
    assert "signature:   none" in nobody.stdout


def test_a_picture_that_says_nothing_is_told_plainly(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.webp")

    shown = tintype("inspect", "plain.webp", cwd=tmp_path)

    assert shown.returncode == 0
    assert shown.stdout.splitlines() == [
        "plain.webp: WEBP, 8 × 8 pixels",
        "It says nothing about how it was made: no inputs, no source, no signature.",
    ]


def test_what_a_picture_says_cannot_play_tricks_on_a_terminal(tmp_path: Path) -> None:
    tintype("draw", "red\nsignature: valid\x1b[2J", *DRAW[2:], cwd=tmp_path)

    shown = tintype("inspect", "apple.png", cwd=tmp_path).stdout

    assert "prompt:      red\\nsignature: valid\\x1b[2J\n" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    "written", ["{}", "[1]", "[" * 100_000, '{"inputs": 3, "versions": [], "references": 7}']
)
def test_nonsense_in_the_place_of_our_metadata_does_no_harm(tmp_path: Path, written: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_itxt("tintype", written)
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG", pnginfo=texts)
    (tmp_path / "odd.png").write_bytes(stream.getvalue())

    shown = tintype("inspect", "odd.png", cwd=tmp_path)

    assert shown.returncode == 0, shown.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.png",), "cannot read nowhere.png: No such file or directory"),
        (("key.pem",), "key.pem is not a readable picture"),
        (("apple.png", "--trust", "key.pem"), "--trust key.pem: the file holds no certificates in PEM form"),
        (("apple.png", "--trust", "none.pem"), "cannot read none.pem: No such file or directory"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(
    tmp_path: Path, files: Credentials, arguments: tuple[str, ...], said: str
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "apple.png")

    shown = tintype("inspect", *arguments, cwd=tmp_path)

    assert (shown.returncode, shown.stdout, shown.stderr) == (2, "", f"tintype: {said}\n")


def test_a_key_that_does_not_fit_stops_before_anything_is_drawn(tmp_path: Path, files: Credentials) -> None:
    (tmp_path / "other").mkdir()
    other = write_credentials(tmp_path / "other")

    drawn = tintype(*DRAW, cwd=tmp_path, c2pa_certificate=str(files.certificate), c2pa_key=str(other.key))

    assert drawn.returncode == 2
    assert drawn.stderr.startswith("tintype: TINTYPE_C2PA_KEY: ")
    assert drawn.stderr.count("\n") == 1
    assert not (tmp_path / "apple.png").exists()
