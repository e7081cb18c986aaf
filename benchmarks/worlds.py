"""Worlds of any size for the scenarios: equal arguments give equal worlds, and every answer in them is known.

This module uses nothing of the app: the world's own simple rules define what a zone should contain, so a converged
world is right by design, and not because the app has run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

Json: TypeAlias = Any

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
REGIONS = ("eastus", "westeurope", "southeastasia")
NEAREST = {
    "eastus": ("eastus", "westeurope", "southeastasia"),
    "westeurope": ("westeurope", "eastus", "southeastasia"),
    "southeastasia": ("southeastasia", "westeurope", "eastus"),
}
"""By the published matrix: 85 ms between the first two, 169 ms and more to the third."""
TTL, HOST_TTL = 30, 300
_GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"


def vm_id(name: str) -> str:
    """The resource id of a VM."""
    return f"{_GROUPS}/gpu/providers/Microsoft.Compute/virtualMachines/{name}"


def nic_id(name: str) -> str:
    """The resource id of a VM's NIC."""
    return f"{_GROUPS}/gpu/providers/Microsoft.Network/networkInterfaces/{name}-nic"


def vnet_id(region: str) -> str:
    """The resource id of a region's VNet."""
    return f"{_GROUPS}/net/providers/Microsoft.Network/virtualNetworks/vnet-{region}"


def zone_id(region: str) -> str:
    """The resource id of the zone of a region's clients."""
    return f"{_GROUPS}/dns-{region}/providers/Microsoft.Network/privateDnsZones/ai.internal"


def vm(number: int, region: str, names: Iterable[str], *, health: str | None = "healthy") -> Json:
    """A running VM `vm-00042` that claims these names by tag, at an address of its region's VNet (10.x.0.0/16)."""
    name = f"vm-{number:05}"
    address = f"10.{REGIONS.index(region) + 1}.{number // 250}.{number % 250 + 4}"
    configuration = {"name": "ipconfig1", "address": address, "allocation": "Static"}
    return {
        "id": vm_id(name),
        "location": region,
        "tags": {"nearzone": ",".join(names)},
        "power": "running",
        "health": health,
        "nics": [{"id": nic_id(name), "vnet": vnet_id(region), "ip_configurations": [configuration]}],
    }


def world(vms: Sequence[Json], zones: Sequence[str] = REGIONS, *, converged: bool = True) -> Json:
    """Return a world file of these VMs, with a zone for the clients of each region in `zones`.

    `converged`: every zone already contains the right record set of every claimed name, with our owner tag.
    """
    return {
        "vnets": [
            {"id": vnet_id(each), "location": each, "prefixes": [f"10.{REGIONS.index(each) + 1}.0.0/16"]}
            for each in REGIONS
        ],
        "zones": [
            {
                "id": zone_id(each),
                "links": [{"name": each, "vnet": vnet_id(each)}],
                "records": records(vms, each) if converged else [],
            }
            for each in zones
        ],
        "vms": list(vms),
        "settings": {
            "NEARZONE_ZONES": [{"id": zone_id(each), "region": each} for each in zones],
            "NEARZONE_SUBSCRIPTIONS": [SUBSCRIPTION],
            "NEARZONE_CLAIMS": {"*": [SUBSCRIPTION]},
        },
    }


def records(vms: Iterable[Json], region: str) -> list[Json]:
    """Return the right record sets for the clients of a region: of each name, the serving VMs of the nearest region."""
    return [
        {
            "name": name,
            "type": "A",
            "ttl": TTL if name.startswith("svc-") else HOST_TTL,
            "addresses": addresses,
            "metadata": {"nearzone-owner": "nearzone"},
        }
        for name, addresses in answers(vms, region).items()
    ]


def answers(vms: Iterable[Json], region: str) -> dict[str, list[str]]:
    """The sorted addresses of every name that a VM serves, for the clients of a region."""
    serving: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in vms:
        if each["power"] == "running" and each["health"] in (None, "healthy"):
            tagged = [name for name in each["tags"]["nearzone"].split(",") if name]
            for name in (each["id"].rsplit("/", 1)[1], *tagged):
                serving[name][each["location"]].append(each["nics"][0]["ip_configurations"][0]["address"])
    return {
        name: sorted(next(by_region[each] for each in NEAREST[region] if each in by_region))
        for name, by_region in serving.items()
    }


def fleet(hosts: int, services: int, *, names_each: int = 3) -> list[Json]:
    """`hosts` VMs spread over the regions; each claims `names_each` of the names `svc-00000` ... by tag, in turn.

    With as many claims as there are services, or more, every service is claimed.
    """
    return [
        vm(
            number,
            REGIONS[number % len(REGIONS)],
            [f"svc-{(number * names_each + each) % services:05}" for each in range(names_each)] if services else [],
        )
        for number in range(hosts)
    ]
