"""Says where an answer of the simulator differs from the recorded one.

What is random in a recording (etags, resource guids, operation ids) goes together with what the simulator made instead:
one recorded value, one of the simulator's, and the reverse. Everything else has to be equal, but for BEYOND.
"""

import base64
import fnmatch
import json
import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from recordings import POLLS, Interaction

from simulator.arm.front_door import Response

HEADERS = (
    "etag",
    "azure-asyncoperation",
    "location",
    "retry-after",
    "x-ms-failure-cause",
    "x-ms-ratelimit-remaining-subscription-resource-requests",
    "x-ms-ratelimit-remaining-subscription-resource-entities-read",
)
"""Headers that must be there exactly when they were recorded; the values of the last two are not compared."""

_MACHINES = "scale sets/properties/virtualMachineProfile"
BEYOND = {
    "what containers print, and where a command's terminal is": (
        "container groups/content",
        "container groups/webSocketUri",
        "container groups/password",
    ),
    "disks, images and installed software": (
        "VMs/properties/storageProfile",
        "VMs/properties/osProfile",
        *(
            f"VMs/properties/instanceView/{name}"
            for name in ("computerName", "osName", "osVersion", "hyperVGeneration", "disks", "vmAgent", "extensions")
        ),
        "scale-set instances/properties/storageProfile",
        f"{_MACHINES}/storageProfile",
        f"{_MACHINES}/osProfile",
    ),
    "machine properties that the simulator does not have": (
        "VMs/identity",
        "VMs/zones",
        "VMs/plan",
        "scale sets/identity",
    ),
    "written or extended by a policy of the recorder's subscription": (
        "*/tags/azsecpack",
        "*/tags/platformsettings*",
        f"{_MACHINES}/extensionProfile",
    ),
    "Azure leaves it out in some regions and sends false in others": (
        "NICs/properties/enableAcceleratedNetworking",
        f"{_MACHINES}/networkProfile/networkInterfaceConfigurations/[*]/properties/enableAcceleratedNetworking",
    ),
    "only in late recordings, whatever the api-version": (
        "VMs/properties/timeCreated",
        "NICs/properties/auxiliaryMode",
        "container groups/properties/containers/[*]/properties/configMap",
        "container groups/properties/isCreatedFromStandbyPool",
    ),
    "events inside containers": (
        "container groups/properties/containers/[*]/properties/instanceView/events",
        "operation polls/properties/events",
    ),
}
"""Fields that are not compared, in the terms of the table, by the reason; `[*]` is any item of a list."""
_BEYOND = re.compile("|".join(fnmatch.translate(each) for some in BEYOND.values() for each in some))

TIMES = {"startTime", "endTime", "finishTime", "timeCreated", "time"}
SHAPES = {
    "macAddress": re.compile(r"([0-9A-F]{2}-){5}[0-9A-F]{2}"),
    "internalFqdn": re.compile(r"[a-z]+\.[0-9a-z]{26}\.[a-z]+\.internal\.cloudapp\.net"),
    "internalDomainNameSuffix": re.compile(r"[0-9a-z]{26}\.[a-z]+\.internal\.cloudapp\.net"),
}
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


VARY = {
    ("VNets", "GET", "etag"): "8 of 14 answers to api-version 2020-11-01 lack it; these 8 are of 2026",
    ("NICs", "PUT", "azure-asyncoperation"): "the three writes of 2026 had completed when they were answered",
}
"""Headers that Azure sends at one time and not at another: their presence is not compared there."""


class Pairs:
    """Recorded GUIDs and the simulator's: each has one partner, from its first sight on."""

    def __init__(self) -> None:
        self.ours: dict[str, str] = {}
        self.recorded: dict[str, str] = {}

    def copy(self) -> "Pairs":
        other = Pairs()
        other.ours, other.recorded = dict(self.ours), dict(self.recorded)
        return other

    def translate(self, text: str) -> str:
        """A recorded text with the simulator's values."""
        return GUID.sub(lambda found: self.ours.get(found[0], found[0]), text)

    def join(self, where: str, recorded: str, ours: str) -> Iterator[str]:
        """Say what is wrong when two texts, GUIDs aside equal, are seen together."""
        for old, new in zip(GUID.findall(recorded), GUID.findall(ours), strict=True):
            if not old.strip("0-"):
                continue  # scrubbed by the recorder
            if self.ours.setdefault(old, new) != new:
                yield f"{where}: recorded {old} unchanged, ours changed to {new}"
            if self.recorded.setdefault(new, old) != old:
                yield f"{where}: ours {new} unchanged, recorded changed to {old}"
            self.ours[old], self.recorded[new] = new, old


