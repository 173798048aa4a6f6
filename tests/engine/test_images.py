import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tintype.engine.images.encode import encode
from tintype.engine.images.metadata import describe, read_inputs, read_metadata
from tintype.engine.protocol import OutputFormat

from .jobs import job

VERSIONS = {"tintype": "0.1.0", "torch": "2.13.0"}
PROMPTS = ["a red kite", "", "ein Käse 🧀 — “ﬁne”", "line\nbreak\ttab", "nul\0nul", "x" * 70_000]


def metadata(prompt: str = "a red kite", output_format: OutputFormat = "png") -> dict[str, Any]:
    asked = job(prompt=prompt, output_format=output_format, description={"model": "flux-2-flex"})
    return describe(asked, checkpoint="tiny", versions=VERSIONS)


def pictures() -> dict[str, np.ndarray[Any, np.dtype[np.uint8]]]:
    random = np.random.default_rng(0)
    return {
        "noise": random.integers(0, 256, (80, 48, 3), np.uint8),
        "plain": np.full((64, 64, 3), 7, np.uint8),
        "one row": random.integers(0, 256, (1, 2048, 3), np.uint8),
        "gradient": np.indices((256, 128)).sum(0).astype(np.uint8)[..., None].repeat(3, 2),
        "large noise": random.integers(0, 256, (512, 2048, 3), np.uint8),
    }


@pytest.mark.parametrize("name", pictures())
def test_a_png_holds_exactly_the_pixels(name: str) -> None:
    pixels = pictures()[name]

    decoded = Image.open(io.BytesIO(encode(pixels, "png", metadata())))
    decoded.verify()
    decoded = Image.open(io.BytesIO(encode(pixels, "png", metadata())))

    assert decoded.mode == "RGB"
    assert np.array_equal(np.asarray(decoded), pixels)


def test_a_jpeg_is_close_and_keeps_full_colour_resolution() -> None:
    pixels = pictures()["gradient"]

    decoded = Image.open(io.BytesIO(encode(pixels, "jpeg", metadata())))

    assert abs(np.asarray(decoded).astype(int) - pixels).mean() < 2
    assert all(layer[1:3] == (1, 1) for layer in decoded.layer)  # type: ignore[attr-defined]


@pytest.mark.parametrize("output_format", ["png", "jpeg"])
@pytest.mark.parametrize("prompt", PROMPTS[:5])
def test_the_inputs_can_be_read_back_from_the_file(output_format: OutputFormat, prompt: str) -> None:
    image = encode(pictures()["plain"], output_format, metadata(prompt, output_format))

    assert read_inputs(image) == {
        "prompt": prompt,
        "width": 64,
        "height": 64,
        "steps": 4,
        "guidance": 4.0,
        "seed": 123,
        "outputFormat": output_format,
    }
    assert read_metadata(image)["versions"] == VERSIONS
    assert read_metadata(image)["description"] == {"model": "flux-2-flex"}


def test_a_png_holds_a_prompt_of_any_length() -> None:
    image = encode(pictures()["plain"], "png", metadata("é" * 200_000))

    assert read_inputs(image)["prompt"] == "é" * 200_000


@pytest.mark.parametrize("letter", ["x", "é", "🧀"])
def test_a_jpeg_shortens_a_prompt_that_exif_cannot_hold_and_says_so(letter: str) -> None:
    image = encode(pictures()["plain"], "jpeg", metadata(letter * 200_000))

    assert read_metadata(image)["promptShortened"] is True
    assert len(read_inputs(image)["prompt"]) > 1_000


def test_people_find_the_prompt_in_the_usual_places() -> None:
    png = Image.open(io.BytesIO(encode(pictures()["plain"], "png", metadata("a kite"))))
    jpeg = Image.open(io.BytesIO(encode(pictures()["plain"], "jpeg", metadata("a kite"))))

    assert png.info["Description"] == "a kite"
    assert png.info["Software"] == "Tintype 0.1.0"
    assert jpeg.getexif()[0x010E] == "a kite"
    assert jpeg.getexif()[0x0131] == "Tintype 0.1.0"


@pytest.mark.parametrize("output_format", ["png", "jpeg"])
def test_equal_pictures_of_equal_inputs_are_equal_bytes(output_format: OutputFormat) -> None:
    pixels = pictures()["noise"]

    files = {encode(pixels, output_format, metadata(output_format=output_format)) for _ in range(3)}

    assert len(files) == 1


def test_a_picture_of_somebody_else_has_no_inputs() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")

    assert read_inputs(stream.getvalue()) == {}


def test_what_is_no_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a readable picture"):
        read_inputs(b"hello")
