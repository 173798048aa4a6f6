"""Previews: pictures on their way, for whoever looks."""

import asyncio
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.listener import listening
from api.played import Played
from api.wire import Wire
from serving import Server, start_server, until
from tintype.api import announcing
from tintype.api.frames import Frame, Inbox
from tintype.bus.protocol import WATCH, WATCHED_FOR
from tintype.domain.lifecycle import Status

PREFIX = "data:image/jpeg;base64,"
JPEG = b"\xff\xd8\xff"


@pytest.fixture
def played(wire: Wire) -> Played:
    played = Played(wire)
    played.claim()
    played.reach(Status.START, Status.OUTPUT)
    return played


def preview_of(frame: dict[str, Any]) -> bytes | None:
    """The JPEG that a frame carries."""
    if frame["type"] != "task_output" or (url := frame["message"].get("preview")) is None:
        return None
    assert url.startswith(PREFIX)
    return b64decode(url.removeprefix(PREFIX), validate=True)


def test_progress_carries_the_preview_as_a_data_url(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token) as listener:
        listener.next()
        played.draw(1)
        played.draw(1, b"a small picture")

        plain, shown = listener.next(), listener.next()

    assert preview_of(plain) is None
    assert preview_of(shown) == b"a small picture"
    assert shown["seq"] > plain["seq"]
    assert {name: value for name, value in shown["message"].items() if name != "preview"} == plain["message"]


def test_whoever_wants_no_previews_gets_none(wire: Wire, played: Played) -> None:
    with listening(wire.url) as listener, listening(wire.url, played.token) as other:
        listener.register(played.token, preview=False)
        assert preview_of(listener.next()) is None
        other.next()
        played.draw(1, b"a small picture")

        assert preview_of(other.next()) == b"a small picture"
        told = listener.next()
        assert preview_of(told) is None
        listener.register(played.token, preview=False, lastseq=0)
        again = [listener.next() for _ in range(2)]

    assert [preview_of(frame) for frame in again] == [None, None]
    assert again[-1] == told


def test_only_the_newest_preview_of_a_task_is_kept(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token) as listener:
        first = listener.next()["seq"]
        for step in range(1, 20):
            played.draw(step, b"x" * 20_000)
        listener.through("task_output")
    with listening(wire.url) as listener:
        listener.register(played.token, lastseq=first)

        frames = [listener.next() for _ in range(19)]

    assert [frame["message"]["stepCurrent"] for frame in frames] == [str(step) for step in range(1, 20)]
    assert [preview_of(frame) is not None for frame in frames] == [False] * 18 + [True]


def test_what_waits_for_a_slow_reader_is_bounded_by_its_size_too() -> None:
    inbox, largest = Inbox(), 0
    for number in range(2000):
        plain = Frame("x" * 400, task_id=number % 3, sequence=number)
        inbox.put(plain._replace(text="x" * 30_000, plain=plain))
        largest = max(largest, inbox.size)

    assert largest <= 2**17
    left = [asyncio.run(inbox.next()).sequence for _ in range(len(inbox))]
    assert left[-3:] == [1997, 1998, 1999]
    assert inbox.size == 0


@contextmanager
def announcements(wire: Wire) -> Iterator[list[set[int]]]:
    """The ids that workers hear of from now on, payload by payload."""
    heard: list[set[int]] = []

    async def hear() -> None:
        async with wire.service.bus.subscribe(WATCH) as payloads:
            async for payload in payloads:
                heard.append({int(task_id) for task_id in payload.split()})

    hearing = asyncio.run_coroutine_threadsafe(hear(), wire.loop)
    try:
        yield heard
    finally:
        hearing.cancel()


def test_workers_hear_who_is_looked_at_at_once_and_as_long_as_somebody_looks(
    wire: Wire, played: Played
) -> None:
    other = Played(wire)
    with announcements(wire) as heard:
        with listening(wire.url, played.token) as listener, listening(wire.url) as uninterested:
            uninterested.register(other.token, preview=False)
            uninterested.next()
            listener.next()
            began = time.monotonic()
            until(lambda: any(played.task.id in ids for ids in heard), within=5, what="the first word")
            assert time.monotonic() - began < announcing.EVERY / 2, "not at once"
            heard.clear()

            until(lambda: any(played.task.id in ids for ids in heard), within=20, what="the next word")
        time.sleep(0.2)
        heard.clear()

        time.sleep(announcing.EVERY * 1.5)

        assert not any(played.task.id in ids or int(other.ran["taskid"]) in ids for ids in heard)


def test_a_task_that_was_queued_is_shown_as_soon_as_it_is_drawn(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", weights="blank:", places=1) as server:
        server.freeze_engine()
        server.run()
        looked_at = server.run(width=512, height=256)
        with listening(server.url, looked_at.token) as listener:
            listener.next()
            time.sleep(0.5)  # for the announcement on its way to the worker
            server.thaw_engine()

            frames = listener.through("task_postprocess_end")

        shown = [preview for frame in frames if (preview := preview_of(frame))]
        assert len(shown) == 1
        assert shown[0].startswith(JPEG)


def test_a_picture_is_the_same_whether_it_was_looked_at_or_not(server: Server) -> None:
    inputs = {"prompt": "a red kite", "width": 512, "height": 512, "steps": 50, "seed": 7}
    alone, looked_at = server.run(**inputs), None
    pictures = [server.client.download(alone.ends().output)]
    for _ in range(5):
        looked_at = server.run(**inputs)
        with listening(server.url, looked_at.token) as listener:
            frames, begun = [], time.monotonic()
            while not frames or not frames[-1]["terminal"]:
                frames.append(listener.next(within=60))
            seconds = time.monotonic() - begun
        pictures.append(server.client.download(looked_at.ends().output))
        shown = sum(preview_of(frame) is not None for frame in frames)
        if shown:
            break

    assert len(set(pictures)) == 1
    assert shown, "no preview came in five runs"
    assert shown <= 2 * seconds + 2, "more than two in a second"


def test_announcements_outlast_one_that_is_lost() -> None:
    assert 2 * announcing.EVERY < WATCHED_FOR
