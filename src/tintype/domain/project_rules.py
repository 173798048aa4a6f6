"""What a project may be called, allow and be allowed. Every function raises UnfitProject."""

import math

from tintype.domain.addresses import read_address, read_network
from tintype.domain.errors import UnfitProject

LONGEST_NAME = 200
MOST_ADDRESSES = 1000


def check_name(name: str) -> str:
    """The name, if a project may be called so."""
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise UnfitProject(
            name=repr(name[:LONGEST_NAME]),
            problem=f"a name has 1 to {LONGEST_NAME} printable characters and no space at its ends",
        )
    return name


def check_weight(name: str, weight: float) -> float:
    """The weight, if shares can be reckoned with it."""
    if not math.isfinite(weight) or not 0.001 <= weight <= 1000:
        raise UnfitProject(name=name, problem=f"a weight is a number from 0.001 to 1000, not {weight:g}")
    return weight


def check_max_concurrent(name: str, limit: int | None) -> int | None:
    """The limit of unfinished tasks, None for none."""
    if limit is not None and not 0 <= limit <= 1_000_000:
        raise UnfitProject(name=name, problem=f"a limit of tasks is from 0 to 1000000, not {limit}")
    return limit


def check_addresses(name: str, addresses: list[str]) -> tuple[str, ...]:
    """IP addresses and networks in their usual spelling, each once, in the order given."""
    if len(addresses) > MOST_ADDRESSES:
        raise UnfitProject(name=name, problem=f"an allow-list has at most {MOST_ADDRESSES} addresses")
    return tuple(dict.fromkeys(_address(name, address.strip()) for address in addresses))


def _address(name: str, text: str) -> str:
    try:
        network = read_network(text)
    except ValueError:
        raise UnfitProject(
            name=name,
            problem=f"{text!r} is no IP address or network, such as 203.0.113.7 or 2001:db8::/32",
        ) from None
    host = read_address(text.partition("/")[0])
    if host != network.network_address:
        raise UnfitProject(
            name=name,
            problem=f"{text} names a host in a network; write {network} or {host}",
        )
    return str(host if network.num_addresses == 1 else network)
