"""What docs/security.md says that somebody cannot do, tried; and every test that it names is there."""

import ast
import json
import re
from pathlib import Path

import pytest

from shared.domain.errors import BadRequest
from tests.support.deployment import (
    GROUP,
    REGIONS,
    SUB,
    a_vm,
    a_world,
    answers,
    nic_id,
    run_scenario,
    vm_id,
    vnet,
    zone_id,
)

ROOT = Path(__file__).parents[2]
EAST, WEST, ASIA = REGIONS
OTHER = "99999999-9999-4999-8999-999999999999"


def named():
    """Every test that the document names, as (file, function)."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    found = re.findall(r"`([\w/]+\.py)::(\w+)`", text)
    assert len(found) > 20
    return sorted(set(found))


@pytest.mark.parametrize(("file", "test"), named())
def test_every_test_that_the_document_names_is_there(file, test):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


FORGED = [
    {"operationName": "Microsoft.Compute/virtualMachines/deallocate/action", "status": "Succeeded"},
    {"operationName": "Microsoft.Compute/virtualMachines/delete", "status": "Succeeded"},
    {"operationName": "Microsoft.Compute/virtualMachines/write", "properties": {"privateIPAddress": "10.6.6.6"}},
    {"operationName": "Microsoft.Network/privateDnsZones/A/write", "aRecords": [{"ipv4Address": "10.6.6.6"}]},
]


def forged(data, resource, schema):
    head = {"id": "e", "subject": resource, "data": {"resourceUri": resource, **data}}
    kind, time = "Microsoft.Resources.ResourceActionSuccess", "2026-11-26T00:00:00Z"
    if schema == "EventGridSchema":
        return head | {"eventType": kind, "eventTime": time, "topic": f"/subscriptions/{SUB}", "dataVersion": "2"}
    return head | {"type": kind, "time": time, "source": f"/subscriptions/{SUB}", "specversion": "1.0"}


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
@pytest.mark.parametrize("data", FORGED, ids=lambda data: data["operationName"].split("/", 1)[1])
def test_a_forged_event_changes_nothing_that_azure_does_not_say(data, schema):
    async def story(stage):
        await stage.app.correct_drift()
        before, writes = answers(stage), len(stage.request_log.writes)
        for resource in (vm_id("e-1"), f"{GROUP}/gpu/providers/Microsoft.Compute/virtualMachines/nobody"):
            await stage.app.on_event(json.dumps(forged(data, resource, schema)))
        assert (answers(stage), len(stage.request_log.writes)) == (before, writes)

    run_scenario(story, a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4)))


def test_an_event_about_a_subscription_that_is_not_watched_asks_azure_nothing():
    async def story(stage):
        await stage.app.correct_drift()
        asked = len(stage.request_log.requests)
        await stage.app.on_event(json.dumps(forged(FORGED[0], vm_id("e-1").replace(SUB, OTHER), "EventGridSchema")))
        assert len(stage.request_log.requests) == asked

    run_scenario(story, a_world(a_vm("e-1", EAST, 4)))


def test_a_tag_in_a_group_that_may_not_claim_a_name_does_not_join_it():
    async def story(stage):
        await stage.app.correct_drift()
        assert answers(stage)[0] == ["10.1.0.4"]
        why = await stage.app.explain(stage.app.settings.zones[0], "llama")
        (rogue,) = [each for each in why["claims"] if each["endpoint"] == vm_id("rogue", "playground")]
        assert (rogue["included"], "NEARZONE_CLAIMS" in rogue["reason"]) == (False, True)

    claims = {"llama": [f"{GROUP}/gpu"], "*": [SUB]}
    run_scenario(story, a_world(a_vm("e-1", EAST, 4), a_vm("rogue", EAST, 66, group="playground"), CLAIMS=claims))


@pytest.mark.parametrize(
    "tag",
    [
        "<script>alert(1)</script>",
        "*",
        "@",
        "../../A/db",
        "llama\nX: y",
        "a" * 250,
        "-x",
        "llama.evil",
        "%2e%2e",
        "\N{FULLWIDTH LATIN SMALL LETTER L}lama",
    ],
)
def test_a_hostile_tag_is_at_most_a_fault_of_its_endpoint(tag):
    async def story(stage):
        report = await stage.app.correct_drift()
        assert report.failures == []
        zone = stage.cloud.private_dns.zone(zone_id(EAST))
        assert {each.name for each in zone.record_sets if each.type == "A"} == {"e-1", "w-1", "llama"}
        alarms = [alarm["what"] for alarm in (await stage.app.status())["alarms"]]
        assert any(vm_id("e-1") in what for what in alarms)

    run_scenario(story, a_world(a_vm("e-1", EAST, 4, tag), a_vm("w-1", WEST, 4)))


def test_an_address_out_of_the_clients_reach_is_not_published():
    async def story(stage):
        await stage.app.correct_drift()
        assert answers(stage) == [["10.1.0.4"], ["10.2.0.4"], ["10.2.0.4"]]

    zones = [{"id": zone_id(region), "region": region} for region in REGIONS]
    zones[2]["reach"] = ["10.2.0.0/16"]  # Asia's clients are nearer to nobody, and reach West Europe only.
    run_scenario(
        story, a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4), ZONES=zones, LATENCY={ASIA: {EAST: 1, WEST: 200}})
    )


def everywhere(**more):
    """Zones whose clients reach every address."""
    return [{"id": zone_id(region), "region": region, "reach": ["0.0.0.0/0"], **more} for region in REGIONS]


def tell(stage, name, ip):
    """Let Azure tell this address of a VM's NIC, whatever it would let anybody set."""
    stage.cloud.network.nics.find(nic_id(name)).configurations[0].address = ip


