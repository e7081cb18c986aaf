"""Every kind of endpoint, from its own events and from what it depends on to the zones of a simulated Azure."""

import asyncio
from dataclasses import replace

import pytest

from simulator.arm.front_door import Response
from simulator.containers.container_group import Current
from simulator.event_grid.delivery import Subscription
from tests.support.deployment import GROUP, REGIONS, SUB, a_vm, nic_id, run_scenario, vm_id, vnet, zone_id
from tests.support.endpoint_kinds import (
    FAR,
    HEALTH,
    LLAMA,
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

EAST, WEST, ASIA = REGIONS


async def alarms(stage):
    return [alarm["what"] for alarm in (await stage.app.status())["alarms"]]


async def told(stage):
    """What has happened has reached the zones by events alone."""
    await stage.deliver_pending_events()
    assert stage.wrong_answers() == {}


def test_an_internal_load_balancer_answers_with_its_private_frontends_until_it_is_deleted():
    entry = load_balancer(
        "lb",
        LLAMA,
        {"name": "inside", "vnet": vnet(EAST), "address": "10.1.0.20"},
        {"name": "outside", "public_ip": path("Microsoft.Network/publicIPAddresses", "ip")},
    )

    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.1.0.20"]
        assert stage.record(EAST, "lb") == ["10.1.0.20"], "its own name, too"
        assert any("'outside' has no private address" in each for each in await alarms(stage))
        stage.arm("DELETE", entry["id"])
        await told(stage)
        assert llama(stage) == ["10.3.0.4"]

    run_scenario(story, world(FAR, load_balancers=[entry]))


def test_a_new_load_balancer_and_its_drain_tag_are_followed_by_their_events():
    async def story(stage):
        await swept(stage)
        frontend = {"name": "f", "properties": {"subnet": {"id": f"{vnet(EAST)}/subnets/default"}}}
        frontend["properties"]["privateIPAddress"], frontend["properties"]["privateIPAllocationMethod"] = (
            "10.1.0.21",
            "Static",
        )
        body = {"location": EAST, "tags": LLAMA, "sku": {"name": "Standard"}}
        new = path("Microsoft.Network/loadBalancers", "new")
        pool = {"name": "p", "properties": {"loadBalancerBackendAddresses": [{"name": "a", "properties": {}}]}}
        properties = {"frontendIPConfigurations": [frontend], "backendAddressPools": [pool]}
        stage.arm("PUT", new, body | {"properties": properties})
        await told(stage)
        assert llama(stage) == ["10.1.0.20", "10.1.0.21"]
        tagged(stage, new, **LLAMA, **{"nearzone-drain": "true"})
        await told(stage)
        assert llama(stage) == ["10.1.0.20"]

    run_scenario(story, world(load_balancers=[load_balancer()]))


def test_a_private_endpoint_serves_while_its_connection_is_approved():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"]
        stage.cloud.private_endpoints.decide(entry["id"], "Approved")
        await stage.app.drain()
        assert llama(stage) == ["10.1.0.30"], "a pending one is looked at by the drain timer"
        stage.cloud.private_endpoints.decide(entry["id"], "Rejected")
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"]

    entry = private_endpoint(connection="Pending")
    run_scenario(story, world(FAR, private_endpoints=[entry]))


PRIVATELINK = f"{GROUP}/ai/providers/Microsoft.Network/privateDnsZones/privatelink.openai.azure.com"
"""A zone that an Azure Policy has every private endpoint registered in, and that is none of the settings'."""


@pytest.mark.parametrize("group", [[PRIVATELINK], True], ids=["another zone", "no zone at all"])
def test_a_zone_group_for_a_zone_that_is_not_ours_changes_nothing(group):
    async def story(stage):
        await swept(stage)
        assert llama(stage) == stage.record(EAST, "pe") == ["10.1.0.30"]
        assert not any("zone group" in each for each in await alarms(stage))

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint(zone_group=group)]))


