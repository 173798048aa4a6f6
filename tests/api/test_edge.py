"""Sections 1, 11 and 16: paths, methods, headers, CORS, faults."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from api.wire import MODEL, RUN, Wire, start_wire

UNKNOWN = {"errors": [{"code": 0, "message": "Error parsing url."}], "result": False}
JSON = "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/Task/detail"),
        ("POST", "/v1/Task/Detail/"),
        ("POST", "/V1/Task/Detail"),
        ("POST", "/v1//Task/Detail"),
        ("POST", "/v1"),
        ("POST", "/v1/"),
        ("GET", "/v1"),
        ("POST", "/"),
        ("POST", "/Task/Detail"),
        ("GET", "/v1/Task/Detail"),
        ("PUT", "/v1/Task/Detail"),
        ("DELETE", f"/v1/Run/{MODEL}"),
        ("GET", f"/v1/Run/{MODEL}"),
        ("GET", "/v1/Tool/List"),
        ("POST", "/v1/File/abc/0.png"),
        ("POST", "/v1/Task%2FDetail"),
        ("POST", "/v1/Nothing"),
        ("PATCH", "/v1/%00"),
    ],
)
def test_check_81_an_unknown_path_or_method_is_404_whoever_asks(wire: Wire, method: str, path: str) -> None:
    for headers in ({}, wire.caller.headers(), {"x-api-key": "wrong"}):
        response = wire.http.request(method, path, headers=headers)

        assert (response.status_code, response.json()) == (404, UNKNOWN)
        assert response.headers["content-type"] == JSON


def test_head_on_an_endpoint_is_404_without_a_body(wire: Wire) -> None:
    response = wire.http.head("/v1/Task/Detail")

    assert (response.status_code, response.content) == (404, b"")


def test_a_percent_encoded_path_is_the_path(wire: Wire) -> None:
    assert wire.post("/v1/Task/%44etail", {"taskid": "1"}).status_code == 200


def test_check_82_every_answer_is_plain_utf8_json_for_any_origin(wire: Wire) -> None:
    answers = [
        wire.post(RUN, {"prompt": "Grüße"}),
        wire.post("/v1/Task/List"),
        wire.http.post("/v1/Tool/List"),
        wire.http.post("/v1/Task/Detail"),
        wire.post("/v1/Unknown"),
        wire.http.get("/v1/File/a/b"),
        wire.send(RUN, b"x" * (2**24 + 1)),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 401, 404, 404, 413]
    for answer in answers:
        assert answer.headers["content-type"] == JSON
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert exposed == ["retry-after", "ratelimit", "ratelimit-policy"]
        assert answer.content.decode("utf-8")[0] == "{"
        assert "NaN" not in answer.text


@pytest.mark.parametrize("path", ["/v1", RUN, "/v1/Task/Detail", "/v1/File/a/b", "/v1/Unknown"])
def test_check_82_a_preflight_is_answered_204_without_credentials(wire: Wire, path: str) -> None:
    asked = {"origin": "https://a.example", "access-control-request-method": "POST"}

    response = wire.http.options(path, headers=asked)

    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "POST, GET, HEAD, OPTIONS"
    assert set(response.headers["access-control-allow-headers"].split(", ")) == {
        "content-type",
        "x-api-key",
        "x-nonce",
        "x-signature",
        "authorization",
        "idempotency-key",
        "range",
        "content-digest",
        "signature",
        "signature-input",
        "last-event-id",
    }


def test_accept_is_ignored(wire: Wire) -> None:
    for accept in ("text/html", "image/*;q=0.5", "nonsense"):
        assert wire.post("/v1/Task/List", headers={"accept": accept}).headers["content-type"] == JSON


def test_check_96_a_fault_inside_is_500_and_tells_nothing(tmp_path: Path) -> None:
    with start_wire(tmp_path) as broken:
        ran = broken.run()
        headers = broken.caller.headers()
        broken.write(lambda c: c.exec_driver_sql("ALTER TABLE tasks RENAME TO gone"))

        with capture_logs() as logged:
            response = broken.http.post("/v1/Task/Detail", json=ran, headers=headers)

        assert response.status_code == 500
        assert response.json() == {
            "total": "0",
            "errors": [{"code": 0, "message": "Internal server error."}],
            "tasklist": [],
            "result": False,
        }
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["content-type"] == JSON
        assert broken.http.get("/livez").status_code == 200
        (event,) = logged
        assert (event["event"], event["endpoint"]) == ("request_failed", "Tasks.detail")
        assert event["reason"] == "no such table: tasks"
        for secret in (
            broken.caller.key,
            broken.caller.secret,
            headers["x-signature"],
            ran["socketaccesstoken"],
        ):
            assert secret not in str(event)


def test_a_process_lives_before_it_is_ready(tmp_path: Path) -> None:
    parts = {"up": False}
    with start_wire(tmp_path, ready=lambda: parts["up"]) as wire:
        assert (wire.http.get("/livez").status_code, wire.http.get("/readyz").status_code) == (200, 503)

        parts["up"] = True

        assert wire.http.get("/readyz").status_code == 200
