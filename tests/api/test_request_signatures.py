"""Signatures over whole requests: what they cover, and when they count."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from api.signed import (
    DETAIL,
    JSON,
    LIST,
    REFUSED,
    by_hand,
    components,
    guarded,
    outcome,
    parameters,
    send,
    signed,
)
from api.wire import PUBLIC_URL, RUN, Caller, Wire
from tintype.domain.project import RequestSignature
from tintype_client.signatures import content_digest


@pytest.fixture(scope="module")
def caller(wire: Wire) -> Caller:
    return guarded(wire)


# What counts


def test_a_signed_request_is_served(wire: Wire, caller: Caller) -> None:
    assert send(wire, signed(caller)) == (200, "")
    body = b'{"prompt": "a red kite", "seed": 7}'
    ran = wire.http.post(RUN, content=body, headers=signed(caller, RUN, body)).json()
    assert ran["result"] is True
    detail = b'{"taskid": "%b"}' % ran["taskid"].encode()
    assert send(wire, signed(caller, DETAIL, detail), DETAIL, detail) == (200, "")


def test_required_means_that_nonce_and_signature_do_not_do(wire: Wire, caller: Caller) -> None:
    assert send(wire, caller.headers()) == REFUSED


def test_accepted_means_that_both_do_and_a_wrong_one_does_not(wire: Wire) -> None:
    either = guarded(wire, RequestSignature.ACCEPTED)

    assert send(wire, either.headers()) == (200, "")
    assert send(wire, signed(either)) == (200, "")
    assert send(wire, {**either.headers(), **signed(either), "content-type": "text/plain"}) == REFUSED
    assert send(wire, {**either.headers(), "signature": "sig=:AA==:"}) == REFUSED


def test_off_means_that_nobody_looks(wire: Wire) -> None:
    plain = guarded(wire, RequestSignature.OFF)

    assert send(wire, {**plain.headers(), "signature": "nonsense", "content-digest": "nonsense"}) == (200, "")
    assert send(wire, signed(plain))[1].startswith("Project requires signature authentication.")


def test_whatever_the_request_is_changed_to_it_is_refused(wire: Wire, caller: Caller) -> None:
    assert send(wire, signed(caller), DETAIL) == REFUSED
    assert send(wire, signed(caller), LIST + "?start=5") == REFUSED
    assert send(wire, signed(caller), "/v1/Task/%4Cist") == REFUSED
    assert send(wire, signed(caller), LIST, b'{"limit": 1}') == REFUSED
    assert send(wire, signed(caller) | {"content-type": "text/plain"}) == REFUSED
    assert send(wire, signed(caller) | {"idempotency-key": "a"}) == REFUSED
    assert send(wire, signed(caller) | {"x-api-key": "another"})[0] == 401


def test_the_query_is_signed_as_it_is_sent(wire: Wire, caller: Caller) -> None:
    path = LIST + "?a=%C3%BC&a=b+c"

    assert send(wire, signed(caller, path), path) == (200, "")


def test_an_idempotency_key_is_signed_with_the_rest(wire: Wire, caller: Caller) -> None:
    body = b'{"prompt": "once"}'
    headers = JSON | {"idempotency-key": "monday"}

    answers = [
        wire.http.post(RUN, content=body, headers=signed(caller, RUN, body, headers=headers)).json()
        for _ in range(2)
    ]

    assert answers[0]["result"] is True
    assert answers[0] == answers[1]


def test_the_address_that_callers_use_may_be_signed(wire: Wire, caller: Caller) -> None:
    target = components(**{"@path": None, "@query": None, "@target-uri": PUBLIC_URL + LIST})
    host = components(**{"@authority": "pictures.example"})
    wrong_host = components(**{"@authority": f"127.0.0.1:{wire.port}"})

    assert send(wire, by_hand(caller, target, parameters(caller))) == (200, "")
    assert send(wire, by_hand(caller, host, parameters(caller))) == (200, "")
    assert send(wire, by_hand(caller, wrong_host, parameters(caller))) == REFUSED


@pytest.mark.parametrize("left_out", ["@method", "@path", "@query", "content-digest", "content-type"])
def test_what_must_be_covered_must_be_covered(wire: Wire, caller: Caller, left_out: str) -> None:
    covered = components(**{left_out: None})

    assert send(wire, by_hand(caller, covered, parameters(caller))) == REFUSED


@pytest.mark.parametrize(
    "covered",
    [
        components(**{"content-digest": None})
        | {'"content-digest";key="sha-256"': content_digest(b"{}")[8:]},
        components(**{"@method": None}) | {'"@method";req': "POST"},
        components(**{"x-unknown": "y"}),
        components(**{"@unknown": "y"}),
        components() | {'"@METHOD"': "POST"},
    ],
)
def test_a_component_by_another_name_does_not_count(
    wire: Wire, caller: Caller, covered: dict[str, str]
) -> None:
    assert send(wire, by_hand(caller, covered, parameters(caller))) == REFUSED


@pytest.mark.parametrize("left_out", ["created", "keyid", "nonce"])
def test_a_parameter_that_is_missing_is_missed(wire: Wire, caller: Caller, left_out: str) -> None:
    assert send(wire, by_hand(caller, components(), parameters(caller, left_out=left_out))) == REFUSED


@pytest.mark.parametrize(
    "changes",
    [
        {"created": "1734513807"},
        {"created": "999999999999999"},
        {"created": '"now"'},
        {"created": "1.5"},
        {"expires": "1734513807"},
        {"expires": '"never"'},
        {"keyid": '"another"'},
        {"keyid": "key"},
        {"alg": '"ed25519"'},
        {"alg": '"none"'},
        {"nonce": '""'},
        {"nonce": f'"{"n" * 256}"'},
        {"nonce": "7"},
        {"unheard": "1"},
    ],
    ids=str,
)
def test_a_parameter_that_is_wrong_is_refused(wire: Wire, caller: Caller, changes: dict[str, str]) -> None:
    assert send(wire, by_hand(caller, components(), parameters(caller, **changes))) == REFUSED


def test_a_clock_may_differ_by_the_window(wire: Wire, caller: Caller) -> None:
    now = int(time.time())

    for off in (-290, 290):
        assert send(wire, signed(caller, created=now + off)) == (200, "")
    for off in (-310, 310):
        assert send(wire, signed(caller, created=now + off)) == REFUSED


def test_a_signature_may_expire_earlier(wire: Wire, caller: Caller) -> None:
    now = int(time.time())

    for expires, expected in ((now + 30, (200, "")), (now - 10, REFUSED)):
        given = parameters(caller, created=str(now - 20), expires=str(expires))
        assert send(wire, by_hand(caller, components(), given)) == expected


def test_two_signatures_are_one_too_many(wire: Wire, caller: Caller) -> None:
    one, other = (
        by_hand(caller, components(), parameters(caller), label=label) for label in ("one", "other")
    )
    both = {name: f"{one[name]}, {other[name]}" for name in ("signature-input", "signature")}

    assert send(wire, one | both) == REFUSED


@pytest.mark.parametrize(
    "change",
    [
        lambda h: {name: value for name, value in h.items() if name != "signature"},
        lambda h: {name: value for name, value in h.items() if name != "signature-input"},
        lambda h: {name: value for name, value in h.items() if name != "content-digest"},
        lambda h: h | {"signature": "other" + h["signature"].removeprefix("tintype")},
        lambda h: h | {"signature": "tintype=" + "a" * 44},
        lambda h: h | {"signature": ""},
        lambda h: h | {"signature-input": h["signature-input"].replace(";", "; ;", 1)},
        lambda h: h | {"signature-input": h["signature-input"] + ";tag=" + '"' + "x" * 5000 + '"'},
    ],
)
def test_a_signature_that_is_not_whole_is_refused(
    wire: Wire, caller: Caller, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    assert send(wire, change(signed(caller))) == REFUSED


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "sha-256=:AAAA:",
        "sha-512=:" + "A" * 88 + ":",
        "sha-256=abc",
        "md5=:AAAA:",
        "sha-256",
        "()",
        "\xff",
    ],
)
def test_a_digest_of_another_kind_is_refused(wire: Wire, caller: Caller, digest: str) -> None:
    headers = by_hand(caller, components(**{"content-digest": digest}), parameters(caller))

    lines = [(name, value.encode("latin-1")) for name, value in {**headers, "content-digest": digest}.items()]
    assert outcome(wire.http.post(LIST, content=b"{}", headers=lines)) == REFUSED


def test_further_digests_are_not_looked_at(wire: Wire, caller: Caller) -> None:
    digest = f"sha-512=:AAAA:, {content_digest(b'{}')}"
    headers = by_hand(caller, components(**{"content-digest": digest}), parameters(caller))

    assert send(wire, headers | {"content-digest": digest}) == (200, "")


# Replays


def test_a_signed_request_counts_once(wire: Wire, caller: Caller) -> None:
    headers = signed(caller)

    assert [send(wire, headers) for _ in range(3)] == [(200, ""), REFUSED, REFUSED]


def test_of_many_at_once_one_counts(wire: Wire, caller: Caller) -> None:
    body = b'{"prompt": "only once"}'
    headers = signed(caller, RUN, body)

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: send(wire, headers, RUN, body)[0], range(20)))

    assert sorted(statuses) == [200] + [401] * 19


def test_a_wrong_signature_spends_no_nonce(wire: Wire, caller: Caller) -> None:
    headers = signed(caller, nonce="precious-" + os.urandom(4).hex())
    assert send(wire, headers | {"signature": f"tintype=:{'A' * 43}=:"}) == REFUSED

    assert send(wire, headers) == (200, "")


# What is told


def test_the_log_says_why_and_the_caller_does_not(wire: Wire, caller: Caller) -> None:
    with capture_logs() as logged:
        send(wire, by_hand(caller, components(**{"content-type": None}), parameters(caller)))
        headers = signed(caller)
        send(wire, headers)
        send(wire, headers)

    reasons = [each["reason"] for each in logged if each["event"] == "signature_refused"]
    assert reasons == ["does not cover content-type", "the nonce was seen before"]
    for secret in (caller.key, caller.secret, headers["signature"]):
        assert secret not in str(logged)