def test_a_zone_group_that_a_policy_adds_to_a_serving_private_endpoint_changes_nothing():
    async def story(stage):
        await swept(stage)
        stage.arm("PUT", PRIVATELINK, {"location": "global"})
        await stage.deliver_pending_events()
        stage.arm("PUT", f"{private_endpoint()['id']}/privateDnsZoneGroups/deployedByPolicy", grouped(PRIVATELINK))
        await told(stage)
        await swept(stage)
        assert llama(stage) == ["10.1.0.30"]

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint()]))


def grouped(*zones):
    configs = [{"name": f"c{number}", "properties": {"privateDnsZoneId": each}} for number, each in enumerate(zones)]
    return {"properties": {"privateDnsZoneConfigs": configs}}


def test_a_private_endpoint_with_a_zone_group_for_our_zone_is_left_to_azure_and_says_so():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"]
        assert stage.record(EAST, "pe") is None
        assert any("DNS zone group for a zone of NEARZONE_ZONES" in each for each in await alarms(stage))
        stage.arm("DELETE", f"{entry['id']}/privateDnsZoneGroups/default")
        await told(stage)
        assert llama(stage) == ["10.1.0.30"], "the group's event is a hint at the endpoint"
        assert not any("zone group" in each for each in await alarms(stage))

    entry = private_endpoint(zone_group=[PRIVATELINK, zone_id(WEST).replace("dns-west", "DNS-West")])
    run_scenario(story, world(FAR, private_endpoints=[entry]))


def test_a_new_zone_group_for_our_zone_takes_a_private_endpoint_out():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.1.0.30"]
        group = f"{private_endpoint()['id']}/privateDnsZoneGroups/default"
        stage.arm("PUT", group, grouped(zone_id(EAST).replace("resourceGroups", "resourcegroups")))
        await told(stage)
        assert llama(stage) == ["10.3.0.4"]

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint()]))


def test_a_container_group_answers_while_it_runs_and_is_followed_to_a_new_address():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.1.0.40"]
        stage.arm("POST", f"{entry['id']}/stop")
        await told(stage)
        assert llama(stage) == ["10.3.0.4"]
        stage.arm("POST", f"{entry['id']}/start")
        await told(stage)
        moved = stage.cloud.container_groups.relocate(entry["id"])
        assert moved not in llama(stage), "Azure tells nobody"
        await swept(stage)
        assert llama(stage) == [moved]

    entry = container_group()
    run_scenario(story, world(FAR, container_groups=[entry]))


def test_a_container_group_without_a_private_address_is_not_published():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"]

    run_scenario(story, world(FAR, container_groups=[container_group(vnet=None, address=None)]))


CRASHED = {"name": "server", "state": "Waiting", "detail": "CrashLoopBackOff: Back-off 10s restarting failed"}
ENDED = {"name": "server", "state": "Terminated", "detail": "Error"}
STARTING = {"name": "server", "state": "Waiting"}
SIDECAR = {"name": "logs", "port": None}
JOB = {"name": "job", "state": "Terminated", "detail": "Completed", "port": None}


@pytest.mark.parametrize(
    ("containers", "serves"),
    [
        ([{"name": "server"}], True),
        ([CRASHED], False),
        ([ENDED], False),
        ([STARTING], False),
        ([CRASHED, SIDECAR], False),
        ([{"name": "server"}, JOB], True),
        ([JOB, SIDECAR], True),
        ([CRASHED, {"name": "other", "port": 8001}], True),
    ],
    ids=["runs", "crashes", "ended", "starts", "server of two", "job ended", "no ports", "one of two servers"],
)
def test_a_running_container_group_serves_while_a_container_runs_that_clients_may_talk_to(containers, serves):
    async def story(stage):
        await swept(stage)
        assert llama(stage) == (["10.1.0.40"] if serves else ["10.3.0.4"])

    run_scenario(story, world(FAR, container_groups=[container_group(containers=containers)]))


