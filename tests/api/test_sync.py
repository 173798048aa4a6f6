"""Run that waits: answered with the task at its end, whoever works on it."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.events import SYNC
from api.played import Played
from api.raw import line_to, request
from api.wire import MODEL, RUN, Caller, Wire, start_wire
from serving import Server, start_server, until
from tintype.api import event_stream
from tintype.domain.lifecycle import Status
from tintype.domain.rate import Limited, read_rate


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.fixture
def caller(wire: Wire) -> Caller:
    """A project without tasks."""
    return wire.project()


def newest(wire: Wire, caller: Caller) -> dict[str, Any] | None:
    """The answer that Run gave for the newest task of a project."""
    tasks = wire.post("/v1/Task/List", {"limit": 1}, caller=caller).json()["tasklist"]
    return {"taskid": tasks[0]["id"], **tasks[0]} if tasks else None


def begun(wire: Wire, caller: Caller) -> dict[str, Any]:
    """The only task of a project, as soon as it was accepted."""
    return dict(until(lambda: newest(wire, caller), within=10, what="a task"))


def asking(
    threads: ThreadPoolExecutor, wire: Wire, caller: Caller, **headers: str
) -> "Future[httpx2.Response]":
    return threads.submit(wire.post, SYNC, {"prompt": "a red kite"}, caller=caller, headers=headers)


def test_a_picture_comes_with_the_answer(plain_server: Server) -> None:
    answer = plain_server.post(f"/v1/Run/{MODEL}/sync", {"prompt": "a red kite", "width": 64, "height": 64})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    detail = answer.json()
    (task,) = detail["tasklist"]
    assert (detail["total"], detail["errors"], detail["result"]) == ("1", [], True)
    assert (task["status"], task["pexit"]) == ("task_postprocess_end", "0")
    assert plain_server.get(httpx2.URL(task["outputs"][0]["url"]).path).status_code == 200


def test_the_answer_waits_for_the_end_and_is_that_of_detail(
    wire: Wire, caller: Caller, threads: ThreadPoolExecutor
) -> None:
    answer = asking(threads, wire, caller)
    played = Played(wire, begun(wire, caller))
    played.claim()
    played.reach(Status.START)
    assert not answer.done()
    played.fail()

    told = answer.result(10)

    assert told.json() == wire.post("/v1/Task/Detail", played.ran, caller=caller).json()
    assert told.json()["tasklist"][0]["pexit"] == "1"


@pytest.mark.parametrize("how", ["Cancel", "Kill"])
def test_a_task_that_is_ended_ends_the_waiting(
    wire: Wire, caller: Caller, threads: ThreadPoolExecutor, how: str
) -> None:
    answer = asking(threads, wire, caller)
    ran = begun(wire, caller)

    wire.post(f"/v1/Task/{how}", ran, caller=caller)

    assert answer.result(10).json()["tasklist"][0]["status"] == "task_cancel"


def test_an_end_that_nobody_told_of_is_found(wire: Wire, caller: Caller, threads: ThreadPoolExecutor) -> None:
    answer = asking(threads, wire, caller)
    played = Played(wire, begun(wire, caller))
    played.claim()

    played.fail(told=False)

    assert answer.result(15).json()["tasklist"][0]["status"] == "task_postprocess_end"


def test_whoever_leaves_stops_nothing(wire: Wire, caller: Caller) -> None:
    with line_to(wire) as line:
        line.send(request(SYNC, caller.headers(), b'{"prompt": "x"}'))
        ran = begun(wire, caller)
        line.connection.shutdown(socket.SHUT_RDWR)

    time.sleep(0.3)  # nothing can be waited for where nothing shall happen
    assert wire.detail(ran, caller=caller)["status"] == "task_queue"
    assert wire.post("/v1/Task/Cancel", ran, caller=caller).json()["result"] is True


def test_nobody_waits_longer_than_the_longest_wait(tmp_path: Path) -> None:
    with start_wire(tmp_path, longest_wait=0.2) as wire:
        answer = wire.post(SYNC, {"prompt": "x"})

        assert (answer.status_code, answer.json()["result"]) == (200, True)
        (task,) = answer.json()["tasklist"]
        assert (task["status"], task["pexit"]) == ("task_queue", "")
        assert wire.detail({"taskid": task["id"]}) == task


def test_a_process_that_stops_lets_go_of_those_who_wait(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    with start_wire(tmp_path) as wire:
        answer = asking(threads, wire, wire.caller)
        begun(wire, wire.caller)

        wire.stop_waiting()

        assert answer.result(5).json()["tasklist"][0]["status"] == "task_queue"


def test_a_server_that_stops_answers_those_who_wait(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    with start_server(tmp_path / "data", weights="blank:", grace=0.2) as server:
        server.freeze_engine()
        answer = threads.submit(server.post, f"/v1/Run/{MODEL}/sync", {"prompt": "x"})
        until(lambda: server.client.list().tasks, within=10, what="the task")

        assert server.stop() == 0

        told = answer.result(5)
        assert (told.status_code, told.json()["tasklist"][0]["status"]) == (200, "task_queue")


def test_one_idempotency_key_is_one_task_here_and_in_run(
    wire: Wire, caller: Caller, threads: ThreadPoolExecutor
) -> None:
    key = {"idempotency-key": "sync"}
    answers = [asking(threads, wire, caller, **key) for _ in range(3)]
    begun(wire, caller)
    ran = wire.post(RUN, {"prompt": "a red kite"}, caller=caller, headers=key).json()
    other = wire.post(SYNC, {"prompt": "another"}, caller=caller, headers=key).json()

    wire.post("/v1/Task/Cancel", ran, caller=caller)

    told = [answer.result(10).json()["tasklist"][0] for answer in answers]
    assert {task["id"] for task in told} == {ran["taskid"]}
    assert other["errors"][0]["message"] == "Idempotency-Key was already used with a different request."
    again = wire.post(SYNC, {"prompt": "a red kite"}, caller=caller, headers=key).json()
    assert again["tasklist"] == told[:1]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (SYNC, {"prompt": "x", "width": 7}, 200, 0),
        (SYNC, {}, 200, 0),
        ("/v1/Run/nobody/nothing/sync", {"prompt": "x"}, 200, 1),
    ],
)
def test_refusals_are_those_of_run(
    wire: Wire, accept: str, path: str, body: dict[str, Any], status: int, code: int
) -> None:
    answer = wire.post(path, body, headers={"accept": accept})

    assert (answer.status_code, answer.json()) == (
        status,
        wire.post(path.removesuffix("/sync"), body).json(),
    )
    assert answer.json()["errors"][0]["code"] == code
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_a_quote_is_not_waited_for(wire: Wire) -> None:
    quoted = wire.post(f"{SYNC}?quote=1", {"prompt": "x"}).json()

    assert quoted == wire.post(f"{RUN}?quote=1", {"prompt": "x"}).json()
    assert quoted["quote"].keys() == {"elapsedseconds", "totalcost", "cps"}


def test_a_rate_counts_both_ways_of_running(tmp_path: Path) -> None:
    rates = {Limited.RUN: read_rate("1/h burst 1")}
    with start_wire(tmp_path, rates=rates, longest_wait=0.1) as wire:
        first = wire.post(SYNC, {"prompt": "x"})
        refused = wire.post(SYNC, {"prompt": "x"}, headers={"accept": "text/event-stream"})

        assert (first.status_code, refused.status_code) == (200, 429)
        assert int(refused.headers["retry-after"]) > 0
        assert "ratelimit" in first.headers
        assert wire.post(RUN, {"prompt": "x"}).status_code == 429


def test_nobody_waits_without_credentials(wire: Wire) -> None:
    assert wire.http.post(SYNC, json={"prompt": "x"}).status_code == 401


def test_sync_is_a_word_and_no_part_of_a_slug(wire: Wire) -> None:
    for slug in ("nobody/sync", f"{MODEL}%2Fsync"):
        assert wire.post(f"/v1/Run/{slug}", {"prompt": ""}).json()["errors"] == [
            {"code": 1, "message": "slug-owner-project-not-exist"}
        ]


@pytest.mark.parametrize(
    ("accept", "events"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream; charset=utf-8", True),
        ("application/json, text/event-stream", True),
        ("text/event-stream;q=0.5, application/json", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=many", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_events_are_for_those_who_like_them_best(accept: str, events: bool) -> None:
    from starlette.requests import Request

    asked = Request({"type": "http", "headers": [(b"accept", accept.encode())]})

    assert event_stream.wants_events(asked) is events
