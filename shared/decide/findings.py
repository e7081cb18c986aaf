"""What an operator should know of a zone, and of addresses: blocked names, kept records, ambiguous addresses. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TypeVar

import msgspec

from shared.config.settings import Settings
from shared.decide import alarms
from shared.decide.claims import is_claimed
from shared.decide.guard import UnsafePlan
from shared.decide.plan import has_our_owner_tag, obstacle
from shared.decide.routing import ambiguous_addresses
from shared.domain.alarms import Alarm
from shared.domain.endpoints import Endpoint, State
from shared.domain.zone_findings import BlockedName, KeptRecord, ZoneFindings
from shared.domain.zones import RecordSet, Zone

MAX_LIST_BYTES = 8_000
"""Bytes that the blocked names of a zone, and its kept records, may each take as JSON: a text column of a table holds
32 Ki characters."""

_Named = TypeVar("_Named", BlockedName, KeptRecord)


def blocked_names(
    settings: Settings,
    record_sets: Iterable[RecordSet],
    lost: Collection[str],
    claims: Mapping[str, Sequence[Endpoint]],
) -> list[BlockedName]:
    """The names of a zone that may not be written, by name. `lost`: those whose record sets have lost our owner tag."""
    found = []
    for each in sorted((r for r in record_sets if not has_our_owner_tag(r, settings.owner)), key=lambda r: r.name):
        what = obstacle(each.name, each, settings.owner, was_ours=each.name in lost)
        what = what and replace(what, claimed=is_claimed(each.name, claims.get(each.name, ()), settings))
        if what and what.concerns:
            found.append(what)
    return found


def findings_of(
    zone: Zone,
    blocked: Sequence[BlockedName],
    kept: Sequence[KeptRecord] = (),
    refused: UnsafePlan | None = None,
    at: float = 0.0,
) -> ZoneFindings:
    """What the catalog keeps of a zone that was read at `at`: as many names as there is room for, and their number."""
    return ZoneFindings(
        zone.key,
        refusals=(refused.text,) if refused else (),
        alarms=tuple(replace(alarm, at=at) for alarm in alarms.blocked(zone, blocked)),
        blocked=_first(blocked),
        count=len(blocked),
        held=_first(kept),
        held_count=len(kept),
        at=at,
        refused=(refused.plan,) if refused else (),
    )


def _first(names: Sequence[_Named]) -> tuple[_Named, ...]:
    sizes = accumulate(len(msgspec.json.encode(each)) + 1 for each in names)
    return tuple(each for each, size in zip(names, sizes, strict=True) if size <= MAX_LIST_BYTES)


def ambiguous_address_alarms(endpoints: Iterable[Endpoint]) -> list[Alarm]:
    """Addresses that serving endpoints of different VNets hold, whatever their names."""
    twice = ambiguous_addresses(e for e in endpoints if e.state == State.SERVING and e.names)
    text = "the same address is claimed from more than one VNet"
    means = "it is not known which endpoint gets its packets: a name that both claim does not publish it"
    do = "give the VNets address ranges of their own, or let only one of the endpoints claim the name"
    return alarms.grouped(
        alarms.Trouble(ip, text, means, do, "addresses", f"address {ip} is claimed from more than one VNet")
        for ip in sorted(twice)
    )
