"""A small world, a clock that is set by hand, and an event loop whose time costs nothing."""

import asyncio
import json

import msgspec

from simulator.arm.front_door import Request
from simulator.cloud import SimulatedAzure
from simulator.timing import virtual_time
from simulator.world.world import read

GROUP = "/subscriptions/S/resourceGroups/G/providers"
VNET = f"{GROUP}/Microsoft.Network/virtualNetworks/vnet-eastus"
ZONE = f"{GROUP}/Microsoft.Network/privateDnsZones/ai.internal"
COMPUTE = {"api-version": "2024-03-01"}
NETWORK = {"api-version": "2024-01-01"}
A_SERVER = {"kind": "vllm", "behaviour": "loading", "port": 8000, "tls": None, "seconds": 60.0}


def vm_id(name):
    return f"{GROUP}/Microsoft.Compute/virtualMachines/{name}"


def nic_id(name):
    return f"{GROUP}/Microsoft.Network/networkInterfaces/{name}"


def a_vm(name, address, power="running", health=None, **more):
    nic = {"id": nic_id(f"{name}-nic"), "vnet": VNET, "ip_configurations": [{"name": "ipconfig1", "address": address}]}
    return {"id": vm_id(name), "location": "eastus", "power": power, "health": health, "nics": [nic], **more}


def small(*vms):
    """A world of one VNet, one zone and these VMs, as JSON."""
    return {
        "vnets": [
            {
                "id": VNET,
                "location": "eastus",
                "prefixes": ["10.1.0.0/16"],
                "subnets": [{"name": "small", "prefix": "10.1.5.0/29"}],
            }
        ],
        "zones": [{"id": ZONE, "links": [{"name": "eastus", "vnet": VNET}]}],
        "vms": list(vms),
    }


class Clock:
    def __init__(self, now=1_800_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


class Scene:
    """A cloud with its clock and everything that Event Grid was told."""

    def __init__(self, *vms, operation_scale=1.0, seed=7, clock=None, unknowns=None, **lists):
        """`lists`: more of a world, e.g. `scale_sets`."""
        self.clock = clock or Clock()
        world = read(json.dumps(small(*vms) | lists))
        self.cloud = SimulatedAzure(
            world, clock=self.clock, seed=seed, operation_scale=operation_scale, unknowns=unknowns
        )
        self.told = []
        self.cloud.azure.completed.append(self.told.append)

    def ask(self, method, path, body=None, **query):
        version = NETWORK if "/microsoft.network/" in path.lower() else COMPUTE
        content = b"" if body is None else msgspec.json.encode(body)
        return self.cloud.handle(Request(method, path, {**version, **query}, {}, content))

    def wait(self, seconds):
        self.clock.now += seconds
        self.cloud.azure.advance()

    def wait_for_all(self):
        while (due := self.cloud.azure.next_due()) is not None:
            self.clock.now = max(self.clock.now, due)
            self.cloud.azure.advance()

    def power(self, name):
        view = self.ask("GET", vm_id(name), **{"$expand": "instanceView"}).content["properties"]["instanceView"]
        return view["statuses"][1]["code"]

    def health(self, name):
        view = self.ask("GET", vm_id(name), **{"$expand": "instanceView"}).content["properties"]["instanceView"]
        return view["vmHealth"]["status"]["code"] if "vmHealth" in view else None

    @property
    def operations(self):
        return [(note.resource_id.rsplit("/", 1)[1], note.operation, note.outcome) for note in self.told]


def in_virtual_time(story):
    """Run `story(loop)`, a coroutine function, in virtual time and give its result."""

    async def play():
        return await story(asyncio.get_running_loop())

    return virtual_time.in_virtual_time(play)
