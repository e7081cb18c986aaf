"""What an endpoint claims or holds that the present settings never publish, in words, as faults of the endpoint.

The status decides this whenever it is asked; the catalog keeps nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from shared.config.settings import Settings
from shared.decide.alarms import Trouble
from shared.decide.claims import NEEDS_ENTRY
from shared.domain import addresses
from shared.domain.endpoints import STATIC, Endpoint, EndpointRow, State, own_name_fault


def faults(endpoint: Endpoint, settings: Settings) -> tuple[str, ...]:
    """Everything in an endpoint's claims that its kind or the settings refused.

    Not the own name of a VM that Azure has named: `generated_names` has one note for its whole set.
    """
    of_claims = tuple(each for each in endpoint.faults if each != _fault_of_generated_name(endpoint))
    if endpoint.kind == STATIC or not endpoint.names:  # The parser has reported the settings' own faults.
        return of_claims
    names = sorted(name for name in endpoint.names if settings.needs_exact_entry(name))
    ips = sorted({address.ip for address in endpoint.addresses})
    return (
        *of_claims,
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


def generated_names(rows: Iterable[EndpointRow]) -> Iterator[Trouble]:
    """One note for each flexible scale set whose VMs have the names that Azure gives them, which are no DNS labels."""
    sets: dict[str, list[EndpointRow]] = {}
    for row in sorted(rows, key=lambda row: row.endpoint.key):
        if row.endpoint.state != State.GONE and _fault_of_generated_name(row.endpoint) in row.endpoint.faults:
            sets.setdefault(row.endpoint.parent, []).append(row)
    for parent, members in sets.items():
        nameless = sum(not row.endpoint.names for row in members)
        means = "they are reachable by the names of their tags; their own names are not published"
        if nameless:
            means += f", and {nameless} of them claim no other name, so they are not published at all"
        text = f"Azure has named {len(members)} of its VMs, such as {_own(members[0].endpoint)}, which is no DNS label"
        do = "nothing, unless a VM has to be reachable alone: then give it a name in its own tag"
        yield Trouble(parent, text, means, do, "scale sets", at=max(row.seen_at for row in members))


def _fault_of_generated_name(endpoint: Endpoint) -> str:
    """The fault of a VM that has the name of its flexible set, `_` and eight hexadecimal digits; "" for others.

    Source of such names: azure-cli's recording test_vm_list_filter.yaml.
    """
    own, of_set = _own(endpoint), endpoint.parent.rsplit("/", 1)[-1]
    is_generated = of_set and re.fullmatch(f"{re.escape(of_set)}_[0-9a-f]{{8}}", own)
    return own_name_fault(own) if is_generated else ""


def _own(endpoint: Endpoint) -> str:
    """The endpoint's own name, in lower case."""
    return endpoint.key.rsplit("/", 1)[-1]
