"""Drawing after reference pictures: as the stock pipeline does it, alone and in company."""

import hashlib
from pathlib import Path

import pytest
import torch

from tintype.engine.engine import BadJob
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.images.metadata import read_metadata
from tintype.engine.protocol import MOST_IMAGES, Drawn, Failed, Job, Progress

from .checkpoints import write_checkpoint
from .drawing import EngineOf, Outcome, draw, pixels, step
from .jobs import job
from .references import reference
from .stock import stock_latents


@pytest.mark.parametrize(
    "asked",
    [
        job(images=(reference(96, 64),), guidance=4.0, steps=4),
        job(images=(reference(64, 128, 1), reference(107, 95, 2)), guidance=1.0, steps=3),
        job(images=(reference(1400, 1000, 3),), guidance=2.5, steps=2, width=96, height=80),
    ],
    ids=["one", "two, cropped", "larger than a megapixel"],
)
def test_a_job_with_references_is_what_the_stock_pipeline_draws(
    asked: Job, shifting: Path, engine_of: EngineOf
) -> None:
    ours = draw(engine_of(shifting), asked).latents[asked.id]

    assert (ours - stock_latents(shifting, asked)).abs().max() <= 1e-4
    without = draw(engine_of(shifting), job(**fields_of(asked))).latents
    assert all((ours - other).abs().max() > 1e-2 for other in without.values())


def fields_of(asked: Job) -> dict[str, object]:
    """The same job without its pictures."""
    kept = ("prompt", "width", "height", "steps", "guidance", "seed")
    return {name: getattr(asked, name) for name in kept}


def test_a_checkpoint_with_native_sizes_sees_references_of_all_shapes_on_the_first_of_them(
    tmp_path: Path, engine_of: EngineOf
) -> None:
    folder = write_checkpoint(tmp_path / "tiny", sidecar="[canvas]\nnative = [[64, 64], [128, 64]]\n")
    engine = engine_of(folder)
    shapes = [(64, 64), (640, 640), (300, 100), (64, 90)]
    jobs = [job(id=f"{w}x{h}", images=(reference(w, h),), steps=2) for w, h in shapes]

    references = [engine.prepare(one).encoded[0] for one in jobs]

    assert [(one.grid.rows, one.grid.columns) for one in references] == [(4, 4)] * 4
    for one in jobs:
        engine.admit(one)
    assert sum(isinstance(event, Progress) for event in engine.step()) == 4
    while not engine.idle:
        engine.step()


def test_embedded_guidance_goes_with_references(tmp_path: Path, engine_of: EngineOf) -> None:
    engine = engine_of(write_checkpoint(tmp_path / "tiny", guidance_embeds=True))
    jobs = [job(images=(reference(64, 64),), guidance=strength) for strength in (1.0, 6.0)]

    together = draw(engine, *jobs)

    for one in jobs:
        assert (together.latents[one.id] - draw(engine, one).latents[one.id]).abs().max() < 1e-4


def crowd() -> list[Job]:
    one, other, wide = reference(64, 64, 1), reference(64, 64, 2), reference(128, 64, 3)
    return [
        job(images=(one,), seed=1, steps=5, guidance=4.0),
        job(images=(other,), seed=2, steps=9, guidance=1.0),
        job(seed=3, steps=6, guidance=3.0),
        job(images=(one,), seed=4, steps=3, guidance=2.0, prompt="two cats"),
        job(images=(one, wide), seed=5, steps=4, guidance=1.5),
        job(images=(wide, one), seed=6, steps=4, guidance=4.0),
        job(images=(other,), seed=7, steps=4, guidance=4.0, width=96),
        job(seed=8, steps=6, guidance=1.0),
    ]


@pytest.mark.parametrize("steps_apart", [0, 2])
def test_jobs_with_and_without_references_are_the_pictures_they_are_alone(
    engine: Flux2Engine, steps_apart: int
) -> None:
    jobs = crowd()

    together = draw(engine, *jobs, steps_apart=steps_apart)

    for one in jobs:
        apart = pixels(together.pictures[one.id]) - pixels(draw(engine, one).pictures[one.id])
        assert abs(apart).max() <= 1


def test_jobs_share_a_step_if_their_references_have_the_same_shapes(engine: Flux2Engine) -> None:
    jobs = crowd()
    for one in jobs:
        engine.admit(one)

    steps = []
    while not engine.idle:
        events = engine.step()
        steps.append(frozenset(jobs.index(by_id(jobs, e.id)) for e in events if isinstance(e, Progress)))

    assert {0, 1, 3} in steps
    assert {2, 7} in steps
    groups = [{0, 1, 3}, {2, 7}, {4}, {5}, {6}]
    assert all(any(together <= group for group in groups) for together in steps)


def by_id(jobs: list[Job], job_id: str) -> Job:
    return next(one for one in jobs if one.id == job_id)


def test_references_count_as_tokens_of_a_step(engine: Flux2Engine) -> None:
    engine._steps.max_tokens = 2 * (16 + 3 * 16)  # two rows of 16 text tokens and three grids of 4 x 4
    references = (reference(64, 64, 1), reference(64, 64, 2))
    jobs = [job(images=references, guidance=1.0, steps=1) for _ in range(5)]
    for one in jobs:
        engine.admit(one)

    sizes = []
    while not engine.idle:
        sizes.append(sum(isinstance(event, Progress) for event in engine.step()))

    assert sizes == [2, 2, 1]


