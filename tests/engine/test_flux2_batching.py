"""Jobs in company: the pictures they are alone, in fair turns."""

from pathlib import Path

import pytest

from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.protocol import Drawn, Job, Progress, Started

from .drawing import EngineOf, Outcome, draw, pixels, step
from .jobs import job


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
