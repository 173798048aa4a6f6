"""Unfinished pictures: what they show, and that showing them changes nothing."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tintype.engine.engine import Denoised
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.process import start_host
from tintype.engine.protocol import Drawn, Job, Progress

from .checkpoints import write_checkpoint
from .drawing import EngineOf, Outcome, draw, pixels, step
from .jobs import job
from .references import reference


def preview(engine: Flux2Engine, job_id: str) -> Image.Image:
    make = engine.sketch(job_id)
    assert make is not None
    return Image.open(io.BytesIO(make()))


def levels(picture: Image.Image) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(picture).astype(np.int64)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (64, 64, (64, 64)),
        (256, 128, (256, 128)),
        (1024, 512, (256, 128)),
        (80, 1024, (20, 256)),
        (2048, 144, (256, 18)),
    ],
)
def test_a_preview_is_a_small_jpeg_of_the_pictures_shape(
    engine: Flux2Engine, width: int, height: int, expected: tuple[int, int]
) -> None:
    asked = job(width=width, height=height, steps=2, guidance=1.0)
    engine.admit(asked)
    engine.step()

    shown = preview(engine, asked.id)

    assert (shown.format, shown.size) == ("JPEG", expected)


def test_a_canvas_larger_than_the_picture_is_cropped_in_previews_too(
    tmp_path: Path, engine_of: EngineOf
) -> None:
    engine = engine_of(write_checkpoint(tmp_path / "tiny", vae_levels=6))
    asked = job(width=80, height=144, steps=40)

    last = last_preview(engine, asked)

    assert last.size == (80, 144)
    final = pixels(draw(engine, asked).pictures[asked.id])
    displaced = np.roll(final, 8, axis=(0, 1))
    assert 2 * abs(levels(last) - final).mean() < abs(levels(last) - displaced).mean()


def last_preview(engine: Flux2Engine, asked: Job) -> Image.Image:
    """Before the last step."""
    engine.admit(asked)
    for _ in range(asked.steps - 1):
        engine.step()
    shown = preview(engine, asked.id)
    assert engine.drop(asked.id)
    return shown


def test_a_preview_of_a_checkpoint_with_native_sizes_is_resampled_like_its_pictures(
    tmp_path: Path, engine_of: EngineOf
) -> None:
    folder = write_checkpoint(tmp_path / "tiny", vae_levels=5, sidecar="[canvas]\nnative = [[64, 64]]\n")
    engine = engine_of(folder)
    asked = job(width=256, height=64, steps=40)

    last = last_preview(engine, asked)

    assert last.size == (256, 64)
    assert abs(levels(last) - pixels(draw(engine, asked).pictures[asked.id])).mean() < 12


def test_tokens_of_many_pixels_are_not_blended_in_previews(tmp_path: Path, engine_of: EngineOf) -> None:
    engine = engine_of(write_checkpoint(tmp_path / "tiny", vae_levels=6))
    asked = job(width=512, height=512, steps=40)

    last = last_preview(engine, asked)

    final = Image.fromarray(pixels(draw(engine, asked).pictures[asked.id]).astype(np.uint8))
    assert last.size == (256, 256)
    assert abs(levels(last) - levels(final.reduce(2))).mean() < 12


def test_each_job_of_a_batch_is_shown_as_itself(engine: Flux2Engine) -> None:
    jobs = [
        job(seed=1, steps=3),
        job(seed=2, steps=30, guidance=1.0),
        job(seed=3, steps=30),
        job(seed=4, steps=30, images=(reference(64, 64),)),
    ]
    for one in jobs:
        engine.admit(one)
    shown: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {}
    finished = Outcome()

    while not engine.idle:
        step(engine, finished)
        for one in jobs:
            if engine.sketch(one.id):
                shown[one.id] = levels(preview(engine, one.id))

    final = {one.id: pixels(finished.pictures[one.id]) for one in jobs}
    for one in jobs[1:]:
        distances = {other: abs(shown[one.id] - final[other]).mean() for other in final}
        assert min(distances, key=distances.__getitem__) == one.id
        assert distances[one.id] < 12


def test_what_is_shown_is_where_the_latents_would_go_straight(engine: Flux2Engine) -> None:
    """With one step they do, so a preview of it would be the picture."""
    asked = job(steps=1, guidance=3.0)
    engine.admit(asked)
    run = engine._runs[asked.id]

    (denoised,) = (event for event in engine.step() if isinstance(event, Denoised))

    (stepped,) = engine._steps._stepped
    assert torch.equal(stepped.clean(run), denoised.latents)


def test_a_job_that_has_not_stepped_or_has_left_has_nothing_to_show(engine: Flux2Engine) -> None:
    asked, other = job(steps=2), job(steps=2, width=96)
    assert engine.sketch(asked.id) is None
    engine.admit(asked)
    assert engine.sketch(asked.id) is None

    engine.step()
    engine.admit(other)
    assert engine.sketch(asked.id) is not None
    engine.drop(asked.id)
    assert engine.sketch(asked.id) is None
    engine.step()
    engine.step()
    assert engine.sketch(other.id) is None


def test_a_sketch_may_be_drawn_after_its_job_has_gone_on(engine: Flux2Engine) -> None:
    asked = job(steps=8)
    engine.admit(asked)
    engine.step()
    at_once = engine.sketch(asked.id)
    assert at_once is not None
    expected = at_once()

    for _ in range(6):
        engine.step()

    assert at_once() == expected


def test_a_preview_of_absurd_values_is_a_picture_nevertheless(engine: Flux2Engine) -> None:
    asked = job(guidance=1e38)
    engine.admit(asked)
    engine.step()

    assert preview(engine, asked.id).size == (64, 64)


@pytest.mark.anyio
async def test_a_watched_picture_is_the_same_to_the_last_bit(klein: Path) -> None:
    fields: dict[str, Any] = {"steps": 60, "width": 256, "height": 256}
    unwatched, watched = job(**fields), job(**fields)
    drawn: dict[str, bytes] = {}
    shown: dict[str, int] = {unwatched.id: 0, watched.id: 0}

    async with start_host(weights=str(klein), device="cpu", threads=1) as host:
        for one in (unwatched, watched):
            if one is watched:
                await host.watch(one.id, 60)
            await host.send(one)
            async for event in host.events():
                if isinstance(event, Progress):
                    shown[event.id] += event.preview is not None
                if isinstance(event, Drawn):
                    drawn[event.id] = event.image
                    break

    assert shown[unwatched.id] == 0
    assert shown[watched.id] >= 1
    assert drawn[unwatched.id] == drawn[watched.id]
