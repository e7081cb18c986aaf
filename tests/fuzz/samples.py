"""What really comes in: events of every operation family in both schemas, bodies, questions and settings.

The shapes of events are those of the documents and OpenAPI examples that `simulator/event_grid/events.py` names, and
of the page event-schema-health-resources for `Microsoft.ResourceNotifications`.
"""

import json

from simulator.arm.front_door import Completed
from simulator.event_grid.events import event_of
from tests.fuzz.world import IDS, NAMES, OTHER_SUB, VMS, WORLD
from tests.support.deployment import GROUP, REGIONS, SUB, environment, nic_id, vm_id, zone_id

TIME = 1_800_000_000.0
TAGS = "/providers/Microsoft.Resources/tags/default"
COMPUTE, NETWORK = f"{GROUP}/gpu/providers/Microsoft.Compute", f"{GROUP}/gpu/providers/Microsoft.Network"
SCALE_SET, CONTAINERS = "virtualMachineScaleSets/fleet", f"{GROUP}/gpu/providers/Microsoft.ContainerInstance"
ACTIONS = ("start", "deallocate", "powerOff", "restart", "redeploy", "reapply", "reimage", "simulateEviction")

REAL = sorted(vm["id"] for vm in VMS)
CARDS = sorted(nic["id"] for vm in VMS for nic in vm["nics"])
NOBODY = (
    vm_id("nobody"),
    nic_id("nobody"),
    vm_id("ghost", "locked"),
    vm_id("ghost", "busy"),
    vm_id("gpu-1", "no-such-group"),
)
assert not IDS & {each.lower() for each in NOBODY}


def _operations():
    """(resource id, operation) of everything that could matter, and of what does not."""
    for vm in (*REAL, *NOBODY):
        kind = "Microsoft.Compute/virtualMachines" if "Compute" in vm else "Microsoft.Network/networkInterfaces"
        yield from ((vm, f"{kind}/{what}") for what in ("write", "delete"))
        yield vm + TAGS, "Microsoft.Resources/tags/write"
    for action in ACTIONS:
        yield REAL[0], f"Microsoft.Compute/virtualMachines/{action}/action"
        yield f"{REAL[1]}/{action}", f"Microsoft.Compute/virtualMachines/{action}/action"
        yield f"{COMPUTE}/{SCALE_SET}", f"Microsoft.Compute/virtualMachineScaleSets/{action}/action"
    for card in CARDS:
        yield card, "Microsoft.Network/networkInterfaces/write"
    yield CARDS[0] + TAGS, "Microsoft.Resources/tags/delete"
    yield f"{REAL[0]}/extensions/health", "Microsoft.Compute/virtualMachines/extensions/write"
    yield f"{COMPUTE}/{SCALE_SET}/virtualMachines/0", "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/delete"
    yield f"{NETWORK}/loadBalancers/front", "Microsoft.Network/loadBalancers/write"
    yield f"{NETWORK}/applicationGateways/gate", "Microsoft.Network/applicationGateways/stop/action"
    yield f"{GROUP}/gpu/providers/Microsoft.ApiManagement/service/apim", "Microsoft.ApiManagement/service/write"
    yield f"{GROUP}/gpu/providers/Microsoft.App/managedEnvironments/env", "Microsoft.App/managedEnvironments/delete"
    yield f"{NETWORK}/privateEndpoints/door", "Microsoft.Network/privateEndpoints/delete"
    yield (
        f"{NETWORK}/privateEndpoints/door/privateDnsZoneGroups/x",
        "Microsoft.Network/privateEndpoints/privateDnsZoneGroups/write",
    )
    yield f"{CONTAINERS}/containerGroups/box", "Microsoft.ContainerInstance/containerGroups/restart/action"
    yield f"{zone_id('eastus')}/A/llama", "Microsoft.Network/privateDnsZones/A/write"
    yield f"{GROUP}/gpu/providers/Microsoft.Resources/deployments/d", "Microsoft.Resources/deployments/write"
    yield f"{GROUP}/gpu", "Microsoft.Resources/subscriptions/resourceGroups/delete"


