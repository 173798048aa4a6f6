"""Pictures finish beside the next steps; the host keeps its word about them."""

import threading

import pytest

from tintype.engine.blank import BlankEngine
from tintype.engine.engine import Denoised
from tintype.engine.finishing import Finishing, Unfinished
from tintype.engine.protocol import Drawn, Event, Failed

from .jobs import job


class SlowEngine(BlankEngine):
    """Finishes nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.finishing = threading.Event()
        self.go = threading.Event()

    def finish(self, denoised: Denoised) -> Drawn | Failed:
        self.finishing.set()
        assert self.go.wait(10)
        return super().finish(denoised)


class FailingEngine(BlankEngine):
    def __init__(self, error: Exception) -> None:
        super().__init__(places=1)
        self.error = error

    def finish(self, denoised: Denoised) -> Drawn | Failed:
        raise self.error


def unwanted(unfinished: Unfinished) -> None:
    raise AssertionError(unfinished)


def denoised(job_id: str) -> Denoised:
    return Denoised(job=job(id=job_id), latents=None, admitted=0.0)


def test_leaving_the_scope_finishes_every_picture() -> None:
    events: list[Event] = []

    with Finishing(BlankEngine(), events.append, unwanted) as finishing:
        for job_id in "abc":
            finishing.take(denoised(job_id))

    assert [event.id for event in events if isinstance(event, Drawn)] == ["a", "b", "c"]


def test_a_job_dropped_while_its_picture_finishes_is_not_heard_of_again() -> None:
    events: list[Event] = []
    engine = SlowEngine()

    with Finishing(engine, events.append, unwanted) as finishing:
        for job_id in "abc":
            finishing.take(denoised(job_id))
        assert engine.finishing.wait(10)
        assert finishing.drop("a")
        assert finishing.drop("b")
        engine.go.set()

    assert [event.id for event in events if isinstance(event, Drawn)] == ["c"]


def test_a_finished_job_can_no_longer_be_dropped() -> None:
    with Finishing(BlankEngine(), lambda _: None, unwanted) as finishing:
        finishing.take(denoised("a"))

    assert not finishing.drop("a")


def test_a_picture_that_cannot_be_finished_is_left_to_the_stepping_thread(
    capsys: pytest.CaptureFixture[str],
) -> None:
    events, left = list[Event](), list[Unfinished]()
    error = RuntimeError("no file /srv/weights/secret")

    with Finishing(FailingEngine(error), events.append, left.append) as finishing:
        finishing.take(denoised("a"))

    assert [(unfinished.denoised.job.id, unfinished.error) for unfinished in left] == [("a", error)]
    assert events == []
    assert finishing.release("a")
    assert not finishing.release("a")
    assert str(error) in capsys.readouterr().err
