"""Pictures have the size asked for, whatever canvas they are drawn on."""

from pathlib import Path

import pytest

from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.protocol import Progress

from .checkpoints import write_checkpoint
from .drawing import EngineOf, draw, pixels
from .jobs import job


def test_sizes_do_not_mix(engine: Flux2Engine) -> None:
    jobs = [job(seed=n, width=width) for n, width in enumerate((64, 96, 128, 64))]

    together = draw(engine, *jobs)

    for one in jobs:
        apart = pixels(together.pictures[one.id]) - pixels(draw(engine, one).pictures[one.id])
        assert abs(apart).max() <= 1


@pytest.mark.parametrize(("width", "height"), [(64, 64), (2048, 16 * 9), (80, 1024)])
def test_a_picture_has_exactly_the_size_asked_for(engine: Flux2Engine, width: int, height: int) -> None:
    asked = job(width=width, height=height, steps=1)

    drawn = draw(engine, asked).pictures[asked.id]

    assert pixels(drawn).shape == (height, width, 3)


def test_a_checkpoint_with_native_sizes_draws_all_square_requests_in_one_batch(
    tmp_path: Path, engine_of: EngineOf
) -> None:
    folder = write_checkpoint(
        tmp_path / "tiny", vae_levels=5, sidecar="[canvas]\ntoken = 32\nnative = [[64, 64]]\n"
    )
    engine = engine_of(folder)
    jobs = [job(width=size, height=size) for size in (64, 128, 256)]

    outcome = draw(engine, *jobs, job(id="wide", width=256, height=64))

    first_step = [event.id for event in outcome.events if isinstance(event, Progress)][:4]
    assert set(first_step) == {*(one.id for one in jobs), "wide"}
    assert pixels(outcome.pictures["wide"]).shape == (64, 256, 3)
    for one in jobs:
        assert pixels(outcome.pictures[one.id]).shape == (one.height, one.width, 3)


def test_a_checkpoint_with_large_tokens_crops_its_canvas(tmp_path: Path, engine_of: EngineOf) -> None:
    engine = engine_of(write_checkpoint(tmp_path / "tiny", vae_levels=6))
    asked = job(width=80, height=144)

    drawn = draw(engine, asked).pictures[asked.id]

    assert pixels(drawn).shape == (144, 80, 3)