class Comparison:
    """One answer beside the recorded one. `pairs` and `links` (recorded polling URL -> ours) learn from it."""

    def __init__(self, interaction: Interaction, pairs: Pairs) -> None:
        self.interaction = interaction
        self.pairs = pairs
        self.links: dict[str, str] = {}
        self._unordered = "clitest" in interaction.url or "cli_test" in interaction.url

    def differences(self, response: Response) -> list[str]:
        """Everything that differs; statuses alone when they do."""
        if response.status != self.interaction.status:
            return [f"status {response.status} instead of {self.interaction.status} ({response.content})"]
        ours = {name.lower(): value for name, value in response.headers.items()}
        found = list(self._of_headers(ours))
        return found + list(self._of_bodies("", self.interaction.content, response.content))

    def _of_headers(self, ours: dict[str, str]) -> Iterator[str]:
        theirs = self.interaction.answer_headers
        for name in HEADERS:
            if name == "retry-after" and name not in theirs:
                continue  # azure-cli's recorder strips it
            if (name in theirs) != (name in ours):
                if (self.interaction.label, self.interaction.method, name) in VARY:
                    continue
                yield f"header {name}: {ours.get(name)} instead of {theirs.get(name)}"
            elif name == "etag" and name in theirs:
                yield from self._of_texts(f"header {name}", theirs[name], ours[name])
            elif name == "retry-after" and theirs[name] != ours[name] and not self._estimate:
                yield f"header {name}: {ours[name]} instead of {theirs[name]}"
            elif name in {"azure-asyncoperation", "location"} and name in theirs:
                if _shape(theirs[name]) != _shape(ours[name]):
                    yield f"header {name}: {ours[name]} instead of {theirs[name]}"
                self.links[theirs[name].replace(":443/", "/")] = self.links[theirs[name]] = ours[name]

    def _of_bodies(self, where: str, recorded: Any, ours: Any) -> Iterator[str]:
        if isinstance(recorded, dict) and isinstance(ours, dict):
            yield from self._of_objects(where, recorded, ours)
        elif isinstance(recorded, list) and isinstance(ours, list) and len(recorded) == len(ours):
            if where == "/value" and self._unordered:  # the recorder replaced the names by which Azure had ordered
                recorded, ours = (sorted(items, key=lambda item: item["id"].lower()) for items in (recorded, ours))
            for pair in zip(recorded, ours, strict=True):
                yield from self._of_bodies(f"{where}/*", *pair)
        elif isinstance(recorded, str) and isinstance(ours, str):
            yield from self._of_texts(where, recorded, ours)
        elif recorded != ours:
            yield f"{where or 'body'}: {ours!r} instead of {recorded!r}"

    def _of_objects(self, where: str, recorded: dict[str, Any], ours: dict[str, Any]) -> Iterator[str]:
        for name in sorted(recorded.keys() | ours.keys()):
            step = f"{where}/{name}"
            if self._beyond(step):
                continue
            if name not in ours and self._all_beyond(step, recorded[name]):
                continue
            if name not in ours:
                yield f"{step}: missing, recorded {json.dumps(recorded[name])}"
            elif name not in recorded:
                yield f"{step}: not recorded, ours {json.dumps(ours[name])}"
            else:
                yield from self._of_fields(step, name, recorded[name], ours[name])

    def _of_fields(self, step: str, name: str, recorded: Any, ours: Any) -> Iterator[str]:
        shape = SHAPES.get(name) or (_TIME if name in TIMES else None)
        if name == "internalId":
            if _internal_shape(recorded) != _internal_shape(ours):
                yield f"{step}: {ours} is not of the form of {recorded}"
        elif name == "ip" and _is_public(recorded) and _is_public(ours):
            return  # given out at random
        elif shape and isinstance(recorded, str) and isinstance(ours, str):
            if recorded != ours and not (shape.fullmatch(recorded) and shape.fullmatch(ours)):
                yield f"{step}: {ours} is not of the form of {recorded}"
        else:
            yield from self._of_bodies(step, recorded, ours)

    def _of_texts(self, where: str, recorded: str, ours: str) -> Iterator[str]:
        if GUID.sub("guid", recorded) != GUID.sub("guid", ours):
            yield f"{where}: {ours!r} instead of {recorded!r}"
        else:
            yield from self.pairs.join(where, recorded, ours)

    @property
    def _estimate(self) -> bool:
        """Whether Retry-After is the compute provider's guess of how long an operation goes on: not compared."""
        return self.interaction.label == POLLS and self.interaction.parts[0].lower() == "microsoft.compute"

    def _all_beyond(self, step: str, recorded: Any) -> bool:
        """Whether an object holds only fields that are not compared, such as the tags that a policy has written."""
        return (
            isinstance(recorded, dict) and bool(recorded) and all(self._beyond(f"{step}/{each}") for each in recorded)
        )

    def _beyond(self, step: str) -> bool:
        return _BEYOND.fullmatch(f"{self.interaction.label}{step.removeprefix('/value/*')}") is not None


def _shape(url: str) -> str:
    parts = urlsplit(url)
    version = dict(parse_qsl(parts.query)).get("api-version")
    path = parts.path.rsplit("/", 1)[0].lower()  # a location is spelt in some as the client had spelt it
    return f"{parts.hostname}{path}?api-version={version}"


def _internal_shape(internal_id: str) -> str:
    return re.sub(r"[0-9a-f]{4,}", "x", base64.b64decode(internal_id).decode())


def _is_public(address: Any) -> bool:
    return isinstance(address, str) and not ip_address(address).is_private
