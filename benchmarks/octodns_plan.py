"""octoDNS plans a zone in which nothing has to change: `python octodns_plan.py FOLDER ROUNDS`.

It runs in its own environment, because octodns-azure needs an older azure-mgmt-privatedns than the app; so this file
imports nothing of the project. The zone's pages come from a folder, and so does its source, a YAML file. Prints one
line of JSON: the smallest CPU seconds of reading the source, and of planning (reading the zone through the SDK, making
its records, comparing), in ROUNDS rounds after one that does not count.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import HttpResponse, HttpTransport
from azure.mgmt.privatedns import PrivateDnsManagementClient
from octodns.provider.yaml import YamlProvider  # type: ignore[import-not-found] # in the benchmarks' environment alone
from octodns.zone import Zone  # type: ignore[import-not-found] # as above
from octodns_azure import AzurePrivateProvider  # type: ignore[import-not-found] # as above


class Token:
    """A credential with a constant token."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Return a token that is valid for every run."""
        return AccessToken("token", 4_000_000_000)


class Answer(HttpResponse):
    """A page whose body is present from the start."""

    def __init__(self, request: Any, body: bytes) -> None:  # noqa: ANN401 - either of azure-core's requests
        super().__init__(request, None)
        self.status_code, self.reason, self.content_type = 200, "OK", "application/json"
        self.headers = {"content-type": "application/json; charset=utf-8"}
        self._body = body

    def body(self) -> bytes:
        """The whole body."""
        return self._body


class Recorded(HttpTransport[Any, Any]):
    """Returns the pages of a folder immediately. Raises KeyError for any other request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = json.loads((folder / "index.json").read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def send(self, request: Any, **_: object) -> Answer:  # noqa: ANN401 - either of azure-core's requests
        """Return the requested page."""
        parts = urlsplit(request.url)
        *_rest, file = self._index[f"{parts.path}?{sorted(parse_qsl(parts.query))}"]
        return Answer(request, (self._folder / file).read_bytes())


class Provider(AzurePrivateProvider):  # type: ignore[misc] # its package has no types
    """octodns-azure's own provider, with another transport and credential for its client."""

    def __init__(self, subscription: str, group: str, transport: Recorded) -> None:
        super().__init__("azure", subscription, group)
        self._client = PrivateDnsManagementClient(Token(), subscription, transport=transport)

    @property
    def dns_client(self) -> PrivateDnsManagementClient:
        """The SDK's client."""
        return self._client


def main() -> None:
    """Plan several times; print the smallest CPU times in seconds, and the numbers of records and changes."""
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
    about = json.loads((folder / "about.json").read_text())
    reading, planning = [], []
    records = changes = 0
    for _ in range(1 + rounds):
        desired = Zone(f"{about['zone']}.", [])
        begun = time.process_time()
        YamlProvider("config", str(folder)).populate(desired)
        reading.append(time.process_time() - begun)
        provider = Provider(about["subscription"], about["group"], Recorded(folder))
        begun = time.process_time()
        plan = provider.plan(desired)
        planning.append(time.process_time() - begun)
        records, changes = len(desired.records), len(plan.changes) if plan else 0
    found = {"source": min(reading[1:]), "plan": min(planning[1:]), "records": records, "changes": changes}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