def test_a_crash_is_found_by_the_sweep_and_told_and_the_recovery_by_the_drain():
    async def story(stage):
        await swept(stage)
        crash = Current("Waiting", "CrashLoopBackOff: Back-off 10s restarting failed")
        stage.cloud.container_groups.set_container(entry["id"], "server", crash)
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"]
        words = "none of its containers that could serve is running: Waiting (CrashLoopBackOff)"
        assert any(each.endswith(words) for each in await alarms(stage))
        stage.cloud.container_groups.set_container(entry["id"], "server", Current("Running"))
        await stage.app.drain()
        assert llama(stage) == ["10.1.0.40"]
        assert not any(words in each for each in await alarms(stage))

    entry = container_group(containers=[{"name": "server"}])
    run_scenario(story, world(FAR, container_groups=[entry]))


@pytest.mark.parametrize("state", ["Unknown", "Repairing"])
def test_a_container_group_of_which_azure_tells_nothing_stays_as_it_was_known_in_doubt(state):
    async def story(stage):
        await swept(stage)
        stage.cloud.container_groups.set_state(entry["id"], state)
        report = await stage.app.correct_drift()
        assert (report.failures, llama(stage)) == ([], ["10.1.0.40"])
        assert f"{entry['id']}: Azure does not report whether it runs" in await alarms(stage)
        tagged(stage, entry["id"], **LLAMA, **{"nearzone-drain": "true"})
        await told(stage)
        assert llama(stage) == ["10.3.0.4"], "its tags are read, and nothing is in doubt about them"
        tagged(stage, entry["id"])
        stage.cloud.container_groups.set_state(entry["id"], "Running")
        await swept(stage)
        assert not any("Azure does not tell" in each for each in await alarms(stage))

    entry = container_group()
    run_scenario(story, world(FAR, container_groups=[entry]))


def test_a_container_group_that_was_never_seen_to_run_is_not_published_on_doubt():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"]
        stage.cloud.container_groups.set_state(entry["id"], "Running")
        await asyncio.sleep(5.0)
        await stage.app.drain()
        assert llama(stage) == ["10.1.0.40"]

    entry = container_group(state="Repairing")
    run_scenario(story, world(FAR, container_groups=[entry]))


def test_the_instances_of_a_uniform_scale_set_answer_for_its_tag_and_for_its_own_name():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == stage.record(EAST, "pool") == ["10.1.0.50", "10.1.0.51"]
        stage.arm("POST", f"{entry['id']}/virtualMachines/0/deallocate")
        await told(stage)
        assert llama(stage) == ["10.1.0.51"]
        stage.arm("POST", f"{entry['id']}/virtualMachines/2/start")
        await told(stage)
        assert llama(stage) == ["10.1.0.51", "10.1.0.52"]
        tagged(stage, entry["id"], nearzone="mistral")
        await told(stage)
        assert llama(stage) == ["10.3.0.4"]
        assert stage.record(EAST, "mistral") == ["10.1.0.51", "10.1.0.52"]

    entry = scale_set("pool", LLAMA, instance(0), instance(1), instance(2, "deallocated"))
    run_scenario(story, world(FAR, scale_sets=[entry]))


@pytest.mark.parametrize("capacity", [5, 1, 40])
def test_scaling_a_uniform_set_is_followed_from_the_one_event_on_the_set(capacity):
    async def story(stage):
        await swept(stage)
        stage.arm("PATCH", entry["id"], {"sku": {"name": "Standard_NC24ads_A100_v4", "capacity": capacity}})
        await told(stage)
        assert len(llama(stage)) == min(capacity, 20)

    entry = scale_set("pool", LLAMA, *(instance(number) for number in range(3)))
    run_scenario(story, world(FAR, scale_sets=[entry]))


