"""Resources that are not as ARM's specification says: a stranger's are ignored, ours are in doubt, the rest is read."""

import copy
import json
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from simulator.arm.front_door import Request, Response
from tests.support.deployment import SUB, a_vm, nic_id, run_scenario, vm_id, zone_id
from tests.support.endpoint_kinds import (
    EAST,
    FAR,
    LLAMA,
    api_management,
    application_gateway,
    container_environment,
    container_group,
    instance,
    llama,
    load_balancer,
    path,
    private_endpoint,
    scale_set,
    swept,
    tagged,
    world,
)

POOL = path("Microsoft.Compute/virtualMachineScaleSets", "pool")
LB = load_balancer()["id"]
PE = private_endpoint()["id"]
ACI = container_group(containers=[{"name": "server"}])["id"]
AGW, APIM, ENV = application_gateway()["id"], api_management()["id"], container_environment()["id"]
NEAR = vm_id("near")


def every_kind(tags=LLAMA):
    return world(
        FAR,
        a_vm("near", EAST, 4, tags.get("nearzone")),
        load_balancers=[load_balancer("lb", tags)],
        private_endpoints=[private_endpoint("pe", tags)],
        container_groups=[container_group("aci", tags, containers=[{"name": "server"}])],
        application_gateways=[application_gateway("agw", tags)],
        api_managements=[api_management("apim", tags)],
        container_environments=[container_environment("env", tags)],
        scale_sets=[scale_set("pool", tags, instance(0, health="healthy"), instance(1, health="healthy"))],
    )


def spoiled(stage, resource, spoil):
    """From now on ARM shows a resource, whatever it is asked, as `spoil` leaves it; gives the paths that are asked."""
    asked = []

    def of(item):
        if isinstance(item, dict) and str(item.get("id")).lower() == resource.lower():
            spoil(item)

    def answer(request):
        if request.method != "GET":
            return None
        asked.append(request.path.lower())
        response = stage.cloud.handle(request)
        content = copy.deepcopy(response.content)
        for item in (content or {}).get("value", [content]) if isinstance(content, dict) else ():
            of(item)
        return replace(response, content=content)

    stage.faults = answer
    return asked


def put(value, *where):
    """Spoils by putting a value in a place of the resource, where an answer has that place."""

    def spoil(item):
        with suppress(KeyError, IndexError, TypeError):
            for step in where[:-1]:
                item = item[step]
            item[where[-1]] = value

    return spoil


