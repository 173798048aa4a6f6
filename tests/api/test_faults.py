"""Check 96: when the server is at fault, every endpoint says just that, and nothing of what is inside."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from api.wire import MODEL, Wire, start_wire
from tintype.api import auth
from tintype.api.openapi.operations import OPERATIONS, Operation

HEADERS = {
    "date",
    "server",  # of the tests' own server; `tintype serve` sends none
    "content-type",
    "content-length",
    "access-control-allow-origin",
    "access-control-expose-headers",
}
UNTOUCHED = {"/models/{name}", "/livez", "/readyz", "/openapi.json", "/docs"}
"""What does not need the store."""
FAULT = [{"code": 0, "message": "Internal server error."}]
NAMES = {
    "taskid": "1",
    "slugowner": "black-forest-labs",
    "slugproject": "flux-2-flex-t2i",
    "name": "sketches",
}


@pytest.fixture(params=["remembered", "unknown"])
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A server whose tables are gone, and who remembers its caller, or must look the key up."""
    monkeypatch.setattr(auth, "FRESH", 3600.0 if request.param == "remembered" else -1.0)
    with start_wire(tmp_path) as wire:
        assert wire.post("/v1/Task/List").json()["result"] is True

        def lose_all(connection: object) -> None:
            tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            for (name,) in connection.exec_driver_sql(tables).fetchall():  # type: ignore[attr-defined]
                connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO gone_{name}")  # type: ignore[attr-defined]

        wire.write(lose_all)
        yield wire


def asked(wire: Wire, operation: Operation) -> httpx2.Response:
    """The answer to a request that makes sense."""
    owner, model = MODEL.split("/")
    path = operation.path.format(owner=owner, model=model, accesskey="a" * 30, name="0.png")
    headers = wire.caller.headers()
    if operation.only_multipart:
        return wire.http.post(path, files={"file": ("a.txt", b"hello")}, headers=headers)
    body = {"prompt": "a red kite", **NAMES} if operation.body else None
    return wire.http.request(operation.method, path, json=body, headers=headers)


def test_check_96_a_fault_behind_any_endpoint_tells_nothing(broken: Wire) -> None:
    with capture_logs() as logged:
        answers = [(operation, asked(broken, operation)) for operation in OPERATIONS]

    for operation, answer in answers:
        if operation.path in UNTOUCHED:
            assert answer.status_code in (200, 404), operation.path
            continue
        assert (answer.status_code, answer.json()) == (
            500,
            {**operation.empty, "errors": FAULT, "result": False},
        ), operation.path
        assert set(answer.headers) <= HEADERS
    assert all("no such table" in str(event["reason"]) for event in logged if "reason" in event)
    assert len([event for event in logged if event["event"] == "request_failed"]) == len(OPERATIONS) - len(
        UNTOUCHED
    )
