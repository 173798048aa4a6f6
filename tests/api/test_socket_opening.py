"""How the WebSocket is opened, and what opens none."""

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from api.raw import line_to, request
from api.wire import Wire


@pytest.mark.parametrize("path", ["/", "/v1/", "/v2", "/v1/Task/Detail", "/V1"])
def test_the_upgrade_is_on_one_path_alone(wire: Wire, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(wire.url.replace("http", "ws", 1) + path, proxy=None)

    assert refused.value.response.status_code == 404
    assert b"Error parsing url." in (refused.value.response.body or b"")
    assert refused.value.response.headers["Access-Control-Allow-Origin"] == "*"


OPENING = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize(
    ("wrong", "status", "problem"),
    [
        (
            {"Sec-WebSocket-Key": "short"},
            400,
            "invalid Sec-WebSocket-Key header: short.",
        ),
        (
            {"Sec-WebSocket-Version": "8"},
            400,
            "invalid Sec-WebSocket-Version header: 8.",
        ),
        ({"method": "POST"}, 404, "Error parsing url."),
        ({"path": "/v2", "Sec-WebSocket-Key": "short"}, 404, "Error parsing url."),
        ({f"X-{number}": "x" for number in range(200)}, 431, "Request headers are too large."),
    ],
)
def test_what_opens_no_socket_is_told_like_everything_else(
    wire: Wire, wrong: dict[str, str], status: int, problem: str
) -> None:
    headers = OPENING | wrong
    method, path = headers.pop("method", "GET"), headers.pop("path", "/v1")
    with line_to(wire, patience=5) as line:
        line.send(request(path, headers, method=method))

        reply = line.receive()

        assert line.is_closed()
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert reply.headers["access-control-allow-origin"] == "*"
    answer = reply.json()
    assert answer["result"] is False
    assert answer["errors"][0]["code"] == 0
    assert answer["errors"][0]["message"].endswith(problem)


def test_a_plain_request_for_the_socket_is_an_unknown_path(wire: Wire) -> None:
    assert wire.http.get("/v1").status_code == wire.http.post("/v1").status_code == 404
