"""Converts the configuration's plain values to a `Deployment`: one pure function, which reports every fault at once.

The app's own parser validates the values that the app reads (claims, reach, its optional settings): what it would
refuse after the deployment is refused before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TypeVar

from infra.config import LONGEST_PREFIX, Alerts, Deployment, Entra, Region, Subnet, WatchedSubscription
from infra.settings import PROBES, PROBING, ROOTS, WRITTEN, own_settings, probes, value_of
from shared.config import parser as settings_parser
from shared.config.region_names import is_name
from shared.config.settings import region_name
from shared.decide import region_latency as latency
from shared.domain.errors import BadSettings
from shared.domain.resource_ids import resource_id

T = TypeVar("T")
KEY = "nearzone:deployment"

_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_NAME = r"[a-z][a-z0-9-]{1,18}[a-z0-9]"
_GROUP = r"[-\w.()]{1,90}(?<!\.)"
_ZONE = r"(?=.{3,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.){1,33}[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_FIELDS = {
    "": {*Deployment.__dataclass_fields__},
    "regions": {*Region.__dataclass_fields__},
    "subscriptions": {*WatchedSubscription.__dataclass_fields__},
    "subnet": {"vnet", "prefix"},
    "alerts": {*Alerts.__dataclass_fields__},
    "entra": {*Entra.__dataclass_fields__},
}
_TABLE = Path(latency.__file__).parents[1] / "data" / "region_latency.csv"
_PARTS = {"NEARZONE_ZONES": "regions", "NEARZONE_SUBSCRIPTIONS": "subscriptions", "NEARZONE_CLAIMS": "claims"}
"""The part of the configuration behind each app setting; all other settings are in `settings`."""


class BadConfig(Exception):
    """The configuration is invalid; `faults` has every reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(("The configuration cannot be used:", *faults)))
        self.faults = tuple(faults)


def decode(values: object) -> Deployment:
    """Convert the value of `nearzone:deployment` to a `Deployment`. Raises BadConfig with every fault found."""
    read = _Reader()
    top = read.mapping("", values, "")
    deployment = Deployment(
        subscription=read.text(top, "subscription", _GUID, "a subscription id (GUID)").lower(),
        zone=read.text(top, "zone", _ZONE, "a zone name of at least two labels in lower case, e.g. ai.internal"),
        regions=tuple(read.region(*each) for each in read.objects(top, "regions")),
        subscriptions=tuple(read.watched(*each) for each in read.objects(top, "subscriptions")),
        claims=read.mapping("claims", top.get("claims")),
        name=read.text(top, "name", _NAME, "3 to 20 lower-case letters, digits and '-'", "nearzone"),
        one_app=read.flag(top, "one_app"),
        subscribed=read.flag(top, "subscribed"),
        health=read.flag(top, "health"),
        zone_redundant_plan=read.flag(top, "zone_redundant_plan"),
        max_instances=read.number(top, "max_instances", 40, 1000, 40),
        settings=read.settings(top.get("settings", {})),
        alerts=read.alerts(top.get("alerts", {})),
        entra=read.entra(top["entra"]) if "entra" in top else None,
        management_groups=read.groups(top.get("management_groups", [])),
    )
    read.cross_check(deployment)
    read.check_app_settings(deployment)
    if read.faults:
        raise BadConfig(read.faults)
    return deployment


