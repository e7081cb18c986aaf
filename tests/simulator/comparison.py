"""Says where an answer of the simulator differs from the recorded one.

What is random in a recording (etags, resource guids, operation ids) goes together with what the simulator made instead:
one recorded value, one of the simulator's, and the reverse. Everything else has to be equal, but for BEYOND and for
what an older Azure did differently (`eras.py`).
"""

import base64
import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from eras import ABSENT, ERAS
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
"""Headers that must be there exactly when they were recorded; the values of the last two are not compared.

`countdowns.py` compares the steps of countdowns. The other ones must be there when they were recorded: the simulator
sends those of all years.
"""
_COUNTDOWN = "x-ms-ratelimit-remaining-"

_MACHINES = "scale sets/properties/virtualMachineProfile"
BEYOND = {
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
        "VMs/properties/instanceView/maintenanceRedeployStatus",
        "VMs/properties/instanceView/platformFaultDomain",
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
    "decided by the api-version of a creation that is not recorded": ("public addresses/properties/ddosSettings",),
    "what containers print, and where a command's terminal is": (
        "container groups/content",
        "container groups/webSocketUri",
        "container groups/password",
    ),
    "the content of certificates": ("Application Gateways/properties/sslCertificates/[*]/properties/publicCertData",),
    "events inside containers": (
        "container groups/properties/containers/[*]/properties/instanceView/events",
        "operation polls/properties/events",
    ),
}
"""Fields that are not compared, in the terms of the table, by the reason; `[*]` is any item of a list."""
_BEYOND = re.compile("|".join(fnmatch.translate(each) for some in BEYOND.values() for each in some))

TIMES = {
    "startTime",
    "endTime",
    "finishTime",
    "timeCreated",
    "time",
    "createdAt",
    "createdAtUtc",
    "lastModifiedAt",
}
PUBLIC_ADDRESSES = {"ip", "ipAddress", "publicIPAddresses", "outboundPublicIPAddresses"}
SHAPES = {
    "macAddress": re.compile(r"([0-9A-F]{2}-){5}[0-9A-F]{2}"),
    "internalFqdn": re.compile(r"[a-z]+\.[0-9a-z]{26}\.[a-z]+\.internal\.cloudapp\.net"),
    "internalDomainNameSuffix": re.compile(r"[0-9a-z]{26}\.[a-z]+\.internal\.cloudapp\.net"),
}
RANDOM = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=_)[0-9a-f]{8}(?![0-9a-z])|\bAAAAAA[\w+/]{5}="
)
"""What Azure draws: GUIDs, the end of the name of a flexible scale set's VM (`set_1a2b3c4d`), and the etags of API
Management (eight bytes in base64)."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


VARY = {
    ("VNets", "GET", "etag"): "8 of 14 answers to api-version 2020-11-01 lack it; these 8 are of 2026",
    ("NICs", "PUT", "azure-asyncoperation"): "the three writes of 2026 had completed when they were answered",
}
"""Headers that Azure sends at one time and not at another: their presence is not compared there."""


@dataclass(frozen=True)
class Difference:
    """`place`: where in the answer, e.g. `/properties/ttl`, `header etag`; empty: the body. `text`: what differs."""

    place: str
    text: str
    recorded: Any = None

    def __str__(self) -> str:
        return f"{self.place or 'body'}: {self.text}"


class Pairs:
    """Recorded random values and the simulator's: each has one partner, from its first sight on."""

    def __init__(self) -> None:
        self.ours: dict[str, str] = {}
        self.recorded: dict[str, str] = {}

    def copy(self) -> "Pairs":
        other = Pairs()
        other.ours, other.recorded = dict(self.ours), dict(self.recorded)
        return other

    def translate(self, text: str) -> str:
        """A recorded text with the simulator's values."""
        return RANDOM.sub(lambda found: self.ours.get(found[0], found[0]), text)

    def join(self, recorded: str, ours: str) -> Iterator[str]:
        """Say what is wrong when two texts, random values aside equal, are seen together."""
        for old, new in zip(RANDOM.findall(recorded), RANDOM.findall(ours), strict=True):
            if not old.strip("0-"):
                continue  # scrubbed by the recorder
            if self.ours.setdefault(old, new) != new:
                yield f"recorded {old} unchanged, ours changed to {new}"
            if self.recorded.setdefault(new, old) != old:
                yield f"ours {new} unchanged, recorded changed to {old}"
            self.ours[old], self.recorded[new] = new, old


