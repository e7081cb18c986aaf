"""How resources that something unsupported has made (template deployments, ...) enter the simulator of a replay.

Each is written by a PUT of the body that the first recorded GET shows, after what it needs; what is needed and shown
only later, or never, is taken from there, or made up (a network of the shape that azure-cli's templates give). A
uniform scale set grows by one instance after the other, each with its recorded number: Azure makes more than asked
for, and deletes some again. A flexible one makes its own VMs. Zones of other clients enter with a page of all zones.

What the programs in containers do does not follow from any call: they end when they have ended in the recording.
"""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

from recordings import Interaction, label_of

from simulator.arm.front_door import Request, Response
from simulator.cloud import SimulatedAzure

ENTERING = {
    "VNets",
    "subnets",
    "NICs",
    "VMs",
    "load balancers",
    "public addresses",
    "Application Gateways",
    "private endpoints",
    "container groups",
    "scale sets",
    "scale-set instances",
}
"""Whatever else is there (instances, a private endpoint's NIC, an SOA) is made by the simulator itself."""
READ_ONLY = {
    "etag",
    "instanceView",
    "provisioningState",
    "resourceGuid",
    "timeCreated",
    "vmId",
    "macAddress",
    "resources",
}

_NEEDED = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/"
    r"(?:virtualNetworks/[^/\"]+/subnets|networkInterfaces|publicIPAddresses|loadBalancers)/[^/\"]+",
    re.IGNORECASE,
)
_TAKES_ADDRESSES = re.compile("/(networkInterfaces|loadBalancers)/")
_ACTIONS = {"PowerState/deallocated": "deallocate", "PowerState/stopped": "powerOff"}


