"""Processes are killed without warning, under load, at any moment. No task is lost, none is drawn twice."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lifecycle.books import Books, assert_each_ended_once
from serving import ServedTask, Server, alive, start_server, until
from tintype_client import ClientError

pytestmark = pytest.mark.timeout(240)


@contextmanager
def load(server: Server) -> Iterator[list[ServedTask]]:
    """Somebody asks for pictures, one after another, as long as the server answers; the list grows."""
    accepted: list[ServedTask] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            try:
                accepted.append(server.run(seed=len(accepted)))
            except ClientError:
                return

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield accepted
    finally:
        enough.set()
        asking.join()


def some_moment(longest: float = 1.0) -> None:
    moment = random.uniform(0.05, longest)
    print(f"after {moment:.3f} s")
    time.sleep(moment)


def test_every_accepted_task_ends_once_though_the_server_is_killed_twice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    accepted: list[ServedTask] = []
    for _ in range(2):
        with start_server(data, weights="blank:") as server, load(server) as asked:
            until(lambda asked=asked: asked, within=10, what="the first task")
            some_moment()
            server.crash()
        accepted += asked

    with start_server(data, weights="blank:") as server:
        until(lambda: not Books(data).unfinished(), within=20, what="every task to end")

        assert_each_ended_once(server, accepted_at(server, accepted))


def accepted_at(server: Server, tasks: list[ServedTask]) -> list[ServedTask]:
    """The same tasks, asked of another server."""
    return [ServedTask(server, id=task.id, token=task.token) for task in tasks]


def test_tasks_of_a_killed_server_are_drawn_as_soon_as_it_is_back(
    tmp_path: Path, tiny_checkpoint: Path
) -> None:
    data = tmp_path / "data"
    with start_server(data, weights=tiny_checkpoint) as server:
        accepted = [server.run(width=512, height=512, steps=50, seed=seed) for seed in range(2)]
        for task in accepted:
            task.reaches("task_start")
        server.crash()

    with start_server(data, weights="blank:") as server:
        began = time.monotonic()
        until(lambda: not Books(data).unfinished(), within=20, what="every task to end")

        assert time.monotonic() - began < 10  # and not after a silence of 15
        assert Books(data).lost_attempts() == 2
        assert_each_ended_once(server, accepted_at(server, accepted))


def test_every_task_ends_once_though_the_engine_is_killed_at_any_moment(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data, weights="blank:") as server:
        with load(server) as accepted:
            for _ in range(2):
                (host,) = until(server.engine_hosts, within=20, what="an engine host")
                some_moment()
                os.kill(host, signal.SIGKILL)
                until(lambda host=host: not alive(host), within=10, what="the engine host to be gone")
            (host,) = until(server.engine_hosts, within=20, what="another engine host")
        until(lambda: not Books(data).unfinished(), within=20, what="every task to end")

        assert len(accepted) > 10
        assert_each_ended_once(server, accepted)


def test_a_server_that_is_asked_to_stop_under_load_loses_no_attempt(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data, weights="blank:") as server, load(server) as accepted:
        until(lambda: accepted, within=10, what="the first task")
        some_moment()
        assert server.stop() == 0

    with start_server(data, weights="blank:") as server:
        until(lambda: not Books(data).unfinished(), within=20, what="every task to end")

        assert Books(data).lost_attempts() == 0
        assert_each_ended_once(server, accepted_at(server, accepted))


def test_a_second_signal_hands_back_what_is_being_drawn(tmp_path: Path, tiny_checkpoint: Path) -> None:
    data = tmp_path / "data"
    with start_server(data, weights=tiny_checkpoint) as server:
        task = server.run_long()
        task.reaches("task_output")

        server.signal(signal.SIGTERM)
        until(lambda: "worker_draining" in server.log, within=10, what="the first signal to be heeded")
        assert server.process.poll() is None
        server.signal(signal.SIGTERM)

        assert server.wait(within=15) == 0
    assert Books(data).statuses() == {"task_queue": 1}
    assert Books(data).lost_attempts() == 0


class Mishap(Exception):
    """In the middle of a test."""


def test_a_test_that_breaks_off_leaves_no_frozen_engine_behind(tmp_path: Path) -> None:
    hosts: list[int] = []

    def break_off() -> None:
        with start_server(tmp_path / "data", weights="blank:") as server:
            hosts.extend(server.engine_hosts())
            server.freeze_engine()
            raise Mishap

    with pytest.raises(Mishap):
        break_off()

    assert hosts
    until(lambda: not any(alive(host) for host in hosts), within=10, what="the engine host to be gone")
