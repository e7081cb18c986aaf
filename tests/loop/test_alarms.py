"""One alarm for each cause, with a count and examples, however many endpoints, names or zones have it."""

import logging

import pytest

from function_app import _log_report
from shared.decide.alarms import Trouble, grouped
from shared.domain.alarms import Alarm
from shared.edge.report import Report
from simulator.arm.front_door import Response
from tests.support.deployment import GROUP, REGIONS, a_vm, a_world, run_scenario, vm_id, vnet, zone_id

EAST, WEST, ASIA = REGIONS


def trouble(subject, text, alone=""):
    return Trouble(subject, text, "means", "do", "endpoints", alone)


def texts(*troubles):
    return [each.what for each in grouped(troubles)]


def test_one_alone_is_told_in_full():
    assert grouped([trouble("vm-1", "is odd")]) == [Alarm("vm-1: is odd", "means", "do", 1, ("vm-1",))]
    assert texts(trouble("vm-1", "is odd", "vm-1 is very odd")) == ["vm-1 is very odd"]


def test_many_with_one_cause_are_one_alarm_with_their_number_and_three_examples():
    found = grouped([trouble(f"vm-{i}", "is odd", f"vm-{i} is odd") for i in range(1_000)])
    assert found == [
        Alarm("is odd (1,000 endpoints: vm-0, vm-1, vm-2, ...)", "means", "do", 1_000, ("vm-0", "vm-1", "vm-2"))
    ]


def test_three_are_named_without_dots():
    assert texts(*(trouble(f"vm-{i}", "is odd") for i in range(3))) == ["is odd (3 endpoints: vm-0, vm-1, vm-2)"]


def test_what_calls_for_something_else_is_another_alarm():
    other = Trouble("vm-2", "is odd", "means", "do something else", "endpoints")
    assert texts(trouble("vm-1", "is odd"), other, trouble("vm-1", "is even")) == [
        *("vm-1: is odd", "vm-2: is odd", "vm-1: is even"),
    ]


FORBIDDEN = (
    "cannot be read: HTTP 403 AuthorizationFailed: The client '{0:08}-0000-4000-8000-000000000000' does not have "
    "authorization over scope '/subscriptions/s/resourceGroups/g/x/vm-{0}' (see https://aka.ms/{0}, wait {0} s)"
)


FORBIDDEN_SHOWN = (
    "cannot be read: HTTP 403 AuthorizationFailed: The client ... does not have "
    "authorization over scope ... (see ..., wait ... s)"
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("its own name 'vm_{}' is not a DNS label", "its own name ... is not a DNS label"),
        ("throttled: Azure asks to wait another {} s", "throttled: Azure asks to wait another ... s"),
        (
            FORBIDDEN,
            FORBIDDEN_SHOWN,
        ),
    ],
)
def test_texts_that_differ_in_names_ids_and_numbers_are_one_cause_where_there_are_many(text, shown):
    assert texts(trouble("vm-1", text.format(1))) == [f"vm-1: {text.format(1)}"]
    many = [trouble(f"vm-{i}", text.format(i)) for i in range(60)]
    assert texts(*many) == [f"{shown} (60 endpoints: vm-0, vm-1, vm-2, ...)"]


LOCKED = "The scope '/subscriptions/s/zones/z/A/{}' cannot be written, locked are: '/subscriptions/s/zones/z'"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("its own name 'vm_{}' is not a DNS label", "its own name 'vm_0', 'vm_1' is not a DNS label"),
        ("wait {} s", "wait 0, 1 s"),
        (LOCKED, "The scope 0, 1 cannot be written, locked are: '/subscriptions/s/zones/z'"),
    ],
)
def test_a_few_with_one_cause_are_one_alarm_which_keeps_what_they_have_in_common(text, shown):
    (what,) = texts(*(trouble(f"vm-{i}", text.format(i)) for i in range(2)))
    assert what == f"{shown} (2 endpoints: vm-0, vm-1)"


def test_other_statuses_are_other_causes():
    found = grouped(trouble(f"vm-{i}", f"HTTP {403 + i % 2}: wait {i} s") for i in range(60))
    assert [each.count for each in found] == [30, 30]


