"""The app against a simulated Azure in one process and in virtual time, with everything that it sends kept."""

import asyncio
import json
from collections import defaultdict
from random import Random

import msgspec

from benchmarks.recorded import Token
from shared.bootstrap import build
from shared.catalog.memory import MemoryCatalog
from shared.edge.commands import parse as parse_resync
from shared.ports import no_metrics
from simulator.arm.front_door import Request
from simulator.cloud import SimulatedAzure
from simulator.dialing.connections import ProbedNetwork
from simulator.event_grid.delivery import EventGrid, Subscription
from simulator.front_ends.transport import SimulatorTransport
from simulator.oracle.answers import expected, held
from simulator.timing.latency import Latency
from simulator.world.world import read
from tests.support.small_world import in_virtual_time
from tests.support.virtual_dialer import virtual_dialer

SUB = "11111111-1111-4111-8111-111111111111"
REGIONS = {"eastus": 1, "westeurope": 2, "southeastasia": 3}
GROUP = f"/subscriptions/{SUB}/resourceGroups"
HEARD = (
    "Microsoft.ApiManagement/service/",
    "Microsoft.App/managedEnvironments/",
    "Microsoft.Compute/",
    "Microsoft.ContainerInstance/",
    "Microsoft.Network/networkInterfaces/",
    "Microsoft.Network/applicationGateways/",
    "Microsoft.Network/loadBalancers/",
    "Microsoft.Network/privateEndpoints/",
    "Microsoft.Resources/",
)
"""Operations that Event Grid tells of: those on endpoints. Edits of record sets only where a test asks for them."""
VM_API, NIC_API, DNS_API = "2024-07-01", "2024-01-01", "2024-06-01"


def vnet(region):
    return f"{GROUP}/net/providers/Microsoft.Network/virtualNetworks/vnet-{region}"


def zone_id(region, name="ai.internal"):
    return f"{GROUP}/dns-{region}/providers/Microsoft.Network/privateDnsZones/{name}"


def vm_id(name, group="gpu"):
    return f"{GROUP}/{group}/providers/Microsoft.Compute/virtualMachines/{name}"


def nic_id(name, group="gpu"):
    return f"{GROUP}/{group}/providers/Microsoft.Network/networkInterfaces/{name}-nic"


def a_vm(name, region, number, tag="llama", *, power="running", health=None, group="gpu", **tags):
    """A VM of a world file; `tag` None: it has not opted in."""
    address = f"10.{REGIONS[region]}.0.{number}"
    return {
        "id": vm_id(name, group),
        "location": region,
        "tags": ({} if tag is None else {"nearzone": tag}) | tags,
        "power": power,
        "health": health,
        "nics": [
            {
                "id": nic_id(name, group),
                "vnet": vnet(region),
                "ip_configurations": [{"name": "ipconfig1", "address": address, "allocation": "Static"}],
            }
        ],
    }


def a_world(*vms, records=(), regions=tuple(REGIONS), zone="ai.internal", **settings):
    """A world file: a VNet and a zone in each region, these VMs, and these record sets in every zone."""
    own = {
        "NEARZONE_ZONES": [{"id": zone_id(region, zone), "region": region} for region in regions],
        "NEARZONE_SUBSCRIPTIONS": [SUB],
        "NEARZONE_CLAIMS": {"*": [SUB]},
    }
    return {
        "vnets": [{"id": vnet(r), "location": r, "prefixes": [f"10.{REGIONS[r]}.0.0/16"]} for r in regions],
        "zones": [
            {"id": zone_id(r, zone), "links": [{"name": r, "vnet": vnet(r)}], "records": list(records)} for r in regions
        ],
        "vms": list(vms),
        "settings": own | {f"NEARZONE_{name}": value for name, value in settings.items()},
    }


def environment(world):
    """App settings as text, from a world's."""
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in world["settings"].items()}


