"""Internet addresses and networks of them; an IPv4 address in IPv6 clothes is the IPv4 address."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED_BITS = 96
"""Where an IPv4 address begins in the IPv6 address that stands for it."""


def read_address(text: str) -> Address | None:
    """The address of a text, None if it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def read_network(text: str) -> Network:
    """The network of a text, such as `10.0.0.0/8` or a single address. Raises ValueError."""
    network = ip_network(text.strip(), strict=False)
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


def read_networks(text: str) -> tuple[Network, ...]:
    """The networks of a list with commas; none of an empty one. Raises ValueError."""
    return tuple(read_network(part) for part in text.split(",") if part.strip())


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in networks)
