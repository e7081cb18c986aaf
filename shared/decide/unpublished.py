"""What an endpoint claims or holds that the present settings never publish, in words, as faults of the endpoint.

The status decides this whenever it is asked; the catalog keeps nothing of it.
"""

from __future__ import annotations

from shared.config.settings import Settings
from shared.decide.claims import NEEDS_ENTRY
from shared.domain import addresses
from shared.domain.endpoints import STATIC, Endpoint


def faults(endpoint: Endpoint, settings: Settings) -> tuple[str, ...]:
    """Everything in an endpoint's claims that its kind or the settings refused."""
    if endpoint.kind == STATIC or not endpoint.names:  # The parser has reported the settings' own faults.
        return endpoint.faults
    names = sorted(name for name in endpoint.names if settings.needs_exact_entry(name))
    ips = sorted({address.ip for address in endpoint.addresses})
    return (
        *endpoint.faults,
        *(f"{name!r}: {NEEDS_ENTRY}" for name in names),
        *(
            f"{ip} is {words}, which is never published"
            for ip in ips
            if (words := addresses.reason_never_published(ip))
        ),
        *(
            f'{ip} is a public address, and no zone of NEARZONE_ZONES says "public": true'
            for ip in ips
            if addresses.is_public(ip) and not any(zone.public for zone in settings.zones)
        ),
    )
