"""What cannot be drawn fails, alone and with a reason."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tintype.engine.engine import BadJob, is_out_of_memory
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.protocol import Drawn, Failed, Progress

from .drawing import EngineOf, draw, pixels
from .jobs import job


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


def test_a_job_whose_numbers_overflow_fails_alone_and_at_once(engine: Flux2Engine) -> None:
    overflowing, fine = job(guidance=1e38, steps=6), job(steps=6)

    outcome = draw(engine, overflowing, fine)

    (failed,) = (event for event in outcome.events if isinstance(event, Failed))
    assert (failed.id, failed.reason) == (overflowing.id, "The model produced values that are not numbers")
    steps = [event.id for event in outcome.events if isinstance(event, Progress)]
    assert steps.count(overflowing.id) < 6 == steps.count(fine.id)
    apart = pixels(outcome.pictures[fine.id]) - pixels(draw(engine, fine).pictures[fine.id])
    assert abs(apart).max() <= 1


def test_a_picture_without_numbers_fails_instead_of_being_black(engine: Flux2Engine) -> None:
    with torch.inference_mode():
        engine._checkpoint.decoder._vae.post_quant_conv.bias[1] = float("nan")

    with pytest.raises(BadJob, match="values that are not numbers"):
        draw(engine, job())


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


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError(
            "[enforce fail] err == 0. DefaultCPUAllocator: can't allocate memory: you tried 64 bytes."
        ),
        RuntimeError("could not create a primitive"),
        RuntimeError("could not execute a primitive"),
    ],
)
def test_missing_memory_is_known_by_what_libraries_say_of_it(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_an_operation_that_a_library_lacks_is_no_missing_memory() -> None:
    error = RuntimeError("could not create a primitive descriptor for the matmul primitive.")
    assert not is_out_of_memory(error)


class SmallMemory(torch.nn.Module):
    """A transformer that only has room for so many rows."""

    def __init__(self, transformer: Any, rows: int) -> None:
        super().__init__()
        self._transformer = transformer
        self.config = transformer.config
        self.rows = rows
        self.tried: list[int] = []

    def forward(self, hidden_states: torch.Tensor, **inputs: Any) -> Any:
        self.tried.append(len(hidden_states))
        if len(hidden_states) > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self._transformer(hidden_states=hidden_states, **inputs)


def small(engine: Flux2Engine, rows: int) -> SmallMemory:
    transformer = SmallMemory(engine._checkpoint.transformer, rows)
    engine._steps._checkpoint = replace(engine._checkpoint, transformer=transformer)
    return transformer


def test_a_step_too_large_for_memory_is_made_in_halves_and_stays_small(
    klein: Path, engine_of: EngineOf
) -> None:
    engine = engine_of(klein)
    transformer = small(engine, rows=3)
    jobs = [job(seed=seed, guidance=1.0, steps=6) for seed in range(7)]

    outcome = draw(engine, *jobs)

    assert transformer.tried[:5] == [7, 4, 2, 2, 3]
    assert set(transformer.tried[5:]) == {1, 2}
    for one in jobs:
        apart = pixels(outcome.pictures[one.id]) - pixels(draw(engine, one).pictures[one.id])
        assert abs(apart).max() <= 1


def test_a_job_too_large_for_memory_fails_alone_and_steps_do_not_shrink_to_nothing(
    engine: Flux2Engine,
) -> None:
    transformer = small(engine, rows=1)
    large, small_ones = job(guidance=4.0), [job(guidance=1.0, seed=seed) for seed in range(2)]

    outcome = draw(engine, large, *small_ones)

    (failed,) = (event for event in outcome.events if isinstance(event, Failed))
    assert failed.id == large.id
    assert failed.reason == "The job needs more memory than there is"
    assert set(outcome.pictures) == {one.id for one in small_ones}
    assert engine._steps.max_tokens > 0
    transformer.rows = 2
    assert isinstance(draw(engine, job()).pictures.popitem()[1], Drawn)


def test_a_job_too_large_for_memory_is_tried_again_when_nothing_else_needs_any(engine: Flux2Engine) -> None:
    transformer = small(engine, rows=1)
    engine.make_room = lambda: setattr(transformer, "rows", 2)
    asked = job(guidance=4.0, steps=3)

    outcome = draw(engine, asked)

    assert transformer.tried == [2, 2, 2, 2]
    assert not any(isinstance(event, Failed) for event in outcome.events)
    again = draw(engine, asked)
    assert (pixels(outcome.pictures[asked.id]) == pixels(again.pictures[asked.id])).all()
