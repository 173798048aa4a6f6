"""Callbacks of a really started server to really listening receivers, through crashes and restarts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.commands import tintype
from receiver import Asked, Reply, in_turn, receiving
from serving import Server, free_port, start_server, until
from tintype_client import Task, verify_callback

pytestmark = pytest.mark.timeout(240)

PATIENT = {"weights": "blank:", "callbacks_allow_private": "yes", "callbacks_first_retry": 0.1}
TIMEOUT = 2


@pytest.fixture(scope="module")
def telling_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may send callbacks to this machine."""
    with start_server(tmp_path_factory.mktemp("telling") / "data", **PATIENT) as server:
        yield server


def asked_of(server: Server, *words: str) -> Any:
    """What the command line says, as JSON."""
    done = tintype(*words, "--json", cwd=server.data.parent, data=str(server.data))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def told(asked: Asked, secret: str) -> Task:
    return verify_callback(secret, asked.headers, asked.body)


def log_of(server: Server, task_id: str) -> dict[str, Any]:
    """The task's callback with its attempts."""
    [callback] = asked_of(server, "callback", "list", "--task", task_id)
    return dict(asked_of(server, "callback", "show", callback["webhook_id"]))


def is_over(log: list[dict[str, Any]]) -> bool:
    """Whether the first attempt has ended."""
    return bool(log) and log[0]["seconds"] is not None


def test_check_79_a_success_is_told_until_it_is_confirmed(telling_server: Server) -> None:
    with receiving(in_turn(500, 500, 200, 404)) as receiver:
        task = telling_server.run(callbackUrl=f"{receiver.url}/hook?order=7")
        until(lambda: len(receiver.asked) >= 3, within=60, what="three attempts")
        until(
            lambda: log_of(telling_server, task.id)["state"] == "delivered",
            within=60,
            what="the confirmation to be written down",
        )

    secret = asked_of(telling_server, "project", "show", "bootstrap")["callback_secret"]
    assert [told(asked, secret).id for asked in receiver.asked] == [task.id] * 3
    assert len({(asked.body, asked.headers["webhook-id"]) for asked in receiver.asked}) == 1
    detail = telling_server.post("/v1/Task/Detail", {"taskid": task.id}).json()
    assert json.loads(receiver.asked[0].body) == detail
    assert detail["tasklist"][0]["pexit"] == "0"
    assert [attempt["status"] for attempt in log_of(telling_server, task.id)["log"]] == [500, 500, 200]


def test_check_43_a_callback_has_the_fields_of_detail(telling_server: Server) -> None:
    with receiving() as receiver:
        telling_server.freeze_engine()
        try:
            task = telling_server.run_long(callbackUrl=receiver.url)
            killed = telling_server.post("/v1/Task/Kill", {"taskid": task.id}).json()
            until(lambda: receiver.asked, within=60, what="the callback")
        finally:
            telling_server.thaw_engine()

    [asked] = receiver.asked
    assert json.loads(asked.body) == killed
    assert killed["tasklist"][0]["status"] == "task_cancel"


def test_check_80_a_sentence_sends_nothing_and_harms_nothing(telling_server: Server) -> None:
    sentence = "You can provide a callback URL; a POST request will be sent to it"

    task = telling_server.run(callbackUrl=sentence)
    ended = task.ends()

    assert ended.succeeded
    assert ended.callback_url == sentence
    assert ended.debug_error == "callbackUrl is not an absolute http(s) URL; no callback will be sent."
    assert asked_of(telling_server, "callback", "list", "--task", task.id) == []


def test_check_95_this_machine_is_not_told_unless_the_operator_says_so(plain_server: Server) -> None:
    with receiving() as receiver:
        task = plain_server.run(callbackUrl=receiver.url)
        ended = task.ends()
        until(lambda: is_over(log_of(plain_server, task.id)["log"]), within=60, what="an attempt")

    assert receiver.asked == []
    assert ended.succeeded
    assert ended.debug_error == ""
    log = log_of(plain_server, task.id)["log"]
    assert log[0]["error"] == "127.0.0.1 is not at a public address."


def test_a_callback_can_be_asked_for_again(telling_server: Server) -> None:
    with receiving() as receiver:
        task = telling_server.run(callbackUrl=receiver.url)
        until(lambda: receiver.asked, within=60, what="the callback")
        until(lambda: log_of(telling_server, task.id)["state"] == "delivered", within=60, what="its record")

        [callback] = asked_of(telling_server, "callback", "list", "--task", task.id)
        again = asked_of(telling_server, "callback", "resend", str(callback["id"]))
        until(lambda: len(receiver.asked) == 2, within=60, what="the callback once more")

    assert again["state"] == "due"
    first, second = receiver.asked
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


def test_a_rotated_secret_signs_at_once_beside_the_old_one(telling_server: Server) -> None:
    old = asked_of(telling_server, "project", "show", "bootstrap")["callback_secret"]
    new = asked_of(telling_server, "project", "rotate-callback-secret", "bootstrap")["callback_secret"]

    with receiving() as receiver:
        task = telling_server.run(callbackUrl=receiver.url)
        until(lambda: receiver.asked, within=60, what="the callback")

    assert old != new == asked_of(telling_server, "project", "show", "bootstrap")["callback_secret"]
    assert told(receiver.asked[0], old).id == told(receiver.asked[0], new).id == task.id


def test_a_callback_survives_the_server_that_was_sending_it(tmp_path: Path) -> None:
    answers = [Reply(slowly=60), Reply()]
    data = tmp_path / "data"
    with receiving(lambda _: answers.pop(0)) as receiver:
        with start_server(data, **PATIENT, callbacks_timeout=TIMEOUT) as server:
            task = server.run(callbackUrl=receiver.url)
            until(lambda: receiver.asked, within=60, what="the first attempt")
            server.crash()
        with start_server(data, **PATIENT, callbacks_timeout=TIMEOUT) as server:
            until(lambda: len(receiver.asked) == 2, within=60, what="the second attempt")
            until(lambda: log_of(server, task.id)["state"] == "delivered", within=60, what="its record")
            log = log_of(server, task.id)["log"]

    first, second = receiver.asked
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert [(attempt["status"], attempt["seconds"] is None) for attempt in log] == [
        (None, True),
        (200, False),
    ]


def test_a_callback_waits_for_its_receiver_through_a_restart(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    with start_server(data, **PATIENT) as server:
        task = server.run(callbackUrl=f"http://127.0.0.1:{port}/")
        until(lambda: log_of(server, task.id)["log"], within=60, what="an attempt in vain")
    with receiving(port=port) as receiver, start_server(data, **PATIENT):
        until(lambda: receiver.asked, within=60, what="the callback")

    assert json.loads(receiver.asked[0].body)["tasklist"][0]["id"] == task.id