class Entrance:
    """Lets resources enter one simulator. `send` answers a request; `settle` waits for the end of all operations."""

    def __init__(
        self,
        interactions: list[Interaction],
        send: Callable[[Request], Response],
        settle: Callable[[], None],
        cloud: SimulatedAzure,
    ) -> None:
        self.failed: list[str] = []
        """What the simulator refused to take in."""
        self._interactions = interactions
        self._send = send
        self._settle = settle
        self._sets = cloud.compute.scale_sets.sets
        self._groups = cloud.container_groups
        self._ensure_group = cloud.azure.ensure_group
        self._occupy = cloud.network.occupy
        self._made: set[str] = set()
        self._shown_later: set[str] = set()

    def strangers(self, interaction: Interaction) -> dict[str, dict[str, Any]]:
        """What an answer shows and the simulator has never had, and what entered only because something needed it."""
        others_zones = interaction.label == "zones" and not interaction.group
        if interaction.label not in ENTERING and not others_zones:
            return {}
        return {
            id_: body
            for id_, body in interaction.shown.items()
            if id_.lower() in self._shown_later
            or (id_.lower() not in self._made and not self._is_there(id_) and not self._of_flexible_set(id_, body))
        }

    def _of_flexible_set(self, resource_id: str, body: dict[str, Any]) -> bool:
        """Whether the simulator has made this VM by itself, under a random name of its own."""
        owner = body.get("properties", {}).get("virtualMachineScaleSet", {}).get("id", "")
        name = owner.rpartition("/")[2]
        return bool(re.fullmatch(rf".*/{re.escape(name)}_[0-9a-f]{{8}}", resource_id)) and self._is_there(owner)

    def enter(self, number: int, interaction: Interaction) -> None:
        """Let in what an answer shows; `number`: its place in the recording."""
        for id_, body in self.strangers(interaction).items():
            if id_.lower() not in self._made:
                self._make(number, id_, body)
            self._shown_later.discard(id_.lower())

    def enter_set(self, number: int, interaction: Interaction) -> None:
        """Let in the scale set of an instance or a NIC, if no answer shows it: as its instances say that it is."""
        scope, _, name = interaction.path.partition("/virtualMachineScaleSets/")
        path = f"{scope}/virtualMachineScaleSets/{name.partition('/')[0]}"
        shown = self._instances(number, path)
        if shown and path.lower() not in self._made and not self._is_there(path):
            ids = {each["id"].lower() for each in shown}
            self._shown_later |= ids
            self._made |= ids
            self._make(number, shown[0]["id"].rpartition("/virtualMachines/")[0], _set_of(shown))

    def _instances(self, number: int, set_id: str) -> list[dict[str, Any]]:
        """The instances of a scale set in the next answer that shows them."""
        path = f"{set_id}/virtualMachines".lower()
        shown = (list(each.shown.values()) for each in self._interactions[number:] if each.path.lower() == path)
        return next(filter(None, shown), [])

    def _grow(self, number: int, resource_id: str, body: dict[str, Any]) -> None:
        shown = self._instances(number, resource_id)
        self._put(resource_id, {**body, "sku": {**body["sku"], "capacity": 0}} if shown else body)
        for capacity, each in enumerate(shown, 1):
            scale_set = self._sets.find(resource_id)
            scale_set.next_number = int(each["instanceId"])
            self._ask("PATCH", resource_id, json.dumps({"sku": {"capacity": capacity}}).encode())

    def know(self, resource_id: str) -> None:
        """The simulator has had this by itself: when it is gone, it does not enter."""
        self._made.add(resource_id.lower())

    def _is_there(self, resource_id: str) -> bool:
        return self._send(Request("GET", resource_id, {"api-version": "2024-03-01"})).status == 200

    def _make(self, number: int, resource_id: str, body: dict[str, Any]) -> None:
        self._made.add(resource_id.lower())
        goes_on = "/applicationGateways/" in resource_id and body["properties"]["provisioningState"] == "Updating"
        if "/privateDnsZones/" in resource_id:
            self._ensure_group(*resource_id.split("/")[2:5:2])
        body = _writable(body)
        user = body.get("properties", {}).pop("ipConfiguration", None) if "/publicIPAddresses/" in resource_id else None
        self._need_all(number, resource_id, body)
        if "/virtualMachineScaleSets/" in resource_id:
            self._grow(number, resource_id, body)
            return
        if "/networkInterfaces/" in resource_id:
            body["properties"].pop("virtualMachine", None)
        if _TAKES_ADDRESSES.search(resource_id) and (fixed := _with_fixed_addresses(body)):
            self._put(resource_id, fixed)
        self._put(resource_id, body, settle=not goes_on)
        self._need_all(number, resource_id, user)

    def _need_all(self, number: int, resource_id: str, body: Any) -> None:
        """Make what a body names."""
        for needed in dict.fromkeys(_NEEDED.findall(json.dumps(body))):
            if not needed.lower().startswith(resource_id.lower()) and needed.lower() not in self._made:
                self._need(number, needed)

    def _need(self, number: int, needed: str) -> None:
        if self._is_there(needed):
            return
        owner = needed.partition("/subnets/")[0]
        for interaction in self._interactions[number:]:
            for id_, body in interaction.shown.items():
                if (
                    id_.lower() in {owner.lower(), needed.lower()}
                    and id_.lower() not in self._made
                    and interaction.label in ENTERING
                ):
                    self._shown_later.add(id_.lower())
                    self._make(number, id_, body)
                    if self._is_there(needed):
                        return
        if "/loadBalancers/" not in needed:  # the others do not exist without what they need
            self._invent(number, needed)

    def _invent(self, number: int, needed: str) -> None:
        """Something that the recording names and never shows."""
        self._made.add(needed.lower())
        vnet, _, name = needed.partition("/subnets/")
        subnet = {"name": name, "properties": {"addressPrefix": "10.0.0.0/24"}}
        if name and self._is_there(vnet):
            self._put(needed, subnet)
        elif "/publicIPAddresses/" in needed:
            self._put(needed, {"location": "westus", "properties": {}})
        elif name:
            space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]}
            self._put(vnet, {"location": "westus", "properties": space})
            self._made.add(vnet.lower())
        else:
            network = f"{needed.rsplit('/', 2)[0]}/virtualNetworks/invented/subnets/invented"
            if not self._is_there(network):
                self._invent(number, network)
            address = {"name": "ipconfig1", "properties": {"subnet": {"id": network}}}
            self._put(needed, {"location": "westus", "properties": {"ipConfigurations": [address]}})

    def _put(self, resource_id: str, body: dict[str, Any], *, settle: bool = True) -> None:
        self._ask("PUT", resource_id, json.dumps(body).encode(), settle=settle)

    def occupy(self, interaction: Interaction) -> None:
        """Put into subnets the configurations that an answer shows of what the simulator does not have.

        That is a type, such as a gateway, or a scale set that no answer shows.
        """
        for id_, body in interaction.shown.items() if interaction.label in {"VNets", "subnets"} else ():
            subnets = [body] if "/subnets/" in id_ else body.get("properties", {}).get("subnets", ())
            for subnet in subnets:
                shown = [each["id"] for each in subnet["properties"].get("ipConfigurations", ())]
                if strange := [each for each in shown if self._is_strange(each)]:
                    self._occupy(subnet["id"], strange)

    def _is_strange(self, configuration: str) -> bool:
        owner = configuration.rpartition("/ipConfigurations/")[0]
        scale_set = owner.partition("/virtualMachines/")[0]
        return label_of(owner) is None or (scale_set != owner and not self._is_there(scale_set))

    def power(self, interaction: Interaction) -> None:
        """Bring a VM that has entered into the power state that its instance view shows."""
        for id_, body in interaction.shown.items():
            statuses = body.get("properties", {}).get("instanceView", {}).get("statuses", [])
            for code in {each["code"] for each in statuses} & _ACTIONS.keys():
                self._ask("POST", f"{id_}/{_ACTIONS[code]}", b"")

    def containers(self, interaction: Interaction) -> None:
        """Let containers end that have ended in the recording: what they run is not simulated."""
        for id_, body in interaction.shown.items():
            there = self._groups.all.find(id_)
            for each in body.get("properties", {}).get("containers", []) if there else []:
                view = each["properties"].get("instanceView", {})
                now = view.get("currentState", {})
                end = now if now.get("state") == "Terminated" else view.get("previousState", {})
                runs = there.containers.get(each["name"])
                if "exitCode" in end and there.state == "Running" and runs is not None and runs.state == "Running":
                    self._groups.finish(id_, each["name"], end["exitCode"])

    def _ask(self, method: str, path: str, body: bytes, *, settle: bool = True) -> None:
        response = self._send(Request(method, path, {"api-version": "2024-03-01"}, {}, body))
        if response.status >= 300:
            self.failed.append(f"{method} {path}: {response.status} {response.content}")
        if settle:
            self._settle()


