"""A client of the whole system: calls ARM and the function app and queries DNS, over real sockets.

The demo sees the app and the simulator through this module alone. It decides and compares nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self, TypeAlias

import aiohttp
import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rdatatype

from simulator.demo.processes import AUDIENCE, EVENTS, HEALTH_TOPIC, Processes

VERSIONS = {"compute": "2024-07-01", "network": "2024-05-01", "resources": "2021-04-01", "zones": "2020-06-01"}
_SETTINGS = "nearzone cannot start, its settings have errors:"
"""The app's output before the faults of its settings, one per line."""
_POLL = 0.1  # seconds between polls of a long-running operation or of the deliveries
_DNS_TIMEOUT = 2.0  # seconds
_AT_ONCE = 40  # concurrent DNS queries

Set: TypeAlias = "tuple[int, frozenset[str]] | None"
"""TTL in seconds and addresses of an A record set, or None when there is none."""


class OutsideError(Exception):
    """A call was refused, or an event never arrived; the message says which and how."""


class SettingsError(Exception):
    """The app refuses its settings; `faults` are the lines with its reasons."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class Client:
    """Calls and queries to a running simulator and app. Use as an async context manager."""

    def __init__(self, pair: Processes) -> None:
        self.pair = pair
        self._token = ""
        self._asking = asyncio.Semaphore(_AT_ONCE)
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=240))

    async def __aenter__(self) -> Self:
        query = {"api-version": "2019-08-01", "resource": AUDIENCE}
        headers = {"X-IDENTITY-HEADER": str(self.pair.simulator["identity_header"])}
        url = str(self.pair.simulator["identity_endpoint"])
        async with self._http.get(url, params=query, headers=headers) as answer:
            self._token = (await answer.json())["access_token"]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def _call(
        self, method: str, url: str, headers: Mapping[str, str], body: object = None
    ) -> tuple[Any, Mapping[str, str]]:
        async with self._http.request(method, url, headers=headers, json=body) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise OutsideError(f"{method} {url.partition('?')[0]}: {answer.status} {text[:500]}")
            return (await answer.json(content_type=None) if text else None), answer.headers

    async def arm(self, method: str, resource: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Call ARM and wait until a long-running operation has completed; returns the first answer's body."""
        namespace = resource.rsplit("/providers/", 1)[1].split("/", maxsplit=1)[0].rsplit(".", 1)[1].lower()
        version = VERSIONS["zones" if "/privatednszones/" in resource.lower() else namespace]
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{self.pair.simulator['arm']}{resource}?api-version={version}"
        found, answered = await self._call(method, url, headers, body)
        status = "Succeeded"
        while "azure-asyncoperation" in answered:
            status = (await self._call("GET", answered["azure-asyncoperation"], headers))[0]["status"]
            if status != "InProgress":
                break
            await asyncio.sleep(_POLL)
        if status != "Succeeded":
            raise OutsideError(f"{method} {resource}: the operation ended as {status}")
        return found

    async def control(self, what: str, body: Mapping[str, object]) -> None:
        """Change the simulated world without ARM: health, lost events, subscriptions."""
        await self._call("POST", f"{self.pair.simulator['control']}/{what}", {}, dict(body))

    async def subscribe(self) -> None:
        """Subscribe the app to its events, with the validation handshake."""
        endpoint = self.pair.app["event_endpoint"]
        await self.control("subscriptions", {"endpoint": endpoint, "operations": EVENTS})
        await self.control("subscriptions", {"endpoint": endpoint, "topic": HEALTH_TOPIC})

    async def deliveries(self, after: int = 0) -> list[dict[str, Any]]:
        """Every delivery after a sequence number."""
        url = f"{self.pair.simulator['control']}/deliveries?after={after}"
        found: list[dict[str, Any]] = (await self._call("GET", url, {}))[0]
        return found

    async def delivered(self, after: int, subjects: Collection[str], limit: float) -> dict[str, float]:
        """When the event of an operation on each subject was first sent, once each has been accepted.

        Events about health, which may come before the operation has completed, do not count. Raises OutsideError.
        """
        deadline = time.monotonic() + limit
        while True:
            operations = [each for each in await self.deliveries(after) if "/" in each["operation"]]
            found = [each for each in operations if each["subject"].lower() in subjects]
            accepted = {each["subject"].lower() for each in found if 200 <= (each["status"] or 0) < 300}
            if accepted >= set(subjects):
                return {each["subject"].lower(): each["sent_at"] for each in reversed(found)}
            if time.monotonic() > deadline:
                statuses = {each["subject"]: each["status"] for each in found}
                missing = sorted(set(subjects) - accepted)
                raise OutsideError(f"no accepted delivery within {limit:.0f} s for {missing}; answers: {statuses}")
            await asyncio.sleep(_POLL)

    async def check_settings(self) -> None:
        """Let the app read its settings. Raises SettingsError."""
        headers = {"x-functions-key": str(self.pair.app["function_key"])}
        async with self._http.get(f"{self.pair.app['url']}/api/status", headers=headers) as answer:
            content = await answer.json()
        head, *faults = str(content.get("error", "")).splitlines() or [""]
        if answer.status == 503 and faults and head == _SETTINGS:
            raise SettingsError(faults)

    async def resync(self, body: Mapping[str, object]) -> dict[str, Any]:
        """POST /api/resync; returns the report."""
        headers = {"x-functions-key": str(self.pair.app["function_key"])}
        report: dict[str, Any] = (await self._call("POST", f"{self.pair.app['url']}/api/resync", headers, dict(body)))[
            0
        ]
        return report

    async def status(self) -> dict[str, Any]:
        """GET /api/status."""
        headers = {"x-functions-key": str(self.pair.app["function_key"])}
        found: dict[str, Any] = (await self._call("GET", f"{self.pair.app['url']}/api/status", headers))[0]
        return found

    async def explain(self, zone: str, name: str) -> dict[str, Any]:
        """GET /api/status for one name of one zone."""
        headers = {"x-functions-key": str(self.pair.app["function_key"])}
        url = f"{self.pair.app['url']}/api/status?zone={zone}&name={name}"
        found: dict[str, Any] = (await self._call("GET", url, headers))[0]
        return found

    async def sweep(self) -> None:
        """Start the sweep's timer function now, as an operator can."""
        headers = {"x-functions-key": str(self.pair.app["master_key"])}
        await self._call("POST", f"{self.pair.app['url']}/admin/functions/correct_drift", headers, {})

    async def ask(self, vnet: str, fqdn: str) -> Set:
        """The A record set that a client in a virtual network gets, over UDP; None without data."""
        host, port = str(self.pair.simulator["dns"][vnet]).rsplit(":", 1)
        query = dns.message.make_query(fqdn, "A")
        async with self._asking:
            try:
                reply = await dns.asyncquery.udp(query, host, port=int(port), timeout=_DNS_TIMEOUT)
            except dns.exception.Timeout:
                return None
        owner = dns.name.from_text(fqdn)
        for each in reply.answer:
            if each.rdtype == dns.rdatatype.A and each.name == owner:
                return each.ttl, frozenset(str(one) for one in each)
        return None