class Comparison:
    """One answer beside the recorded one. `pairs` and `links` (recorded URL, see `key` -> ours) learn from it.

    `explained`: the type and field of each difference that an era explains.
    """

    def __init__(self, interaction: Interaction, pairs: Pairs) -> None:
        self.interaction = interaction
        self.pairs = pairs
        self.links: dict[str, str] = {}
        self.explained: set[tuple[str | None, str]] = set()
        self._unordered = "clitest" in interaction.url or "cli_test" in interaction.url

    def differences(self, response: Response) -> list[str]:
        """Everything that differs; statuses alone when they do."""
        if response.status != self.interaction.status:
            return [f"status {response.status} instead of {self.interaction.status} ({response.content})"]
        ours = {name.lower(): value for name, value in response.headers.items()}
        found = [
            *self._of_headers(ours),
            *self._of_countdowns(ours),
            *self._of_bodies("", self.interaction.content, response.content),
        ]
        return [str(each) for each in found if not self._explained(each)]

    def _explained(self, difference: Difference) -> bool:
        field = difference.place.removeprefix("/value/*")
        label = self.interaction.label
        if not any(each.explains(self.interaction.at, label, field, difference.recorded) for each in ERAS):
            return False
        self.explained.add((label, field))
        return True

    def _of_headers(self, ours: dict[str, str]) -> Iterator[Difference]:
        theirs = self.interaction.answer_headers
        for name in HEADERS:
            place = f"header {name}"
            if name == "retry-after" and name not in theirs:
                continue  # azure-cli's recorder strips it
            if (name in theirs) != (name in ours):
                if (self.interaction.label, self.interaction.method, name) in VARY:
                    continue
                recorded = theirs.get(name, ABSENT)
                yield Difference(place, f"{ours.get(name)} instead of {theirs.get(name)}", recorded)
            elif name not in theirs:
                continue
            elif name == "etag":
                yield from self._of_texts(place, theirs[name], ours[name])
            elif name == "retry-after" and theirs[name] != ours[name] and not self._estimate:
                yield _unequal(place, theirs[name], ours[name])
            elif name in {"azure-asyncoperation", "location"}:
                if _shape(theirs[name]) != _shape(ours[name]):
                    yield _unequal(place, theirs[name], ours[name])
                self.links[key(theirs[name])] = ours[name]

    def _of_countdowns(self, ours: dict[str, str]) -> Iterator[Difference]:
        for name, recorded in self.interaction.answer_headers.items():
            if name.startswith(_COUNTDOWN) and name not in HEADERS and name not in ours:
                yield Difference(f"header {name}", f"missing, recorded {recorded}", recorded)

    def _of_bodies(self, place: str, recorded: Any, ours: Any) -> Iterator[Difference]:
        if isinstance(recorded, dict) and isinstance(ours, dict):
            yield from self._of_objects(place, recorded, ours)
        elif isinstance(recorded, list) and isinstance(ours, list) and len(recorded) == len(ours):
            if place == "/value" and self._unordered:  # the recorder replaced the names by which Azure had ordered
                recorded, ours = (sorted(items, key=lambda item: item["id"].lower()) for items in (recorded, ours))
            for pair in zip(recorded, ours, strict=True):
                yield from self._of_bodies(f"{place}/*", *pair)
        elif isinstance(recorded, str) and isinstance(ours, str):
            yield from self._of_texts(place, recorded, ours)
        elif recorded != ours:
            yield _unequal(place, recorded, ours)

    def _of_objects(self, place: str, recorded: dict[str, Any], ours: dict[str, Any]) -> Iterator[Difference]:
        for name in sorted(recorded.keys() | ours.keys()):
            step = f"{place}/{name}"
            if self._beyond(step):
                continue
            if name not in ours and self._all_beyond(step, recorded[name]):
                continue
            if name not in ours:
                yield Difference(step, f"missing, recorded {json.dumps(recorded[name])}", recorded[name])
            elif name not in recorded:
                yield Difference(step, f"not recorded, ours {json.dumps(ours[name])}", ABSENT)
            else:
                yield from self._of_fields(step, name, recorded[name], ours[name])

    def _of_fields(self, step: str, name: str, recorded: Any, ours: Any) -> Iterator[Difference]:
        shape = SHAPES.get(name) or (_TIME if name in TIMES else None)
        if step == "/nextLink":
            self.links[key(recorded)] = ours
            if _page(recorded) != _page(ours):
                yield _unequal(step, recorded, ours)
        elif name == "internalId":
            if _internal_shape(recorded) != _internal_shape(ours):
                yield Difference(step, f"{ours} is not of the form of {recorded}", recorded)
        elif name in PUBLIC_ADDRESSES and _are_public(recorded) and _are_public(ours):
            return  # given out at random
        elif shape and isinstance(recorded, str) and isinstance(ours, str):
            if recorded != ours and not (shape.fullmatch(recorded) and shape.fullmatch(ours)):
                yield Difference(step, f"{ours} is not of the form of {recorded}", recorded)
        else:
            yield from self._of_bodies(step, recorded, ours)

    def _of_texts(self, place: str, recorded: str, ours: str) -> Iterator[Difference]:
        if RANDOM.sub("random", recorded) != RANDOM.sub("random", ours):
            yield _unequal(place, recorded, ours)
        else:
            yield from (Difference(place, text, recorded) for text in self.pairs.join(recorded, ours))

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


def _unequal(place: str, recorded: Any, ours: Any) -> Difference:
    return Difference(place, f"{ours!r} instead of {recorded!r}", recorded)


def key(url: str) -> str:
    """A URL as it is compared with another: without a port, decoded, its parameters in order."""
    parts = urlsplit(url)
    return f"{parts.hostname}{unquote(parts.path).lower()}?{sorted(parse_qsl(parts.query, keep_blank_values=True))}"


def _page(url: str) -> str:
    """A nextLink without what is opaque or of no meaning: its token, the case of its path, its parameters' order."""
    return re.sub(r"\('\$skipToken', '[^']*'\)", "token", key(url))


def _shape(url: str) -> str:
    parts = urlsplit(url)
    version = dict(parse_qsl(parts.query)).get("api-version")
    path = parts.path.rsplit("/", 1)[0].lower()  # a location is spelt in some as the client had spelt it
    return f"{parts.hostname}{path}?api-version={version}"


def _internal_shape(internal_id: str) -> str:
    return re.sub(r"[0-9a-f]{4,}", "x", base64.b64decode(internal_id).decode())


def _are_public(found: Any) -> bool:
    """Whether this is a public address, or a list of one."""
    address = found[0] if isinstance(found, list) and len(found) == 1 else found
    return isinstance(address, str) and not ip_address(address).is_private
