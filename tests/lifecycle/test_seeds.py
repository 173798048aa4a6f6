"""The seed contract, on a whole server: what broke off a drawing does not show in the picture."""

import os
import signal
from pathlib import Path

import pytest

from lifecycle.books import Books
from serving import ServedTask, Server, start_server

pytestmark = pytest.mark.timeout(240)

ASKED = {"prompt": "a red kite", "width": 768, "height": 768, "steps": 50, "seed": 4711}


def interrupted(server: Server) -> ServedTask:
    """A task whose engine stands still in the middle of it."""
    task = server.run(**ASKED)
    task.reaches("task_output", within=120)
    server.freeze_engine()
    assert task.detail().status == "task_output"
    return task


def picture_of(server: Server, task: ServedTask) -> bytes:
    ended = ServedTask(server, id=task.id, token=task.token).ends(within=120)
    assert ended.succeeded, ended.debug_error
    return server.client.download(ended.output)


def test_a_picture_is_the_same_whatever_broke_off_its_drawing(tmp_path: Path, tiny_checkpoint: Path) -> None:
    data = tmp_path / "data"
    with start_server(data, weights=tiny_checkpoint, threads=1) as server:
        undisturbed = picture_of(server, server.run(**ASKED))

        by_its_engine = interrupted(server)
        for host in server.engine_hosts():
            os.kill(host, signal.SIGKILL)
        assert picture_of(server, by_its_engine) == undisturbed

        by_its_server = interrupted(server)
        server.crash()
        server.thaw_engine()  # so that it sees that it is alone, and leaves

    with start_server(data, weights=tiny_checkpoint, threads=1) as server:
        assert picture_of(server, by_its_server) == undisturbed
        assert picture_of(server, server.run(**ASKED)) == undisturbed
    assert Books(data).lost_attempts() == 2
