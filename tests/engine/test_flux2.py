"""Drawing: what comes out is what the stock pipeline gives, alone and in company."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tintype.engine.engine import BadJob, Denoised
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.protocol import Drawn, Failed, Job, JobEvent, Progress, Started

from .checkpoints import LAYERS, LENGTH, write_checkpoint
from .jobs import job

EngineOf = Callable[..., Flux2Engine]


@dataclass
class Outcome:
    """What an engine said, and the final latents of what it has drawn."""

    events: list[JobEvent] = field(default_factory=list)
    latents: dict[str, torch.Tensor] = field(default_factory=dict)
    pictures: dict[str, Drawn | Failed] = field(default_factory=dict)

    def order(self) -> list[str]:
        return list(self.latents)


def step(engine: Flux2Engine, outcome: Outcome) -> None:
    for event in engine.step():
        if isinstance(event, Denoised):
            outcome.latents[event.job.id] = event.latents.clone()
            outcome.pictures[event.job.id] = engine.finish(event)
        else:
            outcome.events.append(event)


def draw(engine: Flux2Engine, *jobs: Job, steps_apart: int = 0) -> Outcome:
    """Draw the jobs, each joining some steps after the one before."""
    outcome = Outcome()
    for one in jobs:
        engine.admit(one)
        for _ in range(steps_apart):
            step(engine, outcome)
    while not engine.idle:
        step(engine, outcome)
    return outcome


def pixels(drawn: Drawn | Failed) -> np.ndarray[Any, np.dtype[np.int64]]:
    assert isinstance(drawn, Drawn)
    return np.asarray(Image.open(io.BytesIO(drawn.image))).astype(np.int64)


def stock_latents(folder: Path, asked: Job) -> torch.Tensor:
    """What the stock pipeline ends with, (tokens, channels)."""
    from diffusers import Flux2KleinPipeline

    pipeline = Flux2KleinPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    last: dict[str, torch.Tensor] = {}

    def keep(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        last["latents"] = tensors["latents"]
        return {}

    pipeline(
        prompt=asked.prompt,
        width=asked.width,
        height=asked.height,
        num_inference_steps=asked.steps,
        guidance_scale=asked.guidance,
        generator=torch.Generator("cpu").manual_seed(asked.seed),
        max_sequence_length=LENGTH,
        text_encoder_out_layers=LAYERS,
        callback_on_step_end=keep,
        output_type="latent",
    )
    return last["latents"][0]


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


def crowd() -> list[Job]:
    return [
        job(prompt="a red kite", seed=1, steps=5, guidance=4.0),
        job(prompt="two cats", seed=2, steps=9, guidance=1.0),
        job(prompt="", seed=3, steps=3, guidance=9.5),
        job(prompt="a blue dog on the moon", seed=4, steps=7, guidance=2.0),
        job(prompt="a red kite", seed=1, steps=12, guidance=1.5, output_format="jpeg"),
    ]


@pytest.mark.parametrize("steps_apart", [0, 1, 2])
def test_jobs_drawn_together_are_the_pictures_they_are_alone(engine: Flux2Engine, steps_apart: int) -> None:
    jobs = crowd()

    together = draw(engine, *jobs, steps_apart=steps_apart)

    for one in jobs:
        alone = draw(engine, one)
        apart = abs(pixels(together.pictures[one.id]) - pixels(alone.pictures[one.id]))
        assert apart.max() <= (1 if one.output_format == "png" else 8)


def test_sizes_do_not_mix(engine: Flux2Engine) -> None:
    jobs = [job(seed=n, width=width) for n, width in enumerate((64, 96, 128, 64))]

    together = draw(engine, *jobs)

    for one in jobs:
        apart = pixels(together.pictures[one.id]) - pixels(draw(engine, one).pictures[one.id])
        assert abs(apart).max() <= 1


def test_drawing_again_the_same_way_gives_the_same_bytes(klein: Path, engine_of: EngineOf) -> None:
    jobs = crowd()

    first = draw(engine_of(klein), *jobs, steps_apart=1)
    second = draw(engine_of(klein), *jobs, steps_apart=1)

    for one in jobs:
        images = [outcome.pictures[one.id] for outcome in (first, second)]
        assert isinstance(images[0], Drawn)
        assert isinstance(images[1], Drawn)
        assert images[0].image == images[1].image


def test_the_id_and_the_share_do_not_influence_the_picture(engine: Flux2Engine) -> None:
    one, other = job(id="a", share="x"), job(id="b", share="y", weight=3.0)

    pictures = [draw(engine, asked).pictures[asked.id] for asked in (one, other)]

    assert isinstance(pictures[0], Drawn)
    assert isinstance(pictures[1], Drawn)
    assert pictures[0].image == pictures[1].image


def test_a_job_reports_its_start_and_every_step(engine: Flux2Engine) -> None:
    asked = job(steps=3)

    events = draw(engine, asked).events

    assert isinstance(events[0], Started)
    assert [(e.step, e.steps) for e in events[1:] if isinstance(e, Progress)] == [
        (1, 3),
        (2, 3),
        (3, 3),
    ]


def test_a_short_job_is_done_long_before_the_long_ones_it_came_after(engine: Flux2Engine) -> None:
    long = [job(steps=50, width=128, height=128, share="long") for _ in range(4)]
    short = [job(steps=2, share="short"), job(steps=2, width=128, height=128, share="long")]
    outcome = Outcome()
    for one in long:
        engine.admit(one)
    for _ in range(5):
        step(engine, outcome)

    for one in short:
        engine.admit(one)
    while not engine.idle:
        step(engine, outcome)

    assert set(outcome.order()[:2]) == {one.id for one in short}
    done_by_long = [e for e in outcome.events if isinstance(e, Progress) and e.id == long[0].id]
    assert len(done_by_long) == 50


def test_two_shares_get_equal_steps(klein: Path, engine_of: EngineOf) -> None:
    engine = engine_of(klein, max_rows=4)
    for _ in range(10):
        engine.admit(job(steps=50, share="many"))
    for _ in range(2):
        engine.admit(job(id=f"few-{_}", steps=50, share="few"))
    outcome = Outcome()

    for _ in range(20):
        step(engine, outcome)

    few = sum(isinstance(e, Progress) and e.id.startswith("few") for e in outcome.events)
    steps = sum(isinstance(e, Progress) for e in outcome.events)
    assert abs(2 * few - steps) <= 4


def test_a_dropped_job_takes_no_further_step_and_the_others_go_on(engine: Flux2Engine) -> None:
    dropped, kept = job(steps=20), job(steps=20, seed=9)
    outcome = Outcome()
    engine.admit(dropped)
    engine.admit(kept)
    for _ in range(3):
        step(engine, outcome)
    before = len(outcome.events)

    assert engine.drop(dropped.id)
    while not engine.idle:
        step(engine, outcome)

    assert not any(event.id == dropped.id for event in outcome.events[before:])
    apart = pixels(outcome.pictures[kept.id]) - pixels(draw(engine, kept).pictures[kept.id])
    assert abs(apart).max() <= 1
    assert not engine.drop(dropped.id)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"width": 100}, "width 100"),
        ({"width": 48}, "width 48"),
        ({"height": 2064}, "height 2064"),
        ({"steps": 0}, "steps 0"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**32}, "seed 4294967296"),
        ({"guidance": float("nan")}, "guidance nan"),
        ({"weight": 0.0}, "weight 0.0"),
    ],
)
def test_a_job_that_cannot_be_drawn_is_refused_with_a_reason(
    engine: Flux2Engine, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BadJob, match=reason):
        engine.admit(job(**fields))

    assert engine.idle


def test_a_job_whose_numbers_overflow_fails_alone(engine: Flux2Engine) -> None:
    overflowing, fine = job(guidance=1e38), job()

    outcome = draw(engine, overflowing, fine)

    failed = outcome.pictures[overflowing.id]
    assert isinstance(failed, Failed)
    assert "not numbers" in failed.reason
    assert isinstance(outcome.pictures[fine.id], Drawn)


def test_a_job_that_breaks_its_batch_fails_alone(engine: Flux2Engine) -> None:
    poison, fine = job(prompt="poison"), [job(seed=1), job(seed=2)]
    for one in (fine[0], poison, fine[1]):
        engine.admit(one)
    engine._runs[poison.id].sigmas.clear()

    outcome = draw(engine)

    assert [event.id for event in outcome.events if isinstance(event, Failed)] == [poison.id]
    for one in fine:
        apart = pixels(outcome.pictures[one.id]) - pixels(draw(engine, one).pictures[one.id])
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


def test_a_prompt_is_encoded_once(engine: Flux2Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    text = engine._checkpoint.text
    encode = text._encode
    monkeypatch.setattr(text, "_encode", lambda prompt: (encoded.append(prompt), encode(prompt))[1])

    draw(engine, job(prompt="two cats"), job(prompt="two cats"), job(prompt=""))

    assert encoded == ["two cats"]


def test_remembered_prompts_stay_within_their_memory(engine: Flux2Engine) -> None:
    text = engine._checkpoint.text
    text._cache_bytes = 3 * text.empty.nbytes

    for number in range(10):
        text.embed(f"kite {number}")

    assert list(text._cache) == ["kite 7", "kite 8", "kite 9"]
    assert text._cached_bytes == 3 * text.empty.nbytes
