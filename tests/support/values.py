"""Small builders of the values that the tests of the pure rooms speak in."""

import json
from ipaddress import IPv4Network

from shared.bootstrap import LATENCY as TABLE
from shared.config import parser as settings_parser
from shared.decide import region_latency as latency
from shared.decide.region_latency import Latency
from shared.domain.endpoints import Address, Endpoint, State
from shared.domain.zones import RecordSet, Zone

SUB = "11111111-1111-1111-1111-111111111111"
OTHER_SUB = "22222222-2222-2222-2222-222222222222"
EAST, WEST, NORTH = "eastus", "westeurope", "northeurope"
MS = {(EAST, WEST): 84.0, (WEST, EAST): 85.0, (WEST, NORTH): 20.0, (NORTH, WEST): 19.0, (EAST, NORTH): 74.0}
LATENCY = Latency(MS)
REGIONS = latency.parse(TABLE.read_text(encoding="utf-8")).regions


def zone_id(group="dns", name="ai.internal"):
    return f"/subscriptions/{SUB}/resourceGroups/{group}/providers/Microsoft.Network/privateDnsZones/{name}"


def vm_id(name, group="gpu", subscription=SUB):
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"


def zone(region=WEST, *reach, group="dns"):
    return Zone(zone_id(group), region, tuple(IPv4Network(n) for n in reach or ("10.0.0.0/8",)))


def vm(name, *addresses, region=WEST, tagged=("llama",), own=None, state=State.SERVING, network="vnet", **more):
    """A VM; an address is text, or a pair of text and VNet."""
    pairs = tuple(Address(a, network) if isinstance(a, str) else Address(*a) for a in addresses)
    endpoint_id = vm_id(name, more.pop("group", "gpu"), more.pop("subscription", SUB))
    return Endpoint(endpoint_id, "microsoft.compute/virtualmachines", region, tuple(tagged), own, pairs, state, **more)


def values(**changed):
    """App settings that are valid, changed: NAME=JSON value or text; None takes a setting away."""
    plain = {
        "ZONES": [{"id": zone_id(), "region": WEST}],
        "SUBSCRIPTIONS": [SUB],
        "CLAIMS": {"*": [SUB]},
        **changed,
    }
    return {
        f"NEARZONE_{name}": value if isinstance(value, str) else json.dumps(value)
        for name, value in plain.items()
        if value is not None
    }


def parsed(**changed):
    return settings_parser.parse(values(**changed), REGIONS)


def ours(name, *addresses, ttl=30, owner="nearzone", **more):
    """A record set with our owner tag."""
    return RecordSet(name, ttl, tuple(addresses), (("nearzone-owner", owner),), "etag", **more)