def test_an_endpoint_is_named_shortly_among_many_and_its_id_is_an_example():
    ids = [f"{GROUP}/gpu/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines/{i}" for i in (0, 1)]
    (alarm,) = grouped(trouble(each, "is odd") for each in (*ids, vm_id("vm-1"), "static/box"))
    assert alarm.what == "is odd (4 endpoints: pool/0, pool/1, vm-1, ...)"
    assert alarm.examples == (*ids, vm_id("vm-1"))


def test_the_locations_of_api_management_services_are_told_apart():
    """The last part of a location's id is its region, which the services share."""
    service = f"{GROUP}/gpu/providers/Microsoft.ApiManagement/service"
    (alarm,) = grouped(trouble(f"{service}/{name}/locations/eastus", "is odd") for name in ("apim", "other"))
    assert alarm.what == "is odd (2 endpoints: apim/eastus, other/eastus)"


def test_many_faults_of_one_endpoint_are_one_alarm_of_one_endpoint():
    (alarm,) = grouped(trouble("vm-1", f"tag nearzone: 'a_{i}' is not a DNS label") for i in range(9))
    assert (alarm.what, alarm.count) == (
        "vm-1: tag nearzone: 'a_0', 'a_1', 'a_2', ... is not a DNS label",
        1,
    )


def test_long_claims_of_one_endpoint_are_told_in_full():
    long = [f"'{letter * 60}_'" for letter in "ab"]
    (what,) = texts(*(trouble("vm-1", f"tag nearzone: {each} is not a DNS label") for each in long))
    assert what == f"vm-1: tag nearzone: {long[0]}, {long[1]} is not a DNS label"


# In the status, in the check, in a report and in the log.


async def alarms(stage):
    return (await stage.app.status())["alarms"]


def scale_set(tag, count):
    return {
        "id": f"{GROUP}/gpu/providers/Microsoft.Compute/virtualMachineScaleSets/pool",
        "location": EAST,
        "mode": "Uniform",
        "tags": {"nearzone": tag},
        "vnet": vnet(EAST),
        "instances": [{"id": str(i), "address": f"10.1.0.{50 + i}", "power": "running"} for i in range(count)],
    }


def test_one_wrong_word_in_the_tag_of_a_scale_set_is_one_alarm():
    async def story(stage):
        await stage.app.correct_drift()
        (alarm,) = [each for each in await alarms(stage) if "a_b" in each["what"]]
        assert alarm["what"] == "tag nearzone: 'a_b' is not a DNS label (60 endpoints: pool/0, pool/1, pool/10, ...)"
        assert (alarm["count"], len(alarm["examples"])) == (60, 3)

    run_scenario(story, a_world(a_vm("w-1", WEST, 4)) | {"scale_sets": [scale_set("llama,a_b", 60)]})


def test_machines_whose_own_names_are_no_labels_are_one_alarm():
    vms = [a_vm(f"flex_{i:06}", EAST, 10 + i) for i in range(60)]

    async def story(stage):
        await stage.app.correct_drift()
        (alarm,) = [each for each in await alarms(stage) if "own name" in each["what"]]
        assert alarm["count"] == 60

    run_scenario(story, a_world(*vms))


POOL = f"{GROUP}/ai/providers/Microsoft.Compute/virtualMachineScaleSets/pool"


def members(count, **more):
    """VMs of the flexible set, with the names that Azure gives them."""
    return [a_vm(f"Pool_{i:08x}", EAST, 10 + i, **more) | {"scale_set": POOL} for i in range(count)]


def flexible(*vms):
    entry = {"id": POOL, "location": EAST, "mode": "Flexible", "vnet": vnet(EAST)}
    return a_world(a_vm("w-1", WEST, 4), *vms) | {"scale_sets": [entry]}


def test_the_names_that_azure_gives_the_vms_of_a_flexible_set_are_one_note_about_the_set():
    async def story(stage):
        await stage.app.correct_drift()
        (note,) = [each for each in await alarms(stage) if "DNS label" in each["what"]]
        named = "Azure has named 5 of its VMs, such as pool_00000000, which is no DNS label"
        assert note["what"] == f"{POOL.lower()}: {named}"
        assert note["means"] == "they are reachable by the names of their tags; their own names are not published"
        assert (note["count"], note["examples"]) == (1, [POOL.lower()])
        known = (await stage.app.page("endpoints"))["items"]
        assert [each["faults"] for each in known] == [[]] * 6, "and nothing beside each VM"
        for vm in members(5):
            stage.arm("DELETE", vm["id"])
        await stage.deliver_pending_events()
        await stage.app.correct_drift()
        assert not [each for each in await alarms(stage) if "DNS label" in each["what"]]

    run_scenario(story, flexible(*members(5)))


