"""From the text of app settings to `Settings`: one pure function, which reports every fault at once.

The environment is read elsewhere; nothing here knows where the mapping comes from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cronsim import CronSim, CronSimError

from shared.errors import BadSettings
from shared.model import MAX_ADDRESSES, STATIC, Address, Endpoint, Policy, State, Zone, resource_id
from shared.settings import CLOUDS, DRAIN_SCHEDULE, LABEL, SWEEP_SCHEDULE, Cloud, Settings, region_name

T = TypeVar("T")
PREFIX = "NEARZONE_"
REACH = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
MAX_TTL = 2**31 - 1
MAX_HEALTH_WAIT = 24 * 60
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PATTERN = re.compile(r"[a-z0-9*?-]{1,63}")
_REGION = re.compile(r"[a-z][a-z0-9]*")
_ZONE = "microsoft.network/privatednszones"
_SCOPE = re.compile(r"/subscriptions/(?P<subscription>[^/]+)(/resourceGroups/[^/]+)?", re.IGNORECASE)
_URL = re.compile(r"https?://[a-zA-Z0-9.:[\]-]+(/[a-zA-Z0-9._/-]*)?")
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def parse(values: Mapping[str, str]) -> Settings:
    """Turn app settings into `Settings`. Raises BadSettings with every fault found."""
    read = _Reader({name: text for name, text in values.items() if name.startswith(PREFIX)})
    settings = Settings(
        zones=read.zones(),
        subscriptions=read.subscriptions(),
        claims=read.claims(),
        owner=read.owner(),
        apply=read.choice("NEARZONE_MODE", "apply", ("apply", "shadow")) == "apply",
        host_names=read.choice("NEARZONE_HOST_NAMES", "true", ("true", "false")) == "true",
        ttl=read.whole("NEARZONE_TTL", 30, "seconds", MAX_TTL),
        host_ttl=read.whole("NEARZONE_HOST_TTL", 300, "seconds", MAX_TTL),
        policies=read.policies(),
        latency=read.latency(),
        static=read.static(),
        cloud=read.cloud(),
        sweep_schedule=read.schedule("NEARZONE_SWEEP_SCHEDULE", SWEEP_SCHEDULE),
        health_wait_minutes=read.whole("NEARZONE_HEALTH_WAIT_MINUTES", 15, "minutes", MAX_HEALTH_WAIT),
    )
    read.schedule("NEARZONE_DRAIN_SCHEDULE", DRAIN_SCHEDULE)
    read.finish()
    return settings


class _Reader:
    """Takes one setting after the other, noting faults instead of stopping at the first."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values
        self.faults: list[str] = []

    def fault(self, name: str, found: object, expected: str) -> None:
        try:
            shown = json.dumps(found, default=str)
        except RecursionError:  # It was just shallow enough to be read.
            shown = "something nested too deeply"
        self.faults.append(f"{name}: found {shown if len(shown) <= 80 else shown[:77] + '...'}, expected {expected}")

    def finish(self) -> None:
        for name in sorted(self.values):
            self.fault(name, self.values[name], "no such setting (is the name misspelt?)")
        if self.faults:
            raise BadSettings(self.faults)

    def json(self, name: str, kind: type, expected: str, *, required: bool) -> Any:  # noqa: ANN401 - JSON, checked by the caller
        text = self.values.pop(name, "")
        if not text.strip():
            if required:
                self.faults.append(f"{name}: missing, expected {expected}")
            return kind()
        value = _json(text)
        if not isinstance(value, kind) or (required and not value):
            self.fault(name, text, expected)
            return kind()
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.values.pop(name, "").strip().lower() or default
        if text not in choices:
            self.fault(name, text, " or ".join(choices))
        return text

    def whole(self, name: str, default: int, unit: str, most: int) -> int:
        text = self.values.pop(name, "").strip() or str(default)
        if not re.fullmatch("[0-9]{1,10}", text) or not 1 <= int(text) <= most:
            self.fault(name, text, f"{unit}, 1 to {most}")
            return default
        return int(text)

    def owner(self) -> str:
        text = self.values.pop("NEARZONE_OWNER", "").strip() or "nearzone"
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
            self.fault("NEARZONE_OWNER", text, "1 to 64 letters, digits, '.', '_' or '-'")
        return text

    def schedule(self, name: str, default: str) -> str:
        text = self.values.pop(name, "").strip() or default
        try:
            if len(text.split()) != 6:
                raise CronSimError(text)
            next(CronSim(text, _ANY_DAY))
        except (CronSimError, StopIteration):
            self.fault(name, text, "an NCRONTAB expression of six fields, seconds first")
            return default
        return text

    def zones(self) -> tuple[Zone, ...]:
        expected = 'a JSON list of {"id": zone resource id, "region": client region, "reach": [CIDR, ...]}'
        zones = [
            zone
            for i, item in enumerate(self.json("NEARZONE_ZONES", list, expected, required=True))
            if (zone := self._zone(f"NEARZONE_ZONES[{i}]", item))
        ]
        for i, zone in enumerate(zones):
            if zone.key in (other.key for other in zones[:i]):
                self.fault(f"NEARZONE_ZONES[{i}].id", zone.id, "each zone once")
        return tuple(zones)

    def _zone(self, where: str, item: object) -> Zone | None:
        if not self._known(where, item, {"id", "region", "reach"}):
            return None
        assert isinstance(item, dict)  # noqa: S101 - told to the type checker, checked by _known
        found = len(self.faults)
        zone_id, region, reach = item.get("id"), item.get("region"), item.get("reach", list(REACH))
        named = resource_id(zone_id) if isinstance(zone_id, str) else None
        if not named or not named.whole or named.type != _ZONE or not GUID.fullmatch(named.subscription):
            self.fault(f"{where}.id", zone_id, "the resource id of a private DNS zone")
        region = self._region(f"{where}.region", region)
        networks = self._list(f"{where}.reach", reach, "an IPv4 network such as 10.0.0.0/8", _network)
        if not networks:
            self.fault(f"{where}.reach", reach, "at least one IPv4 network")
        return Zone(str(zone_id), region, tuple(networks)) if len(self.faults) == found else None

    def subscriptions(self) -> frozenset[str]:
        items = self.json("NEARZONE_SUBSCRIPTIONS", list, "a JSON list of subscription ids", required=True)
        return frozenset(self._list("NEARZONE_SUBSCRIPTIONS", items, "a subscription id (GUID)", _guid))

    def claims(self) -> Mapping[str, tuple[str, ...]]:
        expected = "a JSON object from name or glob to the subscriptions or resource groups that may claim it"
        claims: dict[str, tuple[str, ...]] = {}
        for pattern, scopes in self.json("NEARZONE_CLAIMS", dict, expected, required=True).items():
            where = f"NEARZONE_CLAIMS[{json.dumps(pattern)}]"
            self._pattern(where, pattern, claims)
            expect = "a subscription id or /subscriptions/ID/resourceGroups/NAME"
            claims[pattern.lower()] = tuple(self._list(where, scopes, expect, _scope))
        return claims

    def policies(self) -> Mapping[str, Policy]:
        items = self.json("NEARZONE_POLICIES", dict, "a JSON object from name or glob to a policy", required=False)
        policies: dict[str, Policy] = {}
        for pattern, item in items.items():
            where = f"NEARZONE_POLICIES[{json.dumps(pattern)}]"
            self._pattern(where, pattern, policies)
            policies[pattern.lower()] = self._policy(where, item)
        return policies

    def _policy(self, where: str, item: object) -> Policy:
        if not self._known(where, item, set(Policy.__dataclass_fields__)):
            return Policy()
        assert isinstance(item, dict)  # noqa: S101 - told to the type checker, checked by _known
        values = dict(item)
        for name, low, high in (("min_endpoints", 1, MAX_ADDRESSES), ("ttl", 1, MAX_TTL)):
            if name in values and not (type(values[name]) is int and low <= values[name] <= high):
                self.fault(f"{where}.{name}", values.pop(name), f"a whole number, {low} to {high}")
        tolerance = values.get("tolerance_ms", 0)
        if type(tolerance) not in (int, float) or not 0 <= tolerance <= 10_000:
            self.fault(f"{where}.tolerance_ms", values.pop("tolerance_ms"), "milliseconds, 0 to 10000")
        if values.get("when_empty", "remove") not in ("remove", "keep"):
            self.fault(f"{where}.when_empty", values.pop("when_empty"), "remove or keep")
        regions = self._list(f"{where}.regions", values.pop("regions", []), "an Azure region", _known_region)
        fallback = self._list(f"{where}.fallback", values.pop("fallback", []), "an IPv4 address", _address)
        if len(fallback) > MAX_ADDRESSES:
            self.fault(f"{where}.fallback", len(fallback), f"at most {MAX_ADDRESSES} addresses")
        return Policy(regions=frozenset(regions), fallback=tuple(sorted(set(fallback))), **values)

    def latency(self) -> Mapping[tuple[str, str], float]:
        expected = "a JSON object from client region to {endpoint region: milliseconds}"
        pairs = {}
        for source, row in self.json("NEARZONE_LATENCY", dict, expected, required=False).items():
            where = f"NEARZONE_LATENCY[{json.dumps(source)}]"
            client = self._region(where, source)
            if not isinstance(row, dict):
                self.fault(where, row, "an object from endpoint region to milliseconds")
                continue
            for target, ms in row.items():
                if type(ms) not in (int, float) or not 0 <= ms <= 10_000:
                    self.fault(f"{where}[{json.dumps(target)}]", ms, "milliseconds, 0 to 10000")
                pairs[client, self._region(f"{where}[{json.dumps(target)}]", target)] = ms
        return pairs

    def static(self) -> tuple[Endpoint, ...]:
        expected = 'a JSON list of {"name": ..., "region": ..., "addresses": [IPv4, ...], "claims": [name, ...]}'
        endpoints: dict[str, Endpoint] = {}
        for i, item in enumerate(self.json("NEARZONE_STATIC", list, expected, required=False)):
            endpoint = self._static(f"NEARZONE_STATIC[{i}]", item)
            if endpoint and endpoints.setdefault(endpoint.key, endpoint) is not endpoint:
                self.fault(f"NEARZONE_STATIC[{i}].name", endpoint.own, "each name once")
        return tuple(endpoints.values())

    def _static(self, where: str, item: object) -> Endpoint | None:
        if not self._known(where, item, {"name", "region", "addresses", "claims"}):
            return None
        assert isinstance(item, dict)  # noqa: S101 - told to the type checker, checked by _known
        names = self._list(f"{where}.name", [item.get("name")], "a DNS label", _label)
        region = self._region(f"{where}.region", item.get("region"))
        addresses = self._list(f"{where}.addresses", item.get("addresses"), "an IPv4 address", _address)
        if not 0 < len(addresses) <= MAX_ADDRESSES:
            self.fault(f"{where}.addresses", item.get("addresses"), f"1 to {MAX_ADDRESSES} addresses")
        tagged = self._list(f"{where}.claims", item.get("claims", []), "a DNS label", _label)
        if not names:
            return None
        return Endpoint(
            id=f"{STATIC}/{names[0]}",
            kind=STATIC,
            region=region,
            tagged=tuple(sorted(set(tagged))),
            own=names[0],
            addresses=tuple(Address(ip) for ip in sorted(set(addresses))),
            state=State.SERVING,
            health=False,
        )

    def cloud(self) -> Cloud:
        text = self.values.pop("NEARZONE_CLOUD", "").strip() or "public"
        if text.lower() in CLOUDS:
            return CLOUDS[text.lower()]
        expected = f'{", ".join(CLOUDS)}, or {{"arm": URL, "audience": URL}} (http on loopback only)'
        value = _json(text)
        known = isinstance(value, dict) and set(value) == {"arm", "audience"}
        if not known or not _safe_url(value["arm"]) or not _safe_url(value["audience"]):
            self.fault("NEARZONE_CLOUD", text, expected)
            return CLOUDS["public"]
        return Cloud(value["arm"].rstrip("/"), value["audience"].rstrip("/"))

    def _known(self, where: str, item: object, fields: set[str]) -> bool:
        if not isinstance(item, dict):
            self.fault(where, item, "an object with " + ", ".join(sorted(fields)))
            return False
        for name in sorted(set(item) - fields):
            self.fault(f"{where}.{name}", item[name], "no such field; known are " + ", ".join(sorted(fields)))
        return not set(item) - fields

    def _pattern(self, where: str, pattern: str, others: Collection[str]) -> None:
        if pattern.lower() in others:
            self.fault(where, pattern, "each pattern once, whatever its case")
        if not _PATTERN.fullmatch(pattern.lower()):
            self.fault(where, pattern, "a DNS label or a glob of one ('*', '?')")

    def _region(self, where: str, value: object) -> str:
        try:
            return _known_region(value)
        except ValueError:
            self.fault(where, value, "an Azure region such as westeurope")
            return ""

    def _list(self, where: str, items: object, expected: str, convert: Callable[[object], T]) -> list[T]:
        if not isinstance(items, list):
            self.fault(where, items, f"a list, each {expected}")
            return []
        converted = []
        for i, item in enumerate(items):
            try:
                converted.append(convert(item))
            except ValueError:
                self.fault(f"{where}[{i}]", item, expected)
        return converted


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - one kind of error for every way to be wrong
    return value


