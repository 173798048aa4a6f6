"""Connections as attackers make them: endless headers, bytes that trickle, trailers that pose as headers."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from api.raw import Line, line_to, request
from api.wire import RUN, Wire, start_wire
from tintype.api.connection import LARGEST_HEAD, MOST_PIPELINED, GuardedConnection

DETAIL, LIST = "/v1/Task/Detail", "/v1/Task/List"
TOO_LARGE = [{"code": 0, "message": "Request headers are too large."}]
TOO_SLOW = [{"code": 0, "message": "Request was not received in time."}]


class Hasty(GuardedConnection):
    """As patient as a test."""

    head_within = 2.0
    patience = 3.0
    tick = 0.1


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    sockets = {"http": Hasty, "timeout_keep_alive": 2}
    with start_wire(tmp_path_factory.mktemp("hasty"), sockets=sockets) as wire:
        yield wire


# Heads


def test_large_headers_are_headers(wire: Wire) -> None:
    with line_to(wire, patience=5) as line:
        line.send(request(LIST, {**wire.caller.headers(), "x-other": "y" * 60_000}, b"{}"))
        assert line.receive().status == 200

        line.send(request(LIST, {"x-api-key": "k" * 60_000}, b"{}"))
        assert line.receive().status == 401


@pytest.mark.parametrize(
    "head",
    [
        f"POST {LIST} HTTP/1.1\r\nHost: x\r\nx-other: {'y' * LARGEST_HEAD}\r\n\r\n",
        f"POST {LIST} HTTP/1.1\r\n" + "a: b\r\n" * (LARGEST_HEAD // 6 + 1) + "\r\n",
        f"POST /{'y' * LARGEST_HEAD} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /v1 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nx: {'y' * LARGEST_HEAD}\r\n\r\n",
    ],
    ids=["one header", "many headers", "path", "upgrade"],
)
def test_headers_beyond_64_kib_are_refused(wire: Wire, head: str) -> None:
    with line_to(wire, patience=5) as line:
        line.send(head.encode())

        reply = line.receive()

        assert (reply.status, reply.json()) == (431, {"errors": TOO_LARGE, "result": False})
        assert reply.headers["content-type"] == "application/json; charset=utf-8"
        assert reply.headers["access-control-allow-origin"] == "*"
        assert line.is_closed()


@pytest.mark.parametrize(
    "endless",
    [
        b"POST " + RUN.encode() + b" HTTP/1.1\r\nx-other: ",
        b"POST " + RUN.encode() + b" HTTP/1.1\r\nx-other",
        b"POST /",
        b"\r\n",
        b"POST " + RUN.encode() + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: ",
        b"POST " + RUN.encode() + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
    ids=["value", "name", "path", "empty lines", "trailer", "chunk extension"],
)
def test_what_never_ends_is_ended(wire: Wire, endless: bytes) -> None:
    with line_to(wire, patience=10) as line:
        line.send(endless)
        sent = flood(line, b"\r\n" * 4096 if endless == b"\r\n" else b"y" * 8192)

        assert sent < 16 * 2**20


def flood(line: Line, piece: bytes) -> int:
    """How many bytes the server takes before it ends the connection."""
    sent = 0
    try:
        while sent < 64 * 2**20:
            line.send(piece)
            sent += len(piece)
    except (ConnectionError, TimeoutError):
        pass
    return sent


def test_a_keep_alive_connection_counts_each_head_for_itself(wire: Wire) -> None:
    with line_to(wire, patience=5) as line:
        for _ in range(5):
            line.send(request(LIST, {**wire.caller.headers(), "x-other": "y" * 50_000}, b" " * 60_000))
            assert line.receive().status == 200


def test_too_many_requests_in_a_row_end_the_connection(wire: Wire) -> None:
    with line_to(wire, patience=5) as line:
        line.send(request(LIST, wire.caller.headers()) * (MOST_PIPELINED + 2))

        assert rest_of(line).count(b"HTTP/1.1 200") < MOST_PIPELINED
    assert wire.post(LIST).status_code == 200


def rest_of(line: Line) -> bytes:
    """All that the server sends before it ends the connection. Fails if it does not end it."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := line.connection.recv(65536):
            received += piece
    return received


# What could be read in two ways


