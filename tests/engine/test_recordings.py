"""Forward passes that are recorded and repeated, here with a recorder that a CPU can do: one that makes the
pass again, from the tensors it was recorded with."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tintype.engine.flux2.checkpoint import open_checkpoint
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.flux2.placing import Placed
from tintype.engine.flux2.recordings import KEPT, OFTEN, ROWS, Recordings, padded_rows

from .drawing import EngineOf, draw, pixels
from .jobs import job

MOST_TOKENS = 256
TOKENS, TEXT = 16, 16


class Recorder:
    """Counts what it records and repeats."""

    def __init__(self) -> None:
        self.recorded = self.repeated = 0

    def __call__(self, run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        self.recorded += 1
        output = run()

        def repeat() -> Tensor:
            self.repeated += 1
            output.copy_(run())
            return output

        return repeat


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def transformer(klein: Path) -> Any:
    return open_checkpoint(str(klein), Placed(device=torch.device("cpu"), dtype=torch.float32)).transformer


@pytest.fixture
def recordings(transformer: Any, recorder: Recorder) -> Recordings:
    return Recordings(transformer, recorder, most_tokens=MOST_TOKENS)


IMAGE, WORDS = torch.zeros(TOKENS, 4), torch.zeros(TEXT, 4)


def inputs(rows: int, seed: int = 0) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "hidden_states": torch.randn((rows, TOKENS, 16), generator=generator),
        "timestep": torch.rand(rows, generator=generator),
        "guidance": None,
        "encoder_hidden_states": torch.randn((rows, TEXT, 48), generator=generator),
        "txt_ids": WORDS,
        "img_ids": IMAGE,
        "return_dict": False,
    }


def often(recordings: Recordings, rows: int) -> None:
    for seed in range(OFTEN):
        recordings(**inputs(rows, seed))


@pytest.mark.parametrize(("rows", "padded"), [(1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (32, 32), (33, None)])
def test_rows_are_filled_up_to_the_next_fixed_number(rows: int, padded: int | None) -> None:
    assert padded_rows(rows) == padded


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6])
def test_a_repeated_pass_gives_what_the_transformer_gives(
    recordings: Recordings, recorder: Recorder, transformer: Any, rows: int
) -> None:
    often(recordings, rows)
    for seed in (100, 101):
        asked = inputs(rows, seed)

        repeated, wanted = recordings(**asked)[0], transformer(**asked)[0]

        torch.testing.assert_close(repeated, wanted, rtol=1e-4, atol=1e-5)
    assert recorder.recorded == 1
    assert recorder.repeated >= 2


def test_what_came_out_stays_when_the_next_pass_is_repeated(recordings: Recordings) -> None:
    often(recordings, 2)
    first = recordings(**inputs(2, 100))[0]
    kept = first.clone()

    recordings(**inputs(2, 101))

    assert torch.equal(first, kept)


def test_passes_of_different_numbers_of_rows_share_a_recording(
    recordings: Recordings, recorder: Recorder, transformer: Any
) -> None:
    for rows in (4, 3, 4, 3, 4, 3, 4, 3, 4, 3):
        recordings(**inputs(rows))

    asked = inputs(3, 100)
    torch.testing.assert_close(recordings(**asked)[0], transformer(**asked)[0], rtol=1e-4, atol=1e-5)
    assert recorder.recorded == 1


def test_values_that_are_no_numbers_stay_in_their_row(recordings: Recordings, transformer: Any) -> None:
    often(recordings, 4)
    broken = inputs(4, 100)
    broken["hidden_states"][3] = torch.nan
    asked = inputs(3, 101)

    assert recordings(**broken)[0][:3].isfinite().all()
    torch.testing.assert_close(recordings(**asked)[0], transformer(**asked)[0], rtol=1e-4, atol=1e-5)


def test_a_pass_that_is_rare_is_not_recorded(recordings: Recordings, recorder: Recorder) -> None:
    for seed in range(OFTEN - 1):
        recordings(**inputs(2, seed))

    assert recorder.recorded == 0


def test_a_pass_that_computes_longer_than_it_launches_is_not_recorded(
    recordings: Recordings, recorder: Recorder
) -> None:
    large = MOST_TOKENS // (TOKENS + TEXT) + 1
    assert large <= max(ROWS)

    often(recordings, large)

    assert recorder.recorded == 0


def test_layouts_of_the_same_size_do_not_share_a_recording(
    recordings: Recordings, recorder: Recorder, transformer: Any
) -> None:
    turned = {"img_ids": torch.ones(TOKENS, 4)}
    often(recordings, 2)
    for seed in range(OFTEN):
        recordings(**inputs(2, seed) | turned)

    for asked in (inputs(2, 100), inputs(2, 100) | turned):
        torch.testing.assert_close(recordings(**asked)[0], transformer(**asked)[0], rtol=1e-4, atol=1e-5)
    assert recorder.recorded == 2


def test_recordings_are_not_kept_for_ever(recordings: Recordings, recorder: Recorder) -> None:
    for _ in range(KEPT + 1):
        positions = {"img_ids": torch.zeros(TOKENS, 4)}
        for seed in range(OFTEN):
            recordings(**inputs(1, seed) | positions)

    assert len(recordings._recordings) == KEPT
    assert recorder.recorded == KEPT + 1


def test_a_recorder_that_fails_is_not_asked_again_and_the_pass_is_made(transformer: Any) -> None:
    asked = list[int]()

    def failing(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        asked.append(1)
        raise RuntimeError("operation not permitted when stream is capturing")

    recordings = Recordings(transformer, failing, most_tokens=MOST_TOKENS)
    often(recordings, 2)
    often(recordings, 2)

    wanted = transformer(**inputs(2, 100))[0]
    assert torch.equal(recordings(**inputs(2, 100))[0], wanted)
    assert len(asked) == 1


def test_a_repetition_that_is_something_else_is_not_used(transformer: Any) -> None:
    def wrong(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        return lambda: run() * 1.1

    recordings = Recordings(transformer, wrong, most_tokens=MOST_TOKENS)
    often(recordings, 2)

    assert torch.equal(recordings(**inputs(2, 100))[0], transformer(**inputs(2, 100))[0])
    with pytest.raises(ValueError, match=r"a repeated forward pass is 1\.0e-01 from the same one as it is"):
        Recordings(transformer, wrong, most_tokens=MOST_TOKENS).prove(**inputs(2))


def test_memory_that_runs_out_takes_the_recordings_with_it(transformer: Any, recorder: Recorder) -> None:
    full = list[bool]()

    class Scarce:
        pos_embed = transformer.pos_embed

        def __call__(self, **inputs: Any) -> Any:
            if full:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return transformer(**inputs)

    recordings = Recordings(Scarce(), recorder, most_tokens=MOST_TOKENS)
    often(recordings, 2)
    assert recordings._recordings
    full.append(True)

    with pytest.raises(torch.OutOfMemoryError):
        recordings(**inputs(32))

    assert not recordings._recordings


def record_steps(engine: Flux2Engine, recorder: Recorder) -> None:
    checkpoint = engine._checkpoint
    recordings = Recordings(checkpoint.transformer, recorder, most_tokens=10**6)
    engine._steps._checkpoint = replace(checkpoint, recordings=recordings)


def test_jobs_drawn_with_recorded_steps_are_the_pictures_they_are_without(
    klein: Path, engine_of: EngineOf, recorder: Recorder
) -> None:
    jobs = [
        job(prompt="a red kite", seed=1, steps=30, guidance=4.0),
        job(prompt="two cats", seed=2, steps=25, guidance=1.0),
        job(prompt="", seed=3, steps=28, guidance=9.5),
    ]
    engine = engine_of(klein)
    plain = draw(engine, *jobs, steps_apart=2)
    record_steps(engine, recorder)

    recorded = draw(engine, *jobs, steps_apart=2)

    assert recorder.repeated > 10
    for one in jobs:
        assert abs(pixels(recorded.pictures[one.id]) - pixels(plain.pictures[one.id])).max() <= 1


def test_a_dropped_job_takes_no_further_step_among_recorded_ones(
    engine_of: EngineOf, klein: Path, recorder: Recorder
) -> None:
    engine = engine_of(klein)
    record_steps(engine, recorder)
    dropped, kept = job(steps=40), job(steps=40, seed=9)
    engine.admit(dropped)
    engine.admit(kept)
    for _ in range(15):
        engine.step()
    assert recorder.repeated

    assert engine.drop(dropped.id)
    events = engine.step()

    assert {event.id for event in events} == {kept.id}


def test_a_transformer_that_stands_in_for_the_recorded_one_is_asked_itself(
    klein: Path, transformer: Any, recorder: Recorder
) -> None:
    checkpoint = open_checkpoint(str(klein), Placed(device=torch.device("cpu"), dtype=torch.float32))
    recordings = Recordings(checkpoint.transformer, recorder, most_tokens=MOST_TOKENS)
    recorded = replace(checkpoint, recordings=recordings)

    assert recorded.forward is recordings
    assert replace(recorded, transformer=transformer).forward is transformer
