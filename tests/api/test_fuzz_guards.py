"""Whatever headers and signatures arrive, they are answered, at once, and never with a fault or a way in."""

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.raw import line_to, request
from api.signed import components, guarded, parameters, signed
from api.test_fuzz import quick
from api.wire import RUN, Caller, Wire, start_wire
from tintype.api.answers import JSON
from tintype.api.connection import LARGEST_HEAD
from tintype.domain.addresses import read_networks
from tintype.domain.project import Auth, RequestSignature
from tintype.storage import guards

LIST = "/v1/Task/List"

tokens = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789!#$%&'*+-.^_`|~", min_size=1, max_size=20)
visible = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60
)
known = st.sampled_from(
    [
        "x-api-key",
        "x-nonce",
        "x-signature",
        "authorization",
        "signature",
        "signature-input",
        "content-digest",
        "content-type",
        "idempotency-key",
        "x-forwarded-for",
        "expect",
        "accept",
        "range",
    ]
)
bits = st.sampled_from(
    [
        "sig=",
        "sig=(",
        '("@method" "@path" "@query" "content-digest")',
        '"@method"',
        '"@target-uri"',
        '"@query-param";name="a"',
        '"content-digest";key="sha-256"',
        '"content-digest";sf',
        '"content-type";bs',
        '"x-api-key";tr',
        '"@signature-params"',
        ")",
        ";created=",
        ";created=1734513807",
        ";created=-1",
        ";created=999999999999999",
        ";expires=1",
        ';keyid="',
        ';nonce="n"',
        ';alg="hmac-sha256"',
        ";tag",
        ":AAAA:",
        ":=:",
        "sha-256=",
        "sha-256=:AAAA:",
        ", ",
        "?1",
        "@1734513807",
        '%"a"',
        "Basic ",
        "Bearer ",
        "1.5",
        "f" * 64,
    ]
)
sloppy = st.lists(bits | visible, max_size=8).map("".join)
headers = st.lists(st.tuples(known | tokens, sloppy), max_size=8)


