"""A small world that is already right, and what must stay so in it whatever comes in."""

import asyncio
import re
from dataclasses import replace
from itertools import product
from random import Random
from urllib.parse import unquote, urlsplit

from shared.domain.endpoints import State
from simulator.arm.front_door import ArmError
from simulator.front_ends.transport import SimulatorTransport
from simulator.timing.latency import Latency
from tests.support.deployment import GROUP, REGIONS, SUB, SimulatedDeployment, a_vm, a_world, zone_id

SWEEP_REQUESTS = 150
"""Of a sweep of this world, with the writes at the beginning."""
ARM = "https://management.azure.com"
OTHER_SUB = "22222222-2222-4222-8222-222222222222"
FOREIGN = [
    {"name": "db", "type": "A", "ttl": 300, "addresses": ["10.9.9.9"], "metadata": {"team": "data"}},
    {"name": "auto", "type": "A", "ttl": 10, "addresses": ["10.1.0.99"], "auto_registered": True},
    {"name": "embed", "type": "A", "ttl": 60, "addresses": ["10.9.9.8"]},
]
"""Record sets of others. VMs claim `auto` and `embed` all the same: an adoption of `embed` would write."""


def elsewhere(vm):
    """The same VM in a subscription that is not watched."""
    nics = [nic | {"id": nic["id"].replace(SUB, OTHER_SUB)} for nic in vm["nics"]]
    return vm | {"id": vm["id"].replace(SUB, OTHER_SUB), "nics": nics}


VMS = (
    a_vm("gpu-1", "eastus", 11),
    a_vm("Kiosk-2", "westeurope", 12, "llama,chat", group="Ranking-(k)"),
    a_vm("gpu-3", "southeastasia", 13, "chat, embed, auto"),
    a_vm("gpu-4", "southeastasia", 14, power="deallocated"),
    a_vm("gpu-5", "eastus", 15, "mistral", power="stopped"),
    a_vm("gpu-6", "eastus", 16, health="unhealthy"),
    a_vm("gpu-7", "westeurope", 17, **{"nearzone-drain": "true"}),
    a_vm("laptop", "eastus", 18, None),
    a_vm("thief", "eastus", 19, "secret", group="play"),
    a_vm("vault-1", "westeurope", 20, "chat", group="locked"),
    elsewhere(a_vm("alien", "eastus", 21)),
)
WORLD = a_world(
    *VMS,
    records=FOREIGN,
    CLAIMS={"*": [SUB, OTHER_SUB], "secret": [f"{GROUP}/vaults"]},
    POLICIES={"llama": {"min_endpoints": 2}, "mistral": {"fallback": ["10.9.0.1"]}},
)
COUNTERS = 10
"""Words in which the app counts events: outcomes, never their text."""
IDS = {vm["id"].lower() for vm in VMS}
NAMES = ("llama", "chat", "embed", "mistral", "secret", "db", "auto", "gpu-1", "kiosk-2", "nobody")

_SEGMENT = r"(?!\.{1,2}(?:/|$))(?:[\w.()-](?<![\u0130\u03f4\u2126\u212a\u212b])){1,260}"
"""A name that Azure could have given: letters of any alphabet, but none that only `lower()` takes for another."""
_TYPES = "|".join(
    re.escape(each)
    for each in (
        "Microsoft.ApiManagement/service",
        "Microsoft.App/managedEnvironments",
        "Microsoft.Compute/virtualMachines",
        "Microsoft.Compute/virtualMachineScaleSets",
        "Microsoft.ContainerInstance/containerGroups",
        "Microsoft.Network/applicationGateways",
        "Microsoft.Network/loadBalancers",
        "Microsoft.Network/networkInterfaces",
        "Microsoft.Network/privateEndpoints",
    )
)
_ONE = re.compile(
    rf"(?ai:/subscriptions/{SUB}/resourceGroups)/{_SEGMENT}(?ai:/providers"
    rf"/(?:{_TYPES}))/{_SEGMENT}(?:(?ai:/virtualMachines)/{_SEGMENT})?"
)
_GROUP = re.compile(rf"(?ai:/subscriptions)/[\w-]+/(?ai:resourceGroups)/{_SEGMENT}/resources")
_ALL = re.compile(rf"/subscriptions/{SUB}/providers/({_TYPES})")
_ZONES = "|".join(re.escape(zone_id(region)) for region in REGIONS)
_AROUND = re.compile(
    rf"({_ZONES})(/SOA/@|/(A|AAAA|CNAME)/(\*|%2A)|/virtualNetworkLinks)?|(?i:{GROUP}/net/providers/Microsoft\.Network/virtualNetworks/vnet-[a-z]+)"
    rf"|(({_ZONES})|{GROUP}/dns-[a-z]+|/subscriptions/{SUB})/providers/Microsoft\.Authorization/(locks|permissions)"
)
"""What the preflight looks at."""
_RECORDS = re.compile(rf"({_ZONES})/A(/[a-z0-9]([a-z0-9-]{{0,61}}[a-z0-9])?)?")


def refusal(path, *, locked=True):
    """What Azure has against a path: one group may not be read, one is throttled, and no name is of another alphabet.

    Azure was seen to ignore the case of ids; that it takes a Kelvin sign for a k is not known, so it does not here.
    """
    if not path.isascii():
        return ArmError(404, "ResourceNotFound", "The Resource was not found.").response
    if locked and "/resourcegroups/locked/" in path.lower():
        return ArmError(403, "AuthorizationFailed", "The client does not have authorization.").response
    if "/resourcegroups/busy/" in path.lower():
        return ArmError(429, "TooManyRequests", "Slower.", wrapped=False, headers={"retry-after": "5"}).response
    return None


