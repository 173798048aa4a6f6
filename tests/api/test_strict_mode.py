"""Strict mode: a nonce is a recent time, and counts once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from api.wire import RUN, Caller, Wire, start_wire
from tintype.domain.project import Auth
from tintype.storage import guards, nonces

LIST = "/v1/Task/List"
REFUSED = (401, [{"code": 0, "message": "Project authorization is not valid."}])


@pytest.fixture
def strict(wire: Wire) -> Caller:
    return make_strict(wire)


def make_strict(wire: Wire, **more: object) -> Caller:
    caller = wire.project(auth=Auth.SIGNATURE, **more)
    wire.write(lambda c: guards.guard_project(c, caller.project, strict=True))
    return caller


def ask(wire: Wire, caller: Caller, nonce: str, path: str = LIST) -> tuple[int, list[dict[str, object]]]:
    """HTTP status and errors."""
    answer = wire.http.post(path, json={"prompt": ""}, headers=caller.headers(nonce))
    return answer.status_code, answer.json()["errors"]


def seconds(ago: float = 0) -> str:
    return str(int(time.time() - ago))


def milliseconds(ago: float = 0) -> str:
    return str(int((time.time() - ago) * 1000))


def test_check_93_a_repeated_nonce_is_refused(wire: Wire, strict: Caller) -> None:
    nonce = seconds()

    assert ask(wire, strict, nonce) == (200, [])
    assert ask(wire, strict, nonce) == REFUSED
    assert ask(wire, strict, nonce, RUN) == REFUSED


@pytest.mark.parametrize("ago", [310, 86_400, -310])
def test_check_93_a_nonce_beyond_the_window_is_refused(wire: Wire, strict: Caller, ago: int) -> None:
    assert ask(wire, strict, seconds(ago)) == REFUSED
    assert ask(wire, strict, milliseconds(ago)) == REFUSED


@pytest.mark.parametrize("ago", [0, 250, -250])
def test_seconds_and_milliseconds_within_the_window_are_accepted(
    wire: Wire, strict: Caller, ago: int
) -> None:
    assert ask(wire, strict, seconds(ago)) == (200, [])
    assert ask(wire, strict, milliseconds(ago)) == (200, [])


@pytest.mark.parametrize("nonce", ["7", "0", "-1", "1e9", "1734513807123456789", "now", "٣" * 10, "9" * 60])
def test_check_93_what_is_no_time_is_refused(wire: Wire, strict: Caller, nonce: str) -> None:
    signature = strict.headers(nonce)["x-signature"]
    headers = [(b"x-api-key", strict.key.encode()), (b"x-nonce", nonce.encode("utf-8"))]

    answer = wire.http.post(LIST, headers=[*headers, (b"x-signature", signature.encode())])

    assert (answer.status_code, answer.json()["errors"]) == REFUSED


def test_check_93_off_the_same_nonces_are_accepted(wire: Wire) -> None:
    relaxed = wire.project(auth=Auth.SIGNATURE)

    for nonce in (seconds(), seconds(), seconds(86_400), "7", "7"):
        assert ask(wire, relaxed, nonce) == (200, [])


def test_of_many_at_once_one_gets_the_nonce(wire: Wire, strict: Caller) -> None:
    nonce = milliseconds()

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: ask(wire, strict, nonce)[0], range(20)))

    assert sorted(statuses) == [200] + [401] * 19


def test_a_wrong_signature_spends_no_nonce(wire: Wire, strict: Caller) -> None:
    nonce = seconds()
    wrong = strict.headers(nonce) | {"x-signature": "f" * 64}
    assert wire.http.post(LIST, headers=wrong).status_code == 401

    assert ask(wire, strict, nonce) == (200, [])


def test_an_address_that_is_not_allowed_spends_no_nonce(wire: Wire) -> None:
    elsewhere = make_strict(wire, allowed_addresses=["192.0.2.1"])
    nonce = seconds()

    for _ in range(2):
        assert ask(wire, elsewhere, nonce)[1][0]["message"] == "Requested ip 127.0.0.1 is not allowed."


def test_two_projects_may_use_one_nonce(wire: Wire, strict: Caller) -> None:
    nonce = seconds()

    assert ask(wire, strict, nonce) == ask(wire, make_strict(wire), nonce) == (200, [])


def test_a_nonce_is_seen_also_after_a_restart(tmp_path: Path) -> None:
    nonce = seconds()
    with start_wire(tmp_path) as wire:
        caller = make_strict(wire)
        assert ask(wire, caller, nonce) == (200, [])

    with start_wire(tmp_path) as wire:
        assert ask(wire, caller, nonce) == REFUSED


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with start_wire(tmp_path_factory.mktemp("narrow"), nonce_window=2.0) as wire:
        yield wire


def test_a_nonce_is_remembered_as_long_as_it_would_count(narrow: Wire) -> None:
    caller = make_strict(narrow)
    nonce = milliseconds(0.5)
    assert ask(narrow, caller, nonce) == (200, [])
    narrow.write(lambda c: nonces.forget_expired(c, now=time.time_ns() // 1000))

    assert ask(narrow, caller, nonce) == REFUSED

    assert ask(narrow, caller, seconds(3)) == REFUSED
    far_later = time.time_ns() // 1000 + 60 * 10**6
    assert narrow.write(lambda c: nonces.forget_expired(c, now=far_later)) == 1


def test_the_log_says_why_and_no_secret(wire: Wire, strict: Caller) -> None:
    with capture_logs() as logged:
        ask(wire, strict, "7")

    (event,) = [each for each in logged if each["event"] == "signature_refused"]
    assert event["reason"] == "the nonce is not a time within 300 s of now"
    assert event["project"] == strict.project.id
    for secret in (strict.key, strict.secret, strict.headers("7")["x-signature"]):
        assert secret not in str(event)
