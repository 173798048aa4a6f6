"""Watched jobs are shown while they are drawn; others are not."""

import io
import itertools
import threading
from collections.abc import AsyncIterator, Callable

import pytest
from PIL import Image

from tintype.engine.blank import BlankEngine
from tintype.engine.previewing import PACE, Previewing
from tintype.engine.process import HostProcess, start_host
from tintype.engine.protocol import Drawn, Event, Progress

from .jobs import job

pytestmark = pytest.mark.anyio


@pytest.fixture
async def host() -> AsyncIterator[HostProcess]:
    async with start_host(weights="blank:") as host:
        yield host


async def progress_until_drawn(host: HostProcess) -> list[Progress]:
    said: list[Progress] = []
    async for event in host.events():
        if isinstance(event, Progress):
            said.append(event)
        if isinstance(event, Drawn):
            break
    return said


async def test_a_watched_job_is_shown_as_a_small_jpeg(host: HostProcess) -> None:
    asked = job(width=1024, height=512)

    await host.watch(asked.id, 60)
    await host.send(asked)
    (progress,) = await progress_until_drawn(host)

    assert progress.preview is not None
    preview = Image.open(io.BytesIO(progress.preview))
    assert (preview.format, preview.size) == ("JPEG", (256, 128))
    assert preview.getpixel((128, 64)) == (0xEE, 0xEE, 0xEE)


async def test_nobody_sees_previews_of_a_job_that_is_not_watched(host: HostProcess) -> None:
    watched, other, no_longer = job(), job(), job()

    await host.watch(watched.id, 60)
    await host.watch(no_longer.id, 60)
    await host.watch(no_longer.id, 0)
    for asked in (other, no_longer):
        await host.send(asked)
        said = await progress_until_drawn(host)
        assert [progress.preview for progress in said] == [None]


class Shown(BlankEngine):
    """Never done; its previews are made when they are let."""

    def __init__(self) -> None:
        super().__init__()
        self.sketched: list[str] = []
        self.draw: Callable[[], bytes] = lambda: b"preview"

    def sketch(self, job_id: str) -> Callable[[], bytes]:  # type: ignore[override]
        self.sketched.append(job_id)
        return self.draw


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    clock = Clock()
    monkeypatch.setattr("tintype.engine.previewing.time.monotonic", clock)
    return clock


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def step(number: int, job_id: str = "a") -> Progress:
    return Progress(id=job_id, step=number, steps=50, elapsed=float(number))


def test_a_job_is_shown_at_most_twice_a_second_and_only_while_it_is_watched(clock: Clock) -> None:
    engine, said = Shown(), list[Event]()

    with Previewing(engine, said.append) as previewing:
        previewing.watch("a", 2.0)
        for number in range(30):
            previewing.tell(step(number))
            previewing._thread.submit(lambda: None).result()
            clock.now += 0.1

    assert len(engine.sketched) == 2.0 / PACE
    assert sum(isinstance(event, Progress) and event.preview is not None for event in said) == 4
    assert sum(isinstance(event, Progress) and event.preview is None for event in said) == 30


def test_whoever_watches_again_and_again_is_shown_no_more_for_it(clock: Clock) -> None:
    engine, said = Shown(), list[Event]()

    with Previewing(engine, said.append) as previewing:
        for number in range(20):
            previewing.watch("a", 0)
            previewing.watch("a", 60)
            previewing.tell(step(number))
            previewing._thread.submit(lambda: None).result()
            clock.now += 0.1

    assert len(engine.sketched) == 2.0 / PACE


def test_two_previews_are_never_closer_than_their_pace_though_the_first_took_longer(clock: Clock) -> None:
    engine, shown = Shown(), list[float]()
    takes = iter([0.1, 0.0] * 20)

    def draw() -> bytes:
        clock.now += next(takes)
        return b"preview"

    def post(event: Event) -> None:
        if isinstance(event, Progress) and event.preview:
            shown.append(clock.now)

    engine.draw = draw
    with Previewing(engine, post) as previewing:
        previewing.watch("a", 60)
        for number in range(200):
            previewing.tell(step(number))
            previewing._thread.submit(lambda: None).result()
            clock.now += 0.01

    pauses = [later - earlier for earlier, later in itertools.pairwise(shown)]
    assert len(pauses) >= 3
    assert min(pauses) >= PACE


def test_a_preview_tells_the_latest_step_again(clock: Clock) -> None:
    engine, said = Shown(), list[Event]()

    with Previewing(engine, said.append) as previewing:
        previewing.watch("a", 60)
        engine.draw = lambda: (previewing.tell(step(8)), b"of step 7")[1]
        previewing.tell(step(7))

    assert said[:2] == [step(7), step(8)]
    assert said[2:] == [Progress(id="a", step=8, steps=50, elapsed=8.0, preview=b"of step 7")]


def test_while_a_preview_is_made_no_other_one_waits(clock: Clock) -> None:
    engine, said, go = Shown(), list[Event](), threading.Event()

    def slowly() -> bytes:
        assert go.wait(10)
        clock.now += 0.2
        return b"preview"

    engine.draw = slowly
    with Previewing(engine, said.append) as previewing:
        for job_id in "abc":
            previewing.watch(job_id, 60)
            previewing.tell(step(1, job_id))
        go.set()

    assert engine.sketched == ["a"]
    assert [event.id for event in said if isinstance(event, Progress) and event.preview] == ["a"]


def test_previews_rest_four_times_as_long_as_they_take(clock: Clock) -> None:
    engine = Shown()

    def slowly() -> bytes:
        clock.now += 1.0
        return b"preview"

    engine.draw = slowly
    with Previewing(engine, lambda _: None) as previewing:
        previewing.watch("a", 60)
        for number in range(20):
            previewing.tell(step(number))
            previewing._thread.submit(lambda: None).result()
            clock.now += 0.5

    assert clock.now == 113.0
    assert len(engine.sketched) == 3  # at 0 s, 5 s and 10 s


def test_a_job_that_has_left_is_not_shown_any_more(clock: Clock) -> None:
    engine, said = Shown(), list[Event]()

    with Previewing(engine, said.append) as previewing:
        previewing.watch("a", 60)
        engine.draw = lambda: (previewing.leave("a"), b"preview")[1]
        previewing.tell(step(1))

    assert said == [step(1)]


def test_a_preview_that_cannot_be_made_does_no_harm(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    engine, said = Shown(), list[Event]()
    engine.draw = lambda: b"" + None  # type: ignore[operator]

    with Previewing(engine, said.append) as previewing:
        previewing.watch("a", 60)
        previewing.tell(step(1))

    assert said == [step(1)]
    assert "no preview" in capsys.readouterr().err
