"""The WebSocket and its peers: slow ones, dead ones, and a server that stops."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvicorn

from api.listener import assert_in_order, listening
from api.played import Played
from api.raw import line_to, request
from api.wire import Wire, start_wire
from tintype.api.frames import ROOM, Frame, Inbox
from tintype.bootstrap.http_server import OPTIONS
from tintype.domain.events import progress_event
from tintype.domain.lifecycle import Status
from tintype.worker.story import tell

DOCUMENT = Path(__file__).parents[2] / "docs" / "websocket.md"
KILL = "/v1/Task/Kill"
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
PING, CLOSE_1011 = b"\x89\x04", b"\x03\xf3keepalive ping timeout"


def test_a_slow_reader_slows_nobody_and_still_hears_the_end(wire: Wire) -> None:
    played = Played(wire)
    with (
        ThreadPoolExecutor() as threads,
        listening(wire.url, played.token) as quick,
        listening(wire.url, played.token, max_queue=1) as slow,
    ):
        hearing = threads.submit(quick.through, "task_postprocess_end")
        played.claim()
        played.reach(Status.START)
        for _ in range(30):
            played.note()
            played.draw_in_a_hurry(times=900)
        drawn = time.monotonic()
        played.fail()

        heard = hearing.result(30)
        assert time.monotonic() - drawn < 5
        heard_slowly = slow.through("task_postprocess_end")

    for frames in (heard, heard_slowly):
        assert_in_order(frames)
        assert frames[-1]["terminal"] is True
    assert len(heard_slowly) < len(heard)


def test_what_waits_for_a_slow_reader_is_bounded_and_the_newest_is_kept() -> None:
    inbox = Inbox()
    for number in range(10_000):
        inbox.put(Frame(str(number), task_id=number % 3, sequence=number))
        assert len(inbox) <= ROOM

    async def read() -> list[int]:
        return [(await inbox.next()).sequence for _ in range(len(inbox))]

    waiting = asyncio.run(read())
    assert waiting == sorted(waiting)
    assert waiting[-3:] == [9997, 9998, 9999]


def test_a_server_that_stops_closes_with_a_reason(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        with start_wire(tmp_path) as wire:
            listener = stack.enter_context(listening(wire.url, wire.run()["socketaccesstoken"]))
            assert listener.next()["type"] == "task_queue"

        assert listener.close_code() in (1001, 1012)


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Wire]:
    """A server that pings more often than a test has patience for."""
    with start_wire(tmp_path, sockets={"ws_ping_interval": 0.2, "ws_ping_timeout": 0.5}) as wire:
        yield wire


def test_check_77_whoever_answers_pings_stays(impatient: Wire) -> None:
    ran = impatient.run()
    with listening(impatient.url, ran["socketaccesstoken"]) as listener:
        assert listener.next()["type"] == "task_queue"
        assert listener.hears_nothing(during=2)

        impatient.post(KILL, ran)

        assert listener.next()["type"] == "task_cancel"


def test_check_77_a_server_pings_as_often_as_it_must() -> None:
    config = uvicorn.Config("unused", **OPTIONS)

    assert config.ws_ping_interval is not None
    assert config.ws_ping_timeout is not None
    assert 0 < config.ws_ping_interval <= 30
    assert 0 < config.ws_ping_timeout <= 30
    said = f"pings every {config.ws_ping_interval} s and drops a peer that has not answered after"
    assert f"{said} {config.ws_ping_timeout} s more" in " ".join(DOCUMENT.read_text("utf-8").split())


def test_check_77_whoever_does_not_is_dropped(impatient: Wire) -> None:
    with line_to(impatient, patience=5) as line:
        line.send(request("/v1", HANDSHAKE, method="GET"))
        assert line.receive().status == 101

        said = b"".join(iter(lambda: line.connection.recv(4096), b""))

    assert PING in said
    assert said.endswith(CLOSE_1011)


def test_whoever_reads_nothing_is_let_go_of(impatient: Wire) -> None:
    played = Played(impatient)
    said = bytearray()
    with line_to(impatient, patience=5) as line:
        line.send(request("/v1", HANDSHAKE, method="GET"))
        assert line.receive().status == 101
        line.send(unmasked({"type": "task_info", "tasktoken": played.token}))
        played.claim()
        for number in range(1, 30):
            large = progress_event(played.task, number, "x" * 2**20)
            impatient.do(tell(impatient.service.bus, large))

        time.sleep(2.5)

        with contextlib.suppress(ConnectionError):
            while some := line.connection.recv(2**20):
                said += some
    assert len(said) > 2**20
    assert not said.endswith(CLOSE_1011), "the server has waited for its reader"


def unmasked(content: dict[str, str]) -> bytes:
    """A short text frame under a mask of zeros."""
    text = json.dumps(content).encode()
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text
