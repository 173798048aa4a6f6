"""The checkpoint we ship, through the same code."""

import io
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tintype.engine.engine import BadJob, Denoised
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.protocol import Drawn, Job, Progress

from .drawing import open_engine
from .jobs import job
from .references import file, reference
from .stock import drawn_by

FOLDER = Path(os.environ.get("PICTOGRAMS", str(files("tintype") / "models" / "pictograms")))


@pytest.fixture(scope="module")
def engine() -> Iterator[Flux2Engine]:
    engine = open_engine(FOLDER)
    yield engine
    assert engine.idle


def draw(engine: Flux2Engine, *jobs: Job) -> tuple[list[Progress], dict[str, Any], dict[str, Any]]:
    """Progress in order; final latents and pixels by job."""
    progress, latents, pixels = [], {}, {}
    for one in jobs:
        engine.admit(one)
    while not engine.idle:
        for event in engine.step():
            if isinstance(event, Progress):
                progress.append(event)
            elif isinstance(event, Denoised):
                drawn = engine.finish(event)
                assert isinstance(drawn, Drawn)
                latents[event.job.id] = event.latents
                pixels[event.job.id] = np.asarray(Image.open(io.BytesIO(drawn.image))).astype(int)
    return progress, latents, pixels


@pytest.mark.parametrize(
    ("width", "height", "columns", "rows"), [(512, 512, 4, 4), (768, 512, 6, 4), (512, 768, 4, 6)]
)
def test_it_draws_what_the_stock_pipeline_draws(
    width: int, height: int, columns: int, rows: int, engine: Flux2Engine
) -> None:
    from diffusers import Flux2KleinPipeline

    asked = job(prompt="a red apple", steps=5, guidance=4.5, width=width, height=height)
    pipeline = Flux2KleinPipeline.from_pretrained(FOLDER, dtype=torch.float32)
    canvas = engine._checkpoint.canvases.choose(asked.width, asked.height)
    assert (canvas.columns, canvas.rows) == (columns, rows)
    steps, _ = drawn_by(
        pipeline,
        asked,
        width=canvas.columns * 2 * pipeline.vae_scale_factor,
        height=canvas.rows * 2 * pipeline.vae_scale_factor,
        max_sequence_length=engine._checkpoint.text.empty.shape[0],
        text_encoder_out_layers=engine._checkpoint.text._layers,
    )

    _, latents, _ = draw(engine, asked)

    assert (latents[asked.id] - steps[-1]).abs().max() <= 1e-4


def test_alone_and_in_company_are_the_same_picture(engine: Flux2Engine) -> None:
    jobs = [
        job(prompt="a red apple", steps=4, seed=1),
        job(prompt="a rocket", steps=6, seed=2, guidance=1.0),
        job(prompt="", steps=3, seed=3, guidance=9.0),
    ]

    _, _, together = draw(engine, *jobs)

    for one in jobs:
        assert abs(together[one.id] - draw(engine, one)[2][one.id]).max() <= 1


@pytest.mark.parametrize(("width", "height"), [(64, 64), (1024, 256), (176, 1040), (2048, 2048)])
def test_every_size_is_drawn_exactly(engine: Flux2Engine, width: int, height: int) -> None:
    asked = job(prompt="a red apple", width=width, height=height, steps=1)

    _, _, pixels = draw(engine, asked)

    assert pixels[asked.id].shape == (height, width, 3)


@pytest.mark.parametrize("sizes", [[(64, 64), (256, 256), (512, 512)], [(192, 128), (768, 512), (1024, 768)]])
def test_pictures_of_one_shape_share_their_steps(sizes: list[tuple[int, int]], engine: Flux2Engine) -> None:
    jobs = [job(width=width, height=height, steps=2) for width, height in sizes]

    progress, _, _ = draw(engine, *jobs)

    assert [event.id for event in progress[:3]] == [one.id for one in jobs]


def coloured(pixels: np.ndarray) -> np.ndarray:
    """Where the thing is on its white background."""
    return pixels.min(-1) < 200


def test_it_paints_the_thing_of_a_picture_in_another_colour(engine: Flux2Engine) -> None:
    first = job(prompt="a car", width=512, height=512, steps=12)
    _, _, pixels = draw(engine, first)
    given = file(Image.fromarray(pixels[first.id].astype(np.uint8)))
    edit = job(prompt="make it blue", width=512, height=512, steps=12, images=(given,))

    _, _, edited = draw(engine, edit)

    was, now = coloured(pixels[first.id]), coloured(edited[edit.id])
    assert (was & now).sum() > 0.7 * (was | now).sum()
    red, _, blue = pixels[first.id][was].mean(0)
    assert red > blue + 50
    red, _, blue = edited[edit.id][now].mean(0)
    assert blue > red + 50


def test_it_takes_one_picture(engine: Flux2Engine) -> None:
    assert engine.ready().edits
    with pytest.raises(BadJob, match="2 reference pictures, but this checkpoint takes 1 at most"):
        engine.admit(job(images=(reference(64, 64),) * 2))
