"""Which IPv4 addresses may be published: private ones, public ones if the settings permit it, some never."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
"""RFC 1918 and the shared address space of RFC 6598. Every address that is neither here nor in `NEVER` counts as
public."""
NEVER = {
    IPv4Network("0.0.0.0/8"): "an unspecified address (0.0.0.0/8)",
    IPv4Network("127.0.0.0/8"): "a loopback address (127.0.0.0/8)",
    IPv4Network("169.254.0.0/16"): "a link-local address (169.254.0.0/16)",
    IPv4Network("168.63.129.16/32"): "Azure's own address in every VNet (168.63.129.16)",
    IPv4Network("224.0.0.0/4"): "a multicast address (224.0.0.0/4)",
    IPv4Network("240.0.0.0/4"): "a reserved or broadcast address (240.0.0.0/4)",
}
"""No endpoint can have such an address: a client that connects to it reaches itself, Azure's platform or nothing.
Sources: the IANA registry of special-purpose addresses (RFC 6890); Azure Virtual Network FAQ, "What address ranges can
I use?"."""

DOCUMENTATION = tuple(map(IPv4Network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
"""Networks for documentation (RFC 5737), which hold no endpoint. A zone whose `reach` has only these stays empty."""


def reason_never_published(ip: str) -> str:
    """Return a description of an address that must never be published; "" for any other address."""
    address = IPv4Address(ip)
    return next((words for network, words in NEVER.items() if address in network), "")


def is_public(ip: str) -> bool:
    """Return whether an address may be published only if the settings permit public addresses."""
    address = IPv4Address(ip)
    return not reason_never_published(ip) and not any(address in network for network in PRIVATE)


def publishable_ranges(reach: Iterable[IPv4Network], *, with_public: bool) -> tuple[tuple[int, int], ...]:
    """Return the part of the networks that may be published, as the first and the last address of each range."""
    found: list[IPv4Network] = []
    for network in reach:
        found += _without_never(network) if with_public else _within_private(network)
    ranges: list[tuple[int, int]] = []
    for each in collapse_addresses(found):
        first, last = int(each[0]), int(each[-1])
        if ranges and ranges[-1][1] + 1 == first:  # Fewer ranges: every address of every answer is compared with them.
            first = ranges.pop()[0]
        ranges.append((first, last))
    return tuple(ranges)


def _within_private(network: IPv4Network) -> list[IPv4Network]:
    """Intersect a network with the private ones. If two networks overlap, one contains the other."""
    return [max(network, each, key=lambda n: n.prefixlen) for each in PRIVATE if network.overlaps(each)]


def _without_never(network: IPv4Network) -> list[IPv4Network]:
    left = [network]
    for taken in NEVER:
        left = [part for each in left for part in _subtract(each, taken)]
    return left


def _subtract(network: IPv4Network, taken: IPv4Network) -> list[IPv4Network]:
    if not network.overlaps(taken):
        return [network]
    return [] if network.subnet_of(taken) else list(network.address_exclude(taken))
