"""Signatures over whole requests: what a changed body comes to."""

import os
from typing import Any

import pytest

from api.raw import line_to, request
from api.signed import (
    LIST,
    REFUSED,
    guarded,
    outcome,
    send,
    signed,
)
from api.test_bodies import MULTIPART, multipart
from api.wire import RUN, Caller, Wire


@pytest.fixture(scope="module")
def caller(wire: Wire) -> Caller:
    return guarded(wire)


def test_a_changed_body_makes_no_task(wire: Wire, caller: Caller) -> None:
    body = b'{"prompt": "a red kite"}'
    before = wire.http.post(LIST, content=b"{}", headers=signed(caller)).json()["total"]

    assert send(wire, signed(caller, RUN, body), RUN, body.replace(b"red", b"bad")) == REFUSED
    assert send(wire, signed(caller, RUN, body), RUN, body + b" ") == REFUSED
    assert send(wire, signed(caller, RUN, body), RUN, b"") == REFUSED

    assert wire.http.post(LIST, content=b"{}", headers=signed(caller)).json()["total"] == before


def test_parts_are_digested_as_they_stream(wire: Wire, caller: Caller) -> None:
    body = multipart(("prompt", "a kite"), ("picture", os.urandom(3_000_000), "a.png"))
    headers = {"content-type": MULTIPART}

    assert send(wire, signed(caller, RUN, body, headers=headers), RUN, body) == (200, "")
    changed = body[:-100] + bytes([body[-100] ^ 1]) + body[-99:]
    assert send(wire, signed(caller, RUN, body, headers=headers), RUN, changed) == REFUSED


def test_an_upload_is_digested_as_it_streams(wire: Wire, caller: Caller) -> None:
    path, headers = "/v1/File/Upload", {"content-type": MULTIPART}
    body = multipart(("file", b"kite\n" * 600_000, "a.txt"))
    changed = body[:-100] + bytes([body[-100] ^ 1]) + body[-99:]

    def files() -> int:
        return int(wire.write(lambda c: c.exec_driver_sql("SELECT count(*) FROM files").scalar_one()))

    before = files()
    assert send(wire, signed(caller, path, body, headers=headers), path, changed) == REFUSED
    assert files() == before
    assert send(wire, signed(caller, path, body, headers=headers), path, body) == (200, "")
    assert files() == before + 1


def test_chunks_and_an_absent_body_are_digested_like_any(wire: Wire, caller: Caller) -> None:
    def pieces() -> Any:
        yield b'{"limit"'
        yield b": 1}"

    chunked = signed(caller, LIST, b'{"limit": 1}')
    assert outcome(wire.http.post(LIST, content=pieces(), headers=chunked)) == (200, "")
    with line_to(wire, patience=5) as line:
        line.send(request(LIST, signed(caller, LIST, b"", headers={})))
        assert line.receive().status == 200


def test_a_connection_survives_a_changed_body(wire: Wire, caller: Caller) -> None:
    with line_to(wire, patience=5) as line:
        line.send(request(LIST, signed(caller, LIST, b"{}"), b"{ }"))
        assert line.receive().status == 401

        line.send(request(LIST, signed(caller, LIST, b"{}"), b"{}"))
        assert line.receive().status == 200
