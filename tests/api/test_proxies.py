"""Behind proxies: only those that are trusted may say who calls, and an allow-list is about them."""

from collections.abc import Iterator

import pytest

from api.wire import Wire, start_wire
from tintype.domain.addresses import is_within, read_address, read_network, read_networks
from tintype.settings import read_settings

LIST = "/v1/Task/List"
FORWARDED = "x-forwarded-for"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server behind proxies on this machine and in 10.0.0.0/8."""
    trusted = read_networks("127.0.0.1, 10.0.0.0/8")
    with start_wire(tmp_path_factory.mktemp("proxied"), trusted_proxies=trusted) as wire:
        yield wire


def refused_address(wire: Wire, *forwarded: str) -> str:
    """The address that the server saw, of a caller that may only come from 192.0.2.1; empty if it may."""
    caller = wire.project(allowed_addresses=["192.0.2.1"])
    lines = [*caller.headers().items(), *((FORWARDED, each) for each in forwarded)]
    answer = wire.http.post(LIST, headers=lines, json={})
    if answer.status_code == 200:
        return ""
    message = answer.json()["errors"][0]["message"]
    assert answer.status_code == 401
    return str(message).removeprefix("Requested ip ").removesuffix(" is not allowed.")


@pytest.mark.parametrize(
    "forwarded",
    [
        ["192.0.2.1"],
        ["192.0.2.1:4711"],
        ["[::ffff:192.0.2.1]:4711"],
        ["::ffff:192.0.2.1"],
        ["203.0.113.9, 192.0.2.1"],
        ["nonsense, 192.0.2.1"],
        ["203.0.113.9", "192.0.2.1"],
        ["192.0.2.1, 10.1.2.3"],
        ["192.0.2.1", "10.1.2.3, 10.0.0.1"],
    ],
    ids=str,
)
def test_a_trusted_proxy_says_who_calls(proxied: Wire, forwarded: list[str]) -> None:
    assert refused_address(proxied, *forwarded) == ""


@pytest.mark.parametrize(
    ("forwarded", "seen"),
    [
        ([], "127.0.0.1"),
        (["203.0.113.9"], "203.0.113.9"),
        (["192.0.2.1, 203.0.113.9"], "203.0.113.9"),
        (["192.0.2.1", "203.0.113.9"], "203.0.113.9"),
        (["192.0.2.1, 203.0.113.9, 10.0.0.1"], "203.0.113.9"),
        (["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        (["2001:db8::1"], "2001:db8::1"),
        (["192.0.2.1, nonsense"], "unknown"),
        (["192.0.2.1,,10.0.0.1"], "unknown"),
        (["unknown"], "unknown"),
        (["192.0.2.1, [::1"], "::1"),
        (["192.0.2.1, 192.0.2.999"], "unknown"),
    ],
    ids=str,
)
def test_what_a_caller_adds_in_front_does_not_count(proxied: Wire, forwarded: list[str], seen: str) -> None:
    assert refused_address(proxied, *forwarded) == seen


def test_without_trusted_proxies_nobody_speaks_for_others(wire: Wire) -> None:
    assert refused_address(wire, "192.0.2.1") == "127.0.0.1"


def test_other_headers_say_nothing(proxied: Wire) -> None:
    caller = proxied.project(allowed_addresses=["192.0.2.1"])
    said = {"forwarded": "for=192.0.2.1", "x-real-ip": "192.0.2.1", "client-ip": "192.0.2.1"}

    answer = proxied.http.post(LIST, headers=caller.headers() | said, json={})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.0/24"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("192.0.2.1", "::ffff:192.0.2.0/120"),
        ("192.0.2.1", "192.0.2.77/24"),
        ("2001:db8::1", "2001:db8::/32"),
    ],
)
def test_an_ipv4_address_in_ipv6_clothes_is_the_ipv4_address(address: str, network: str) -> None:
    read = read_address(address)

    assert read is not None
    assert is_within(read, [read_network(network)])


def test_an_ipv6_network_of_everything_holds_no_ipv4() -> None:
    read = read_address("::ffff:192.0.2.1")

    assert read is not None
    assert not is_within(read, [read_network("::/0")])


@pytest.mark.parametrize("wrong", ["localhost", "10.0.0.0/33", "10.0.0.1-10.0.0.9", "*"])
def test_a_trusted_proxy_is_an_address(wrong: str) -> None:
    from tintype.domain.errors import BadSetting

    with pytest.raises(BadSetting, match="TINTYPE_TRUSTED_PROXIES: "):
        read_settings({"TINTYPE_TRUSTED_PROXIES": f"10.0.0.1, {wrong}"})
