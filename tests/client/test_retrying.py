"""What the SDK does when the line to the server breaks."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from client.breaking import breaking_line
from serving import MODEL, Server, start_server
from tintype_client import Client, Unreachable


def test_a_read_is_tried_again(plain_server: Server) -> None:
    with (
        breaking_line(plain_server.url, "before", "after") as line,
        Client(line.url, plain_server.key, plain_server.secret) as client,
    ):
        client.list()

    assert line.connections == 3


def test_a_run_whose_answer_was_lost_is_not_run_twice(plain_server: Server) -> None:
    before = plain_server.client.list().total
    with (
        breaking_line(plain_server.url, "after") as line,
        Client(line.url, plain_server.key, plain_server.secret) as client,
    ):
        ticket = client.run(MODEL, prompt="a red apple")

    assert plain_server.client.list().total == before + 1
    assert plain_server.client.wait(ticket).succeeded


def test_a_kill_whose_answer_was_lost_is_confirmed(server: Server) -> None:
    task = server.run_long()
    with (
        breaking_line(server.url, "after") as line,
        Client(line.url, server.key, server.secret) as client,
    ):
        assert client.kill(task.token).cancelled


def test_a_line_that_stays_broken_is_given_up(plain_server: Server) -> None:
    with (
        breaking_line(plain_server.url, *["before"] * 9) as line,
        Client(line.url, plain_server.key, plain_server.secret) as client,
        pytest.raises(Unreachable),
    ):
        client.list()

    assert line.connections == 4


def test_waiting_sits_out_a_restart_of_the_server(tmp_path: Path) -> None:
    heard = threading.Event()
    with ThreadPoolExecutor(1) as thread, start_server(tmp_path / "data", weights="blank:") as server:
        server.freeze_engine()
        with Client(server.url, server.key, server.secret) as client:
            ticket = client.run(MODEL, prompt="a red apple")
            waiting = thread.submit(client.wait, ticket, lambda progress: heard.set(), within=90)
            assert heard.wait(30)

            server.signal(signal.SIGTERM)
            server.signal(signal.SIGTERM)
            server.wait()
            port = int(server.url.rpartition(":")[2])
            with start_server(tmp_path / "data", port=port, weights="blank:"):
                ended = waiting.result(90)

    assert ended.succeeded