def test_a_trailer_is_no_header(wire: Wire) -> None:
    chunks = b"2\r\n{}\r\n0\r\n"
    for name, value in {**wire.caller.headers(), "x-other": "y"}.items():
        chunks += f"{name}: {value}\r\n".encode()
    with line_to(wire, patience=5) as line:
        line.send(request(LIST, {"Transfer-Encoding": "chunked"}) + chunks + b"\r\n")
        assert line.receive().json()["errors"][0]["code"] == 99

        line.send(request(LIST, {}))
        assert line.receive().json()["errors"][0]["code"] == 99
        line.send(request(LIST, wire.caller.headers()))
        assert line.receive().status == 200


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 2",
        "Transfer-Encoding: chunked, identity",
        "Content-Length: +2",
        "Content-Length: 0x2",
        "Content-Length: 99999999999999999999999",
        "Content-Length: 2\r\n X: folded",
        "Content-Length : 2",
        "X: a\rb",
        "X: a\0b",
        "(x): y",
    ],
)
def test_a_request_with_two_readings_is_refused(wire: Wire, headers: str) -> None:
    with line_to(wire, patience=5) as line:
        line.send(f"POST {LIST} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode("latin-1") + b"{}")

        reply = line.receive()

        assert (reply.status, reply.json()["errors"][0]["message"]) == (400, "Request is not valid HTTP.")
        assert line.is_closed()


@pytest.mark.parametrize("name", ["x-api-key", "x-nonce", "x-signature"])
def test_credentials_that_are_given_twice_are_not_chosen_from(wire: Wire, name: str) -> None:
    whole = list(wire.caller.headers().items())
    for doubled in ([*whole, (name, "f" * 64)], [(name, "f" * 64), *whole]):
        response = wire.http.post(LIST, headers=doubled, json={})

        assert (response.status_code, response.json()["errors"][0]["code"]) == (401, 0)


def test_an_empty_double_counts_as_absent(wire: Wire) -> None:
    doubled = [("x-api-key", ""), *wire.caller.headers().items(), ("x-signature", "")]

    assert wire.http.post(LIST, headers=doubled, json={}).status_code == 200


# Slow peers


def test_a_head_that_trickles_is_refused(hasty: Wire) -> None:
    with line_to(hasty, patience=5) as line:
        began = time.monotonic()
        trickle(line, request(LIST, hasty.caller.headers()), every=0.1)

        assert line.receive().json()["errors"] == TOO_SLOW
        assert time.monotonic() - began < 15
        assert line.is_closed()


def test_a_connection_that_says_nothing_is_ended(hasty: Wire) -> None:
    with line_to(hasty, patience=10) as line:
        assert line.connection.recv(10) == b""


def test_empty_lines_do_not_keep_a_connection(hasty: Wire) -> None:
    with line_to(hasty, patience=5) as line:
        line.send(request(LIST, hasty.caller.headers(), b"{}"))
        assert line.receive().status == 200

        assert not trickle(line, b"\r\n" * 100, every=0.1)


def test_a_connection_whose_body_came_after_the_answer_does_not_stay(hasty: Wire) -> None:
    with line_to(hasty, patience=5) as line:
        line.send(request(LIST, {"Content-Length": "2"}) + b"{")
        assert line.receive().status == 401

        line.send(b"}")

        assert line.connection.recv(10) == b""


def test_a_body_that_trickles_is_refused(hasty: Wire) -> None:
    with line_to(hasty, patience=10) as line:
        line.send(request(LIST, {**hasty.caller.headers(), "Content-Length": "1000"}))
        trickle(line, b" " * 1000, every=0.1)

        reply = line.receive()

        assert (reply.status, reply.json()["errors"]) == (408, TOO_SLOW)
        assert line.is_closed()


def test_a_body_that_trickles_after_its_answer_ends_the_connection(hasty: Wire) -> None:
    with line_to(hasty, patience=10) as line:
        line.send(request(LIST, {"Content-Length": "1000"}))
        assert line.receive().status == 401

        assert not trickle(line, b" " * 1000, every=0.1)


def test_a_slow_but_steady_body_is_read(hasty: Wire) -> None:
    body = b"{" + b" " * 12_000 + b"}"
    with line_to(hasty, patience=10) as line:
        line.send(request(LIST, hasty.caller.headers(), body)[: -len(body)])
        for start in range(0, len(body), 400):
            line.send(body[start : start + 400])
            time.sleep(0.15)

        assert line.receive().status == 200


def test_who_takes_no_answer_is_given_up(hasty: Wire, caplog: pytest.LogCaptureFixture) -> None:
    ran = hasty.run("x" * 3_000_000)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", hasty.port))
        detail = request(DETAIL, hasty.caller.headers(), f'{{"taskid": "{ran["taskid"]}"}}'.encode())
        connection.sendall(detail * 8)
        time.sleep(6)

        taken = 0
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                taken += len(piece)

        assert taken < 8 * 3_000_000  # most of the answers were never sent
    assert "Exception" not in caplog.text


def trickle(line: Line, data: bytes, *, every: float) -> bool:
    """Sends byte by byte; whether all could be sent before the server answered or had enough."""
    try:
        for byte in data:
            line.send(bytes([byte]))
            line.connection.settimeout(every)
            try:
                line.connection.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                continue
            return False
    except ConnectionError:
        return False
    finally:
        line.connection.settimeout(5)
    return True
