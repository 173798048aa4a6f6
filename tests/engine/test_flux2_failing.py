"""What cannot be drawn fails, alone and with a reason."""

from typing import Any

import pytest

from tintype.engine.engine import BadJob
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.protocol import Drawn, Failed

from .drawing import draw, pixels
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
