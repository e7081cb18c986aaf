"""Whether the app seems to have no network of its own, so that it cannot reach any endpoint."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address

from shared.config.settings import Probing
from shared.domain.alarms import Alarm
from shared.domain.probes import Evidence


def unconnected(evidence: Collection[Evidence], private_ip: str, probing: Probing) -> list[Alarm]:
    """Return an alarm if nothing has ever answered and the app has no known address in a VNet.

    `evidence`: of the targets of the last round. `private_ip`: the value of WEBSITE_PRIVATE_IP, "" if it is not set.
    Whether Flex Consumption sets it for an app with VNet integration is not documented, so an unknown address alone is
    no alarm.
    """
    failing = sum(each.fails >= probing.down_after for each in evidence)
    if not failing or any(each.armed for each in evidence) or is_private_address(private_ip):
        return []
    return [
        Alarm(
            f"no address has ever answered a probe from {probing.vantage}, and the app has no known address in a VNet",
            "the app probably reaches no endpoint, so probes protect none",
            "check that the app has VNet integration (`subnet` in the configuration of infra/)",
            failing,
        )
    ]


def is_private_address(text: str) -> bool:
    """Return whether text is an address that an app can have in a VNet."""
    try:
        found = IPv4Address(text)
    except AddressValueError:
        return False
    return found.is_private and not (found.is_loopback or found.is_unspecified or found.is_link_local)