def test_a_deleted_scale_set_takes_its_instances_along():
    async def story(stage):
        await swept(stage)
        stage.arm("DELETE", entry["id"])
        await told(stage)
        assert llama(stage) == ["10.3.0.4"]

    entry = scale_set("pool", LLAMA, instance(0), instance(1))
    run_scenario(story, world(FAR, scale_sets=[entry]))


def test_an_instance_is_published_when_its_health_says_so():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.1.0.50"]
        stage.cloud.compute.set_health(f"{entry['id']}/virtualMachines/1", "healthy")
        await stage.app.drain()
        assert llama(stage) == ["10.1.0.50", "10.1.0.51"]

    entry = scale_set("pool", LLAMA, instance(0, health="healthy"), instance(1, health="unhealthy"))
    run_scenario(story, world(FAR, scale_sets=[entry]))


async def rows(stage):
    return {row.value.endpoint.key: row.value.endpoint for row in await stage.app.catalog.endpoints()}


@pytest.mark.parametrize("lists_hold_health", [True, False])
def test_a_vm_that_has_just_booted_is_published_only_when_its_health_extension_has_reported(lists_hold_health):
    async def story(stage):
        stage.cloud.compute.status_only_health = lists_hold_health
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"]
        stage.arm("POST", f"{vm_id('near')}/start")
        await asyncio.sleep(stage.cloud.azure.next_due() - stage.clock())
        stage.cloud.azure.advance()
        await stage.event_grid.idle()
        near = (await rows(stage))[vm_id("near").lower()]
        assert (near.state, near.unreported, llama(stage)) == ("warming", True, ["10.3.0.4"])
        await swept(stage)
        near = (await rows(stage))[vm_id("near").lower()]
        assert (near.state, near.unreported, llama(stage)) == ("warming", True, ["10.3.0.4"]), "nor by a list"
        stage.cloud.compute.set_health(vm_id("near"), "healthy")
        await stage.app.drain()
        near = (await rows(stage))[vm_id("near").lower()]
        assert (near.state, near.unreported, llama(stage)) == ("serving", False, ["10.1.0.4"])

    run_scenario(story, world(FAR, a_vm("near", EAST, 4, power="deallocated", health="healthy")))


@pytest.mark.parametrize("kind", ["VM", "flexible", "uniform"])
def test_a_machine_with_the_health_extension_that_has_reported_nothing_is_warming(kind):
    async def story(stage):
        await swept(stage)
        silent = [each for each in (await rows(stage)).values() if each.unreported]
        assert [(each.state, [address.ip for address in each.addresses]) for each in silent] == [("warming", [address])]
        assert llama(stage) == beside
        await swept(stage)
        stage.cloud.compute.set_health(silent[0].id, "healthy")
        await stage.app.drain()
        assert llama(stage) == sorted([*(each for each in beside if not each.startswith("10.3.")), address])

    if kind == "uniform":
        address, beside = "10.1.0.51", ["10.1.0.50"]
        pool = scale_set("pool", LLAMA, instance(0, health="healthy"), instance(1, health="silent"))
        given = world(FAR, scale_sets=[pool])
    else:
        address, beside = "10.1.0.4", ["10.3.0.4"]
        flex = scale_set("flex", {}, mode="Flexible")
        link = {"scale_set": flex["id"]} if kind == "flexible" else {}
        given = world(FAR, a_vm("near", EAST, 4, health="silent") | link, scale_sets=[flex])
    run_scenario(story, given)


def test_a_drained_machine_without_a_report_is_drained_and_waits_for_nothing():
    async def story(stage):
        await swept(stage)
        near = (await rows(stage))[vm_id("near").lower()]
        assert (near.state, near.unreported) == ("draining", False)

    run_scenario(story, world(FAR, a_vm("near", EAST, 4, health="silent", **{"nearzone-drain": "yes"})))


