"""Replays recorded Azure traffic of private DNS against the simulator and says where the two differ.

Each recording is replayed in order against a fresh simulator with virtual time. What is random in a recording (etags,
operation ids, scrubbed names) is mapped onto what the simulator made instead; everything else has to be equal. Nothing
is judged here but status, body and headers; which share must be compared is the test's affair.
Run it to print the table: `python tests/simulator/recordings.py`.
"""

import base64
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from simulator.core import Azure, Request, Response  # noqa: E402 - run as a script, the project is not on the path
from simulator.private_dns import PrivateDns, register  # noqa: E402 - as above

SHARED = PROJECT.parent / "shared" / "azure"
FOLDERS = (
    ("azure-cli/privatedns", "*.yaml"),
    ("azure-service-operator", "Test_Network_v1api2*.yaml"),
    ("azure-service-operator", "Test_Networking_PrivateDnsZone*.yaml"),
)
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
EITHER_WAY = "after a group is deleted, ARM answers a nested DELETE in two ways (recorded: 8 times each)"
SET_UP = {
    "group": "resource group: set-up",
    "network": "virtual network: another resource provider",
    "polling": "polling of a resource group or virtual network: not private DNS",
}


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

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.url).path)

    @property
    def kind(self) -> str:
        """What is called: zone, A, another type, ALL, link, operation; or what a SET_UP reason is kept for."""
        if "/providers/" not in self.path:
            return "polling" if "/operationresults/" in self.path else "group"
        parts = self.path.split("/providers/Microsoft.Network/")[1].split("/")
        if parts[0] == "locations":
            return "polling"
        if parts[0] == "virtualNetworks":
            return "network"
        if parts[0].startswith("privateDnsOperation"):
            return "operation"
        if len(parts) < 3:
            return "zone"
        return "link" if parts[2] == "virtualNetworkLinks" else parts[2].upper()


@dataclass(frozen=True)
class Outcome:
    """What became of one interaction: compared (no `reason`) with its differences, or skipped for a reason."""

    recording: str
    number: int
    interaction: Interaction
    reason: str | None = None
    differences: tuple[str, ...] = ()


def recordings() -> dict[str, list[Interaction]]:
    """All recordings by file name; empty when the folder is not there."""
    root = SHARED / "recordings"
    files = [path for folder, pattern in FOLDERS for path in sorted((root / folder).glob(pattern))]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    # S506 would be about yaml.load with an unsafe loader; both of these are the safe one.
    return {
        path.stem: [_interaction(item) for item in yaml.load(path.read_bytes(), loader)["interactions"]]
        for path in files
    }


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