def _with_fixed_addresses(body: dict[str, Any]) -> dict[str, Any]:
    """A NIC or load balancer that keeps, as static ones, the private addresses that were given out dynamically."""
    fixed = copy.deepcopy(body)
    found = [
        each["properties"]
        for section in ("ipConfigurations", "frontendIPConfigurations")
        for each in fixed.get("properties", {}).get(section, ())
        if "privateIPAddress" in each["properties"]
    ]
    for each in found:
        each["privateIPAllocationMethod"] = "Static"
    return fixed if found else {}


def _set_of(instances: list[dict[str, Any]]) -> dict[str, Any]:
    """The scale set that has such instances."""
    first = instances[0]
    properties = first["properties"]
    system = {key: value for key, value in properties["osProfile"].items() if key != "computerName"}
    prefix = properties["osProfile"]["computerName"][:-6]
    profile = {
        "networkProfile": properties["networkProfileConfiguration"],
        "storageProfile": properties["storageProfile"],
        "osProfile": {**system, "computerNamePrefix": prefix},
    }
    return {
        "location": first["location"],
        "tags": first["tags"],
        "sku": {**first["sku"], "capacity": len(instances)},
        "properties": {"orchestrationMode": "Uniform", "virtualMachineProfile": profile},
    }


def _writable(body: Any) -> Any:
    """A served body as a client would write it."""
    if isinstance(body, dict):
        return {name: _writable(value) for name, value in body.items() if name not in READ_ONLY}
    return [_writable(each) for each in body] if isinstance(body, list) else body