def test_an_instance_that_is_older_than_the_extension_in_its_sets_model_serves():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.1.0.50", "10.1.0.51"]

    entry = scale_set("pool", LLAMA, instance(0, health="healthy"), instance(1))
    run_scenario(story, world(FAR, scale_sets=[entry]))


def test_the_health_extension_that_is_written_later_makes_a_vm_wait_for_its_report():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.1.0.4"]
        properties = {"publisher": "Microsoft.ManagedServices", "type": "ApplicationHealthWindows"}
        stage.arm("PUT", f"{vm_id('near')}/extensions/health", {"location": EAST, "properties": properties})
        await told(stage)
        assert llama(stage) == ["10.3.0.4"]
        stage.cloud.compute.set_health(vm_id("near"), "healthy")
        await stage.app.drain()
        assert llama(stage) == ["10.1.0.4"]

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


def test_a_list_of_instances_that_breaks_takes_nobody_out():
    async def story(stage):
        await swept(stage)
        before = llama(stage)
        broken = f"{entry['id']}/virtualmachines".lower()
        stage.faults = lambda request: Response(502) if request.path.lower() == broken else None
        report = await stage.app.correct_drift()
        assert llama(stage) == before
        assert any("virtualmachinescalesets/virtualmachines" in what for what, _ in report.failures)

    entry = scale_set("pool", LLAMA, instance(0), instance(1))
    run_scenario(story, world(FAR, scale_sets=[entry]))


@pytest.mark.parametrize("told_of_vms", [True, False])
def test_a_flexible_scale_set_that_scales_in_is_followed_whether_or_not_its_vms_events_come(told_of_vms):
    async def story(stage):
        if not told_of_vms:
            own = replace(stage.event_grid.subscriptions[0], operations=("Microsoft.Compute/virtualMachineScaleSets",))
            stage.event_grid.subscriptions[0] = own
        await swept(stage)
        assert llama(stage) == ["10.1.0.4", "10.1.0.5"]
        stage.arm("DELETE", vm_id("flex-2"))
        await stage.deliver_pending_events()
        # The set itself tells of it, in whatever way it was scaled.
        stage.arm("PATCH", entry["id"], {"tags": {"team": "ml"}})
        await told(stage)
        assert llama(stage) == ["10.1.0.4"]

    entry = scale_set("flex", {}, mode="Flexible")
    vms = [a_vm(f"flex-{number}", EAST, 3 + number) | {"scale_set": entry["id"]} for number in (1, 2)]
    run_scenario(story, world(FAR, *vms, scale_sets=[entry]))


STATIC = [{"name": "Appliance", "region": "East US", "addresses": ["10.1.9.9"], "claims": ["llama"]}]


def test_a_static_endpoint_always_serves_unless_it_is_drained_by_order():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == stage.record(EAST, "appliance") == ["10.1.9.9"]
        await stage.resync(drain={"endpoint": "static/appliance", "minutes": 10})
        assert llama(stage) == ["10.3.0.4"]
        await stage.resync(undrain={"endpoint": "static/appliance"})
        assert llama(stage) == ["10.1.9.9"]
        told = await stage.app.explain(stage.app.settings.zones[0], "llama")
        assert [claim["endpoint"] for claim in told["claims"] if claim["included"]] == ["static/appliance"]

    run_scenario(story, world(FAR, settings={"STATIC": STATIC}))


@pytest.mark.parametrize("statics", ["[]", None], ids=["the setting goes", "both stay"])
def test_a_load_balancer_takes_over_the_address_of_a_static_endpoint_without_a_gap(statics):
    """A static endpoint has no VNet that could contradict the load balancer's."""

    async def story(stage):
        await swept(stage)
        assert llama(stage) == stage.record(WEST, "llama") == ["10.1.0.20"]
        assert not any("more than one VNet" in each for each in await alarms(stage))
        told = await stage.app.explain(stage.app.settings.zones[0], "llama")
        included = {claim["endpoint"].rsplit("/", 1)[-1] for claim in told["claims"] if claim["included"]}
        assert included == {"appliance", "lb"}
        if statics:
            stage.restart(stage.app.catalog, NEARZONE_STATIC=statics)
            assert (await stage.app.correct_drift()).refusals == []
            assert (llama(stage), stage.record(EAST, "appliance")) == (["10.1.0.20"], None)

    box = [{"name": "appliance", "region": EAST, "addresses": ["10.1.0.20"], "claims": ["llama"]}]
    run_scenario(story, world(FAR, load_balancers=[load_balancer()], settings={"STATIC": box}))


