"""A job alone is what the stock pipeline draws."""

from pathlib import Path

import pytest

from tintype.engine.protocol import Job

from .checkpoints import write_checkpoint
from .drawing import EngineOf, draw
from .jobs import job
from .stock import stock_latents


@pytest.mark.parametrize("checkpoint", ["klein", "shifting"])
@pytest.mark.parametrize(
    "asked",
    [
        job(guidance=4.0, steps=6),
        job(guidance=1.0, steps=3),
        job(guidance=1.5, steps=5, width=128, height=80, seed=2**32 - 1, prompt=""),
    ],
    ids=["guided", "unguided", "oblong"],
)
def test_a_job_alone_is_what_the_stock_pipeline_draws(
    checkpoint: str, asked: Job, request: pytest.FixtureRequest, engine_of: EngineOf
) -> None:
    folder = request.getfixturevalue(checkpoint)

    ours = draw(engine_of(folder), asked).latents[asked.id]

    difference = (ours - stock_latents(folder, asked)).abs().max().item()
    assert difference <= 1e-4
    assert ours.std() > 0.1


def test_a_distilled_checkpoint_ignores_guidance_as_the_stock_pipeline_does(
    tmp_path: Path, engine_of: EngineOf
) -> None:
    folder = write_checkpoint(tmp_path / "tiny", distilled=True)
    asked = job(guidance=7.0)

    ours = draw(engine_of(folder), asked).latents[asked.id]

    assert (ours - stock_latents(folder, asked)).abs().max() <= 1e-4


def test_embedded_guidance_is_each_jobs_own(tmp_path: Path, engine_of: EngineOf) -> None:
    folder = write_checkpoint(tmp_path / "tiny", guidance_embeds=True)
    jobs = [job(guidance=1.0), job(guidance=5.0), job(guidance=9.0, seed=4)]

    together = draw(engine_of(folder), *jobs)

    for one in jobs:
        alone = draw(engine_of(folder), one)
        assert (together.latents[one.id] - alone.latents[one.id]).abs().max() < 1e-4
    first, second = (together.latents[one.id] for one in jobs[:2])
    assert (first - second).abs().max() > 1e-3