class _Reader:
    """Reads one value after the other, and collects faults instead of stopping at the first."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, where: str, found: object, expected: str) -> None:
        shown = "nothing" if found is None else json.dumps(found, default=str)
        key = f"{KEY}.{where}" if where else KEY
        self.faults.append(f"{key}: found {shown if len(shown) <= 80 else shown[:77] + '...'}, expected {expected}")

    def mapping(self, where: str, value: object, fields: str | None = None) -> dict[str, object]:
        """Return a mapping; `fields` names its permitted keys."""
        if not isinstance(value, dict):
            self.fault(where, value, "an object")
            return {}
        for name in sorted(set(value) - _FIELDS[fields]) if fields is not None else ():
            known = ", ".join(sorted(_FIELDS[fields or ""]))
            self.fault(f"{where}.{name}".lstrip("."), value[name], f"one of the keys {known}")
        return value

    def objects(self, top: dict[str, object], name: str) -> list[tuple[str, dict[str, object]]]:
        """Return the objects of a list that is not empty, each with its location."""
        value = top.get(name)
        if not isinstance(value, list) or not value:
            self.fault(name, value, "a list that is not empty")
            return []
        items = [(f"{name}[{i}]", item, self.mapping(f"{name}[{i}]", item, name)) for i, item in enumerate(value)]
        return [(where, mapping) for where, item, mapping in items if mapping or item == {}]

    def text(self, of: dict[str, object], name: str, pattern: str, expected: str, default: str | None = None) -> str:
        return self._text(name, of.get(name, default), lambda text: bool(re.fullmatch(pattern, text)), expected)

    def _text(self, where: str, value: object, right: Callable[[str], bool], expected: str) -> str:
        if isinstance(value, str) and right(value):
            return value
        self.fault(where, value, expected)
        return ""

    def flag(self, of: dict[str, object], name: str) -> bool:
        value = of.get(name.rsplit(".", 1)[-1], False)
        if not isinstance(value, bool):
            self.fault(name, value, "true or false")
        return value is True

    def number(self, of: dict[str, object], where: str, low: int, high: int, default: int) -> int:
        value = of.get(where.rsplit(".", 1)[-1], default)
        if type(value) is int and low <= value <= high:
            return value
        self.fault(where, value, f"a whole number, {low} to {high}")
        return default

    def ids(self, where: str, value: object, kind: str) -> tuple[str, ...]:
        """Return the resource ids, of one type, in a list."""
        if not isinstance(value, list):
            self.fault(where, value, "a list")
            return ()
        return tuple(self.id(f"{where}[{i}]", item, kind) for i, item in enumerate(value))

    def id(self, where: str, value: object, kind: str) -> str:
        return self._text(where, value, lambda text: _is(text, kind), f"the resource id of a {kind}")

    def region(self, where: str, item: dict[str, object]) -> Region:
        name = self._text(f"{where}.name", item.get("name"), _is_region, "an Azure region such as westeurope")
        zone, reach = item.get("zone", ""), item.get("reach", [])
        texts = isinstance(reach, list) and all(isinstance(each, str) for each in reach)
        if not texts:
            self.fault(f"{where}.reach", reach, "a list of IPv4 networks")
        return Region(
            name=region_name(name),
            vnets=self.ids(f"{where}.vnets", item.get("vnets", []), "Microsoft.Network/virtualNetworks"),
            reach=tuple(map(str, reach)) if texts and isinstance(reach, list) else (),
            zone=self.id(f"{where}.zone", zone, "Microsoft.Network/privateDnsZones") if zone else "",
            public=self.flag(item, f"{where}.public"),
            subnet=self.subnet(f"{where}.subnet", item.get("subnet")),
            probing=self.mapping(f"{where}.probing", item.get("probing", {})),
        )

    def subnet(self, where: str, value: object) -> Subnet | None:
        """Return an integration subnet: an existing one if the value is its id, else one to create."""
        if value is None:
            return None
        if isinstance(value, dict):
            found = self.mapping(where, value, "subnet")
            vnet = self.id(f"{where}.vnet", found.get("vnet"), "Microsoft.Network/virtualNetworks")
            wanted = f"an IPv4 network of /{LONGEST_PREFIX} or larger, such as 10.9.0.0/26"
            prefix = self._text(f"{where}.prefix", found.get("prefix"), _is_subnet_prefix, wanted)
            return Subnet(vnet, prefix=prefix) if vnet else None
        if not isinstance(value, str) or not _is(value, "Microsoft.Network/virtualNetworks/subnets"):
            self.fault(where, value, "the id of a subnet, or an object with vnet and prefix")
            return None
        vnet, name = value.rsplit("/", 2)[0], value.rsplit("/", 1)[-1]
        if "_" in name:
            self.fault(where, value, "a subnet without '_' in its name: Flex Consumption refuses it")
        return Subnet(vnet, name=name)

    def watched(self, where: str, item: dict[str, object]) -> WatchedSubscription:
        guid = self._text(
            f"{where}.id", item.get("id"), lambda text: bool(re.fullmatch(_GUID, text)), "a subscription id (GUID)"
        )
        topics = {"topic": item.get("topic", ""), "health_topic": item.get("health_topic", "")}
        ids = {
            k: self.id(f"{where}.{k}", v, "Microsoft.EventGrid/systemTopics") if v else "" for k, v in topics.items()
        }
        for name, topic in ids.items():
            if topic and guid and topic.split("/")[2].lower() != guid.lower():
                self.fault(f"{where}.{name}", topic, f"a topic in subscription {guid}")
        return WatchedSubscription(guid.lower(), **ids)

    def settings(self, value: object) -> dict[str, object]:
        found = self.mapping("settings", value)
        wrong = {name for name in found if name in WRITTEN or not name.startswith("NEARZONE_")} - {ROOTS}
        for name in sorted(wrong):
            self.fault(f"settings.{name}", found[name], f"a NEARZONE_ setting that no other key sets, or {ROOTS}")
        return {name: each for name, each in found.items() if name not in wrong}

    def alerts(self, value: object) -> Alerts:
        found = self.mapping("alerts", value, "alerts")
        groups = self.ids("alerts.action_groups", found.get("action_groups", []), "Microsoft.Insights/actionGroups")
        return Alerts(
            groups,
            self.number(found, "alerts.latency_seconds", 1, 3600, Alerts().latency_seconds),
            self.number(found, "alerts.dirty_minutes", 15, 1440, Alerts().dirty_minutes),
            self.number(found, "alerts.frozen_hours", 1, 47, Alerts().frozen_hours),
        )

    def entra(self, value: object) -> Entra:
        found = self.mapping("entra", value, "entra")
        if not isinstance(value, dict):
            return Entra("", "")
        tenant, client_id = (self._guid(f"entra.{name}", found.get(name)) for name in ("tenant", "client_id"))
        who = {name: found.get(name, []) for name in ("groups", "identities")}
        if not any(who.values()):
            self.fault("entra", sorted(found), "groups or identities: else every account in the tenant may call")
        return Entra(tenant, client_id, **{name: self._guids(f"entra.{name}", each) for name, each in who.items()})

    def _guid(self, where: str, value: object) -> str:
        return self._text(where, value, lambda text: bool(re.fullmatch(_GUID, text)), "a GUID").lower()

    def _guids(self, where: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            self.fault(where, value, "a list of GUIDs")
            return ()
        return tuple(self._guid(f"{where}[{i}]", item) for i, item in enumerate(value))

    def groups(self, value: object) -> tuple[str, ...]:
        """Return the names of management groups."""
        expected = "the name of a management group"
        if not isinstance(value, list):
            self.fault("management_groups", value, f"a list, each {expected}")
            return ()

        def name(i: int, item: object) -> str:
            where = f"management_groups[{i}]"
            return self._text(where, item, lambda text: bool(re.fullmatch(_GROUP, text)), expected)

        return tuple(name(i, item) for i, item in enumerate(value))

    def cross_check(self, deployment: Deployment) -> None:
        """Add faults of several values together."""
        self._no_duplicates([(f"regions[{i}].name", region.name) for i, region in enumerate(deployment.regions)])
        self._no_duplicates([(f"subscriptions[{i}].id", each.id) for i, each in enumerate(deployment.subscriptions)])
        vnets = [
            (f"regions[{i}].vnets[{j}]", v) for i, r in enumerate(deployment.regions) for j, v in enumerate(r.vnets)
        ]
        self._no_duplicates(vnets)  # Azure refuses to link a VNet to two zones of one name.
        for i, region in enumerate(deployment.regions):
            if region.zone and region.zone.split("/")[-1].lower() != deployment.zone:
                self.fault(f"regions[{i}].zone", region.zone, f"a zone named {deployment.zone}")
        self._check_subnets(deployment)
        self._check_probing(deployment)

    def _check_subnets(self, deployment: Deployment) -> None:
        """Add faults of subnets and of what is probed from them."""
        homes = {regions[0].name for regions in deployment.apps if regions}
        seen: dict[str, int] = {}
        for i, region in enumerate(deployment.regions):
            where, subnet = f"regions[{i}].subnet", region.subnet
            if subnet is None:
                if region.name in homes and probes(deployment):
                    self.fault(where, None, f"a subnet, since settings.{PROBES} is set: the app probes from there")
                continue
            if region.name not in homes:
                self.fault(where, subnet.vnet, "no subnet: with one_app, no app runs in this region")
            first = seen.setdefault(subnet.vnet.lower(), i)
            if first != i:
                self.fault(where, subnet.vnet, f"another VNet than that of regions[{first}]: a VNet is in one region")

    def _check_probing(self, deployment: Deployment) -> None:
        """Add faults of vantages, and of regions without an app."""
        homes = {regions[0].name for regions in deployment.apps if regions}
        given = {f"regions[{i}].probing": region.probing for i, region in enumerate(deployment.regions)}
        for where, probing in {f"settings.{PROBING}": value_of(deployment, PROBING), **given}.items():
            if isinstance(probing, dict) and "vantage" in probing and len(deployment.apps) > 1:
                self.fault(f"{where}.vantage", probing["vantage"], "no vantage: each app has its own region")
        for i, region in enumerate(deployment.regions):
            if region.probing and region.name not in homes:
                expected = "no probing: with one_app, no app runs in this region"
                self.fault(f"regions[{i}].probing", region.probing, expected)

    def _no_duplicates(self, items: Sequence[tuple[str, str]]) -> None:
        seen: set[str] = set()
        for where, value in items:
            if value and value.lower() in seen:
                self.fault(where, value, "no duplicates")
            seen.add(value.lower())

    def check_app_settings(self, deployment: Deployment) -> None:
        """Add new faults from the app's parser: for all regions together, then for each app."""
        said = tuple(self.faults)
        common = replace(deployment, regions=tuple(replace(region, probing={}) for region in deployment.regions))
        together = _app_faults(common, common.regions)
        found = together or [text for regions in common.apps for text in _app_faults(common, regions)]
        self.faults += [f"{KEY}.{_part(text)}: {text}" for text in dict.fromkeys(found) if _is_new(text, said)]
        for i, regions in enumerate(deployment.apps):  # The i-th app runs in the i-th region.
            own = [text for text in _app_faults(deployment, regions) if text.startswith(PROBING) and text not in found]
            self.faults += [f"{KEY}.regions[{i}].probing: {text}" for text in own]