def leaves(value, *where):
    """The places of everything in a resource, the whole of parts included."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inside:
        yield (*where, step)
        yield from leaves(each, *where, step)


async def alarms(stage):
    """Those about endpoints, one for each endpoint."""
    found = (await stage.app.status())["alarms"]
    alone = [alarm["what"] for alarm in found if alarm["what"].startswith("/")]
    several = [(each, alarm["what"]) for alarm in found if alarm["count"] > 1 for each in alarm["examples"]]
    return alone + [f"{each}: {what}" for each, what in several if each.startswith("/subscriptions")]


# A stranger's resource: nothing of it matters.


@pytest.mark.parametrize("resource", [NEAR, LB, PE, ACI, POOL, AGW, APIM, ENV])
@pytest.mark.parametrize(
    "spoil",
    [
        put({"owner": None}, "tags"),
        put({"count": 5, "more": {"a": []}}, "tags"),
        put("none", "tags"),
        put(None, "properties"),
        put([], "properties"),
        put(7, "location"),
        put(None, "name"),
        put(None, "id"),
        put(5, "properties", "networkProfile", "networkInterfaces"),
    ],
    ids=["null tag", "wrong tags", "no tags", "null", "list", "number", "no name", "no id", "deep"],
)
def test_a_resource_that_has_not_opted_in_is_ignored_whatever_it_holds(resource, spoil):
    async def story(stage):
        stage.event_grid.subscriptions.clear()
        asked = spoiled(stage, resource, spoil)
        await swept(stage)
        report = await stage.app.correct_drift()
        assert resource.lower() not in asked, "lists are enough for what is nobody's concern"
        assert (report.failures, report.complete, await alarms(stage)) == ([], True, [])
        assert llama(stage) == ["10.3.0.4"]
        keys = [row.value.endpoint.key for row in await stage.app.catalog.endpoints()]
        assert keys == [FAR["id"].lower()]
        await stage.app.on_event(
            json.dumps({"subject": resource, "eventType": "Microsoft.Resources.ResourceWriteSuccess"})
        )
        assert (await alarms(stage), llama(stage)) == ([], ["10.3.0.4"])

    run_scenario(story, every_kind({}))


# What has opted in: one endpoint in doubt, with words, and the others are read.


SPOILT = [
    (NEAR, put([], "properties", "networkProfile"), "10.1.0.4"),
    (NEAR, put(5, "location"), "10.1.0.4"),
    (LB, put(5, "properties", "frontendIPConfigurations"), "10.1.0.20"),
    (PE, put("x", "properties", "networkInterfaces"), "10.1.0.30"),
    (ACI, put([], "properties", "ipAddress"), "10.1.0.40"),
    (AGW, put(5, "properties", "httpListeners"), "10.1.0.60"),
    (APIM, put(5, "properties", "additionalLocations"), "10.1.0.70"),
    (APIM, put(5, "location"), "10.1.0.70"),
    (ENV, put([], "properties", "vnetConfiguration"), "10.1.0.80"),
    (POOL, put(5, "properties", "orchestrationMode"), "10.1.0.50"),
    (f"{POOL}/virtualMachines/0", put([], "properties", "networkProfile"), "10.1.0.50"),
]


@pytest.mark.parametrize(("resource", "spoil", "address"), SPOILT, ids=[row[0].rsplit("/", 1)[-1] for row in SPOILT])
def test_a_known_endpoint_that_cannot_be_read_any_more_stays_in_doubt_and_says_what_is_wrong(resource, spoil, address):
    async def story(stage):
        await swept(stage)
        before = llama(stage)
        assert address in before
        spoiled(stage, resource, spoil)
        report = await stage.app.correct_drift()
        assert (report.failures, report.complete, llama(stage)) == ([], True, before)
        said = [each for each in await alarms(stage) if "does not match its specification" in each]
        assert said
        assert all(each.lower().startswith(resource.lower()) for each in said)
        assert all("Expected `" in each for each in said)
        stage.faults = None
        await swept(stage)
        assert await alarms(stage) == []

    run_scenario(story, every_kind())


@pytest.mark.parametrize(("resource", "spoil", "address"), SPOILT, ids=[row[0].rsplit("/", 1)[-1] for row in SPOILT])
def test_an_unknown_endpoint_that_cannot_be_read_does_not_keep_the_others_out(resource, spoil, address):
    async def story(stage):
        spoiled(stage, resource, spoil)
        report = await stage.app.correct_drift()
        assert (report.failures, report.complete) == ([], True)
        others = {f"10.1.0.{number}" for number in (4, 20, 30, 40, 50, 51, 60, 70, 80)} - {address}
        assert (others - {"10.1.0.51"} if resource == POOL else others) <= set(llama(stage))
        assert address not in llama(stage), "what it is cannot be told"
        assert any("does not match its specification" in each for each in await alarms(stage))
        stage.faults = None
        await swept(stage)
        assert address in llama(stage)

    run_scenario(story, every_kind())


@pytest.mark.parametrize(("resource", "spoil", "address"), SPOILT, ids=[row[0].rsplit("/", 1)[-1] for row in SPOILT])
def test_an_event_on_an_endpoint_that_cannot_be_read_is_accepted(resource, spoil, address):
    async def story(stage):
        await swept(stage)
        spoiled(stage, resource, spoil)
        event = {"subject": resource, "eventType": "Microsoft.Resources.ResourceWriteSuccess", "data": {}}
        report = await stage.app.on_event(json.dumps(event))
        assert (report.failures, stage.app.events["accepted"]) == ([], 1)
        assert address in llama(stage)
        assert any("does not match its specification" in each for each in await alarms(stage))

    run_scenario(story, every_kind())


def test_what_can_be_read_of_an_endpoint_in_doubt_is_followed():
    """A person takes the tag away: the VM cannot be read, but that can."""

    async def story(stage):
        await swept(stage)
        spoiled(stage, NEAR, put([], "properties", "networkProfile"))
        await stage.app.correct_drift()
        assert "10.1.0.4" in llama(stage)
        tagged(stage, NEAR, team="ml")
        await stage.deliver_pending_events()
        assert llama(stage) == ["10.3.0.4"]
        assert await alarms(stage) == []

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


NIC = nic_id("near")
PART = "a part of it cannot be read"


@pytest.mark.parametrize(
    "spoil", [put({}, "properties", "ipConfigurations"), put(5, "properties")], ids=["type", "all"]
)
def test_a_vm_whose_nic_cannot_be_read_keeps_its_address_and_follows_its_power(spoil):
    async def story(stage):
        await swept(stage)
        spoiled(stage, NIC, spoil)
        await stage.app.correct_drift()
        assert llama(stage) == ["10.1.0.4"]
        assert any(PART in each for each in await alarms(stage))
        stage.arm("POST", f"{NEAR}/deallocate")
        await stage.deliver_pending_events()
        assert llama(stage) == ["10.3.0.4"], "its power state can be read"

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


def test_a_vm_that_starts_while_its_nic_cannot_be_read_is_not_published_where_it_was():
    """Its address may have gone to another machine meanwhile."""

    async def story(stage):
        await swept(stage)
        stage.arm("POST", f"{NEAR}/deallocate")
        await stage.deliver_pending_events()
        spoiled(stage, NIC, put(5, "properties"))
        stage.arm("POST", f"{NEAR}/start")
        await stage.deliver_pending_events()
        assert llama(stage) == ["10.3.0.4"]
        stage.faults = None
        await stage.app.drain()
        assert llama(stage) == ["10.1.0.4"]

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


def test_a_vm_of_unknown_power_stays_in_doubt_but_its_drain_tag_counts():
    async def story(stage):
        await swept(stage)
        spoiled(stage, NEAR, put([], "properties", "instanceView", "statuses"))
        await stage.app.correct_drift()
        assert llama(stage) == ["10.1.0.4"]
        assert f"{NEAR}: Azure does not report its power state" in await alarms(stage)
        tagged(stage, NEAR, **LLAMA, **{"nearzone-drain": "true"})
        await stage.deliver_pending_events()
        assert llama(stage) == ["10.3.0.4"]

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


FRONTEND = ("properties", "frontendIPConfigurations", 0, "properties", "privateIPAddress")
CONNECTION = ("properties", "privateLinkServiceConnections")
TOO_LITTLE = [
    (LB, put(None, *FRONTEND), "Azure does not report its address", "10.1.0.20"),
    (LB, put(None, *FRONTEND[:2]), "Azure does not report its address", "10.1.0.20"),
    (PE, put(None, *CONNECTION), "Azure does not report the state of its connection", "10.1.0.30"),
    (PE, put([], "properties", "networkInterfaces"), "Azure does not report its address", "10.1.0.30"),
    (AGW, put(None, *FRONTEND), "Azure does not report its address", "10.1.0.60"),
    (AGW, put(None, *FRONTEND[:2]), "Azure does not report its address", "10.1.0.60"),
    (AGW, put("", "properties", "operationalState"), "Azure does not report whether it runs", "10.1.0.60"),
    (APIM, put([], "properties", "privateIPAddresses"), "Azure does not report its address", "10.1.0.70"),
    (ENV, put(None, "properties", "staticIp"), "Azure does not report its address", "10.1.0.80"),
    (ACI, put(None, "properties", "ipAddress"), "Azure does not report its address", "10.1.0.40"),
    (ACI, put(None, "properties", "instanceView"), "Azure does not report whether it runs", "10.1.0.40"),
    (NIC, put(None, "properties", "ipConfigurations"), "its NIC does not report its addresses", "10.1.0.4"),
]


@pytest.mark.parametrize(("resource", "spoil", "doubt", "address"), TOO_LITTLE)
def test_a_read_that_says_too_little_leaves_what_was_known_in_doubt(resource, spoil, doubt, address):
    async def story(stage):
        await swept(stage)
        before = llama(stage)
        assert address in before
        spoiled(stage, resource, spoil)
        report = await stage.app.correct_drift()
        assert (report.failures, llama(stage)) == ([], before)
        assert [each.split(": ", 1)[1] for each in await alarms(stage)] == [doubt]

    run_scenario(story, every_kind())


def test_a_private_endpoint_whose_nic_cannot_be_read_stays_until_it_is_seen_to_be_rejected():
    async def story(stage):
        await swept(stage)
        (nic,) = [each.id for each in stage.cloud.network.nics if each.private_endpoint]
        spoiled(stage, nic, put({}, "properties", "ipConfigurations"))
        report = await stage.app.correct_drift()
        assert (report.failures, llama(stage)) == ([], ["10.1.0.30"])
        assert any(PART in each for each in await alarms(stage))
        stage.cloud.private_endpoints.decide(PE, "Rejected")
        await stage.app.correct_drift()
        assert llama(stage) == ["10.3.0.4"]

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint()]))


def test_a_private_endpoint_whose_zone_groups_cannot_be_read_stays_as_it_was():
    async def story(stage):
        await swept(stage)
        spoiled(stage, f"{PE}/privateDnsZoneGroups/default", put({}, "properties", "privateDnsZoneConfigs"))
        await stage.app.correct_drift()
        assert stage.record(EAST, "pe") is None
        assert any(PART in each for each in await alarms(stage))

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint(zone_group=[zone_id(EAST)])]))


@pytest.mark.parametrize("tag", [None, 5], ids=["null", "number"])
def test_a_tag_of_ours_that_is_no_text(tag):
    """null is no tag; a number is taken as it would be written."""

    async def story(stage):
        spoiled(stage, NEAR, put({"nearzone": tag}, "tags"))
        await stage.app.correct_drift()
        assert stage.record(EAST, "near") == (None if tag is None else ["10.1.0.4"])
        assert stage.record(EAST, "5") == (None if tag is None else ["10.1.0.4"])

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


def seen_otherwise(resource, where, value):
    """What is read all the same, and says that the endpoint does not claim or not serve."""
    if resource.endswith("-nic") and where[1:2] in (("virtualMachine",), ("ipConfigurations",)):
        return True  # A machine's NIC that is not attached to it, or has no primary address.
    if "vmHealth" in where:
        return True  # It is warming then; whether it was just one answer is decided by a second look.
    if where[-1] in ("additionalLocations", "vnetConfiguration", "internal") and not value:
        return True  # So a service with one location is shown, and an environment without an address in a VNet.
    if (where[-1], value) in (("frontendIPConfigurations", []), ("httpListeners", [])):
        return True
    return value == "x" or where[0] == "tags"


def test_no_null_and_no_wrong_type_anywhere_fails_a_list_or_another_endpoint_or_withdraws_one():
    """Places of every resource that is read, one after the other: a seeded choice (all pass, in a minute)."""

    async def story(stage):
        await swept(stage)
        known = [row.value.endpoint for row in await stage.app.catalog.endpoints()]
        arm = stage.app.inventory
        first = await arm.list_all(stage.app.settings.subscriptions, known)
        listed = [one for each in first for one in each.endpoints]
        nics = [each.id for each in stage.cloud.network.nics if "/virtualMachineScaleSets/" not in each.id]
        read = (NEAR, LB, PE, ACI, AGW, APIM, ENV, POOL, f"{POOL}/virtualMachines/0", *nics)
        places = [(each, where) for each in read for where in leaves(stage.cloud.handle(request(each)).content)]
        cases = [(*place, value) for place in places for value in (None, 5, [], {}, "x") if place[1] != ("id",)]
        for case in Random(1).sample(cases, 150):
            resource, where, value = case
            spoiled(stage, resource, put(value, *where))
            listings = await arm.list_all(stage.app.settings.subscriptions, known)
            assert [each.error for each in listings if each.error] == [], case
            seen = {one.key: one for each in listings for one in each.endpoints}
            assert all(
                seen[each.key].equals_ignoring_id_case(each) for each in listed if not touches(resource, each)
            ), case
            for each in known:
                now = seen.get(each.key) or await arm.observe(each.id, each)
                same = (ips(now), now.state) == (ips(each), each.state)
                assert same or seen_otherwise(resource, where, value), case

    run_scenario(story, every_kind(), latency=0.0)


def ips(endpoint):
    return [address.ip for address in endpoint.addresses]


def request(resource):
    version = (
        "2024-01-01" if "Network/" in resource else "2023-05-01" if "ContainerInstance" in resource else "2024-07-01"
    )
    return Request("GET", resource, {"api-version": version, "$expand": "instanceView"}, {}, b"")


def touches(resource, endpoint):
    """Whether an endpoint is the resource, a part of it, or has it as its NIC."""
    if "/networkInterfaces/" in resource:
        name = resource.rsplit("/", 1)[-1].split(".nic.")[0].removesuffix("-nic")
        return name == endpoint.key.rsplit("/", 1)[-1]
    return f"{endpoint.key}/".startswith(f"{resource.lower()}/")


# What is read beside endpoints.


def record_of(name):
    return f"{zone_id(EAST)}/A/{name}"


FOREIGN = [{"name": "db", "type": "A", "ttl": 300, "addresses": ["10.9.9.9"], "metadata": {"team": "data"}}]


@pytest.mark.parametrize(
    "spoil",
    [
        put({"team": None}, "properties", "metadata"),
        put(None, "properties", "aRecords"),
        put([None], "properties", "aRecords"),
        put(None, "properties"),
        put("x", "properties", "ttl"),
        put([], "properties"),
        put(None, "name"),
        put(5, "properties", "metadata"),
    ],
)
def test_a_strange_record_set_of_others_stands_in_nobodys_way(spoil):
    async def story(stage):
        spoiled(stage, record_of("db"), spoil)
        report = await stage.app.correct_drift()
        assert (report.failures, report.complete, stage.record(EAST, "llama")) == ([], True, ["10.1.0.4"])
        assert stage.record(EAST, "db") == ["10.9.9.9"]

    settings_and_records = world(FAR, a_vm("near", EAST, 4))
    for zone in settings_and_records["zones"]:
        zone["records"] = FOREIGN
    run_scenario(story, settings_and_records)


def test_a_record_set_that_cannot_be_read_is_never_written_although_its_name_is_claimed():
    async def story(stage):
        spoiled(stage, record_of("db"), put([], "properties"))
        report = await stage.app.correct_drift()
        assert stage.record(EAST, "db") == ["10.9.9.9"]
        assert {what for what, _ in report.failures} == {"db in ai.internal (eastus)"}, "its own GET says what is wrong"
        assert (report.complete, llama(stage)) == (True, ["10.3.0.4"])
        assert "the record set is not ours" in next(each.reason for each in report.skips if each.name == "db")

    a_world = world(FAR, a_vm("near", EAST, 4, "db"))
    for zone in a_world["zones"]:
        zone["records"] = FOREIGN
    run_scenario(story, a_world)


def test_a_record_set_of_ours_with_a_null_in_its_metadata_is_still_ours():
    async def story(stage):
        await swept(stage)
        mark = {"nearzone-owner": "nearzone", "note": None}
        spoiled(stage, record_of("llama"), put(mark, "properties", "metadata"))
        stage.arm("POST", f"{NEAR}/deallocate")
        await stage.deliver_pending_events()
        assert llama(stage) == ["10.3.0.4"]
        assert (await stage.app.correct_drift()).failures == []

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("virtualNetworkLinks", put(5, "properties", "virtualNetwork")),
        ("locks", put(5, "properties", "level")),
    ],
)
def test_a_link_or_a_lock_that_cannot_be_read_is_told_and_the_others_are_read(kind, spoil):
    async def story(stage):
        await swept(stage)
        zone = stage.app.settings.zones[0]
        lock = f"{zone.id}/providers/Microsoft.Authorization/locks/odd"
        link = f"{zone.id}/virtualNetworkLinks/{EAST}"
        stage.arm("PUT", lock, {"properties": {"level": "CanNotDelete"}})
        before = await stage.app.preflight.zone_environments.read(zone)
        assert (len(before.links), len(before.locks), before.unread) == (1, 1, ())
        spoiled(stage, link if kind == "virtualNetworkLinks" else lock, spoil)
        after = await stage.app.preflight.zone_environments.read(zone)
        assert len(after.links) + len(after.locks) == 1
        assert ["cannot be read: ARM's answer does not match its specification" in each for each in after.unread][
            :1
        ] == [True]

    run_scenario(story, world(FAR))


@pytest.mark.parametrize("content", [{"value": None}, {"value": 5}, [], "x"])
def test_an_answer_that_is_no_list_is_an_incomplete_list_and_nobody_is_missed(content):
    async def story(stage):
        await swept(stage)
        answer = Response(200, content)
        stage.faults = lambda request: answer if request.path.endswith("/loadBalancers") else None
        report = await stage.app.correct_drift()
        assert [what for what, _ in report.failures] == [
            f"list of microsoft.network/loadbalancers in subscription {SUB}"
        ]
        assert llama(stage) == ["10.1.0.20"]

    run_scenario(story, world(FAR, load_balancers=[load_balancer()]))