@dataclass
class Replay:
    """One recording on its way through a fresh simulator."""

    now: float = 1_600_000_000.0
    etags: dict[str, str] = field(default_factory=dict)
    """Recorded etag -> the simulator's. Written at its first sight; from then on the two must go together."""
    operations: dict[str, str] = field(default_factory=dict)
    """Recorded polling URL -> the simulator's path and query."""
    groups_deleted: bool = False
    vnets: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.azure = Azure(lambda: self.now, Random(1))
        self.dns: PrivateDns = register(self.azure, vnet_exists=lambda vnet: vnet.lower() in self.vnets)

    def step(self, recording: str, number: int, interaction: Interaction) -> Outcome:
        """Replay one interaction."""
        if interaction.kind in SET_UP:
            self._set_up(interaction)
            return Outcome(recording, number, interaction, SET_UP[interaction.kind])
        if not self.groups_deleted:  # the recorder's set-up made the group without recording it
            self.azure.ensure_group(*_group(interaction.path))
        elif interaction.method == "DELETE" and interaction.kind != "zone":
            return Outcome(recording, number, interaction, EITHER_WAY)
        if interaction.kind == "operation" and interaction.status == 200:
            self.now = max(self.now, self.azure.next_due() or 0)
        response = self.azure.handle(self._request(interaction))
        return Outcome(recording, number, interaction, None, tuple(self._differences(interaction, response)))

    def _set_up(self, interaction: Interaction) -> None:
        if interaction.kind == "group" and interaction.method == "DELETE":
            self.azure.groups.pop(tuple(part.lower() for part in _group(interaction.path)), None)
            self.groups_deleted = True
        if interaction.kind == "network" and interaction.method == "PUT":
            self.vnets.add(interaction.path.lower())

    def _request(self, interaction: Interaction) -> Request:
        url = self.operations.get(interaction.url, interaction.url)
        headers = {
            name: self._mapped(value)
            for name, value in interaction.headers.items()
            if name in {"if-match", "if-none-match"}
        }
        parts = urlsplit(url)
        return Request(
            interaction.method,
            unquote(parts.path),
            dict(parse_qsl(parts.query)),
            headers,
            self._mapped(interaction.body).encode(),
        )

    def _mapped(self, text: str) -> str:
        for recorded, simulated in self.etags.items():
            for plain, ours in ((recorded, simulated), (json.dumps(recorded), json.dumps(simulated))):
                text = text.replace(plain, ours)
        return text

    def _differences(self, interaction: Interaction, response: Response) -> Iterator[str]:
        if response.status != interaction.status:
            yield f"status {response.status} instead of {interaction.status} ({response.content})"
            return
        ours = {name.lower(): value for name, value in response.headers.items()}
        yield from self._header_differences(interaction, ours)
        recorded = json.loads(interaction.answer) if interaction.answer else None
        scrubbed = "clitest" in interaction.url
        yield from self._body_differences("", recorded, response.content, unordered=scrubbed)

    def _header_differences(self, interaction: Interaction, ours: dict[str, str]) -> Iterator[str]:
        theirs = interaction.answer_headers
        for name in HEADERS:
            if name == "retry-after" and name not in theirs:
                continue  # azure-cli's recorder strips it
            if (name in theirs) != (name in ours):
                yield f"header {name}: {ours.get(name)} instead of {theirs.get(name)}"
            elif name == "etag" and name in theirs:
                yield from self._etag_differences(name, theirs[name], ours[name])
            elif name == "retry-after" and theirs[name] != ours[name]:
                yield f"header {name}: {ours[name]} instead of {theirs[name]}"
            elif name in {"azure-asyncoperation", "location"} and name in theirs:
                if _shape(theirs[name]) != _shape(ours[name]):
                    yield f"header {name}: {ours[name]} instead of {theirs[name]}"
                self.operations[theirs[name].replace(":443/", "/")] = ours[name]
                self.operations[theirs[name]] = ours[name]

    def _etag_differences(self, where: str, recorded: str, ours: str) -> Iterator[str]:
        if self.etags.setdefault(recorded, ours) != ours:
            yield f"{where}: recorded {recorded} unchanged, ours changed to {ours}"
        if list(self.etags.values()).count(ours) > 1:
            yield f"{where}: ours {ours} unchanged, recorded changed to {recorded}"
        if _etag_shape(recorded) != _etag_shape(ours):
            yield f"{where}: {ours} is not of the form of {recorded}"

    def _body_differences(self, where: str, recorded: Any, ours: Any, *, unordered: bool) -> Iterator[str]:
        if isinstance(recorded, dict) and isinstance(ours, dict):
            if recorded.keys() != ours.keys():
                yield f"{where or 'body'}: fields {sorted(ours)} instead of {sorted(recorded)}"
            for name in sorted(recorded.keys() & ours.keys()):
                yield from self._field_differences(where, name, recorded[name], ours[name], unordered)
        elif isinstance(recorded, list) and isinstance(ours, list) and len(recorded) == len(ours):
            if where == "/value" and unordered:  # the recorder replaced the names by which Azure had ordered
                recorded, ours = (sorted(items, key=lambda item: item["id"]) for items in (recorded, ours))
            for number, pair in enumerate(zip(recorded, ours, strict=True)):
                yield from self._body_differences(f"{where}/{number}", *pair, unordered=unordered)
        elif recorded != ours:
            yield f"{where or 'body'}: {ours!r} instead of {recorded!r}"

    def _field_differences(self, where: str, name: str, recorded: Any, ours: Any, unordered: bool) -> Iterator[str]:
        if name == "etag":
            yield from self._etag_differences(f"{where}/etag", recorded, ours)
        elif name == "internalId":
            if _internal_shape(recorded) != _internal_shape(ours):
                yield f"{where}/{name}: {ours} is not of the form of {recorded}"
        else:
            yield from self._body_differences(f"{where}/{name}", recorded, ours, unordered=unordered)


def _group(path: str) -> tuple[str, str]:
    parts = path.split("/")
    return parts[2], parts[4]


def _shape(url: str) -> str:
    parts = urlsplit(url)
    version = dict(parse_qsl(parts.query)).get("api-version")
    return f"{parts.hostname}{parts.path.rsplit('/', 1)[0]}?api-version={version}"


def _internal_shape(internal_id: str) -> str:
    return re.sub(r"[0-9a-f]{4,}", "x", base64.b64decode(internal_id).decode())


def _etag_shape(etag: str) -> str:
    return re.sub(r"[0-9a-f]", "x", etag)


def replay_all() -> list[Outcome]:
    """Replay every recording; in order of file and interaction."""
    outcomes = []
    for name, interactions in recordings().items():
        replay = Replay()
        outcomes += [replay.step(name, number, interaction) for number, interaction in enumerate(interactions)]
    return outcomes


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """The figures as a Markdown table, then what was skipped and why, then every difference."""
    names = {"zone": "zones", "A": "A record sets", "ALL": "lists of all types", "link": "links"}
    names |= {"operation": "operation polls"}
    names |= dict.fromkeys(("AAAA", "CNAME", "MX", "PTR", "SOA", "SRV", "TXT"), "other record sets")
    total, compared, different = Counter[str](), Counter[str](), Counter[str]()
    for outcome in outcomes:
        name = names.get(outcome.interaction.kind, "other providers (set-up)")
        total[name] += 1
        compared[name] += outcome.reason is None
        different[name] += bool(outcome.differences)
    yield "| calls on | recorded | compared | different |\n| --- | ---: | ---: | ---: |"
    for name in [*dict.fromkeys(names.values()), "other providers (set-up)"]:
        yield f"| {name} | {total[name]} | {compared[name]} | {different[name]} |"
    yield f"| all | {total.total()} | {compared.total()} | {different.total()} |\n"
    skipped = Counter(outcome.reason for outcome in outcomes if outcome.reason)
    yield from (f"skipped {count}: {reason}" for reason, count in skipped.most_common())
    for outcome in outcomes:
        for difference in outcome.differences:
            call = f"{outcome.interaction.method} {outcome.interaction.kind}"
            yield f"DIFFERENT {outcome.recording} #{outcome.number} {call}: {difference}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(table(replay_all())) + "\n")