def _app_faults(deployment: Deployment, regions: Sequence[Region]) -> Sequence[str]:
    try:
        table = latency.parse(_TABLE.read_text(encoding="utf-8")).regions
        settings_parser.parse(own_settings(deployment, regions), table)
    except BadSettings as error:
        return error.faults
    return ()


def _part(fault: str) -> str:
    return _PARTS.get(re.split(r"[\[:.]", fault, maxsplit=1)[0], "settings")


def _is_new(fault: str, said: Sequence[str]) -> bool:
    """Return whether a fault of an app setting is more than a consequence of faults in the values behind it."""
    part = _part(fault)
    if part == "settings" or ".reach" in fault:
        return True
    if ".region:" in fault:  # A valid region name that is not known.
        return not any(re.search(r"regions\[\d+\]\.name: ", each) for each in said)
    return not any(each.startswith(f"{KEY}.claims:") for each in said) if part == "claims" else not said


def _is(text: str, kind: str) -> bool:
    found = resource_id(text, (kind.lower(),))
    return bool(found and found.whole and found.type == kind.lower())


def _is_subnet_prefix(text: str) -> bool:
    try:
        return "/" in text and IPv4Network(text).prefixlen <= LONGEST_PREFIX
    except ValueError:
        return False


def _is_region(text: str) -> bool:
    return is_name(region_name(text))