def _resource_events():
    for number, (resource, operation) in enumerate(_operations()):
        family = {"write": "Write", "delete": "Delete"}.get(operation.rsplit("/", 1)[1], "Action")
        outcome = ("Success", "Success", "Failure", "Cancel")[number % 4]
        note = Completed(resource, operation, family, outcome, TIME, f"00000000-0000-4000-8000-{number:012}")
        event = event_of(note, f"00000000-0000-4000-9000-{number:012}")
        yield json.loads(event.body("EventGridSchema"))[0]
        yield json.loads(event.body("CloudEventSchemaV1_0"))


def _notifications():
    """Events of Azure Resource Notifications: health of VMs, and resources with their payload."""
    at = "2027-01-15T08:00:00.1234567Z"
    changed = {"previousAvailabilityState": "Available", "availabilityState": "Unavailable"}
    told = {"annotationName": "VirtualMachinePreempted", "reason": "Preempted", "context": "Platform Initiated"}
    for vm in REAL[::3]:
        for what, part, more in (
            ("AvailabilityStatusChanged", "availabilityStatuses", changed),
            ("ResourceAnnotated", "resourceAnnotations", told),
        ):
            kind = f"Microsoft.ResourceHealth/{part}"
            about = {"targetResourceId": vm, "targetResourceType": "Microsoft.Compute/virtualMachines"}
            info = {"id": f"{vm}/providers/{kind}/e", "name": "e", "type": kind}
            data = {
                "resourceInfo": info | {"properties": about | {"occurredTime": at} | more},
                "apiVersion": "2023-12-01",
            }
            yield from _both(f"HealthResources.{what}", vm, data | {"operationalInfo": {"resourceEventTime": at}})
        info = {
            "id": vm,
            "name": vm.rsplit("/", 1)[1],
            "type": "Microsoft.Compute/virtualMachines",
            "tags": {"nearzone": "llama"},
        }
        yield from _both("Resources.CreatedOrUpdated", vm, {"resourceInfo": info, "apiVersion": "2024-07-01"})
        yield from _both("Resources.Deleted", vm, {"resourceInfo": info})


def _both(what, subject, data):
    kind, time, topic = (
        f"Microsoft.ResourceNotifications.{what}",
        "2027-01-15T08:00:00.1234567Z",
        f"/subscriptions/{SUB}",
    )
    head = {"id": "1", "subject": subject, "data": data}
    yield {**head, "topic": topic, "eventType": kind, "eventTime": time, "dataVersion": "1", "metadataVersion": "1"}
    yield {**head, "source": topic, "type": kind, "time": time, "specversion": "1.0"}


EVENTS = [json.dumps(event) for event in (*_resource_events(), *_notifications())]
FIELDS = ("subject", "eventType", "type", "data", "topic", "source")

_BODIES = (
    {},
    {"dry_run": True},
    {"force": "0123456789ab"},
    {"force": ["0123456789ab", "ba9876543210"], "force_beyond": True},
    {"zone": "West Europe"},
    {"zone": zone_id("eastus"), "name": "llama"},
    {"name": "chat", "dry_run": True},
    {"endpoint": REAL[0]},
    {"endpoint": REAL[-1], "zone": "eastus", "name": "llama", "dry_run": False, "force": False},
    {"endpoint": NOBODY[0]},
    {"endpoint": NOBODY[2]},
    {"endpoint": NOBODY[3]},
    {"adopt": ["db", "nobody"]},
    {"adopt": "lost"},
    {"adopt": ["embed", "Auto"], "zone": "southeastasia"},
    {"drain": {"region": "eastus", "minutes": 60}},
    {"drain": {"endpoint": REAL[1], "minutes": 1}},
    {"drain": {"endpoint": REAL[2], "minutes": 10080}},
    {"drain": {"region": "westeurope", "minutes": 5}, "dry_run": True, "reason": "INC-7"},
    {"undrain": {"region": "East US"}},
    {"undrain": {"endpoint": REAL[1]}},
    {"freeze": {"zone": "West Europe"}},
    {"freeze": {"zone": zone_id("eastus"), "minutes": 10080}},
    {"unfreeze": {"zone": "westeurope"}},
    {"check": True},
    {"probe": {"name": "llama"}},
    {"probe": {"name": "chat", "zone": "West Europe"}},
    {"force": []},
    {"adopt": ""},
    {"zone": None, "name": "llama"},
    {"freeze": {"zone": "westeurope", "minutes": None}},
)
BODIES = [json.dumps(body) for body in _BODIES]
BODY_FIELDS = (
    "zone",
    "name",
    "endpoint",
    "dry_run",
    "force",
    "force_beyond",
    "reason",
    "adopt",
    "drain",
    "undrain",
    "freeze",
    "unfreeze",
    "check",
    "probe",
)
ORDER_FIELDS = ("minutes", "endpoint", "region", "zone")

