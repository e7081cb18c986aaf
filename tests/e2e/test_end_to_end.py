"""Event in, DNS answer out: the app behind the host's URLs, Azure behind its own, and questions over UDP."""

import asyncio
import json
import time

import aiohttp
import dns.resolver
import pytest

from simulator.demo.processes import Scale, started
from tests.support.deployment import REGIONS, SUB, a_vm, a_world, nic_id, vm_id, vnet, zone_id

pytestmark = pytest.mark.timeout(120)

EAST, WEST, _ = REGIONS
ENOUGH = 20.0


def play(story, world=None):
    """Run `story(clients)` against a running simulator and app."""

    async def run():
        given = world or a_world(a_vm("server1", EAST, 4, "llama"), a_vm("server2", WEST, 4, "llama"))
        given["settings"]["NEARZONE_DRAIN_SCHEDULE"] = "0 0 0 1 1 *"
        async with started(given, scale=Scale(operations=0.001)) as pair, aiohttp.ClientSession() as session:
            await story(Clients(pair, session))

    asyncio.run(run())


class Clients:
    """A person with the keys, Event Grid, and a client in each VNet."""

    def __init__(self, pair, session):
        self.pair, self.session = pair, session

    async def api(self, method, path, body=None, key=None, **query):
        headers = {"x-functions-key": self.pair.app["function_key"] if key is None else key}
        url = f"{self.pair.app['url']}/api/{path}"
        async with self.session.request(method, url, json=body, headers=headers, params=query) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def arm(self, method, path, body=None):
        headers = {"authorization": "Bearer token"}
        url = f"{self.pair.simulator['arm']}{path}?api-version=2024-07-01"
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json(content_type=None)

    async def deliver(self, events, key=None, kind="Notification"):
        url = f"{self.pair.app['url']}/runtime/webhooks/EventGrid"
        query = {"functionName": "on_resource_event", "code": self.pair.app["system_key"] if key is None else key}
        headers = {"aeg-event-type": kind}
        async with self.session.post(url, params=query, json=events, headers=headers) as answer:
            return answer.status, await answer.text()

    async def subscribe(self, schema):
        body = {"endpoint": self.pair.app["event_endpoint"], "schema": schema}
        url = f"{self.pair.simulator['control']}/subscriptions"
        async with self.session.post(url, json=body) as answer:
            assert answer.status == 200, await answer.text()

    def ask(self, region, name, zone="ai.internal"):
        host, port = self.pair.simulator["dns"][vnet(region)].split(":")
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [host], int(port)
        try:
            found = resolver.resolve(f"{name}.{zone}", "A")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        return found.rrset.ttl, sorted(map(str, found))

    async def until(self, expected, question):
        end = time.monotonic() + ENOUGH
        while (got := await asyncio.to_thread(question)) != expected:
            assert time.monotonic() < end, f"got {got}, expected {expected}"
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
def test_an_operation_on_a_vm_changes_what_clients_resolve(schema):
    async def story(clients):
        assert (await clients.api("POST", "resync", {}))[0] == 200
        await clients.until((30, ["10.1.0.4"]), lambda: clients.ask(EAST, "llama"))
        await clients.subscribe(schema)
        await clients.arm("POST", f"{vm_id('server1')}/deallocate")
        await clients.until((30, ["10.2.0.4"]), lambda: clients.ask(EAST, "llama"))
        await clients.until(None, lambda: clients.ask(EAST, "server1"))
        if schema != "EventGridSchema":
            return  # The second schema differs in how an event is delivered alone.
        await clients.arm("POST", f"{vm_id('server1')}/start")
        await clients.until((30, ["10.1.0.4"]), lambda: clients.ask(EAST, "llama"))
        nic = await clients.arm("GET", nic_id("server1"))
        nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] = "10.1.0.9"
        await clients.arm("PUT", nic_id("server1"), {key: nic[key] for key in ("location", "properties")})
        await clients.until((30, ["10.1.0.9"]), lambda: clients.ask(EAST, "llama"))

    play(story)


def test_the_doors_open_only_with_the_right_key_and_bad_requests_name_their_field():
    async def story(clients):
        for key in ("", "wrong"):
            assert (await clients.api("POST", "resync", {}, key=key))[0] == 401
            assert (await clients.api("GET", "status", key=key))[0] == 401
            assert (await clients.deliver([], key=key or "x"))[0] == 401
        for body, field in (
            ({"zone": "mars"}, "zone"),
            ({"name": "not a name"}, "name"),
            ({"dry_run": "yes"}, "dry_run"),
            ({"dryrun": True}, "dryrun"),
            ({"drain": {"region": WEST}}, "minutes"),
            ({"drain": {"region": WEST[:-1], "minutes": 5}}, "drain.region"),
            ({"endpoint": vm_id("x").replace(SUB, SUB[::-1])}, "endpoint"),
            ({"adopt": ["*"]}, "adopt[0]"),
        ):
            status, answer = await clients.api("POST", "resync", body)
            assert status == 400
            assert field in answer["error"]
        status, answer = await clients.api("GET", "status", zone=EAST)
        assert (status, "name" in answer["error"]) == (400, True)
        assert clients.ask(EAST, "llama") is None, "nothing was done"

    play(story)


def test_settings_with_faults_are_told_to_whoever_asks():
    async def story(clients):
        status, answer = await clients.api("GET", "status")
        assert status == 503
        assert 'NEARZONE_TTL: found "soon"' in answer["error"]
        assert "NEARZONE_MODE" in answer["error"]

    play(story, a_world(a_vm("server1", EAST, 4), TTL="soon", MODE="maybe"))


def test_event_grid_gets_its_handshake_rubbish_is_acknowledged_and_status_explains_an_answer_claim_by_claim():
    async def story(clients):
        code = {"validationCode": "42", "validationUrl": "https://x"}
        kind = "Microsoft.EventGrid.SubscriptionValidationEvent"
        hello = [{"id": "1", "eventType": kind, "subject": "", "data": code, "eventTime": "2026-01-01T00:00:00Z"}]
        status, text = await clients.deliver(hello, kind="SubscriptionValidation")
        assert (status, json.loads(text)) == (200, {"validationResponse": "42"})
        for event in ({}, {"eventType": 3}, {"subject": "x" * 100_000}, {"data": []}):
            assert (await clients.deliver([event]))[0] == 202
        status, answer = await clients.api("GET", "status")
        assert (status, sum(answer["events"].values())) == (200, 4)
        await clients.api("POST", "resync", {})
        status, told = await clients.api("GET", "status", zone=zone_id(WEST), name="llama")
        assert status == 200
        assert told["answer"]["addresses"] == ["10.2.0.4"]
        assert {c["endpoint"].rsplit("/", 1)[1]: c["included"] for c in told["claims"]} == {
            "server1": False,
            "server2": True,
        }

    play(story)
