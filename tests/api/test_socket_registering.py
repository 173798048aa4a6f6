"""What clients of the WebSocket say, and what it comes to."""

from typing import Any

import pytest

from api.listener import listening, types
from api.played import Played
from api.wire import Wire

KILL = "/v1/Task/Kill"
TOKEN = "socketaccesstoken"


@pytest.mark.parametrize(
    "garbage",
    [
        *("", "{", "[]", "7", "null", "[" * 50_000, '{"type":"pony"}', '{"type":null}', "\u0000"),
        *('{"type":"task_session_end"}', b"", b"{}", b"\xff\xfe|\x00\x01"),
    ],
)
def test_check_74_garbage_is_ignored(wire: Wire, played: Played, garbage: str | bytes) -> None:
    with listening(wire.url) as listener:
        listener.say(garbage)
        assert listener.hears_nothing(during=0.1)

        listener.register(played.token)

        assert listener.next()["type"] == "task_queue"


@pytest.mark.parametrize("token", ["test", "x" * 30, "x" * 10_000, "1", 7, "' OR 1=1", "\u0000", "é"])
def test_check_74_an_unknown_token_is_refused(wire: Wire, token: Any) -> None:
    with listening(wire.url, token) as listener:
        assert listener.next() == {"type": "error", "message": "There is no task yet.", "result": False}

        assert listener.close_code() == 1008


@pytest.mark.parametrize("nothing", [{}, {"tasktoken": ""}, {"tasktoken": None}, {"tasktoken": ["x"]}])
def test_a_missing_token_is_an_error_and_the_connection_stays(
    wire: Wire, played: Played, nothing: dict[str, Any]
) -> None:
    with listening(wire.url) as listener:
        listener.say({"type": "task_info", **nothing})
        assert listener.next() == {"type": "error", "message": "tasktoken-required", "result": False}
        assert listener.hears_nothing()

        listener.register(played.token)

        assert listener.next()["type"] == "task_queue"


def test_an_unknown_token_beside_an_unfinished_task_does_not_close(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token, "test") as listener:
        assert types([listener.next(), listener.next()]) == ["task_queue", "error"]
        assert listener.hears_nothing()

        wire.post(KILL, played.ran)

        assert listener.next()["type"] == "task_cancel"
        assert listener.close_code() == 1000


def test_a_new_task_in_the_farewell_keeps_the_connection(wire: Wire, played: Played) -> None:
    ended = wire.run()
    wire.finish(ended)
    with listening(wire.url, ended[TOKEN]) as listener:
        listener.next()
        listener.register(played.token)
        assert listener.next()["type"] == "task_queue"
        assert listener.hears_nothing(during=1.5)

        wire.post(KILL, played.ran)

        assert listener.next()["type"] == "task_cancel"
        assert listener.close_code() == 1000


def test_registering_again_repeats_the_state(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token, played.token) as listener:
        assert listener.next() == listener.next()
        played.claim()

        assert listener.next()["type"] == "task_accept"
        assert listener.hears_nothing()
