import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from tintype.engine.blank import BlankEngine
from tintype.engine.engine import BadJob, Denoised
from tintype.engine.images.metadata import read_metadata
from tintype.engine.protocol import Drawn, OutputFormat, Progress, Started

from .jobs import job
from .references import reference


def draw(engine: BlankEngine) -> Drawn:
    *_, denoised = engine.step()
    assert isinstance(denoised, Denoised)
    drawn = engine.finish(denoised)
    assert isinstance(drawn, Drawn)
    return drawn


@pytest.mark.parametrize("output_format", ["png", "jpeg"])
def test_a_blank_picture_is_plain_and_of_the_size_asked_for(output_format: OutputFormat) -> None:
    engine = BlankEngine()
    engine.admit(job(width=96, height=64, output_format=output_format))

    drawn = draw(engine)

    pixels = np.asarray(Image.open(io.BytesIO(drawn.image)))
    assert pixels.shape == (64, 96, 3)
    assert np.ptp(pixels) == 0
    assert drawn.content_type == f"image/{output_format}"


def test_a_blank_picture_says_that_nothing_drew_it() -> None:
    engine = BlankEngine()
    engine.admit(job())

    assert read_metadata(draw(engine).image)["checkpoint"] == "blank"


def test_a_blank_picture_names_the_pictures_it_was_asked_to_be_after() -> None:
    engine = BlankEngine()
    images = (reference(64, 64, 1), reference(64, 64, 2))
    engine.admit(job(images=images))

    said = read_metadata(draw(engine).image)["references"]

    assert said == [hashlib.sha256(image).hexdigest() for image in images]


def test_a_job_is_started_and_done_in_one_step() -> None:
    engine = BlankEngine()
    engine.admit(job(steps=25))

    started, progress, denoised = engine.step()

    assert isinstance(started, Started)
    assert isinstance(progress, Progress)
    assert progress.step == progress.steps == 25
    assert isinstance(denoised, Denoised)
    assert engine.idle


def test_a_dropped_job_is_never_drawn() -> None:
    engine = BlankEngine()
    dropped = job()
    engine.admit(dropped)

    assert engine.drop(dropped.id)
    assert not engine.drop(dropped.id)
    assert engine.step() == ()


def test_a_blank_engine_refuses_what_no_engine_draws() -> None:
    with pytest.raises(BadJob, match="steps 0"):
        BlankEngine().admit(job(steps=0))
    with pytest.raises(BadJob, match="Reference picture 1 is not a PNG"):
        BlankEngine().admit(job(images=(b"nothing",)))