async def why_not(stage, name, endpoint):
    """Why an endpoint is not in East US's answer, and the faults that the status and the page tell of it."""
    zone = stage.app.settings.zones[0]
    (claim,) = [each for each in (await stage.app.explain(zone, name))["claims"] if each["endpoint"] == endpoint]
    assert not claim["included"]
    told = await stage.app.status(full=True)
    (known,) = [each for each in told["known"] if each["id"] == endpoint]
    assert all(any(fault in alarm["what"] for alarm in told["alarms"]) for fault in known["faults"])
    return claim["reason"], known["faults"]


@pytest.mark.parametrize(
    ("ip", "words"),
    [
        ("127.0.0.1", "a loopback address (127.0.0.0/8)"),
        ("169.254.169.254", "a link-local address (169.254.0.0/16)"),
        ("168.63.129.16", "Azure's own address in every VNet (168.63.129.16)"),
        ("224.0.0.251", "a multicast address (224.0.0.0/4)"),
        ("0.0.0.0", "an unspecified address (0.0.0.0/8)"),
        ("255.255.255.255", "a reserved or broadcast address (240.0.0.0/4)"),
    ],
)
@pytest.mark.parametrize("public", [False, True])
def test_an_address_that_no_endpoint_can_have_is_never_published(ip, words, public):
    async def story(stage):
        tell(stage, "e-1", ip)
        await stage.app.correct_drift()
        assert answers(stage) == [["10.2.0.4"]] * 3
        told = f"{ip} is {words}, which is never published"
        assert await why_not(stage, "llama", vm_id("e-1")) == (told, [told])
        assert stage.wrong_answers() == {}

    run_scenario(story, a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4), ZONES=everywhere(public=public)))


def test_a_public_address_is_published_only_in_a_zone_that_says_so():
    async def story(stage):
        tell(stage, "e-1", "20.1.0.4")
        await stage.app.correct_drift()
        assert answers(stage) == [["10.2.0.4"]] * 3
        reason, faults = await why_not(stage, "llama", vm_id("e-1"))
        assert reason == '20.1.0.4 is a public address, and its zone in NEARZONE_ZONES does not say "public": true'
        assert faults == ['20.1.0.4 is a public address, and no zone of NEARZONE_ZONES says "public": true']

        zones = [everywhere(public=True)[0], *everywhere()[1:]]
        stage.restart(NEARZONE_ZONES=json.dumps(zones))
        await stage.app.correct_drift()
        assert answers(stage) == [["20.1.0.4"], ["10.2.0.4"], ["10.2.0.4"]]
        assert all("public address" not in alarm["what"] for alarm in (await stage.app.status())["alarms"])

    run_scenario(story, a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4), ZONES=everywhere()))


