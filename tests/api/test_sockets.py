"""Connections as the world makes them: no length, half a body, a body nobody asked for, many at once."""

import json
import socket

import pytest

from api.raw import line_to, request
from api.wire import RUN, Wire
from tintype.api import bodies

DETAIL, LIST = "/v1/Task/Detail", "/v1/Task/List"
PATHS = [RUN, DETAIL, LIST, "/v1/Task/Cancel", "/v1/Task/Kill", "/v1/Tool/List"]


@pytest.mark.parametrize("path", PATHS)
def test_check_20_without_body_and_length_the_answer_comes_at_once(wire: Wire, path: str) -> None:
    with line_to(wire) as line:
        line.send(request(path, wire.caller.headers()))

        assert line.receive().status == 200


@pytest.mark.parametrize("path", PATHS[:-1])
def test_a_bare_post_is_refused_at_once(wire: Wire, path: str) -> None:
    with line_to(wire) as line:
        line.send(f"POST {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

        reply = line.receive()

        assert (reply.status, reply.json()["errors"][0]["code"]) == (401, 99)


def test_http_1_0_is_spoken_and_ends(wire: Wire) -> None:
    with line_to(wire) as line:
        line.send(request(LIST, wire.caller.headers()).replace(b"HTTP/1.1", b"HTTP/1.0"))

        assert line.receive().status == 200
        assert line.is_closed()


def test_check_21_a_large_body_is_invited_and_then_processed(wire: Wire) -> None:
    body = json.dumps({"prompt": "x" * 1_500_000}).encode()
    headers = {**wire.caller.headers(), "Expect": "100-continue"}
    with line_to(wire, patience=5) as line:
        line.send(request(RUN, headers, body)[: -len(body)])
        assert line.receive().status == 100

        line.send(body)

        assert line.receive().json()["result"] is True
        line.send(request(LIST, wire.caller.headers()))
        assert line.receive().status == 200


def test_an_uninvited_caller_is_refused_before_the_body(wire: Wire) -> None:
    with line_to(wire) as line:
        line.send(request(RUN, {"Expect": "100-continue"}, b"x" * 100)[:-100])

        reply = line.receive()

        assert (reply.status, reply.headers["connection"]) == (401, "close")
        assert line.is_closed()


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(wire: Wire) -> None:
    headers = {**wire.caller.headers(), "Expect": "100-continue", "Content-Length": str(2**24 + 1)}
    with line_to(wire) as line:
        line.send(request(RUN, headers))

        assert line.receive().status == 413


def test_an_unknown_model_is_known_before_the_body(wire: Wire) -> None:
    headers = {**wire.caller.headers(), "Expect": "100-continue", "Content-Length": "1000"}
    with line_to(wire) as line:
        line.send(request("/v1/Run/a/b", headers))

        assert line.receive().json()["errors"][0]["code"] == 1


@pytest.mark.parametrize("size", [100, 60_000, 1_000_000])
def test_the_connection_survives_a_refusal_with_its_body_unread(wire: Wire, size: int) -> None:
    with line_to(wire, patience=5) as line:
        for _ in range(3):
            line.send(request(DETAIL, {"x-api-key": "wrong"}, b"{" + b"x" * size))
            assert line.receive().status == 401

        line.send(request(LIST, wire.caller.headers(), b"{}"))

        assert line.receive().status == 200


def test_the_connection_survives_a_refusal_with_chunks_unread(wire: Wire) -> None:
    chunks = (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 10 + b"0\r\n\r\n"
    with line_to(wire, patience=5) as line:
        line.send(request(DETAIL, {"Transfer-Encoding": "chunked"}) + chunks)
        assert line.receive().status == 401

        line.send(request(LIST, wire.caller.headers(), b"{}"))

        assert line.receive().status == 200


def test_the_connection_survives_a_body_that_is_too_large(wire: Wire) -> None:
    with line_to(wire, patience=10) as line:
        line.send(request(RUN, wire.caller.headers(), b"{" + b"x" * (2**24 + 100)))
        assert line.receive().status == 413

        line.send(request(LIST, wire.caller.headers()))

        assert line.receive().status == 200


def test_requests_in_a_row_without_waiting_are_answered_in_order(wire: Wire) -> None:
    with line_to(wire, patience=5) as line:
        line.send(
            request(DETAIL, {"x-api-key": "wrong"}, b"{}" * 40_000)
            + request(LIST, wire.caller.headers())
            + request("/v1/Nothing", {}, b"abc")
            + request(LIST, wire.caller.headers(), b'{"limit": 1}')
        )

        assert [line.receive().status for _ in range(4)] == [401, 200, 404, 200]


def test_a_body_in_chunks_and_in_crumbs_is_a_body(wire: Wire) -> None:
    ran = wire.run()
    body = json.dumps({"taskid": ran["taskid"]}).encode()
    headers = {**wire.caller.headers(), "Transfer-Encoding": "chunked"}
    with line_to(wire, patience=5) as line:
        line.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.send(request(DETAIL, headers))
        for byte in b"  " + body:
            line.send(b"1\r\n" + bytes([byte]) + b"\r\n")
        line.send(b"0\r\n\r\n")

        assert line.receive().json()["tasklist"][0]["id"] == ran["taskid"]


def test_whoever_leaves_in_the_middle_of_a_body_disturbs_nobody(wire: Wire) -> None:
    for _ in range(20):
        with line_to(wire) as line:
            line.send(request(RUN, wire.caller.headers(), b'{"prompt": "')[:-3])

    assert wire.post(LIST).status_code == 200


def test_a_body_that_never_comes_is_not_awaited_forever(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.2)
    with line_to(wire, patience=3) as line:
        line.send(request(DETAIL, {**wire.caller.headers(), "Content-Length": "100"}) + b'{"taskid"')

        assert line.receive().json()["errors"] == [{"code": 0, "message": "Request parameters are invalid."}]


def test_an_offer_to_upgrade_is_not_taken(wire: Wire) -> None:
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
    with line_to(wire, patience=5) as line:
        line.send(request(LIST, {**wire.caller.headers(), **upgrade}, b'{"limit": 1}'))

        assert line.receive().status == 200


def test_what_is_no_http_is_refused_and_ended(wire: Wire) -> None:
    for noise in (b"\x16\x03\x01\x00\xa5\x01\x00\x00", b"NONSENSE\r\n\r\n", b"POST\r\n\r\n"):
        with line_to(wire) as line:
            line.send(noise)
            assert line.receive().status == 400
            assert line.is_closed()
