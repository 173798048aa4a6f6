"""Which addresses belong to the public internet, and so to nobody's own network."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

PRIVATE_V4 = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier NAT; a metadata service lives here, too
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's own services, at an address that looks public
        "169.254.0.0/16",  # link-local, most metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
PUBLIC_V6 = ip_network("2000::/3")
PRIVATE_V6 = tuple(
    ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo and ORCHID carry other addresses
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 carries an IPv4 address
        "3fff::/20",  # documentation
    )
)
NAT64 = ip_network("64:ff9b::/96")
"""Where a network without IPv4 puts all of IPv4. Judged by the address that it stands for."""


def is_public(address: str) -> bool:
    """Whether the numeric address is one of the public internet. Raises ValueError for anything else."""
    ip = ip_address(address)
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in PRIVATE_V4)
    if ip in NAT64:
        return is_public(str(IPv4Address(ip.packed[-4:])))
    return _is_public_v6(ip)


def _is_public_v6(ip: IPv6Address) -> bool:
    """Of IPv6 one part is public. What is mapped from IPv4 lies outside."""
    return ip.scope_id is None and ip in PUBLIC_V6 and not any(ip in network for network in PRIVATE_V6)
