"""From the text of app settings to `Settings`: one pure function, which reports every fault at once.

The environment is read elsewhere; nothing here knows where the mapping comes from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from cronsim import CronSim, CronSimError

from shared import settings_values as of
from shared.errors import BadSettings
from shared.model import MAX_ADDRESSES, STATIC, Address, Endpoint, Policy, State, Zone, resource_id
from shared.regions import introduced, suggestion
from shared.settings import CLOUDS, DRAIN_SCHEDULE, SWEEP_SCHEDULE, Cloud, Settings

T = TypeVar("T")
PREFIX = "NEARZONE_"
REACH = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
MAX_TTL = 2**31 - 1
MAX_HEALTH_WAIT = 24 * 60
_ZONE = "microsoft.network/privatednszones"
_SCOPE = "a subscription id or /subscriptions/ID/resourceGroups/NAME, without wildcards"
_REGION = "an Azure region"
_NEW_REGION = "a region that is not in the table of round-trip times needs a distance in NEARZONE_LATENCY"
_SAME = 0.85
"""Similarity of two ids, 0 to 1, from which on one is suggested for the other: a few of their digits differ."""
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def parse(values: Mapping[str, str], table: Collection[str]) -> Settings:
    """Turn app settings into `Settings`. Raises BadSettings with every fault found.

    `table`: the regions of the table of round-trip times.
    """
    read = _Reader({name: text for name, text in values.items() if name.startswith(PREFIX)}, table)
    latency = read.latency()  # First, for it adds to the regions that other settings may name.
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
        latency=latency,
        static=read.static(),
        cloud=read.cloud(),
        sweep_schedule=read.schedule("NEARZONE_SWEEP_SCHEDULE", SWEEP_SCHEDULE),
        drain_schedule=read.schedule("NEARZONE_DRAIN_SCHEDULE", DRAIN_SCHEDULE),
        health_wait_minutes=read.whole("NEARZONE_HEALTH_WAIT_MINUTES", 15, "minutes", MAX_HEALTH_WAIT),
    )
    read.finish()
    return settings


class _Reader:
    """Takes one setting after the other, noting faults instead of stopping at the first."""

    def __init__(self, values: dict[str, str], regions: Collection[str]) -> None:
        self.values = values
        self.read: set[str] = set()
        self.regions = frozenset(regions)
        self.watched: frozenset[str] = frozenset()
        """The subscriptions; empty where they have faults, which are enough then."""
        self.faults: list[str] = []

    def fault(self, name: str, found: object, expected: str) -> None:
        try:
            shown = json.dumps(found, default=str)
        except RecursionError:  # It was just shallow enough to be read.
            shown = "something nested too deeply"
        self.faults.append(f"{name}: found {shown if len(shown) <= 80 else shown[:77] + '...'}, expected {expected}")

    def finish(self) -> None:
        for name in sorted(set(self.values) - self.read):
            self.fault(name, self.values[name], f"no setting of this name{suggestion(name, self.read)}")
        if self.faults:
            raise BadSettings(self.faults)

    def _text(self, name: str) -> str:
        self.read.add(name)
        return self.values.get(name, "")

    def json(self, name: str, kind: type, expected: str, *, required: bool) -> Any:  # noqa: ANN401 - JSON, checked by the caller
        text = self._text(name)
        if not text.strip():
            if required:
                self.faults.append(f"{name}: missing, expected {expected}")
            return kind()
        try:
            value = of.from_json(text)
        except of.TwiceError as error:
            self.fault(name, error.key, "each key of an object once")
            return kind()
        if not isinstance(value, kind) or (required and not value):
            self.fault(name, text, expected)
            return kind()
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self._text(name).strip().lower() or default
        if text not in choices:
            self.fault(name, text, " or ".join(choices))
        return text

    def whole(self, name: str, default: int, unit: str, most: int) -> int:
        text = self._text(name).strip() or str(default)
        if not re.fullmatch("[0-9]{1,10}", text) or not 1 <= int(text) <= most:
            self.fault(name, text, f"{unit}, 1 to {most}")
            return default
        return int(text)

    def owner(self) -> str:
        text = self._text("NEARZONE_OWNER").strip() or "nearzone"
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
            self.fault("NEARZONE_OWNER", text, "1 to 64 letters, digits, '.', '_' or '-'")
        return text

    def schedule(self, name: str, default: str) -> str:
        text = self._text(name).strip() or default
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
        if not named or not named.whole or named.type != _ZONE or not of.GUID.fullmatch(named.subscription):
            self.fault(f"{where}.id", zone_id, "the resource id of a private DNS zone")
        region = self._region(f"{where}.region", region)
        networks = self._list(f"{where}.reach", reach, "an IPv4 network such as 10.0.0.0/8", of.network)
        if not networks:
            self.fault(f"{where}.reach", reach, "at least one IPv4 network")
        return Zone(str(zone_id), region, tuple(networks)) if len(self.faults) == found else None

    def subscriptions(self) -> frozenset[str]:
        before = len(self.faults)
        items = self.json("NEARZONE_SUBSCRIPTIONS", list, "a JSON list of subscription ids", required=True)
        found = frozenset(self._list("NEARZONE_SUBSCRIPTIONS", items, "a subscription id (GUID)", of.guid))
        self.watched = found if len(self.faults) == before else frozenset()
        return found

    def claims(self) -> Mapping[str, tuple[str, ...]]:
        expected = "a JSON object from name or glob to the subscriptions or resource groups that may claim it"
        claims: dict[str, tuple[str, ...]] = {}
        for pattern, scopes in self.json("NEARZONE_CLAIMS", dict, expected, required=True).items():
            where = f"NEARZONE_CLAIMS[{json.dumps(pattern)}]"
            self._pattern(where, pattern, claims)
            items = self._items(where, scopes, _SCOPE)
            claims[pattern.lower()] = tuple(self._scope(*item) for item in items)
        return claims

    def _scope(self, where: str, value: object) -> str:
        """A scope. In a subscription that is not watched it lets nothing claim, which may be meant: see the preflight.

        A fault only where the subscription's id is nearly that of a watched one.
        """
        try:
            scope = of.scope(value)
        except ValueError:
            self.fault(where, value, _SCOPE)
            return ""
        subscription = scope.split("/")[2]
        meant = suggestion(subscription, self.watched, _SAME)
        if meant and subscription not in self.watched:
            self.fault(where, value, f"a subscription of NEARZONE_SUBSCRIPTIONS, or a resource group in one{meant}")
        return scope

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
        regions = [self._region(*r) for r in self._items(f"{where}.regions", values.pop("regions", []), _REGION)]
        fallback = self._list(f"{where}.fallback", values.pop("fallback", []), "an IPv4 address", of.address)
        if len(fallback) > MAX_ADDRESSES:
            self.fault(f"{where}.fallback", len(fallback), f"at most {MAX_ADDRESSES} addresses")
        return Policy(regions=frozenset(regions), fallback=tuple(sorted(set(fallback))), **values)

    def latency(self) -> Mapping[tuple[str, str], float]:
        expected = "a JSON object from client region to {endpoint region: milliseconds}"
        pairs: dict[tuple[str, str], float] = {}
        named: list[tuple[str, str, str]] = []
        for source, row in self.json("NEARZONE_LATENCY", dict, expected, required=False).items():
            where = f"NEARZONE_LATENCY[{json.dumps(source)}]"
            client = self._region_word(where, source)
            named.append((where, source, client))
            if not isinstance(row, dict):
                self.fault(where, row, "an object from endpoint region to milliseconds")
                continue
            for target, ms in row.items():
                at = f"{where}[{json.dumps(target)}]"
                if type(ms) not in (int, float) or not 0 <= ms <= 10_000:
                    self.fault(at, ms, "milliseconds, 0 to 10000")
                pair = client, self._region_word(at, target)
                if pair in pairs and all(pair):
                    self.fault(at, target, "each pair of regions once, however they are spelled")
                pairs[pair] = ms
                named.append((at, target, pair[1]))
        self._introduce(pairs, named)
        return pairs

    def _introduce(self, pairs: Collection[tuple[str, str]], named: Iterable[tuple[str, str, str]]) -> None:
        """Add the regions to the known ones to which `pairs` give a distance; a misspelt one is a fault."""
        self.regions |= introduced(pairs, self.regions)
        for where, word, name in named:
            if name and name not in self.regions:
                new = f"a new region of so similar a name needs a distance to itself: {json.dumps({name: {name: 0}})}"
                meant = suggestion(name, self.regions)
                self.fault(where, word, f"{_REGION}{meant} ({new if meant else _NEW_REGION})")

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
        names = self._list(f"{where}.name", [item.get("name")], "a DNS label", of.label)
        region = self._region(f"{where}.region", item.get("region"))
        addresses = self._list(f"{where}.addresses", item.get("addresses"), "an IPv4 address", of.address)
        if not 0 < len(addresses) <= MAX_ADDRESSES:
            self.fault(f"{where}.addresses", item.get("addresses"), f"1 to {MAX_ADDRESSES} addresses")
        tagged = self._list(f"{where}.claims", item.get("claims", []), "a DNS label", of.label)
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
        text = self._text("NEARZONE_CLOUD").strip() or "public"
        if text.lower() in CLOUDS:
            return CLOUDS[text.lower()]
        expected = f'{", ".join(CLOUDS)}, or {{"arm": URL, "audience": URL}} (http on loopback only)'
        found = len(self.faults)
        value = self.json("NEARZONE_CLOUD", dict, expected, required=True)
        if len(self.faults) > found:
            return CLOUDS["public"]
        if set(value) != {"arm", "audience"} or not all(map(of.is_safe_url, value.values())):
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
        if not of.PATTERN.fullmatch(pattern.lower()):
            self.fault(where, pattern, "a DNS label or a glob of one ('*', '?')")

    def _region(self, where: str, value: object) -> str:
        """A region that is known: of any other, no endpoint and no client would ever be found."""
        name = self._region_word(where, value)
        if name and name not in self.regions:
            meant = suggestion(name, self.regions)
            self.fault(where, value, f"{_REGION}{meant} ({_NEW_REGION})")
        return name

    def _region_word(self, where: str, value: object) -> str:
        try:
            return of.region(value)
        except ValueError:
            self.fault(where, value, "an Azure region such as westeurope")
            return ""

    def _items(self, where: str, items: object, expected: str) -> list[tuple[str, object]]:
        """Each item of a list with where it stands."""
        if not isinstance(items, list):
            self.fault(where, items, f"a list, each {expected}")
            return []
        return [(f"{where}[{i}]", item) for i, item in enumerate(items)]

    def _list(self, where: str, items: object, expected: str, convert: Callable[[object], T]) -> list[T]:
        converted = []
        for place, item in self._items(where, items, expected):
            try:
                converted.append(convert(item))
            except ValueError:
                self.fault(place, item, expected)
        return converted