def test_a_vm_of_a_flexible_set_that_claims_no_name_by_tag_is_told_to_be_unpublished():
    async def story(stage):
        await stage.app.correct_drift()
        (note,) = [each for each in await alarms(stage) if "DNS label" in each["what"]]
        assert note["means"].endswith("and 2 of them claim no other name, so they are not published at all")

    run_scenario(story, flexible(*members(2, tag="")))


@pytest.mark.parametrize("name", ["pool_1", "other_00000001", "pool_0000000g"])
def test_another_bad_own_name_stays_a_fault_of_its_vm(name):
    async def story(stage):
        await stage.app.correct_drift()
        (alarm,) = [each for each in await alarms(stage) if "own name" in each["what"]]
        assert alarm["what"] == f"{vm['id']}: its own name '{name}' is not a DNS label and is not claimed"

    vm = a_vm(name, EAST, 10) | {"scale_set": POOL}
    run_scenario(story, flexible(vm))


def test_machines_that_may_not_be_read_are_one_alarm():
    def forbidden(request):
        if request.method == "GET" and "/virtualmachines" in request.path.lower():
            if request.path.lower().endswith("/virtualmachines"):
                return Response(200, {"value": []})
            message = f"no authorization over scope '{request.path}'"
            return Response(403, {"error": {"code": "AuthorizationFailed", "message": message}})
        return None

    async def story(stage):
        await stage.app.correct_drift()
        stage.faults = forbidden
        await stage.app.correct_drift()
        (alarm,) = [each for each in await alarms(stage) if "cannot be read" in each["what"]]
        assert alarm["count"] == 60
        assert "HTTP 403" in alarm["what"]

    run_scenario(story, a_world(*(a_vm(f"e-{i}", EAST, 10 + i) for i in range(60))))


def test_names_that_fail_for_one_reason_are_one_alarm_and_one_line_of_the_log(caplog):
    caplog.set_level(logging.WARNING, "nearzone")

    async def story(stage):
        stage.cloud.private_dns.lock(zone_id(EAST), "ReadOnly")
        report = await stage.app.correct_drift()
        (alarm,) = [each for each in await alarms(stage) if "a management lock" in each["what"]]
        assert alarm["what"].startswith("zone ai.internal (eastus): writing fails: a management lock forbids it")
        assert alarm["count"] == 31
        assert len({what for what, _ in report.failures}) == 31, "the report itself names each"
        caplog.clear()
        _log_report(report)

    run_scenario(story, a_world(*(a_vm(f"e-{i}", EAST, 10 + i) for i in range(30))))
    (line,) = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert "(31 failures: " in line


def test_addresses_of_two_vnets_are_one_alarm():
    def twice(i):
        first, second = a_vm(f"e-{i}", EAST, 10 + i, f"n-{i}"), a_vm(f"w-{i}", WEST, 10 + i, f"m-{i}")
        second["nics"][0]["ip_configurations"][0]["address"] = first["nics"][0]["ip_configurations"][0]["address"]
        return first, second

    async def story(stage):
        report = await stage.app.correct_drift()
        (alarm,) = [each for each in report.alarms if "claimed from more than one VNet" in each.what]
        assert alarm.what.endswith("(5 addresses: 10.1.0.10, 10.1.0.11, 10.1.0.12, ...)")
        assert alarm.count == 5

    world = a_world(*(vm for i in range(5) for vm in twice(i)))
    world["vnets"][1]["prefixes"].append("10.1.0.0/16")
    run_scenario(story, world)


def test_lists_that_fail_for_one_reason_are_one_alarm_of_the_check():
    async def story(stage):
        error = {"error": {"code": "AuthorizationFailed", "message": "no role"}}
        stage.faults = lambda request: (
            Response(403, error) if "/privatednszones" not in request.path.lower() and "GET" in request.method else None
        )
        found = (await stage.resync(check=True)).alarms
        (alarm,) = [each for each in found if "cannot be listed" in each.what]
        assert alarm.count > 3
        assert "lists: microsoft.compute/virtualmachines in subscription" in alarm.what

    run_scenario(story, a_world(a_vm("e-1", EAST, 4)))


def test_a_report_of_nothing_logs_nothing():
    assert Report("sweep").failure_lines() == []
