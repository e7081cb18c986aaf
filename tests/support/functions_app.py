"""The app's settings and a simulated Azure for Microsoft's own engine."""

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


GROUP = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups"


NETWORK = f"{GROUP}/ai/providers/Microsoft.Network"


VNET = f"{NETWORK}/virtualNetworks/vnet-eastus"


ZONE = f"{GROUP}/dns-eastus/providers/Microsoft.Network/privateDnsZones/ai.internal"


VM = f"{GROUP}/ai/providers/Microsoft.Compute/virtualMachines/gpu-1"


WORLD = {
    "vnets": [{"id": VNET, "location": "eastus", "prefixes": ["10.1.0.0/16"]}],
    "zones": [{"id": ZONE, "links": [{"name": "eastus", "vnet": VNET}]}],
    "vms": [
        {
            "id": VM,
            "location": "eastus",
            "tags": {"nearzone": "llama-70b"},
            "power": "running",
            "nics": [
                {
                    "id": f"{NETWORK}/networkInterfaces/gpu-1-nic",
                    "vnet": VNET,
                    "ip_configurations": [{"name": "ipconfig1", "address": "10.1.0.4", "primary": True}],
                }
            ],
        }
    ],
}


@contextmanager
def simulated_azure(world):
    """A simulator in a process of its own; what it says of itself when it is ready."""
    command = [sys.executable, "-m", "simulator", "--latency", "0", "--world", str(world)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def app_settings(azure):
    return {
        "IDENTITY_ENDPOINT": azure["identity_endpoint"],
        "IDENTITY_HEADER": azure["identity_header"],
        "NEARZONE_CLOUD": json.dumps({"arm": azure["arm"], "audience": "https://management.azure.com"}),
        "NEARZONE_ZONES": json.dumps([{"id": ZONE, "region": "eastus"}]),
        "NEARZONE_SUBSCRIPTIONS": json.dumps([VM.split("/")[2]]),
        "NEARZONE_CLAIMS": json.dumps({"*": [VM.split("/")[2]]}),
        "NEARZONE_DRAIN_SCHEDULE": "*/30 * * * * *",
        "NEARZONE_SWEEP_SCHEDULE": "0 */10 * * * *",
    }