@pytest.mark.parametrize("by", ["tag", "own name"])
def test_a_name_that_must_be_spelled_is_claimed_through_no_wildcard(by):
    machine = a_vm("gpu-1", EAST, 4, "llama, WPAD") if by == "tag" else a_vm("wpad", EAST, 4, "llama")

    async def story(stage):
        await stage.app.correct_drift()
        assert stage.record(EAST, "wpad") is None
        assert answers(stage)[0] == ["10.1.0.4"], "the other name of the endpoint suffers"
        needs = "NEARZONE_NEVER_BY_WILDCARD has this name, so only an exact entry of NEARZONE_CLAIMS"
        reason, faults = await why_not(stage, "wpad", machine["id"])
        assert (reason, faults) == (f"{needs} permits the claim", [f"'wpad': {needs} permits the claim"])
        assert stage.wrong_answers() == {}

        for changed in ({"NEARZONE_CLAIMS": {"*": [SUB], "wpad": [SUB]}}, {"NEARZONE_NEVER_BY_WILDCARD": []}):
            stage.restart(**{name: json.dumps(value) for name, value in changed.items()})
            await stage.app.correct_drift()
            assert stage.record(EAST, "wpad") == ["10.1.0.4"]
            stage.environment |= {"NEARZONE_CLAIMS": json.dumps({"*": [SUB]})}

    run_scenario(story, a_world(machine, CLAIMS={"*": [SUB], "wp*": [SUB]}))


def test_names_that_must_be_spelled_are_those_of_the_setting():
    async def story(stage):
        await stage.app.correct_drift()
        assert (stage.record(EAST, "wpad"), stage.record(EAST, "gateway")) == (["10.1.0.4"], None)
        assert stage.wrong_answers() == {}

    run_scenario(story, a_world(a_vm("e-1", EAST, 4, "wpad,gateway"), NEVER_BY_WILDCARD=["gateway"]))


def test_an_address_that_two_vnets_claim_is_published_from_neither():
    async def story(stage):
        await stage.app.correct_drift()
        assert answers(stage)[0] == ["10.1.0.5"]

    twin = a_vm("twin", EAST, 4)
    twin["nics"][0]["vnet"] = vnet("copy")
    world = a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), twin)
    world["vnets"].append({"id": vnet("copy"), "location": EAST, "prefixes": ["10.1.0.0/16"]})
    run_scenario(story, world)


def test_no_request_can_name_an_address():
    """No value of a documented field is an address, and any other field is refused."""
    address = "10.6.6.6"
    documented = [{field: address} for field in ("zone", "name", "endpoint", "force", "adopt", "drain", "freeze")]
    documented += [{field: address} for field in ("undrain", "unfreeze", "dry_run", "check", "force_beyond")]
    documented += [{"adopt": [address]}, {"force": [address]}, {"freeze": {"zone": address}}]
    documented += [{"drain": {target: address, "minutes": 1}} for target in ("endpoint", "region")]
    documented += [{"undrain": {target: address}} for target in ("endpoint", "region")]
    others = ("addresses", "address", "aRecords", "fallback", "record", "ip")
    unknown = [{field: [address]} for field in others]
    unknown += [{"drain": {"region": EAST, "minutes": 1, field: address}} for field in others]

    async def story(stage):
        for body in documented + unknown:
            with pytest.raises(BadRequest, match=next(iter(body))):
                await stage.resync(**body)
        reason = await stage.resync(reason=address)
        assert (reason.failures, answers(stage)) == ([], [["10.1.0.4"]] * 3), "it is kept beside the changes alone"

    run_scenario(story, a_world(a_vm("e-1", EAST, 4)))
