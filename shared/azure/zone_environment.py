"""The environment of a zone, for the preflight: links and peerings, locks, permissions, the SOA record set, its size.

Each part is read separately: a part that cannot be read is reported, and the others are returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TypeVar

import msgspec

from shared.azure.answers import Page
from shared.azure.client import Arm
from shared.azure.endpoint_kind import list_all
from shared.azure.machine import Link
from shared.config.settings import region_name
from shared.domain.errors import NearzoneError
from shared.domain.zone_environment import Lock, Permission, VnetLink, ZoneEnvironment
from shared.domain.zones import Zone

T = TypeVar("T")
ZONE_API = "2024-06-01"
VNET_API = "2024-01-01"
LOCK_API = "2020-05-01"
PERMISSION_API = "2022-04-01"
_AUTHORIZATION = "providers/Microsoft.Authorization"
WILDCARD_TYPES = ("A", "AAAA", "CNAME")
"""Types of record sets that can send a client to an address. A wildcard of another type only says that a name is there.
A wildcard below a label (`*.x`) covers no name of nearzone: each of these is one label."""


class _ZoneProperties(msgspec.Struct, rename="camel"):
    number_of_record_sets: int | None = None
    max_number_of_record_sets: int | None = None


class _Zone(msgspec.Struct):
    properties: _ZoneProperties = msgspec.field(default_factory=_ZoneProperties)


class _LinkProperties(msgspec.Struct, rename="camel"):
    virtual_network: Link = msgspec.field(default_factory=Link)
    resolution_policy: str | None = None


class _VnetLink(msgspec.Struct):
    id: str
    name: str = ""
    properties: _LinkProperties = msgspec.field(default_factory=_LinkProperties)


class _Soa(msgspec.Struct):
    minimum: int | None = msgspec.field(name="minimumTtl", default=None)


class _SoaProperties(msgspec.Struct, rename="camel"):
    ttl: int | None = None
    soa_record: _Soa | None = None


class _SoaSet(msgspec.Struct):
    properties: _SoaProperties = msgspec.field(default_factory=_SoaProperties)


class _Ipv4(msgspec.Struct):
    address: str = msgspec.field(name="ipv4Address", default="")


class _Ipv6(msgspec.Struct):
    address: str = msgspec.field(name="ipv6Address", default="")


class _Cname(msgspec.Struct):
    cname: str = ""


class _WildcardProperties(msgspec.Struct, rename="camel"):
    a_records: list[_Ipv4] | None = None
    aaaa_records: list[_Ipv6] | None = None
    cname_record: _Cname | None = None


class _Wildcard(msgspec.Struct):
    properties: _WildcardProperties = msgspec.field(default_factory=_WildcardProperties)

    @property
    def values(self) -> tuple[str, ...]:
        """The addresses, or the name, that it answers with."""
        found, cname = self.properties, self.properties.cname_record
        addresses = [each.address for each in (*(found.a_records or ()), *(found.aaaa_records or ()))]
        return tuple(sorted([*addresses, *([cname.cname] if cname else [])]))


class _PeeringProperties(msgspec.Struct, rename="camel"):
    remote_virtual_network: Link | None = None
    peering_state: str = ""


class _Peering(msgspec.Struct):
    properties: _PeeringProperties = msgspec.field(default_factory=_PeeringProperties)


class _VnetProperties(msgspec.Struct, rename="camel"):
    virtual_network_peerings: list[_Peering] | None = None


class _Vnet(msgspec.Struct):
    location: str = ""
    properties: _VnetProperties = msgspec.field(default_factory=_VnetProperties)


class _LockProperties(msgspec.Struct):
    level: str = ""


class _Lock(msgspec.Struct):
    id: str
    properties: _LockProperties = msgspec.field(default_factory=_LockProperties)


class _Permission(msgspec.Struct, rename="camel"):
    actions: list[str] | None = None
    not_actions: list[str] | None = None


_zone = msgspec.json.Decoder(_Zone)
_soa = msgspec.json.Decoder(_SoaSet)
_wildcard = msgspec.json.Decoder(_Wildcard)
_vnet = msgspec.json.Decoder(_Vnet)
_links = msgspec.json.Decoder(Page[_VnetLink])
_locks = msgspec.json.Decoder(Page[_Lock])
_permissions = msgspec.json.Decoder(Page[_Permission])


class ArmZoneEnvironmentReader:
    """Implements `ports.ZoneEnvironmentReader`."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def read(self, zone: Zone) -> ZoneEnvironment:
        """Read the environment of one zone."""
        unread: list[str] = []

        async def read(what: str, reading: Awaitable[T]) -> T | None:
            try:
                return await reading
            except NearzoneError as error:
                unread.append(f"{what} cannot be read: {error}")
                return None

        try:
            found = await self._arm.get(zone.id, _zone, **{"api-version": ZONE_API})
        except NearzoneError as error:
            unread.append(f"the zone cannot be read: {error}")
            found = _Zone()
        if found is None:
            return ZoneEnvironment(exists=False)
        by_type = (read(f"its record set * ({each})", self._wildcard(zone, each)) for each in WILDCARD_TYPES)
        soa, links, locks, permissions, wildcards = await asyncio.gather(
            read("its SOA record set", self._negative_ttl(zone)),
            read("its links", self._links(zone, unread)),
            read("locks", self._locks(zone, unread)),
            read("the identity's permissions", self._permissions(zone.id)),
            asyncio.gather(*by_type),
        )
        vnets = {vnet: await read(f"VNet {vnet}", self._vnet(vnet)) for vnet in sorted({e.vnet for e in links or ()})}
        return ZoneEnvironment(
            record_sets=found.properties.number_of_record_sets,
            max_record_sets=found.properties.max_number_of_record_sets,
            negative_ttl=soa,
            links=links,
            peers={vnet: _peers(each) for vnet, each in vnets.items() if each is not None},
            locations={vnet: region_name(each.location) for vnet, each in vnets.items() if each is not None},
            locks=locks,
            permissions=permissions,
            wildcards={each: found for each, found in zip(WILDCARD_TYPES, wildcards, strict=True) if found},
            unread=tuple(unread),
        )

    async def regions(self, zone: Zone) -> frozenset[str]:
        """Return the regions of the VNets that are linked to a zone; empty unless all of them can be read."""
        unread: list[str] = []
        try:
            links = await self._links(zone, unread)
            found = {link.vnet: await self._vnet(link.vnet) for link in links}
        except NearzoneError:
            return frozenset()
        locations = {vnet: region_name(each.location) for vnet, each in found.items()}
        return frozenset() if unread else ZoneEnvironment(links=links, locations=locations).regions

    async def permissions(self, subscription: str) -> tuple[Permission, ...] | None:
        """Return the identity's permissions in a whole subscription; None if they cannot be read."""
        try:
            return await self._permissions(f"/subscriptions/{subscription}")
        except NearzoneError:
            return None

    async def _negative_ttl(self, zone: Zone) -> int | None:
        """Return the seconds for which a negative answer is cached: the lesser of the SOA's TTL and minimum.

        Source: RFC 2308.
        """
        found = await self._arm.get(f"{zone.id}/SOA/@", _soa, **{"api-version": ZONE_API})
        soa = found.properties if found else _SoaProperties()
        previous = [each for each in (soa.ttl, soa.soa_record.minimum if soa.soa_record else None) if each is not None]
        return min(previous, default=None)

    async def _wildcard(self, zone: Zone, record_type: str) -> tuple[str, ...]:
        """Return what the zone's wildcard record set of a type holds; nothing if there is none."""
        found = await self._arm.get(f"{zone.id}/{record_type}/*", _wildcard, **{"api-version": ZONE_API})
        return found.values if found else ()

    async def _links(self, zone: Zone, unread: list[str]) -> tuple[VnetLink, ...]:
        found = await list_all(self._arm, f"{zone.id}/virtualNetworkLinks", _links, {"api-version": ZONE_API})
        unread += [f"one of its links cannot be read: {each}" for each in found.unreadable]
        return tuple(_link(each) for each in found.values())

    async def _vnet(self, vnet: str) -> _Vnet:
        """Return a VNet; an empty one if it does not exist."""
        return await self._arm.get(vnet, _vnet, **{"api-version": VNET_API}) or _Vnet()

    async def _locks(self, zone: Zone, unread: list[str]) -> tuple[Lock, ...]:
        """Return the locks on the zone, its resource group and its subscription.

        It is not documented whether a list at the zone includes locks of the scopes above: all three scopes are listed,
        and locks on other scopes are left out.
        """
        above = zone.id.split("/providers/", maxsplit=1)[0]
        scopes = (zone.id, above, "/".join(above.split("/")[:3]))
        query = {"api-version": LOCK_API}
        lists = await asyncio.gather(
            *(list_all(self._arm, f"{scope}/{_AUTHORIZATION}/locks", _locks, query) for scope in scopes)
        )
        unread += [f"one of the locks cannot be read: {lock}" for each in lists for lock in each.unreadable]
        found: Mapping[str, _Lock] = {key: lock for each in lists for key, lock in each.items()}
        held = {key: lock for key, lock in found.items() if _applies_to(key, zone)}
        return tuple(Lock(each.id, each.properties.level.lower()) for _, each in sorted(held.items()))

    async def _permissions(self, scope: str) -> tuple[Permission, ...]:
        path = f"{scope}/{_AUTHORIZATION}/permissions"
        pages = self._arm.pages(path, _permissions, {"api-version": PERMISSION_API})
        found = [each async for page in pages for each in page]
        return tuple(Permission(tuple(each.actions or ()), tuple(each.not_actions or ())) for each in found)


def _peers(vnet: _Vnet) -> frozenset[str]:
    peerings = [each.properties for each in vnet.properties.virtual_network_peerings or ()]
    connected = [each for each in peerings if each.peering_state.lower() == "connected"]
    return frozenset(each.remote_virtual_network.id.lower() for each in connected if each.remote_virtual_network)


def _link(found: _VnetLink) -> VnetLink:
    redirects = (found.properties.resolution_policy or "").lower() == "nxdomainredirect"
    return VnetLink(found.name, found.properties.virtual_network.id.lower(), redirects)


def _applies_to(lock: str, zone: Zone) -> bool:
    """Return whether the scope of a lock (its id in lower case) is the zone or above it."""
    return f"{zone.key}/".startswith(lock.split(f"/{_AUTHORIZATION.lower()}/", maxsplit=1)[0] + "/")