@pytest.fixture(scope="module")
def guarded_wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server that looks at everything: proxies, rates, and a short window."""
    trusted = read_networks("127.0.0.1")
    with start_wire(tmp_path_factory.mktemp("guarded"), trusted_proxies=trusted, nonce_window=60.0) as wire:
        yield wire


@pytest.fixture(scope="module")
def signing(guarded_wire: Wire) -> Caller:
    return guarded(guarded_wire)


@pytest.fixture(scope="module")
def strict(guarded_wire: Wire) -> Caller:
    caller = guarded_wire.project(auth=Auth.SIGNATURE)
    guarded_wire.write(
        lambda c: guards.guard_project(
            c, caller.project, strict=True, request_signature=RequestSignature.ACCEPTED
        )
    )
    return caller


def ask(wire: Wire, lines: list[tuple[str, str]], path: str = LIST, body: bytes = b"{}") -> int:
    """The HTTP status of a POST with exactly these headers; fails unless the answer is a proper refusal."""
    raw = "".join(f"{name}: {value}\r\n" for name, value in lines).encode("latin-1")
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n".encode()
    with line_to(wire, patience=5) as line:
        line.send(head + raw + b"\r\n" + body)
        reply = line.receive()
        if reply.status == 100:
            reply = line.receive()
    assert reply.status in (200, 400, 401, 404, 413), reply
    assert reply.headers["content-type"] == JSON
    assert reply.json()["result"] is (not reply.json()["errors"])
    return reply.status


@quick
@given(lines=headers)
def test_any_headers_are_answered_and_open_nothing(guarded_wire: Wire, lines: list[tuple[str, str]]) -> None:
    assert ask(guarded_wire, lines) in (400, 401)


@quick
@given(lines=headers)
def test_with_a_right_key_any_proof_is_answered_and_opens_nothing(
    guarded_wire: Wire, signing: Caller, strict: Caller, lines: list[tuple[str, str]]
) -> None:
    others = [(name, value) for name, value in lines if name.lower() != "x-api-key"]
    for caller in (signing, strict):
        assert ask(guarded_wire, [("x-api-key", caller.key), *others]) in (400, 401)


@quick
@given(
    name=st.sampled_from(["signature-input", "signature", "content-digest", "content-type"]),
    at=st.integers(0, 400),
    instead=sloppy,
)
def test_a_damaged_signature_opens_nothing(
    guarded_wire: Wire, signing: Caller, name: str, at: int, instead: str
) -> None:
    whole = signed(signing)
    damaged = whole[name][: at % len(whole[name])] + instead
    lines = [*(whole | {name: damaged}).items()]

    if damaged.strip() == whole[name]:
        return
    assert ask(guarded_wire, lines) in (400, 401)


@quick
@given(path=st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=40))
def test_any_path_and_query_is_answered(guarded_wire: Wire, signing: Caller, path: str) -> None:
    lines = list(signed(signing).items())
    with line_to(guarded_wire, patience=5) as line:
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        line.send(
            f"POST {LIST}?{path} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 2\r\n\r\n{{}}".encode("latin-1")
        )
        assert line.receive().status in (200, 400, 401, 404)


@quick
@given(nonce=st.text("0123456789", max_size=20) | sloppy)
def test_any_nonce_is_answered(guarded_wire: Wire, strict: Caller, nonce: str) -> None:
    headers = strict.headers(nonce)

    assert ask(guarded_wire, list(headers.items())) in (400, 401)


@quick
@given(said=st.lists(sloppy | st.ip_addresses().map(str), max_size=5))
def test_any_list_of_hops_is_answered(guarded_wire: Wire, said: list[str]) -> None:
    caller = guarded_wire.caller
    lines = [*caller.headers().items(), *(("x-forwarded-for", each) for each in said)]

    assert ask(guarded_wire, lines) in (200, 400)


def test_a_signature_over_thousands_of_components_costs_no_time(guarded_wire: Wire, signing: Caller) -> None:
    many = " ".join(f'"x-{number}"' for number in range(6000))
    headers = {
        "x-api-key": signing.key,
        "signature-input": f"sig=({many}){parameters(signing)}",
        "signature": "sig=:AAAA:",
    }
    assert len(str(headers)) < LARGEST_HEAD
    began = time.monotonic()

    for _ in range(20):
        assert ask(guarded_wire, list(headers.items())) == 401

    assert time.monotonic() - began < 5


def test_deep_and_giant_values_in_a_signature_are_refused(guarded_wire: Wire, signing: Caller) -> None:
    for inner in ("(" * 3000, '"' + "\\" * 3000, ";" * 3000, "9" * 3000, ":" + "A" * 3000 + ":", "a=" * 1000):
        for name in ("signature-input", "signature", "content-digest"):
            whole = signed(signing) | {name: inner}
            assert ask(guarded_wire, list(whole.items())) == 401


def test_what_was_fuzzed_still_works(guarded_wire: Wire, signing: Caller) -> None:
    assert ask(guarded_wire, list(signed(signing).items())) == 200
    assert set(components()) == {
        f'"{name}"' for name in ("@method", "@path", "@query", "content-digest", "content-type")
    }


@pytest.mark.parametrize("size", [1, 700, 60_000])
def test_heads_in_pieces_of_any_size_are_read(guarded_wire: Wire, size: int) -> None:
    filler = {"x-filler": "y" * min(size * 40, 50_000)}
    whole = request(LIST, {**guarded_wire.caller.headers(), **filler}, b"{}")
    with line_to(guarded_wire, patience=10) as line:
        for start in range(0, len(whole), size):
            line.send(whole[start : start + size])

        assert line.receive().status == 200


@quick
@given(noise=st.binary(max_size=200))
def test_bytes_that_are_no_http_are_ended(guarded_wire: Wire, noise: bytes) -> None:
    with line_to(guarded_wire, patience=5) as line:
        line.send(noise + b"\r\n\r\n" + os.urandom(8) + b"\r\n\r\n")

        reply = line.receive()

        assert reply.status in (400, 401, 404)
        assert reply.headers["content-type"] == JSON


def test_a_hundred_slow_callers_keep_nobody_waiting(guarded_wire: Wire) -> None:
    from contextlib import ExitStack

    with ExitStack() as stack:
        for number in range(100):
            line = stack.enter_context(line_to(guarded_wire, patience=5))
            line.send(request(RUN, guarded_wire.caller.headers(), b'{"prompt": "x"}')[: 20 + number * 3])

        began = time.monotonic()
        assert guarded_wire.post(LIST).status_code == 200
        assert time.monotonic() - began < 2
