"""The WebSocket on a whole server: `tintype serve`, its worker and its engine host."""

import asyncio
import re
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from api.listener import assert_in_order, listening
from serving import Server, start_server
from tintype.domain.lifecycle import Status

DOCUMENT = Path(__file__).parents[2] / "docs" / "websocket.md"


def detail(server: Server, token: str) -> dict[str, Any]:
    return dict(server.post("/v1/Task/Detail", {"tasktoken": token}).json()["tasklist"][0])


def test_check_70_72_75_78_a_run_is_told_from_the_queue_to_its_end(plain_server: Server) -> None:
    for _ in range(10):
        task = plain_server.run()
        with listening(plain_server.url, task.token) as listener:
            frames = listener.through("task_postprocess_end")
            shown = detail(plain_server, task.token)

            assert listener.close_code() == 1000
        assert_in_order(frames)
        *before, last = frames
        assert (shown["status"], shown["pexit"]) == (last["type"], "0")
        assert last["message"] == shown["outputs"] != []
        assert (last["success"], last["terminal"], last["exitCode"]) == (True, True, 0)
        for frame in frames:
            assert (frame["id"], frame["tasktoken"], frame["result"]) == (task.id, task.token, True)
        for frame in before:
            assert (frame["success"], frame["terminal"], frame["exitCode"]) == (None, False, None)
            assert (frame["message"] is None) == (frame["type"] != "task_output")
        statuses = [Status(frame["type"]) for frame in frames]
        assert all(a is b or a.may_become(b) for a, b in pairwise(statuses))


def test_many_tasks_on_one_socket_all_end(plain_server: Server) -> None:
    tasks = [plain_server.run(prompt=f"number {number}") for number in range(30)]
    with listening(plain_server.url, *(task.token for task in tasks)) as listener:
        frames = [frame for _ in tasks for frame in listener.through("task_postprocess_end")]

        assert listener.close_code() == 1000
    for task in tasks:
        own = [frame for frame in frames if frame["id"] == task.id]
        assert_in_order(own)
        assert own[-1]["terminal"] is True


def test_a_server_stops_though_it_is_listened_to(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", weights="blank:") as server:
        server.freeze_engine()
        task = server.run()
        with listening(server.url, task.token) as listener, listening(server.url) as idle:
            listener.through("task_assign")
            server.signal(signal.SIGTERM)
            server.signal(signal.SIGTERM)

            frames = listener.through("task_queue", within=60)

            assert_in_order(frames)
            assert listener.close_code(within=60) == idle.close_code() == 1012
        assert server.wait() == 0
        assert "Traceback" not in server.log


def test_check_94_numbers_grow_across_a_restart(tmp_path: Path, tiny_checkpoint: Path) -> None:
    data = tmp_path / "data"
    with start_server(data, weights=tiny_checkpoint) as server:
        task = server.run_long()
        with listening(server.url, task.token) as listener:
            before = [*listener.through("task_output"), listener.next(), listener.next()]
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    seen = before[-1]["seq"]

    with start_server(data, weights="blank:") as server, listening(server.url) as listener:
        listener.register(task.token, lastseq=seen)
        after = listener.through("task_postprocess_end", within=60)

        assert listener.close_code() == 1000
    assert_in_order(before)
    assert_in_order(after)
    assert after[0]["seq"] > seen
    assert before[-1]["type"] == "task_output"
    assert after[-1]["terminal"] is True


def test_the_example_of_the_documentation_follows_a_task(
    plain_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.+?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example.replace("ws://127.0.0.1:8080", plain_server.url.replace("http", "ws")), names)

    asyncio.run(names["follow"](plain_server.run().token))

    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["connected", "None"]
    assert printed[-1].startswith("task_postprocess_end [{")
