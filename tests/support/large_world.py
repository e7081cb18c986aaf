"""Worlds of any size: `python -m tests.support.large_world 200 > world.json`, then `make demo WORLD=world.json`.

VMs in three regions that serve a few names; every tenth reports its health, every eighth is stopped.
"""

import json
import sys

SUB = "5e7a1c00-0000-4000-8000-000000000001"
REGIONS = ("eastus", "westeurope", "southeastasia")
SERVICES = ("llama-70b", "mistral-7b", "phi-4", "embed", "whisper")


def resource(group, kind, name):
    return f"/subscriptions/{SUB}/resourceGroups/{group}/providers/{kind}/{name}"


def vnet(region):
    return resource("network", "Microsoft.Network/virtualNetworks", f"vnet-{region}")


def a_zone(region):
    zone_id = resource(f"dns-{region}", "Microsoft.Network/privateDnsZones", "ai.internal")
    return {"id": zone_id, "links": [{"name": region, "vnet": vnet(region)}]}


def a_vm(number):
    region, name = REGIONS[number % 3], f"gpu-{number:04}"
    place = number // 3
    address = f"10.{number % 3 + 1}.{place // 200}.{4 + place % 200}"
    nic = {
        "id": resource("gpu", "Microsoft.Network/networkInterfaces", f"{name}-nic"),
        "vnet": vnet(region),
        "ip_configurations": [{"name": "ipconfig1", "address": address}],
    }
    return {
        "id": resource("gpu", "Microsoft.Compute/virtualMachines", name),
        "location": region,
        "tags": {"nearzone": SERVICES[number % len(SERVICES)]},
        "power": "deallocated" if number % 8 == 7 else "running",
        "health": "healthy" if number % 10 == 0 else None,
        "nics": [nic],
    }


def of(vms):
    """A world of so many VMs."""
    return {
        "vnets": [
            {"id": vnet(region), "location": region, "prefixes": [f"10.{number}.0.0/16"]}
            for number, region in enumerate(REGIONS, 1)
        ],
        "zones": [a_zone(region) for region in REGIONS],
        "vms": [a_vm(number) for number in range(vms)],
        "settings": {"NEARZONE_CLAIMS": {"*": [SUB]}},
    }


def text(vms):
    """The same as a world file."""
    return json.dumps(of(vms), indent=1)


if __name__ == "__main__":
    sys.stdout.write(text(int(sys.argv[1])))
