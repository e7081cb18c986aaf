"""A private zone in DNS terms: which record sets answer for a name, and their records in wire types.

Pure reading of one zone. Messages and sockets are in `server.py`, Azure's JSON in `private_dns/record_sets.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import dns.name
import dns.rrset

from simulator.private_dns.record_sets import RecordSet, Zone


def _origin(zone: Zone) -> dns.name.Name:
    return dns.name.from_text(zone.name)


def zone_of(name: dns.name.Name, zones: Iterable[Zone]) -> Zone | None:
    """The most specific of the zones that contain a name."""
    return max((z for z in zones if name.is_subdomain(_origin(z))), key=lambda z: z.name.count("."), default=None)


def sets_at(zone: Zone, name: dns.name.Name) -> list[RecordSet] | None:
    """The record sets at a name or at the wildcard that covers it; None when the name does not exist."""
    labels = name.relativize(_origin(zone)).to_text().lower().split(".")
    own = _join(labels) if labels != ["@"] else "@"
    if own == "@" or _exists(zone, own):
        return _all(zone, own)
    encloser = next(i for i in range(1, len(labels) + 1) if i == len(labels) or _exists(zone, _join(labels[i:])))
    return _all(zone, _join(["*", *labels[encloser:]])) or None


def _join(labels: Sequence[str]) -> str:
    return ".".join(labels)


def _all(zone: Zone, name: str) -> list[RecordSet]:
    return [found for kind in zone.types_at(name) if (found := zone.get(kind, name)) is not None]


def _exists(zone: Zone, name: str) -> bool:
    """Whether a name has record sets, or names below it, which follow it in the zone's order."""
    if zone.types_at(name):
        return True
    behind = next(zone.sets_after(("~", name)), None)
    return behind is not None and behind.name.lower().endswith(f".{name}")


def negative(zone: Zone) -> dns.rrset.RRset:
    """The zone's SOA as a negative answer carries it: TTL min(SOA's own, minimum), RFC 2308."""
    soa = rrset(zone, _origin(zone), next(one for one in _all(zone, "@") if one.type == "SOA"))
    soa.ttl = min(zone.soa.ttl, zone.soa.minimum_ttl)
    return soa


def rrset(zone: Zone, owner: dns.name.Name, found: RecordSet) -> dns.rrset.RRset:
    """A record set's records under an owner name. Raises the errors of dnspython or JSON for invalid records."""
    texts = [_soa(zone)] if found.type == "SOA" else _texts(found)
    return dns.rrset.from_text_list(owner, found.ttl, "IN", found.type, texts)


def _soa(zone: Zone) -> str:
    soa = zone.soa
    names = f"{_absolute(soa.host)} {_absolute(soa.email)}"
    return f"{names} {soa.serial} {soa.refresh} {soa.retry} {soa.expire} {soa.minimum_ttl}"


def _texts(found: RecordSet) -> list[str]:
    """The records of a set in the text form of a zone file; the JSON fields are Azure's."""
    forms: dict[str, Callable[[Any], str]] = {
        "A": lambda r: str(r["ipv4Address"]),
        "AAAA": lambda r: str(r["ipv6Address"]),
        "CNAME": lambda r: _absolute(r["cname"]),
        "MX": lambda r: f"{r['preference']} {_absolute(r['exchange'])}",
        "PTR": lambda r: _absolute(r["ptrdname"]),
        "SRV": lambda r: f"{r['priority']} {r['weight']} {r['port']} {_absolute(r['target'])}",
        "TXT": lambda r: " ".join(map(_quoted, r["value"])),
    }
    records = [found.records] if isinstance(found.records, dict) else found.records or []
    return [forms[found.type](record) for record in records]


def _absolute(name: str) -> str:
    return name if name.endswith(".") else f"{name}."


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\{b:03d}" if b in b'"\\' or not 32 <= b < 127 else chr(b) for b in text.encode()) + '"'
