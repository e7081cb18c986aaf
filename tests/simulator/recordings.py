"""The recordings of real Azure traffic, read: which calls were made, when, and what Azure answered.

They are not part of the project. NEARZONE_RECORDINGS names their folder, which has `recordings`, `new/recordings` and
`samples`; without it, the folder is looked for beside the project. Tests that need recordings are skipped where there
are none.
"""

import ast
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

AZURE = Path(os.environ.get("NEARZONE_RECORDINGS") or Path(__file__).resolve().parents[3] / "shared" / "azure")
RECORDINGS = AZURE / "recordings"
NEW = AZURE / "new" / "recordings"
SAMPLES = AZURE / "samples"
CORPORA = {
    "azure-cli": RECORDINGS / "azure-cli",
    "azure-service-operator": RECORDINGS / "azure-service-operator",
    "azure-cli, new": NEW / "azure-cli",
    "azure-sdk-for-net, new": NEW / "azure-sdk-for-net",
}
"""Where the recordings of each recorder are; `new` are those that the simulator was not built from."""
AT_HAND = all(folder.is_dir() for folder in (*CORPORA.values(), SAMPLES))
MISSING = f"not all recordings of Azure are at {AZURE}: NEARZONE_RECORDINGS names the folder (simulator/README.md)"

present = pytest.mark.skipif(not AT_HAND, reason=MISSING)

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
_FRONT_DOOR_TIME = re.compile(r"Ref C: (\S+)")


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
        """The answer's body, decoded; the text itself when it is not JSON, and None when it is empty."""
        if not self.answer.strip():
            return None
        try:
            return json.loads(self.answer)
        except ValueError:
            return self.answer

    @cached_property
    def at(self) -> float | None:
        """When Azure answered, in seconds since 1970 at the precision of a second; None if no header says so.

        azure-service-operator's recorder removes `Date`; the time is in most answers' `X-Msedge-Ref`.
        """
        if "date" in self.answer_headers:
            return parsedate_to_datetime(self.answer_headers["date"]).timestamp()
        found = _FRONT_DOOR_TIME.search(self.answer_headers.get("x-msedge-ref", ""))
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp() if found else None

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


@dataclass(frozen=True)
class Recording:
    """One file of a recorder. `corpus`: a key of CORPORA."""

    name: str
    corpus: str
    interactions: list[Interaction]


def recordings() -> Iterator[Recording]:
    """All recordings with a call on a type that the simulator supports, by corpus and file name."""
    for corpus, folder in CORPORA.items():
        for path in sorted(folder.rglob("*.yaml")):
            interactions = read(path)
            if any(each.label not in {None, POLLS} for each in interactions):
                groups = {each.group for each in interactions} - {""}
                yield Recording(path.stem, corpus, [_narrowed(each, groups) for each in interactions])


def _narrowed(interaction: Interaction, groups: set[str]) -> Interaction:
    """A list of a whole subscription without what lies in resource groups that are none of the recording's.

    A page stays as it is: what is on the next one follows from all of it.
    """
    content = interaction.content
    if interaction.group or interaction.label is None or not isinstance(content, dict) or "value" not in content:
        return interaction
    if "nextLink" in content:
        return interaction
    mine = [each for each in content["value"] if each.get("id", "").lower().split("/")[4:5] in [[g] for g in groups]]
    return replace(interaction, answer=json.dumps({**content, "value": mine}))


def read(path: Path) -> list[Interaction]:
    """One recording, in either recorder's format."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return _in_order([_interaction(item) for item in yaml.load(path.read_bytes(), loader)["interactions"]])


def _in_order(interactions: list[Interaction]) -> list[Interaction]:
    """A call with a condition behind the answer of the same second that shows its etag.

    azure-sdk-for-net's recorder groups calls by method and URL, so that only their times give the order, in seconds.
    """
    found = list(interactions)
    for call in interactions:
        etag = call.headers.get("if-match")
        shown = [number for number, each in enumerate(found) if etag and each.answer_headers.get("etag") == etag]
        number = next(number for number, each in enumerate(found) if each is call)
        if shown and shown[0] > number and found[shown[0]].at == call.at:
            found.insert(shown[0], found.pop(number))
    return found


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
    if isinstance(body, str) and body.startswith(("b'", 'b"')):  # azure-cli's recorder wrote the repr of some bodies
        body = ast.literal_eval(body)
    return body.decode() if isinstance(body, bytes) else body or ""