def _network(value: object) -> IPv4Network:
    return IPv4Network(_text(value))


def _address(value: object) -> str:
    try:
        return str(IPv4Address(_text(value)))
    except AddressValueError as error:
        raise ValueError(value) from error


def _label(value: object) -> str:
    if not LABEL.fullmatch(_text(value).lower()):
        raise ValueError(value)
    return _text(value).lower()


def _guid(value: object) -> str:
    if not GUID.fullmatch(_text(value)):
        raise ValueError(value)
    return _text(value).lower()


def _known_region(value: object) -> str:
    name = region_name(_text(value))
    if not _REGION.fullmatch(name):
        raise ValueError(value)
    return name


def _scope(value: object) -> str:
    text = _text(value).rstrip("/")
    if GUID.fullmatch(text):
        return f"/subscriptions/{text}".lower()
    match = _SCOPE.fullmatch(text)
    if not match or not GUID.fullmatch(match["subscription"]):
        raise ValueError(value)
    return text.lower()


def _safe_url(value: object) -> bool:
    if not isinstance(value, str) or not _URL.fullmatch(value):
        return False
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:  # A port beyond 65535, a bracket that does not close.
        return False
    loopback = url.hostname in ("127.0.0.1", "localhost", "::1")
    return bool(url.hostname) and port != 0 and (url.scheme == "https" or loopback)


def _json(text: str) -> Any:  # noqa: ANN401 - JSON, checked by the caller
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
