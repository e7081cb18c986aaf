"""Parses NEARZONE_PROBES, NEARZONE_PROBING and NEARZONE_PROBE_SCHEDULE."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TypeGuard

from shared.config import schedules
from shared.config import values as convert
from shared.config.name_reader import NameReader
from shared.config.probe_kinds import FIELDS, KINDS, ProbeKind
from shared.config.region_names import suggestion
from shared.config.settings import PROBE_SCHEDULE, Probing, region_name
from shared.domain.probes import Probe
from shared.domain.zones import Zone

MAX_TIMEOUT = 9.0
"""Seconds. A round begins its connections within 3 s and ends after 12 s: a longer probe would have no result."""
MIN_STALE_AFTER, MAX_STALE_AFTER = 30.0, 3600.0
"""Seconds. A round of 12 s delays the next one if the schedule is shorter: less than two rounds would be too little."""
MAX_IN_A_ROW = 20
MAX_HOLD = 3600
MAX_DWELL = 86_400
MAX_INTERVAL = MAX_STALE_AFTER / 2
"""Seconds between two rounds: with longer ones, no value of `stale_after` would let a round renew verdicts."""
_DEFAULT = Probing()
_UNUSED = Probe("tcp", 1)
"""Stands for an entry with faults: these end the parse."""
_NETWORK = "an IPv4 network such as 10.9.0.0/26"
_TLS = '{"name": the DNS name in the server\'s certificate}, or {"verify": false}'


def probes(read: NameReader) -> dict[str, Probe]:
    """Parse NEARZONE_PROBES."""
    items = read.json("NEARZONE_PROBES", dict, 'a JSON object from name or glob to {"kind": ...}', required=False)
    found: dict[str, Probe] = {}
    for pattern, item in items.items():
        where = f"NEARZONE_PROBES[{json.dumps(pattern)}]"
        read.pattern(where, pattern, found)
        found[pattern.lower()] = _probe(read, where, item)
    return found


def _probe(read: NameReader, where: str, item: object) -> Probe:
    if not read.has_known_fields(where, item, set(FIELDS)):
        return _UNUSED
    assert isinstance(item, dict)  # noqa: S101 - told to the type checker, checked by known
    name = item.get("kind")
    kind = KINDS.get(name.lower()) if isinstance(name, str) else None
    if not isinstance(name, str) or kind is None:
        meant = suggestion(name.lower(), KINDS, 0.6) if isinstance(name, str) else ""
        read.fault(f"{where}.kind", name, f"one of {', '.join(KINDS)}{meant}")
        return _UNUSED
    _check_fields(read, where, item, name.lower(), kind)
    tls_name, verify = _tls(read, f"{where}.tls", item, kind)
    return Probe(
        kind=name.lower(),
        port=_port(read, f"{where}.port", item.get("port", kind.port or None)),
        path=_path(read, f"{where}.path", item["path"]) if "path" in item else kind.path,
        expect=_expect(read, f"{where}.expect", item["expect"]) if "expect" in item else kind.expect,
        tls=kind.tls or "tls" in item,
        tls_name=tls_name,
        verify=verify,
        host=_dns_name(read, f"{where}.host", item["host"]) if "host" in item else "",
    )


def _check_fields(read: NameReader, where: str, item: Mapping[str, object], name: str, kind: ProbeKind) -> None:
    """Add a fault for each field that has no effect with this kind."""
    for field in sorted(set(item) - kind.fields):
        read.fault(
            f"{where}.{field}", item[field], f"one of the fields of the kind {name}: {', '.join(sorted(kind.fields))}"
        )
    if not item.get("path", kind.path):
        for field in sorted({"expect", "host"} & set(item) & kind.fields):
            read.fault(f"{where}.{field}", item[field], "a path beside it: without one, no HTTP request is sent")


def _port(read: NameReader, where: str, value: object) -> int:
    if type(value) is int and 1 <= value <= 65535:
        return value
    read.fault(where, value, "a port, 1 to 65535")
    return 0


def _path(read: NameReader, where: str, value: object) -> str:
    """Parse a path, which goes into the request line as it is: a line break would add headers to the request."""
    try:
        return convert.http_path(value)
    except ValueError:
        read.fault(where, value, "a path that begins with / and has printable ASCII characters without spaces")
        return ""


def _expect(read: NameReader, where: str, value: object) -> tuple[tuple[int, int], ...]:
    expected = 'a status code such as 200 or a range such as "300-399", 200 to 599'
    if value == []:
        read.fault(where, value, f"at least one, each {expected}")
    return tuple(sorted(read.convert_items(where, value, expected, convert.status_range)))


def _tls(read: NameReader, where: str, item: Mapping[str, object], kind: ProbeKind) -> tuple[str, bool]:
    """Return the name for SNI and certificate, and whether the certificate is verified."""
    if "tls" not in item:
        if kind.tls:
            read.fault(where, None, _TLS)
        return "", True
    value = item["tls"]
    if not isinstance(value, dict):
        read.fault(where, value, _TLS)
        return "", True
    if not read.has_known_fields(where, value, {"name", "verify"}):
        return "", True
    verify = value.get("verify", True)
    if type(verify) is not bool:
        read.fault(f"{where}.verify", verify, "true or false")
    if "name" in value or verify is not False:
        return _dns_name(read, f"{where}.name", value.get("name")), verify is not False
    return "", False


def _dns_name(read: NameReader, where: str, value: object) -> str:
    try:
        return convert.dns_name(value)
    except ValueError:
        read.fault(where, value, "a DNS name, without scheme, port and wildcard")
        return ""


def probe_schedule(read: NameReader) -> str:
    """Parse NEARZONE_PROBE_SCHEDULE."""
    name = "NEARZONE_PROBE_SCHEDULE"
    found = read.schedule(name, PROBE_SCHEDULE)
    if schedules.intervals(found)[1] <= MAX_INTERVAL:
        return found
    read.fault(name, found, f"an interval of at most {MAX_INTERVAL / 60:.0f} minutes between two rounds")
    return PROBE_SCHEDULE


def probing(
    read: NameReader, probes: Mapping[str, Probe], schedule: str, zones: Collection[Zone], app_region: str
) -> Probing:
    """Parse NEARZONE_PROBING. `app_region`: the region of the app as Azure names it, "" if unknown."""
    where = "NEARZONE_PROBING"
    item = read.json(where, dict, 'a JSON object such as {"mode": "observe"}', required=False)
    if not read.has_known_fields(where, item, set(Probing.__dataclass_fields__) - {"enforce"} | {"mode"}):
        return _DEFAULT
    mode = item.get("mode", "observe")
    if mode not in ("observe", "enforce"):
        read.fault(f"{where}.mode", mode, "observe or enforce")
    vantage = _default_vantage(read, probes, zones, app_region) if "vantage" not in item else ""
    found = Probing(
        enforce=mode == "enforce",
        vantage=read.region(f"{where}.vantage", item["vantage"]) if "vantage" in item else vantage,
        timeout=_seconds(read, "timeout", item, 0.1, MAX_TIMEOUT),
        connect_timeout=_seconds(read, "connect_timeout", item, 0.1, MAX_TIMEOUT),
        down_after=_count(read, "down_after", item),
        up_after=_count(read, "up_after", item),
        stale_after=_seconds(read, "stale_after", item, MIN_STALE_AFTER, MAX_STALE_AFTER),
        hold=_pair(read, "hold", item, "[seconds for each withdrawal, seconds at the most]", MAX_HOLD),
        slow_start=_seconds(read, "slow_start", item, 0, MAX_HOLD),
        dwell=_pair(read, "dwell", item, "[seconds before a change, seconds between two]", MAX_DWELL),
        never=tuple(sorted(read.convert_items(f"{where}.never", item.get("never", []), _NETWORK, convert.network))),
    )
    _check_times(read, found, probes, schedule)
    return found


def _default_vantage(read: NameReader, probes: Mapping[str, Probe], zones: Collection[Zone], app_region: str) -> str:
    """Return the app's region, else the only region of the zones."""
    named = region_name(app_region)
    if named in read.regions:
        return named
    regions = {zone.region for zone in zones}
    if len(regions) > 1 and probes:
        found = f"no region in REGION_NAME ({json.dumps(app_region)}), and zones of {len(regions)} regions"
        read.faults.append(f"NEARZONE_PROBING.vantage: found {found}, expected the region that this app probes from")
    return regions.pop() if len(regions) == 1 else ""


