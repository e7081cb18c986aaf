"""Parses the text of app settings into `Settings`: one pure function, which reports every fault at once.

The caller reads the environment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Network

from shared.config import values as convert
from shared.config.fault_collector import RefusedValueError
from shared.config.name_reader import ANY_REGION, NEW_REGION, NameReader
from shared.config.probe_settings import probe_schedule, probes, probing
from shared.config.region_names import added_regions, suggestion
from shared.config.settings import CLOUDS, DRAIN_SCHEDULE, EXACT_ONLY, GROUP_SCOPE, SWEEP_SCHEDULE, Cloud, Settings
from shared.domain import addresses
from shared.domain.endpoints import STATIC, Address, Endpoint, State
from shared.domain.resource_ids import resource_id
from shared.domain.zones import MAX_ADDRESSES, Policy, Zone

REACH = tuple(map(str, addresses.PRIVATE))
MAX_TTL = 2**31 - 1
MAX_HEALTH_WAIT = MAX_PROBE_WAIT = 24 * 60
APP_REGION = "REGION_NAME"
"""The app's region, which Azure sets, as "West Europe" or "westeurope". Source:
https://learn.microsoft.com/azure/app-service/reference-app-settings, App environment; for the spelling:
https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/2803."""
_POLICY_NUMBERS = (("min_endpoints", 1, MAX_ADDRESSES), ("ttl", 1, MAX_TTL), ("wait_minutes", 0, MAX_PROBE_WAIT))
_ZONE = "microsoft.network/privatednszones"
_SCOPE = "a subscription id, /subscriptions/ID/resourceGroups/NAME or managementGroups/NAME, without wildcards"
_MIN_SIMILARITY = 0.85
"""Similarity of two ids, 0 to 1, at which one is suggested for the other: a few of their digits differ."""
_PUBLIC = '"public": true in'


def parse(values: Mapping[str, str], table: Collection[str]) -> Settings:
    """Parse app settings into `Settings`. Raises BadSettings with every fault found.

    `table`: the regions of the table of round-trip times.
    """
    read = _SettingsReader(values, table)
    latency = read.latency()  # First: it adds regions that other settings may name.
    zones = read.zones()
    schedule = probe_schedule(read)
    probed = probes(read)
    settings = Settings(
        zones=zones,
        subscriptions=read.subscriptions(),
        groups=read.groups,
        claims=read.claims(),
        owner=read.owner(),
        apply=read.choice("NEARZONE_MODE", "apply", ("apply", "shadow")) == "apply",
        host_names=read.choice("NEARZONE_HOST_NAMES", "true", ("true", "false")) == "true",
        ttl=read.integer("NEARZONE_TTL", 30, "seconds", MAX_TTL),
        host_ttl=read.integer("NEARZONE_HOST_TTL", 300, "seconds", MAX_TTL),
        policies=read.policies(),
        latency=latency,
        static=read.static(),
        cloud=read.cloud(),
        sweep_schedule=read.schedule("NEARZONE_SWEEP_SCHEDULE", SWEEP_SCHEDULE),
        health_wait_minutes=read.integer("NEARZONE_HEALTH_WAIT_MINUTES", 15, "minutes", MAX_HEALTH_WAIT),
        drain_schedule=read.schedule("NEARZONE_DRAIN_SCHEDULE", DRAIN_SCHEDULE),
        exact_only=read.exact_only(),
        probes=probed,
        probing=probing(read, probed, schedule, zones, values.get(APP_REGION, "")),
        probe_schedule=schedule,
        resource_graph=read.choice("NEARZONE_RESOURCE_GRAPH", "auto", ("auto", "always", "never")),
    )
    read.check_claimed_names("NEARZONE_POLICIES", settings.policies, settings)
    read.check_claimed_names("NEARZONE_PROBES", settings.probes, settings)
    read.finish()
    return settings


class _SettingsReader(NameReader):
    """The rules for each setting of this app."""

    def __init__(self, environment: Mapping[str, str], regions: Collection[str]) -> None:
        super().__init__(environment, regions)
        self.watched: frozenset[str] = frozenset()
        """The subscriptions; empty if they have faults: then no further faults are derived from them."""
        self.groups: frozenset[str] = frozenset()
        """The names of the management groups."""
        self.any_public = False
        """Whether public addresses may be published in one of the zones."""

    def owner(self) -> str:
        text = self.text("NEARZONE_OWNER").strip() or "nearzone"
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
            self.fault("NEARZONE_OWNER", text, "1 to 64 letters, digits, '.', '_' or '-'")
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
        if not self.has_known_fields(where, item, {"id", "region", "reach", "public"}):
            return None
        assert isinstance(item, dict)  # noqa: S101 - told to the type checker, checked by known
        found = len(self.faults)
        zone_id, region, reach = item.get("id"), item.get("region"), item.get("reach", list(REACH))
        named = resource_id(zone_id) if isinstance(zone_id, str) else None
        if not named or not named.whole or named.type != _ZONE or not convert.GUID.fullmatch(named.subscription):
            self.fault(f"{where}.id", zone_id, "the resource id of a private DNS zone")
        region = self.region(f"{where}.region", region)
        public = self._public(f"{where}.public", item.get("public", False))

        def network(value: object) -> IPv4Network:
            return _publishable_network(convert.network(value), public=public)

        networks = self.convert_items(f"{where}.reach", reach, "an IPv4 network such as 10.0.0.0/8", network)
        if not reach or not isinstance(reach, list):
            self.fault(f"{where}.reach", reach, "at least one IPv4 network")
        return Zone(str(zone_id), region, tuple(networks), public) if len(self.faults) == found else None

    def _public(self, where: str, value: object) -> bool:
        if not isinstance(value, bool):
            self.fault(where, value, "true or false")
        self.any_public |= value is True
        return value is True

    def _address(self, value: object) -> str:
        """Parse an address that may be published in one of the zones, which are read first."""
        ip = convert.address(value)
        if words := addresses.reason_never_published(ip):
            raise RefusedValueError(f"an address that can be published; this is {words}")
        if addresses.is_public(ip) and not self.any_public:
            raise RefusedValueError(f"a private address, or {_PUBLIC} the zone's entry of NEARZONE_ZONES")
        return ip

    def subscriptions(self) -> frozenset[str]:
        before = len(self.faults)
        name, expected = "NEARZONE_SUBSCRIPTIONS", "a JSON list of subscription ids and management groups"
        items = self.json(name, list, expected, required=True)
        all_watched = self.convert_items(
            name, items, "a subscription id (GUID) or managementGroups/NAME", convert.watched
        )
        self.groups = frozenset(each.removeprefix(GROUP_SCOPE) for each in all_watched if GROUP_SCOPE in each)
        found = frozenset(each for each in all_watched if GROUP_SCOPE not in each)
        self.watched = found if len(self.faults) == before else frozenset()
        return found

    def exact_only(self) -> frozenset[str]:
        name = "NEARZONE_NEVER_BY_WILDCARD"
        if not self.text(name).strip():
            return EXACT_ONLY
        items = self.json(name, list, 'a JSON list of names, e.g. ["wpad", "isatap"]', required=False)
        return frozenset(self.convert_items(name, items, "a DNS label", convert.label))

    def claims(self) -> Mapping[str, tuple[str, ...]]:
        expected = "a JSON object from name or glob to the subscriptions or resource groups that may claim it"
        claims: dict[str, tuple[str, ...]] = {}
        for pattern, scopes in self.json("NEARZONE_CLAIMS", dict, expected, required=True).items():
            where = f"NEARZONE_CLAIMS[{json.dumps(pattern)}]"
            self.pattern(where, pattern, claims)
            items = self.items(where, scopes, _SCOPE)
            if scopes == []:
                self.fault(where, scopes, f"at least one, each {_SCOPE}")
            claims[pattern.lower()] = tuple(self._scope(*item) for item in items)
        return claims

    def _scope(self, where: str, value: object) -> str:
        """Parse a scope.

        In a subscription that is not watched it permits no claim, which may be intended: see the preflight. It is a
        fault only if the subscription's id is similar to the id of a watched one.
        """
        try:
            scope = convert.scope(value)
        except ValueError:
            self.fault(where, value, _SCOPE)
            return ""
        if scope.startswith(GROUP_SCOPE):
            group = scope.removeprefix(GROUP_SCOPE)
            if group not in self.groups:
                self.fault(
                    where, value, f"a management group of NEARZONE_SUBSCRIPTIONS{suggestion(group, self.groups)}"
                )
            return scope
        subscription = scope.split("/")[2]
        meant = "" if self.groups else suggestion(subscription, self.watched, _MIN_SIMILARITY)
        if meant and subscription not in self.watched:
            self.fault(where, value, f"a subscription of NEARZONE_SUBSCRIPTIONS, or a resource group in one{meant}")
        return scope

    def policies(self) -> Mapping[str, Policy]:
        items = self.json("NEARZONE_POLICIES", dict, "a JSON object from name or glob to a policy", required=False)
        policies: dict[str, Policy] = {}
        for pattern, item in items.items():
            where = f"NEARZONE_POLICIES[{json.dumps(pattern)}]"
            self.pattern(where, pattern, policies)
            policies[pattern.lower()] = self._policy(where, item)
        return policies

    def _policy(self, where: str, item: object) -> Policy:
        if not self.has_known_fields(where, item, set(Policy.__dataclass_fields__)):
            return Policy()
        assert isinstance(item, dict)  # noqa: S101 - told to the type checker, checked by known
        values = dict(item)
        for name, low, high in _POLICY_NUMBERS:
            if name in values and not (type(values[name]) is int and low <= values[name] <= high):
                self.fault(f"{where}.{name}", values.pop(name), f"a whole number, {low} to {high}")
        tolerance = values.get("tolerance_ms", 0)
        if type(tolerance) not in (int, float) or not 0 <= tolerance <= 10_000:
            self.fault(f"{where}.tolerance_ms", values.pop("tolerance_ms"), "milliseconds, 0 to 10000")
        for name, words in (("when_empty", ("remove", "keep")), ("distance", ("measured", "published"))):
            if values.get(name, words[0]) not in words:
                self.fault(f"{where}.{name}", values.pop(name), " or ".join(words))
        if values.get("regions") == []:
            self.fault(f"{where}.regions", [], f"at least one, each {ANY_REGION}; without this field: every region")
        regions = [self.region(*r) for r in self.items(f"{where}.regions", values.pop("regions", []), ANY_REGION)]
        fallback = self.convert_items(f"{where}.fallback", values.pop("fallback", []), "an IPv4 address", self._address)
        if len(fallback) > MAX_ADDRESSES:
            self.fault(f"{where}.fallback", len(fallback), f"at most {MAX_ADDRESSES} addresses")
        return Policy(regions=frozenset(regions), fallback=tuple(sorted(set(fallback))), **values)

    def latency(self) -> Mapping[tuple[str, str], float]:
        expected = "a JSON object from client region to {endpoint region: milliseconds}"
        pairs: dict[tuple[str, str], float] = {}
        named: list[tuple[str, str, str]] = []
        for source, row in self.json("NEARZONE_LATENCY", dict, expected, required=False).items():
            where = f"NEARZONE_LATENCY[{json.dumps(source)}]"
            client = self.parse_region(where, source)
            named.append((where, source, client))
            if not isinstance(row, dict):
                self.fault(where, row, "an object from endpoint region to milliseconds")
                continue
            for target, ms in row.items():
                at = f"{where}[{json.dumps(target)}]"
                if type(ms) not in (int, float) or not 0 <= ms <= 10_000:
                    self.fault(at, ms, "milliseconds, 0 to 10000")
                pair = client, self.parse_region(at, target)
                if pair in pairs and all(pair):
                    self.fault(at, target, "each pair of regions once, in any spelling")
                pairs[pair] = ms
                named.append((at, target, pair[1]))
        self._add_regions(pairs, named)
        return pairs

    def _add_regions(self, pairs: Collection[tuple[str, str]], named: Iterable[tuple[str, str, str]]) -> None:
        """Add the regions that have a distance in `pairs` to the known ones; a misspelling is a fault."""
        self.regions |= added_regions(pairs, self.regions)
        for where, word, name in named:
            if name and name not in self.regions:
                new = f"a new region of so similar a name needs a distance to itself: {json.dumps({name: {name: 0}})}"
                meant = suggestion(name, self.regions)
                self.fault(where, word, f"{ANY_REGION}{meant} ({new if meant else NEW_REGION})")

    def static(self) -> tuple[Endpoint, ...]:
        expected = 'a JSON list of {"name": ..., "region": ..., "addresses": [IPv4, ...], "claims": [name, ...]}'
        endpoints: dict[str, Endpoint] = {}
        for i, item in enumerate(self.json("NEARZONE_STATIC", list, expected, required=False)):
            endpoint = self._static(f"NEARZONE_STATIC[{i}]", item)
            if endpoint and endpoints.setdefault(endpoint.key, endpoint) is not endpoint:
                self.fault(f"NEARZONE_STATIC[{i}].name", endpoint.own, "each name once")
        return tuple(endpoints.values())

    def _static(self, where: str, item: object) -> Endpoint | None:
        if not self.has_known_fields(where, item, {"name", "region", "addresses", "claims"}):
            return None
        assert isinstance(item, dict)  # noqa: S101 - told to the type checker, checked by known
        names = self.convert_items(f"{where}.name", [item.get("name")], "a DNS label", convert.label)
        region = self.region(f"{where}.region", item.get("region"))
        published = self.convert_items(f"{where}.addresses", item.get("addresses"), "an IPv4 address", self._address)
        stated = item.get("addresses")
        if not isinstance(stated, list) or not 0 < len(stated) <= MAX_ADDRESSES:
            self.fault(f"{where}.addresses", stated, f"1 to {MAX_ADDRESSES} addresses")
        tagged = self.convert_items(f"{where}.claims", item.get("claims", []), "a DNS label", convert.label)
        if not names:
            return None
        return Endpoint(
            id=f"{STATIC}/{names[0]}",
            kind=STATIC,
            region=region,
            tagged=tuple(sorted(set(tagged))),
            own=names[0],
            addresses=tuple(Address(ip) for ip in sorted(set(published))),
            state=State.SERVING,
            health=False,
        )

    def cloud(self) -> Cloud:
        text = self.text("NEARZONE_CLOUD").strip() or "public"
        if text.lower() in CLOUDS:
            return CLOUDS[text.lower()]
        expected = f'{", ".join(CLOUDS)}, or {{"arm": URL, "audience": URL}} (http on loopback only)'
        found = len(self.faults)
        value = self.json("NEARZONE_CLOUD", dict, expected, required=True)
        if len(self.faults) > found:
            return CLOUDS["public"]
        gateway = self._gateway(value.pop("probe_gateway")) if "probe_gateway" in value else ""
        if set(value) != {"arm", "audience"} or not all(map(convert.is_safe_url, value.values())):
            self.fault("NEARZONE_CLOUD", text, expected)
            return CLOUDS["public"]
        return Cloud(value["arm"].rstrip("/"), value["audience"].rstrip("/"), probe_gateway=gateway)

    def _gateway(self, value: object) -> str:
        """Parse the address of the simulated network; with another one, probes would go through a stranger."""
        try:
            return convert.loopback(value)
        except ValueError:
            self.fault("NEARZONE_CLOUD.probe_gateway", value, "127.0.0.1:PORT, where the simulator's network listens")
            return ""


def _publishable_network(network: IPv4Network, *, public: bool) -> IPv4Network:
    """Return a network if a part of it can be published. Raises RefusedValueError."""
    if addresses.publishable_ranges((network,), with_public=public) or any(
        map(network.subnet_of, addresses.DOCUMENTATION)
    ):
        return network
    if addresses.publishable_ranges((network,), with_public=True):
        raise RefusedValueError(f"a network with private addresses, or {_PUBLIC} this zone")
    raise RefusedValueError("a network with addresses that can be published")
