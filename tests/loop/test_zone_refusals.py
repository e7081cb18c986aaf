"""If a zone refuses writes for a cause of the zone, each run tries a few names and not all of them."""

import pytest

from shared.azure.arm_errors import error_of
from shared.decide.zone_refusals import MAX_REFUSALS, ZoneRefusals
from shared.domain.errors import Terminal, ZoneCause
from simulator.arm.permissions import forbidden
from simulator.private_dns.rules import cname_in_the_way, zone_full
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, vm_id, zone_id

EAST = next(iter(REGIONS))
OWN = {"nearzone-owner": "nearzone"}
LOCK, FULL, GONE = (Terminal("no", cause) for cause in (ZoneCause.LOCK, ZoneCause.FULL, ZoneCause.GONE))


def after(*answers):
    """Which kinds of writes are not tried any more. An answer: a kind, and its error or None."""
    refusals = ZoneRefusals()
    for kind, error in answers:
        refusals.refused(kind, error) if error else refusals.written(kind)
    return [kind for kind in ("create", "update", "delete") if refusals.of(kind)]


@pytest.mark.parametrize(
    ("answers", "stopped"),
    [
        ([("update", LOCK)] * (MAX_REFUSALS - 1), []),
        ([("update", LOCK)] * MAX_REFUSALS, ["create", "update"]),
        ([("create", LOCK), ("update", LOCK), ("create", LOCK)], ["create", "update"]),
        ([("delete", LOCK)] * MAX_REFUSALS, ["delete"]),
        ([("delete", LOCK), ("create", None)] * MAX_REFUSALS, ["delete"]),
        ([("create", FULL), ("update", None)] * MAX_REFUSALS, ["create"]),
        ([("create", LOCK), ("update", None)] * MAX_REFUSALS, []),
        ([("create", LOCK), ("create", FULL)] * MAX_REFUSALS, []),
        ([("create", Terminal("a CNAME"))] * MAX_REFUSALS, []),
        ([("create", LOCK), ("create", Terminal("a CNAME"))] * MAX_REFUSALS, []),
        ([("create", GONE)] * MAX_REFUSALS, ["create", "update", "delete"]),
        ([*[("create", LOCK)] * MAX_REFUSALS, *[("delete", LOCK)] * MAX_REFUSALS], ["create", "update", "delete"]),
    ],
)
def test_a_few_refusals_of_one_cause_in_a_row_stop_the_writes_that_it_concerns(answers, stopped):
    assert after(*answers) == stopped


SET = f"{zone_id(EAST)}/A/llama"
LOCKED = "The scope '{}' cannot perform write operation because following scope(s) are locked: '{}'. Please remove it."


@pytest.mark.parametrize(
    ("status", "code", "message", "cause"),
    [
        (409, "ScopeLocked", LOCKED.format(SET, zone_id(EAST)), ZoneCause.LOCK),
        (409, "ScopeLocked", LOCKED.format(SET, SET), None),
        (403, "AuthorizationFailed", "The client 'c' does not have authorization", ZoneCause.ROLE),
        (404, "ParentResourceNotFound", "Parent resource 'ZONE' not found.", ZoneCause.GONE),
        (409, "Conflict", zone_full("z", 3, 3).response.content["message"], ZoneCause.FULL),
        (409, "Conflict", cname_in_the_way("A").response.content["message"], None),
        (400, "BadRequest", "no", None),
    ],
)
def test_the_cause_of_a_refusal_is_found_by_its_code_and_message(status, code, message, cause):
    body = b'{"error": {"code": "%s", "message": "%s"}}' % (code.encode(), message.encode())
    assert error_of(status, body, None).zone_cause == cause


def fleet(count):
    names = [a_vm(f"host-{number}", EAST, 4 + number, "") for number in range(count)]
    return a_world(*names, regions=[EAST])


def refuse(stage, how):
    if how == "lock":
        stage.cloud.private_dns.lock(zone_id(EAST), "ReadOnly")
        return
    answer = forbidden("Microsoft.Network/privateDnsZones/A/write", SET).response
    stage.faults = lambda request: None if request.method == "GET" else answer


@pytest.mark.parametrize("how", ["lock", "role"])
def test_a_resync_of_a_zone_that_refuses_every_write_ends_soon_with_many_names_and_reports_all_of_them(how):
    async def story(stage):
        refuse(stage, how)
        tries = []
        for _ in range(2):
            begun = stage.clock()
            report = await stage.resync()
            assert stage.clock() - begun < 15
            assert len({what for what, _ in report.failures}) == len(report.failures) == report.names_remaining == 121
            said = [error.startswith("not tried: Azure refuses writes to the zone: ") for _, error in report.failures]
            tries.append(121 - sum(said))
            rows = [row.value for row in await stage.app.catalog.dirty(zone)]
            assert {row.attempts for row in rows} == {len(tries)}
            (alarm,) = [a["what"] for a in (await stage.app.status())["alarms"] if "writing fails" in a["what"]]
            assert "(121 names: " in alarm
            assert {"lock": "ScopeLocked: locked: '", "role": "privateDnsZones/A/write' over scope '"}[how] in alarm
            assert zone_id(EAST) in alarm
            assert len(alarm) < 550
            assert len(report.failure_lines()) == 1
            assert all(row.not_before > stage.clock() and "not tried" not in row.last_error for row in rows)
        assert tries[0] <= 12, "a sweep drains more than once"
        assert MAX_REFUSALS <= tries[1] < MAX_REFUSALS + 4
        stage.cloud.private_dns.unlock(zone_id(EAST))
        stage.faults = None
        report = await stage.resync()
        assert (report.failures, report.names_remaining, stage.wrong_answers()) == ([], 0, {})

    zone = zone_id(EAST).lower()
    run_scenario(story, fleet(121))


def test_a_lock_against_deletion_stops_deletions_alone():
    async def story(stage):
        await stage.app.correct_drift()
        stage.cloud.private_dns.lock(zone_id(EAST), "CanNotDelete")
        stage.event_grid.disturbance.lose_next = 40
        for number in range(20):
            stage.arm("POST", f"{vm_id(f'host-{number}')}/deallocate")
        await stage.finish_operations()
        stage.arm("PUT", f"{zone_id(EAST)}/A/host-25", {"properties": {"ttl": 5, "aRecords": [], "metadata": OWN}})
        before = len(stage.request_log.writes)
        report = await stage.resync()
        deletes = [method for method, *_ in stage.request_log.writes[before:]].count("DELETE")
        assert (report.names_remaining, stage.record(EAST, "host-25")) == (20, ["10.1.0.29"])
        assert MAX_REFUSALS <= deletes < MAX_REFUSALS + 4

    run_scenario(story, fleet(30))
