"""The private DNS resource provider: assembles its parts, and offers what the simulator reads and sets up in it.

As recorded: zones and links change by long-running operations (`zone_calls.py`, `operations.py`), record sets at once
(`record_set_calls.py`). Conditions and the switches for unknown behaviour of Azure are in `rules.py`, limits in
`budgets.py`. No DNS messages here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.arm.locks import Level, Locks
from simulator.private_dns.budgets import Budget, ZoneBudgets, budget_of
from simulator.private_dns.operations import DnsOperations
from simulator.private_dns.record_set_calls import RecordSetCalls, is_record_type
from simulator.private_dns.record_sets import FIELDS, Link, Zone, written
from simulator.private_dns.registration import Registrations
from simulator.private_dns.rules import AssumedBehaviour
from simulator.private_dns.zone_calls import ZoneCalls, ZoneStore


class PrivateDns:
    """The resource provider for `privateDnsZones` and its operations.

    `vnet_exists` returns whether a linked VNet exists (None: all do). `limits`: whether the published budgets per zone
    and minute are enforced. Both may be changed at any time; `unknowns` may not.
    """

    def __init__(
        self,
        azure: ArmFrontDoor,
        *,
        vnet_exists: Callable[[str], bool] | None = None,
        limits: bool = False,
        unknowns: AssumedBehaviour | None = None,
    ) -> None:
        unknowns = unknowns or AssumedBehaviour()
        self._azure = azure
        self.locks = Locks()
        self.budgets = ZoneBudgets(azure.clock, unknowns.throttle, enforced=limits)
        self.registrations = Registrations(azure.new_guid)
        self._sets = RecordSetCalls(azure, unknowns, self.budgets, self.registrations)
        self._operations = DnsOperations(azure, self.budgets)
        self._store = ZoneStore(azure, {}, vnet_exists, self.registrations.unregister_all)
        self._zone_calls = ZoneCalls(self._store, self._operations, unknowns, self.budgets)

    @property
    def limits(self) -> bool:
        """Whether the zones' budgets per minute are enforced."""
        return self.budgets.enforced

    @limits.setter
    def limits(self, enforced: bool) -> None:
        self.budgets.enforced = enforced

    @property
    def throttled(self) -> Counter[tuple[str, str]]:
        """How many calls were refused for a limit, by scope (a zone's id in lower case, ...) and kind of call."""
        return self.budgets.throttled

    def spend_foreign(self, zone_id: str, kind: Budget, count: int) -> int:
        """Another client makes record set calls in a zone now; returns how many were allowed and counted."""
        return self.budgets.spend_foreign(zone_id, kind, count)

    @property
    def vnet_exists(self) -> Callable[[str], bool] | None:
        """The function that returns whether a VNet exists when it is linked."""
        return self._store.vnet_exists

    @vnet_exists.setter
    def vnet_exists(self, exists: Callable[[str], bool] | None) -> None:
        self._store.vnet_exists = exists

    def zones(self) -> Iterable[Zone]:
        """All zones, by id. They are live: read them, change nothing."""
        zones = [self._store.zones[zone_id] for zone_id in sorted(self._store.zones)]
        for zone in zones:
            self.registrations.refresh(zone)
        return zones

    def zone(self, zone_id: str) -> Zone | None:
        """The zone of this resource id (any case), or None."""
        found = self._store.zones.get(zone_id.rstrip("/").lower())
        if found:
            self.registrations.refresh(found)
        return found

    def load_zone(
        self,
        zone_id: str,
        *,
        tags: Mapping[str, str] | None = None,
        links: Sequence[Mapping[str, Any]] = (),
        records: Sequence[Mapping[str, Any]] = (),
    ) -> Zone:
        """Create a zone at once and without events, replacing an existing one; the fields are those of a world file.

        Links: name, vnet, registration, resolution_policy. Records: name, type, ttl, addresses, metadata,
        auto_registered; for types other than A, `records` holds the JSON of the type's field. Raises ArmError for
        values that Azure refuses.
        """
        parts = zone_id.strip("/").split("/")
        self._azure.ensure_group(parts[1], parts[3])
        if (old := self.zone(zone_id)) is not None:
            self.registrations.unregister_all(old)
        zone = self._store.new_zone("/" + "/".join(parts), tags or None)
        for link in links:
            name = link["name"].lower()
            zone.links_by_name[name] = Link(
                name,
                link["vnet"],
                link.get("registration", False),
                self._store.link_etag(),
                resolution_policy=link.get("resolution_policy"),
            )
        for record in records:
            self._load_record(zone, record)
        return zone

    def _load_record(self, zone: Zone, record: Mapping[str, Any]) -> None:
        name, record_type = record["name"], record.get("type", "A").upper()
        if record.get("auto_registered"):
            self.registrations.register(zone, name, record["addresses"][0])
            return
        addresses = [{"ipv4Address": address} for address in record.get("addresses", ())]
        properties = {
            "ttl": record["ttl"],
            "metadata": record.get("metadata") or None,
            FIELDS[record_type]: addresses if record_type == "A" else record["records"],
        }
        zone.put(replace(written(None, record_type, name, properties), etag=self._azure.new_guid()))

    def put_auto_registered(self, zone_id: str, name: str, ip: str) -> bool:
        """Register a name without a VM, as a world file can, without an event: TTL 10 s, no metadata.

        False if a manual record set of that name exists: it stays, and the name is registered once it is deleted.
        Raises KeyError for an unknown zone. Source: private-dns-autoregistration and dns-faq-private.yml.
        """
        return self.registrations.register(self._store.zones[zone_id.lower()], name, ip)

    def remove_auto_registered(self, zone_id: str, name: str) -> None:
        """Remove the auto-registered set of a deleted VM; a manual one of that name stays. KeyError: unknown zone."""
        self.registrations.unregister(self._store.zones[zone_id.lower()], name)

    def lock(self, scope: str, level: Level) -> None:
        """Lock a subscription, group, zone or record set."""
        self.locks.lock(scope, level)

    def unlock(self, scope: str) -> None:
        """Remove the management lock of exactly this scope."""
        self.locks.unlock(scope)

    def handle(self, call: Call) -> Response:
        """Answer a call. Raises ArmError for an error answer, with ARM's countdown if ARM passed the call on."""
        self.budgets.admit(call)
        try:
            return self._answer(call)
        except ArmError as error:
            if "x-ms-failure-cause" not in error.response.headers:
                countdown = self.budgets.countdown(call)
                error.response = replace(error.response, headers={**error.response.headers, **countdown})
            raise

    def _answer(self, call: Call) -> Response:
        if call.types[0].lower() != "privatednszones":
            return self._operations.poll(call)
        self.locks.check(call)
        self._spend(call)
        zones = [self._zone_calls.zone_of(call)] if call.names else self._store.zones.values()
        for zone in zones:
            if zone:
                self.registrations.refresh(zone)
        if len(call.types) == 1:
            return self._zone_calls.on_zone(call) if call.names else self._zone_calls.list_zones(call)
        if len(call.types) == 2 and call.types[1].lower() == "virtualnetworklinks":
            return self._zone_calls.on_link(call) if len(call.names) == 2 else self._zone_calls.list_links(call)
        if len(call.types) == 2 and is_record_type(call.types[1]):
            return self._sets.handle(call, self._zone_calls.parent(call))
        raise ArmError(
            404,
            "InvalidResourceType",
            f"The resource type '{'/'.join(call.types)}' could not be found in the namespace '{call.namespace}' for "
            f"api version '{call.request.query.get('api-version', '')}'.",
        )

    def _spend(self, call: Call) -> None:
        """Count a call on a zone or a link; calls on record sets are counted where they are answered."""
        if len(call.types) > 1 and call.types[1].lower() != "virtualnetworklinks":
            return
        zone = self._zone_calls.zone_of(call) if call.names else None
        link = zone.links_by_name.get(call.names[1].lower()) if zone and len(call.names) > 1 else None
        spent = budget_of(call, exists=(zone if len(call.types) == 1 else link) is not None)
        if spent:
            self.budgets.spend(*spent)


def register(
    azure: ArmFrontDoor,
    *,
    vnet_exists: Callable[[str], bool] | None = None,
    limits: bool = False,
    unknowns: AssumedBehaviour | None = None,
) -> PrivateDns:
    """Create a provider and register it for its types; the options are those of PrivateDns."""
    provider = PrivateDns(azure, vnet_exists=vnet_exists, limits=limits, unknowns=unknowns)
    for resource_type in ("privateDnsZones", "privateDnsOperationStatuses", "privateDnsOperationResults"):
        azure.register("Microsoft.Network", resource_type, provider)
    return provider