def _seconds(read: NameReader, name: str, item: Mapping[str, object], low: float, high: float) -> float:
    value = item.get(name, getattr(_DEFAULT, name))
    if _is_number(value, low, high):
        return float(value)
    read.fault(f"NEARZONE_PROBING.{name}", value, f"seconds, {low:g} to {high:g}")
    return float(getattr(_DEFAULT, name))


def _count(read: NameReader, name: str, item: Mapping[str, object]) -> int:
    value = item.get(name, getattr(_DEFAULT, name))
    if type(value) is int and 1 <= value <= MAX_IN_A_ROW:
        return value
    read.fault(f"NEARZONE_PROBING.{name}", value, f"results in a row, 1 to {MAX_IN_A_ROW}")
    return int(getattr(_DEFAULT, name))


def _pair(read: NameReader, name: str, item: Mapping[str, object], expected: str, high: float) -> tuple[float, float]:
    value = item.get(name, list(getattr(_DEFAULT, name)))
    if isinstance(value, list) and len(value) == 2 and all(_is_number(each, 0, high) for each in value):
        first, second = map(float, value)
        if first <= second:
            return first, second
    read.fault(f"NEARZONE_PROBING.{name}", value, f"{expected}, ascending, 0 to {high}")
    first, second = getattr(_DEFAULT, name)
    return first, second


def _is_number(value: object, low: float, high: float) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _check_times(read: NameReader, found: Probing, probes: Mapping[str, Probe], schedule: str) -> None:
    """Add a fault for each pair of times that contradict one another."""
    where = "NEARZONE_PROBING"
    if found.connect_timeout >= found.timeout:
        read.fault(f"{where}.connect_timeout", found.connect_timeout, f"less than the timeout of {found.timeout:g} s")
    least = 2 * schedules.intervals(schedule)[1]
    if found.stale_after < least:
        twice = f"at least {least:g}, twice the interval of NEARZONE_PROBE_SCHEDULE, so that a round can renew verdicts"
        read.fault(f"{where}.stale_after", found.stale_after, twice)
    slowest = max((KINDS[probe.kind].min_timeout for probe in probes.values()), default=0.0)
    if found.timeout < slowest:
        kinds = sorted({p.kind for p in probes.values() if KINDS[p.kind].min_timeout > found.timeout})
        read.fault(f"{where}.timeout", found.timeout, f"at least {slowest:g} s for the kind {', '.join(kinds)}")
