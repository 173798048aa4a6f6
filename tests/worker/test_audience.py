"""Tasks that somebody follows are shown while they are drawn, whatever carries the word."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conformance.nats_server import nats_server
from tintype.bus import WATCH
from tintype.domain.events import TaskEvent
from tintype.worker.audience import Audience
from worker.workshop import Hosts, Workshop, open_workshop, until

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "nats"])
async def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Workshop]:
    if request.param == "memory":
        async with open_workshop(tmp_path) as workshop:
            yield workshop
    else:
        async with nats_server() as nats, open_workshop(tmp_path, bus_url=nats.url) as workshop:
            yield workshop


def previews(events: list[TaskEvent]) -> list[str]:
    """The data URLs that events carry."""
    return [event.message["preview"] for event in events if event.message and "preview" in event.message]


async def test_who_was_asked_for_before_the_claim_is_shown_and_nobody_else(workshop: Workshop) -> None:
    hosts = Hosts(places=1, frozen=True)
    first, asked_for, other = [await workshop.run(f"kite {number}") for number in range(3)]
    async with (
        workshop.working(hosts),
        workshop.events(first) as of_first,
        workshop.events(asked_for) as of_asked_for,
        workshop.events(other) as of_other,
    ):
        await workshop.until(first, lambda task: bool(task.worker))
        await workshop.bus.publish(WATCH, b"7 %d 99" % asked_for.id)
        await workshop.bus.publish(WATCH, b"nonsense %d" % 10**30)
        hosts.thaw()
        heard = (of_first, of_asked_for, of_other)
        await until(lambda: all(events and events[-1].terminal for events in heard))

    assert previews(of_first) == previews(of_other) == []
    (preview,) = previews(of_asked_for)
    assert preview.startswith("data:image/jpeg;base64,/9j/")


def test_who_is_asked_for_no_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.0, 102.0, 105.5, 105.5])
    monkeypatch.setattr("tintype.worker.audience.time.monotonic", lambda: next(clock))
    audience = Audience()

    assert audience.hear(b"1 2") == {1, 2}

    assert audience.stays(1) == 5.0
    assert audience.stays(2) == 3.0
    assert audience.stays(1) == audience.stays(3) == 0.0