def test_static_endpoints_that_vanish_from_the_settings_are_removed_under_the_guard():
    many = [{"name": f"box-{number}", "region": EAST, "addresses": [f"10.1.9.{number}"]} for number in range(1, 8)]

    async def story(stage):
        await swept(stage)
        stage.restart(stage.app.catalog, NEARZONE_STATIC="[]")
        report = await stage.app.correct_drift()
        assert report.refusals
        assert [stage.record(EAST, f"box-{number}") for number in (1, 7)] == [["10.1.9.1"], ["10.1.9.7"]]
        await stage.app.drain()
        assert stage.record(EAST, "box-1") == ["10.1.9.1"], "nor does a drain remove them"
        await stage.resync(force=[plan.digest for plan in report.refused])
        assert stage.record(EAST, "box-1") is None

    run_scenario(story, world(FAR, settings={"STATIC": many}))


def test_a_static_endpoint_needs_no_entry_in_the_claims_and_joins_what_others_claim():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.1.0.4", "10.1.9.9"]

    run_scenario(
        story, world(a_vm("near", EAST, 4), settings={"STATIC": STATIC, "CLAIMS": {"llama": [f"{GROUP}/gpu"]}})
    )


def test_a_kind_that_may_not_be_listed_freezes_what_was_claimed_there_and_names_the_way_out():
    async def story(stage):
        await swept(stage)
        stage.faults = lambda request: FORBIDDEN if "containergroups" in request.path.lower() else None
        await stage.app.correct_drift()
        assert llama(stage) == ["10.1.0.40"]
        await asyncio.sleep(3600)
        await stage.app.correct_drift()
        assert llama(stage) == ["10.1.0.40"]
        assert any(f"containergroups cannot be listed in subscription {SUB}" in each for each in await alarms(stage))

    forbidden = {"error": {"code": "AuthorizationFailed", "message": "no role"}}
    FORBIDDEN = Response(403, forbidden)  # noqa: N806 - a constant of this story
    run_scenario(story, world(FAR, container_groups=[container_group()]))


@pytest.mark.parametrize(
    ("status", "code"), [(409, "MissingSubscriptionRegistration"), (404, "SubscriptionNotRegistered")]
)
def test_a_resource_provider_that_a_subscription_does_not_use_has_nothing_there_and_is_not_registered(status, code):
    unused = Response(status, {"error": {"code": code, "message": "The subscription is not registered."}})
    asked = []

    def refused(request):
        if "Microsoft.ContainerInstance" not in request.path:
            return None
        asked.append(request.method)
        return unused

    async def story(stage):
        stage.faults = refused
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"]
        assert set(asked) == {"GET"}, "nothing is registered"

    run_scenario(story, world(FAR))


def listening(stage, schema="EventGridSchema"):
    """Subscribe to what happens to VMs by themselves, too."""
    stage.event_grid.subscriptions.append(Subscription("app", schema, (), HEALTH))


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
def test_a_guest_that_shuts_down_is_withdrawn_by_the_health_signal(schema):
    async def story(stage):
        listening(stage, schema)
        await swept(stage)
        stage.cloud.compute.guest_shutdown(vm_id("near"))
        await told(stage)
        assert llama(stage) == ["10.3.0.4"]

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