class Broken(AssertionError):
    """A promise was broken; the message says which."""


def shapeless(path):
    """Why a path, decoded, is none that the loop has a use for, or None."""
    known = any(shape.fullmatch(path) for shape in (_ONE, _ALL, _GROUP, _AROUND, _RECORDS))
    return None if known else f"path of no known shape: {path!r}"


def astray(url):
    """Why a URL, as it is sent, is none that the loop has a use for, or None."""
    parts = urlsplit(url)
    path = unquote(parts.path, errors="strict")
    if f"{parts.scheme}://{parts.netloc}" != ARM:
        return f"foreign host: {url!r}"
    if path.count("/") != parts.path.count("/") or parts.fragment:
        return f"path that hides another: {url!r}"
    return shapeless(path)


class EgressGuard(SimulatorTransport):
    """The way out, which keeps what has no business on it."""

    def __init__(self, *args):
        super().__init__(*args)
        self.asked, self.strayed = [], []

    async def send(self, request, **kwargs):
        self.asked.append(urlsplit(request.url).path)
        if reason := astray(request.url):
            self.strayed.append(reason)
        return await super().send(request, **kwargs)


class SteadyState(SimulatedDeployment):
    """A stage whose zones are right. `check` after each input, `verify` now and then, `forget` at the end."""

    def __init__(self, *, locked=True):
        self.locked = False
        super().__init__(WORLD, latency=0.0, faults=self._refuse)
        self._lock = locked
        self.known = {}

    @classmethod
    async def made(cls, **options):
        stage = cls(**options)
        await stage.app.correct_drift()
        stage.locked = stage._lock
        stage.known = {row.value.endpoint.key: row.value.endpoint for row in await stage.app.catalog.endpoints()}
        stage.request_log.writes.clear()
        await stage.check(SWEEP_REQUESTS)
        await stage.verify()
        return stage

    def restart(self, catalog=None, **changed):
        self.transport = EgressGuard(self.request_log, Latency(Random(0), 0.0), self._fault)
        super().restart(catalog, **changed)

    def _refuse(self, request):
        return refusal(request.path, locked=self.locked)

    async def check(self, most):
        """Nothing was written, nothing went astray, and the work was bounded; gives what was asked of ARM.

        Waits for what an input has begun and left behind, such as early reads.
        """
        while begun := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(begun)
        asked, strayed, writes = list(self.transport.asked), list(self.transport.strayed), list(self.request_log.writes)
        for each in (self.transport.asked, self.transport.strayed, self.request_log.requests, self.request_log.writes):
            each.clear()
        if strayed or writes:
            raise Broken("; ".join((*strayed[:1], *(f"wrote {each}" for each in writes[:1]))))
        if len(asked) > most:
            raise Broken(f"{len(asked)} requests, more than {most}")
        return asked

    async def verify(self):
        """The zones are as the oracle wants them, and the catalog knows nothing but the truth."""
        if wrong := self.wrong_answers():
            raise Broken(f"a zone is wrong: {wrong}")
        for each, region in product(FOREIGN, REGIONS):
            if self.record(region, each["name"]) != each["addresses"]:
                raise Broken(f"the record set of others {each['name']!r} has changed in {region}")
        catalog = self.app.catalog
        for stored in await catalog.endpoints():
            self._verify_row(stored.value.endpoint)
        for zone in self.app.settings.zones:
            if dirty := await catalog.dirty(zone.key):
                raise Broken(f"{dirty[0].value.name!r} stays dirty")
        claimed = {name for endpoint in self.known.values() for name in endpoint.names}
        if strange := {row.value.name for row in await catalog.indexed()} - claimed:
            raise Broken(f"the index has names that nobody claims: {sorted(strange)[:3]}")
        if await catalog.overrides():
            raise Broken("a drain override out of nowhere")
        if len(self.app.events) > COUNTERS:
            raise Broken(f"counters by what events say: {list(self.app.events)[:COUNTERS]}")

    def _verify_row(self, row):
        if row.key in self.known:
            if row != replace(self.known[row.key], doubt=row.doubt, health=row.health):
                raise Broken(f"the row of a known endpoint has changed: {row}")
        elif row.names or (row.key not in IDS and (row.addresses or row.state not in (State.GONE, State.UNKNOWN))):
            raise Broken(f"a row of nobody says something: {row}")
        elif not _ONE.fullmatch(row.id):
            raise Broken(f"a row with a strange id: {row.id!r}")

    async def pass_time(self, seconds=600.0):
        """Let time go by, with a drain and a sweep at its end that have nothing to do."""
        await asyncio.sleep(seconds)
        for report in (await self.app.drain(), await self.app.correct_drift()):
            if report.refusals or report.changes:
                raise Broken(f"a timer had something to do: {report.as_json()}")

    async def forget(self, _):
        """After two quiet hours the catalog holds no more than at the beginning."""
        for _ in range(13):
            await self.pass_time()
        await self.check(SWEEP_REQUESTS * 26)
        extra = {row.value.endpoint.key for row in await self.app.catalog.endpoints()} - self.known.keys()
        if extra:
            raise Broken(f"{len(extra)} rows of nobody stay in the catalog, such as {min(extra)}")
        return "all of nobody's rows are gone"