ZONES = (*REGIONS, "West Europe", *map(zone_id, REGIONS), zone_id("eastus").upper(), zone_id("mars"), "mars")
QUESTIONS = [
    {},
    {"code": "key"},
    {"full": "true"},
    {"full": "False", "code": "key"},
    {"list": "names", "limit": "2"},
    {"list": "dirty", "after": "x", "limit": "500", "code": "key"},
    {"list": "alarms"},
    {"since": ""},
    {"list": "", "limit": "2"},
    {"zone": "", "name": "llama"},
    {"since": "2026-11-29T10:00:00Z"},
    {"since": "2026-11-29 10:00", "until": "2027-01-01T00:00:00+01:00"},
    *({"zone": zone, "name": name} for zone in ZONES for name in NAMES),
]

_POLICY = {
    "min_endpoints": 2,
    "tolerance_ms": 5.5,
    "regions": ["East US"],
    "fallback": ["10.0.0.9"],
    "when_empty": "keep",
    "ttl": 5,
    "distance": "published",
    "wait_minutes": 10,
}
_PROBES = {
    "llama": {"kind": "vllm", "port": 8000, "path": "/health", "expect": [200, "300-399"], "host": "llama.example"},
    "gp?-*": {"kind": "http", "port": 443, "tls": {"name": "gpu.example", "verify": True}},
    "*": {"kind": "tcp", "port": 8080},
}
_PROBING = {
    "mode": "enforce",
    "vantage": "East US",
    "timeout": 5,
    "connect_timeout": 2.5,
    "down_after": 3,
    "up_after": 2,
    "stale_after": 60,
    "hold": [30, 300],
    "slow_start": 60,
    "dwell": [120, 600],
}
SETTINGS = environment(WORLD) | {
    "NEARZONE_ZONES": json.dumps(
        [{"id": zone_id(region), "region": region, "reach": ["10.0.0.0/8"]} for region in REGIONS]
    ),
    "NEARZONE_SUBSCRIPTIONS": json.dumps([SUB, OTHER_SUB]),
    "NEARZONE_CLAIMS": json.dumps(
        {"*": [SUB], "llama*": [f"{GROUP}/gpu"], "gp?-*": [f"/subscriptions/{SUB}/resourceGroups/x/"]}
    ),
    "NEARZONE_POLICIES": json.dumps({"llama": _POLICY, "*-v?": {}}),
    "NEARZONE_LATENCY": json.dumps({"East US": {"westeurope": 80, "centralus": 2.5}}),
    "NEARZONE_CLOUD": json.dumps(
        {"arm": "https://arm.example", "audience": "https://arm.example", "probe_gateway": "127.0.0.1:8702"}
    ),
    "NEARZONE_PROBES": json.dumps(_PROBES),
    "NEARZONE_PROBING": json.dumps(_PROBING),
    "NEARZONE_PROBE_SCHEDULE": "*/15 * * * * *",
    "NEARZONE_OWNER": "team-a",
    "NEARZONE_MODE": "apply",
    "NEARZONE_HOST_NAMES": "false",
    "NEARZONE_TTL": "30",
    "NEARZONE_HOST_TTL": "300",
    "NEARZONE_SWEEP_SCHEDULE": "0 */10 * * * *",
    "NEARZONE_DRAIN_SCHEDULE": "*/30 * * * * MON-FRI",
}
STRUCTURED = tuple(name for name, text in SETTINGS.items() if text[0] in "[{")
