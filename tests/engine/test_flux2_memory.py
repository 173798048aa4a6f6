"""Jobs wait for memory, are drawn all the same, and fail only if there can never be enough."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tintype.domain.priority import Priority
from tintype.engine.engine import BadJob, Denoised
from tintype.engine.flux2.checkpoint import Checkpoint
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.flux2.load import load_engine
from tintype.engine.flux2.memory import available_memory, budget_of
from tintype.engine.flux2.runs import Run, Waiting, run_of, waiting_of
from tintype.engine.limits import MIB, Limits
from tintype.engine.protocol import Failed, Job, Started

from .drawing import ON_CPU, EngineOf, draw, pixels
from .jobs import job


def with_memory(engine: Flux2Engine, jobs: list[Job]) -> Flux2Engine:
    """The engine with memory for just those together."""
    needs = []
    for one in jobs:
        waiting = waiting_of(one, engine.prepare(one), engine.checkpoint)
        needs.append(engine._needs.of(waiting.layout, rows=waiting.rows))
    engine._admission.budget = engine._admission.bytes_of(needs)
    return engine


def started(events: list[Any]) -> list[str]:
    return [event.id for event in events if isinstance(event, Started)]


def test_jobs_beyond_the_memory_wait_and_are_drawn_as_ever(klein: Path, engine_of: EngineOf) -> None:
    jobs = [job(seed=seed) for seed in range(6)]
    engine = with_memory(engine_of(klein), jobs[:2])
    for one in jobs:
        engine.admit(one)

    first = engine.step()
    outcome = draw(engine)

    assert started(list(first)) == [jobs[0].id, jobs[1].id]
    assert set(outcome.pictures) == {one.id for one in jobs}
    alone = draw(engine_of(klein), jobs[5])
    assert abs(pixels(outcome.pictures[jobs[5].id]) - pixels(alone.pictures[jobs[5].id])).max() <= 1


def test_a_job_waits_until_the_pictures_before_it_are_finished(engine: Flux2Engine) -> None:
    short, long, waiting = job(steps=1, seed=1), job(steps=9, seed=2), job(seed=3)
    with_memory(engine, [short, long])
    for one in (short, long, waiting):
        engine.admit(one)

    (denoised,) = (event for event in engine.step() if isinstance(event, Denoised))
    before = started(list(engine.step()))
    engine.finish(denoised)
    after = started(list(engine.step()))

    assert (before, after) == ([], [waiting.id])


def test_nobody_is_lost_who_waits_for_the_last_picture(engine: Flux2Engine) -> None:
    first, second = job(steps=1), job(steps=1, seed=2)
    with_memory(engine, [first])
    engine.admit(first)
    engine.admit(second)
    (denoised,) = (event for event in engine.step() if isinstance(event, Denoised))

    assert engine.step() == []
    assert not engine.idle
    engine.finish(denoised)

    assert set(draw(engine).pictures) == {second.id}


def test_a_job_that_waits_for_memory_can_be_dropped(engine: Flux2Engine) -> None:
    first, second = job(), job()
    with_memory(engine, [first])
    engine.admit(first)
    engine.admit(second)

    assert engine.drop(second.id)

    assert set(draw(engine).pictures) == {first.id}


def test_who_has_waited_for_memory_comes_by_priority(engine: Flux2Engine) -> None:
    jobs = [job(priority=priority) for priority in (Priority.NORMAL, Priority.LOW, Priority.HIGH)]
    with_memory(engine, jobs[:1])
    for one in jobs:
        engine.admit(one)

    assert draw(engine).order() == [jobs[0].id, jobs[2].id, jobs[1].id]


def test_a_job_that_can_never_fit_fails_at_once_and_says_what_would(engine: Flux2Engine) -> None:
    with_memory(engine, [job(width=128, height=128)])

    with pytest.raises(
        BadJob, match=r"needs about \d+ MiB of memory, but jobs here may use \d+ MiB: a smaller"
    ):
        engine.admit(job(width=512, height=512))

    assert engine.idle
    assert set(draw(engine, asked := job()).pictures) == {asked.id}


def test_a_job_that_cannot_be_let_in_later_fails_alone(
    engine: Flux2Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, poison = job(), job(prompt="poison")
    with_memory(engine, [first])

    def fail(waiting: Waiting, checkpoint: Checkpoint) -> Run:
        if waiting.job.id == poison.id:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return run_of(waiting, checkpoint)

    monkeypatch.setattr("tintype.engine.flux2.engine.run_of", fail)
    engine.admit(first)
    engine.admit(poison)

    outcome = draw(engine)

    assert [(event.id, event.reason) for event in outcome.events if isinstance(event, Failed)] == [
        (poison.id, "The job needs more memory than there is")
    ]
    assert set(outcome.pictures) == {first.id}


def test_the_limits_reach_the_engine(klein: Path) -> None:
    limits = Limits(memory_mb=7, step_tokens=99, prompt_cache_mb=3)

    engine = load_engine(str(klein), wanted=ON_CPU, threads=1, places=0, limits=limits)

    assert isinstance(engine, Flux2Engine)
    assert (engine._admission.budget, engine._steps.max_tokens) == (7 * MIB, 99)
    assert engine._checkpoint.text._remembered.most_bytes == 3 * MIB


def test_without_a_word_jobs_may_use_half_of_what_is_available() -> None:
    budget = budget_of(torch.device("cpu"), beside=0)

    assert budget == pytest.approx(available_memory() / 2, rel=0.2)
    assert budget_of(torch.device("cpu"), beside=2**60) == 0


@pytest.mark.parametrize(("limit", "expected"), [("max", 4096), (str(3 * MIB), 2 * MIB)])
def test_what_is_available_heeds_the_control_group(tmp_path: Path, limit: str, expected: int) -> None:
    available = 4096 if limit == "max" else 8 * MIB
    for name, text in (
        ("proc/meminfo", f"MemTotal: 99999999 kB\nMemAvailable: {available // 1024} kB\n"),
        ("sys/fs/cgroup/memory.max", f"{limit}\n"),
        ("sys/fs/cgroup/memory.current", f"{MIB}\n"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    assert available_memory(tmp_path) == expected


def most_allocated(work: Callable[[], Any], trace: Path) -> int:
    """Bytes that the work had allocated at once, at most, beyond what was there before."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    profiled.export_chrome_trace(str(trace))
    held, most = 0, 0
    for event in json.loads(trace.read_text())["traceEvents"]:
        if event.get("name") == "[memory]":
            held += event["args"]["Bytes"]
            most = max(most, held)
    return most


def test_what_a_job_needs_is_not_reckoned_too_low(engine: Flux2Engine, tmp_path: Path) -> None:
    asked = job(width=512, height=512, steps=1, seed=4)
    waiting = waiting_of(asked, engine.prepare(asked), engine.checkpoint)
    need = engine._needs.of(waiting.layout, rows=2)
    engine.admit(asked)
    found: list[Denoised] = []

    step = most_allocated(
        lambda: found.extend(event for event in engine.step() if isinstance(event, Denoised)),
        tmp_path / "step.json",
    )
    decode = most_allocated(
        lambda: engine._checkpoint.decoder.decode(found[0].latents, waiting.layout.drawn),
        tmp_path / "decode.json",
    )

    assert step <= need.step + need.held <= 5 * step
    assert decode <= need.decode <= 5 * decode