def test_a_share_that_draws_after_pictures_gets_fewer_steps(engine: Flux2Engine) -> None:
    """Its steps cost twice as much, 64 tokens instead of 32, and equal shares get equal compute."""
    engine.admit(job(id="plain", share="a", steps=100))
    engine.admit(job(id="edit", share="b", steps=100, images=(reference(64, 64), reference(64, 64, 1))))
    outcome = Outcome()

    for _ in range(40):
        step(engine, outcome)

    done = [event.id for event in outcome.events if isinstance(event, Progress)]
    assert (done.count("plain"), done.count("edit")) == (27, 13)


def test_equal_references_give_equal_bytes_and_the_picture_names_them(
    klein: Path, engine_of: EngineOf
) -> None:
    images = (reference(64, 64, 1), reference(80, 64, 2))
    asked = job(images=images)

    first, second = (draw(engine_of(klein), asked).pictures[asked.id] for _ in range(2))

    assert isinstance(first, Drawn)
    assert isinstance(second, Drawn)
    assert first.image == second.image
    said = read_metadata(first.image)
    assert said["references"] == [hashlib.sha256(image).hexdigest() for image in images]


def test_a_picture_is_encoded_once_however_often_it_is_a_reference(
    engine: Flux2Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = engine._checkpoint.references
    encoded: list[bytes] = []
    encode = encoder._encode
    monkeypatch.setattr(encoder, "_encode", lambda file: (encoded.append(file), encode(file))[1])
    one, other = reference(64, 64, 1), reference(64, 64, 2)

    draw(engine, job(images=(one, other, one)), job(images=(other,)))

    assert encoded == [one, other]


def test_remembered_references_stay_within_their_memory(engine: Flux2Engine) -> None:
    encoder = engine._checkpoint.references
    (sample,) = encoder.encode([reference(64, 64)], ["0"])
    encoder._remembered.most_bytes = 2 * sample.nbytes

    encoder.encode([reference(64, 64, seed) for seed in range(4)], list("0123"))

    assert encoder._remembered.names() == ["2", "3"]


def test_a_dropped_job_with_references_leaves_and_the_others_go_on(engine: Flux2Engine) -> None:
    images = (reference(64, 64),)
    dropped, kept = job(steps=20, images=images), job(steps=20, images=images, seed=9)
    outcome = Outcome()
    for one in (dropped, kept):
        engine.admit(one)
    for _ in range(3):
        step(engine, outcome)
    before = len(outcome.events)

    assert engine.drop(dropped.id)
    while not engine.idle:
        step(engine, outcome)

    assert not any(event.id == dropped.id for event in outcome.events[before:])
    apart = pixels(outcome.pictures[kept.id]) - pixels(draw(engine, kept).pictures[kept.id])
    assert abs(apart).max() <= 1


@pytest.mark.parametrize(
    ("sidecar", "count", "reason"),
    [
        ("[edit]\nreferences = 0\n", 1, "This checkpoint cannot edit pictures: tiny draws from the prompt"),
        ("[edit]\nreferences = 2\n", 3, "3 reference pictures, but this checkpoint takes 2 at most"),
        ("", MOST_IMAGES + 1, "9 reference pictures, 8 at most"),
    ],
)
def test_more_references_than_a_checkpoint_takes_are_refused(
    tmp_path: Path, engine_of: EngineOf, sidecar: str, count: int, reason: str
) -> None:
    engine = engine_of(write_checkpoint(tmp_path / "tiny", sidecar=sidecar))

    with pytest.raises(BadJob, match=reason):
        engine.admit(job(images=(reference(64, 64),) * count))

    assert engine.idle
    assert engine.ready().edits is ("references = 0" not in sidecar)


def test_a_reference_that_is_no_picture_is_named(engine: Flux2Engine) -> None:
    with pytest.raises(BadJob, match="Reference picture 2 is not a PNG"):
        engine.admit(job(images=(reference(64, 64), b"not a picture")))


def test_a_reference_smaller_than_a_token_is_refused(tmp_path: Path, engine_of: EngineOf) -> None:
    engine = engine_of(write_checkpoint(tmp_path / "tiny", vae_levels=8))

    with pytest.raises(BadJob, match="Reference picture 1 is 96 × 80 pixels, less than a token"):
        engine.admit(job(images=(reference(96, 80),)))


def test_references_with_absurd_values_fail_their_job_alone(engine: Flux2Engine) -> None:
    poison, fine = job(images=(reference(64, 64),)), job(images=(reference(64, 64, 1),))
    for one in (poison, fine):
        engine.admit(one)
    tokens = engine._runs[poison.id].reference_tokens
    assert tokens is not None
    tokens.fill_(torch.nan)

    outcome = Outcome()
    while not engine.idle:
        step(engine, outcome)

    assert [event.id for event in outcome.events if isinstance(event, Failed)] == [poison.id]
    assert isinstance(outcome.pictures[fine.id], Drawn)
