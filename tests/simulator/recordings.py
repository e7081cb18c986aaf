"""The recordings of real Azure traffic, read: which calls were made, and what Azure answered.

They are no part of the project: they lie where NEARZONE_RECORDINGS says (the folder that holds `recordings` and
`samples`), or beside the project. Tests that need them are skipped where there are none.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

AZURE = Path(os.environ.get("NEARZONE_RECORDINGS") or Path(__file__).resolve().parents[3] / "shared" / "azure")
RECORDINGS = AZURE / "recordings"
SAMPLES = AZURE / "samples"
MISSING = f"no recordings of Azure at {AZURE}: set NEARZONE_RECORDINGS to the folder that has recordings and samples"

present = pytest.mark.skipif(not (RECORDINGS.is_dir() and SAMPLES.is_dir()), reason=MISSING)

DNS = "Microsoft.Network/privateDnsZones"
API_CONTENT = ("apis", "apiVersionSets", "products", "namedValues")
"""What a service holds below itself, as recorded: the APIs that it serves, which the simulator does not have."""
LABELS = {
    DNS: "zones",
    f"{DNS}/A": "A record sets",
    **dict.fromkeys(
        (f"{DNS}/{kind}" for kind in ("AAAA", "CNAME", "MX", "PTR", "SOA", "SRV", "TXT")), "other record sets"
    ),
    f"{DNS}/ALL": "lists of all types",
    f"{DNS}/virtualNetworkLinks": "links",
    "Microsoft.Compute/virtualMachines": "VMs",
    "Microsoft.Compute/virtualMachines/extensions": "extensions",
    "Microsoft.Compute/virtualMachineScaleSets/extensions": "extensions",
    "Microsoft.Network/networkInterfaces": "NICs",
    "Microsoft.Network/virtualNetworks": "VNets",
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings": "peerings",
    "Microsoft.Network/virtualNetworks/subnets": "subnets",
    "Microsoft.Network/loadBalancers": "load balancers",
    "Microsoft.Network/publicIPAddresses": "public addresses",
    "Microsoft.Network/applicationGateways": "Application Gateways",
    "Microsoft.Network/privateEndpoints": "private endpoints",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "zone groups",
    "Microsoft.ContainerInstance/containerGroups": "container groups",
    "Microsoft.ApiManagement/service": "API Management",
    **dict.fromkeys(f"Microsoft.ApiManagement/service/{each}" for each in API_CONTENT),
    "Microsoft.Compute/virtualMachineScaleSets": "scale sets",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines": "scale-set instances",
    "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces": "scale-set NICs",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces": "scale-set NICs",
}
"""What the simulator supports, as the table names it. Actions and whatever is below a resource count with it."""
POLLS = "operation polls"
_LABELS = {kind.lower(): label for kind, label in LABELS.items()}
_POLLED = ("/locations/operations", "/locations/operationresults", "/privatednsoperation", "/service/operationresults")


def _label(kind: str) -> str | None:
    kind = kind.lower()
    while kind and kind not in _LABELS:  # what is below a resource counts with it
        kind = kind.rpartition("/")[0]
    return _LABELS.get(kind)


def label_of(resource_id: str) -> str | None:
    """The line of the table for a resource, or None for a type that the simulator does not support."""
    namespace, *pairs = re.split("/providers/", resource_id, flags=re.IGNORECASE)[-1].split("/")
    return _label("/".join([namespace, *pairs[::2]]))


@dataclass(frozen=True)
class Interaction:
    """One recorded request and its answer; header names in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    body: str
    status: int
    answer_headers: dict[str, str]
    answer: str

    @cached_property
    def path(self) -> str:
        return unquote(urlsplit(self.url).path)

    @cached_property
    def parts(self) -> tuple[str, list[str], list[str]]:
        """Namespace, types and names of the resource path; an empty namespace for anything else."""
        scope, found, rest = self.path.strip("/").rpartition("/providers/")
        if not found or not scope or urlsplit(self.url).hostname != "management.azure.com":
            return "", [], []
        namespace, *pairs = rest.split("/")
        return namespace, pairs[::2], pairs[1::2]

    @cached_property
    def type(self) -> str:
        """The type that is called, an action's that of its resource."""
        namespace, types, _ = self.parts
        if self.method == "POST":
            types = types[:-1]
        return "/".join([namespace, *types])

    @cached_property
    def group(self) -> str:
        """The resource group in lower case; empty for a call on a whole subscription."""
        parts = self.path.lower().split("/")
        return parts[4] if len(parts) > 4 and parts[3] == "resourcegroups" else ""

    @cached_property
    def label(self) -> str | None:
        """The line of the table, or None for a type that the simulator does not support."""
        if self.method == "GET" and any(each in f"/{'/'.join(self.parts[1])}".lower() for each in _POLLED):
            return POLLS
        return _label(self.type)

    @cached_property
    def content(self) -> Any:
        """The answer's body, decoded; None when it is empty."""
        return json.loads(self.answer) if self.answer.strip() else None

    @property
    def error(self) -> str:
        """The answer's error code, or empty."""
        found = self.content.get("error", self.content) if isinstance(self.content, dict) else {}
        return found.get("code", "") if self.status >= 400 else ""

    @cached_property
    def shown(self) -> dict[str, dict[str, Any]]:
        """The resources that the answer to a GET shows, by id."""
        if self.method != "GET" or self.status != 200 or not isinstance(self.content, dict):
            return {}
        found = self.content.get("value", [self.content])
        return {each["id"]: each for each in found if isinstance(each, dict) and "id" in each and "name" in each}


def recordings() -> Iterator[tuple[str, list[Interaction]]]:
    """All recordings with a call on a type that the simulator supports, by file name."""
    for path in sorted(RECORDINGS.rglob("*.yaml")):
        interactions = read(path)
        if any(each.label not in {None, POLLS} for each in interactions):
            groups = {each.group for each in interactions} - {""}
            yield path.stem, [_narrowed(each, groups) for each in interactions]


def _narrowed(interaction: Interaction, groups: set[str]) -> Interaction:
    """A list of a whole subscription without what lies in resource groups that are none of the recording's."""
    if interaction.group or interaction.label is None or "value" not in (interaction.content or {}):
        return interaction
    mine = [
        each
        for each in interaction.content["value"]
        if each.get("id", "").lower().split("/")[4:5] in [[g] for g in groups]
    ]
    return replace(interaction, answer=json.dumps({**interaction.content, "value": mine}))


def read(path: Path) -> list[Interaction]:
    """One recording, in either recorder's format."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [_interaction(item) for item in yaml.load(path.read_bytes(), loader)["interactions"]]


def _interaction(item: dict[str, Any]) -> Interaction:
    request, response = item["request"], item["response"]
    status = response["status"]["code"] if isinstance(response["status"], dict) else response["code"]
    answer = response.get("body") or ""
    return Interaction(
        request["method"],
        request.get("uri") or request["url"],
        _headers(request),
        _text(request.get("body")),
        status,
        _headers(response),
        _text(answer["string"] if isinstance(answer, dict) else answer),
    )


def _headers(message: dict[str, Any]) -> dict[str, str]:
    found = (message.get("headers") or {}).items()
    return {name.lower(): value[0] if isinstance(value, list) else value for name, value in found}


def _text(body: str | bytes | None) -> str:
    return body.decode() if isinstance(body, bytes) else body or ""
