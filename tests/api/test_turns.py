"""Large bodies of strangers take turns, so that all together they fill no memory."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from api.raw import Line, line_to, request
from api.wire import Wire
from tintype.api import turns

LIST = "/v1/Tool/List"
LARGE = json.dumps({"search": "", "padding": "x" * 300_000}).encode()
HALF = len(LARGE) // 2


@contextmanager
def half_sent(wire: Wire, number: int) -> Iterator[list[Line]]:
    """Strangers who hold all turns, since the rest of their bodies does not come."""
    with ExitStack() as stack:
        lines = [stack.enter_context(line_to(wire, patience=20)) for _ in range(number)]
        for line in lines:
            line.send(request(LIST, {}, LARGE)[: -len(LARGE)] + LARGE[:HALF])
        time.sleep(0.3)  # until the server has read what was sent; nothing tells
        yield lines


def test_a_large_body_without_credentials_waits_for_its_turn(wire: Wire) -> None:
    with half_sent(wire, turns.AT_ONCE) as holding, line_to(wire, patience=20) as waiting:
        waiting.send(request(LIST, {}, LARGE))
        waiting.connection.settimeout(1)
        with pytest.raises(TimeoutError):
            waiting.connection.recv(1)
        waiting.connection.settimeout(20)

        holding[0].send(LARGE[HALF:])

        assert holding[0].receive().json()["result"] is True
        status = waiting.connection.recv(15)
        assert status == b"HTTP/1.1 200 OK"


def test_a_turn_that_does_not_come_is_413(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.5)
    with half_sent(wire, turns.AT_ONCE), line_to(wire, patience=20) as waiting:
        waiting.send(request(LIST, {}, LARGE))

        reply = waiting.receive()

    assert (reply.status, reply.json()["errors"][0]["message"]) == (413, "Request body is too large.")


def test_small_bodies_and_those_of_projects_wait_for_nobody(wire: Wire) -> None:
    with half_sent(wire, turns.AT_ONCE):
        began = time.monotonic()

        assert wire.http.post(LIST, json={"search": "flux"}).json()["result"] is True
        assert wire.send(LIST, LARGE).json()["result"] is True

        assert time.monotonic() - began < turns.PATIENCE / 2


def test_who_leaves_gives_the_turn_back(wire: Wire) -> None:
    for _ in range(3):
        with half_sent(wire, turns.AT_ONCE):
            pass

    assert wire.http.post(LIST, content=LARGE).json()["result"] is True