def test_a_vm_that_is_about_to_stop_is_withdrawn_when_the_signal_says_so_before_the_operation_ends():
    async def story(stage):
        listening(stage)
        await swept(stage)
        stage.arm("POST", f"{vm_id('near')}/deallocate")
        await asyncio.sleep(5)
        assert stage.cloud.compute.vms.find(vm_id("near")).power == "deallocating"
        assert llama(stage) == ["10.3.0.4"]
        await told(stage)

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


def test_a_preempted_spot_vm_and_a_crashed_host_are_followed_out_and_back():
    async def story(stage):
        listening(stage)
        await swept(stage)
        assert llama(stage) == ["10.1.0.4", "10.1.0.5"]
        stage.cloud.compute.preempt(vm_id("spot"))
        await told(stage)
        assert llama(stage) == ["10.1.0.4"]
        stage.cloud.compute.host_crash(vm_id("near"), 120.0)
        await asyncio.sleep(5)
        assert llama(stage) == ["10.3.0.4"]
        await told(stage)
        assert llama(stage) == ["10.1.0.4"]

    run_scenario(story, world(FAR, a_vm("near", EAST, 4), a_vm("spot", EAST, 5) | {"spot": "Deallocate"}))


@pytest.mark.parametrize("action", ["redeploy", "reapply", "restart"])
@pytest.mark.parametrize("outcome", ["Failure", "Cancel", "Success"])
def test_whatever_becomes_of_an_operation_its_event_makes_the_app_look(action, outcome):
    async def story(stage):
        await swept(stage)
        stage.cloud.azure.endings[vm_id("near").lower()] = outcome
        stage.arm("POST", f"{vm_id('near')}/{action}")
        stage.cloud.compute.vms.find(vm_id("near")).tags["nearzone"] = "mistral"  # Without an event of its own.
        await told(stage)
        assert stage.record(EAST, "mistral") == ["10.1.0.4"]

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


def test_a_simulated_eviction_is_found_by_the_sweep_where_no_signal_is_subscribed():
    async def story(stage):
        await swept(stage)
        stage.arm("POST", f"{vm_id('spot')}/simulateEviction")
        await stage.deliver_pending_events(300)
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"]

    run_scenario(story, world(FAR, a_vm("spot", EAST, 5) | {"spot": "Delete"}))


def test_a_moved_vm_keeps_its_answer_when_azure_tells_of_nothing_and_is_right_after_the_sweep():
    async def story(stage):
        await swept(stage)
        body = {"resources": [vm_id("near")], "targetResourceGroup": f"{GROUP}/elsewhere"}
        stage.cloud.azure.ensure_group(SUB, "elsewhere")
        stage.arm("POST", f"{GROUP}/gpu/moveResources", body)
        await stage.deliver_pending_events()
        await swept(stage)
        assert llama(stage) == ["10.1.0.4"]

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


def test_a_nic_event_of_a_private_endpoint_leads_to_it():
    async def story(stage):
        await swept(stage)
        (nic,) = [each for each in stage.cloud.network.nics if each.private_endpoint]
        assert await stage.app.inventory.resolve(nic.id) == [private_endpoint()["id"]]
        assert await stage.app.inventory.resolve(nic_id("far")) == [FAR["id"]]

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint()]))


def test_the_zones_of_a_world_with_every_kind_converge_after_a_sweep_alone():
    async def story(stage):
        stage.event_grid.subscriptions.clear()
        await swept(stage)
        assert (await stage.app.correct_drift()).changes == []
        assert len(llama(stage)) == 6
        assert stage.record(WEST, "llama") == llama(stage)
        assert zone_id(EAST) in {zone.id for zone in stage.app.settings.zones}

    every = {
        "load_balancers": [load_balancer()],
        "private_endpoints": [private_endpoint()],
        "container_groups": [container_group()],
        "scale_sets": [scale_set("pool", LLAMA, instance(0), instance(1))],
    }
    run_scenario(story, world(FAR, a_vm("near", EAST, 4), **every))