class RequestLog:
    """Keeps every request that the app sends, and which etags it was shown before each write."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.requests = []
        self.writes = []
        self.unfounded = []
        self._shown = defaultdict(set)

    def handle(self, request):
        response = self.cloud.handle(request)
        self.requests.append((request.method, request.path))
        if request.method != "GET":
            self._check(request)
            self.writes.append((request.method, request.path.rsplit("/", 1)[-1], response.status))
        self._remember(response.content)
        return response

    def _remember(self, content):
        for each in (content or {}).get("value", [content or {}]):
            if "etag" in each:
                self._shown[each["id"].lower()].add(each["etag"])

    def _check(self, request):
        exact, absent = request.headers.get("if-match"), request.headers.get("if-none-match")
        founded = exact in self._shown[request.path.lower()] if exact else absent == "*" and request.method == "PUT"
        if not founded:
            self.unfounded.append((request.method, request.path, exact, absent))


class SimulatedDeployment:
    """One app, one cloud, one Event Grid. `after` says where the app's time and catalog go on from."""

    def __init__(self, world, *, seed=0, latency=1.0, faults=None, catalog=None, measure=no_metrics, **changed):
        loop = asyncio.get_running_loop()
        self.clock = loop.time
        self.cloud = SimulatedAzure(read(json.dumps(world)), clock=self.clock, seed=seed, operation_scale=1.0)
        self.network = ProbedNetwork(self.cloud)
        self.request_log = RequestLog(self.cloud)
        self.faults = faults
        self.transport = SimulatorTransport(self.request_log, Latency(Random(seed), latency), self._fault)
        self.event_grid = EventGrid(self.cloud.azure, self._post, Random(seed))
        self.event_grid.subscriptions = [Subscription("app", "EventGridSchema", HEARD)]
        self.environment = environment(world) | changed
        self.measure = measure
        self.restart(catalog)

    def restart(self, catalog=None, **changed):
        """A fresh process, with an empty catalog or with this one."""
        self.environment |= changed
        self.app = self.another_process(catalog or MemoryCatalog(), "app")

    def another_process(self, catalog, holder):
        """A process of the app on this catalog. It probes from the vantage that its settings name."""
        vantage = json.loads(self.environment.get("NEARZONE_PROBING", "{}")).get("vantage", "")
        return build(
            self.environment,
            credential=Token(),
            transport=self.transport,
            catalog=catalog,
            dialer=virtual_dialer(self.network, vantage),
            clock=self.clock,
            holder=holder,
            measure=self.measure,
        )

    def _fault(self, request):
        return self.faults(request) if self.faults else None

    async def _post(self, url, headers, body):
        try:
            content = json.loads(body)
            for event in content if isinstance(content, list) else [content]:
                await self.app.on_event(json.dumps(event))
        except Exception as error:  # noqa: BLE001 - the host answers so, whatever it was
            return 500, str(error).encode()
        return 202, b""

    async def resync(self, **body):
        content = json.dumps(body).encode()
        known = self.app.inventory
        command = parse_resync(content, self.app.settings, known.kinds, parents=known.parent_types)
        return await self.app.resync(command)

    def arm(self, method, path, body=None, **query):
        """What somebody else does to Azure, without latency."""
        content = b"" if body is None else msgspec.json.encode(body)
        version = DNS_API if "privatednszones" in path.lower() else NIC_API if "Network/" in path else VM_API
        response = self.cloud.handle(Request(method, path, {"api-version": version, **query}, {}, content))
        assert response.status < 300 or response.status in (404, 409), (method, path, response)
        return response

    def record(self, region, name, zone="ai.internal"):
        """The addresses of a zone's A record set, or None."""
        held = self.cloud.private_dns.zone(zone_id(region, zone)).record_sets
        found = [each for each in held if each.type == "A" and each.name == name]
        return sorted(found[0].addresses) if found else None

    async def finish_operations(self):
        """Let operations end; their events may still be on their way."""
        while (due := self.cloud.azure.next_due()) is not None:
            await asyncio.sleep(max(0.0, due - self.clock()))
            self.cloud.azure.advance()

    async def deliver_pending_events(self, seconds=0.0):
        """Let operations end and events be delivered."""
        await asyncio.sleep(seconds)
        await self.finish_operations()
        await self.event_grid.idle()

    def wrong_answers(self, drains=frozenset()):
        """Every (zone, name) whose A record set is not what the oracle says: got and expected."""
        world = self.cloud.world()
        got, want = held(world), expected(world, drains)
        return {key: (got.get(key), answer) for key, answer in want.items() if got.get(key) != answer}


def run_scenario(story, world, **options):
    """Run `story(stage)` in virtual time."""

    async def play(loop):
        stage = SimulatedDeployment(world, **options)
        return await story(stage)

    return in_virtual_time(play)


OURS = {"nearzone-owner": "nearzone"}


def answers(stage, name="llama"):
    return [stage.record(region, name) for region in REGIONS]


def orphans(count):
    return [
        {"name": f"old-{i}", "type": "A", "ttl": 30, "addresses": [f"10.1.9.{i}"], "metadata": OURS}
        for i in range(count)
    ]


def event(subject, kind="Microsoft.Resources.ResourceActionSuccess"):
    return json.dumps([{"eventType": kind, "subject": subject, "data": {"operationName": "x"}}][0])


def strip(stage, region, name):
    """The same addresses and TTL, written without metadata."""
    held = stage.arm("GET", f"{zone_id(region)}/A/{name}").content["properties"]
    stage.arm("PUT", f"{zone_id(region)}/A/{name}", {"properties": held | {"metadata": {}}})
