"""The last line of defence against a connection to an address that is no endpoint's."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from shared.domain.errors import DialError
from shared.domain.probes import ProbeWord


def permitted_address(ip: str, forbidden: Iterable[IPv4Network]) -> str:
    """Return the address in its canonical form.

    Raises DialError(LOCAL_FAULT) for text that is no IPv4 address, such as a host name, and for an address in
    `forbidden`: what asks for it is at fault, and not the address.
    """
    try:
        address = IPv4Address(ip)
    except ValueError as error:
        raise DialError(ProbeWord.LOCAL_FAULT) from error
    if any(address in network for network in forbidden):
        raise DialError(ProbeWord.LOCAL_FAULT)
    return str(address)
