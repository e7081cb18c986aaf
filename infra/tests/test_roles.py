"""The rights that the program gives are the ones that the real app uses: no fewer, and no more."""

import json

import pytest

from infra import filters, names, rights
from infra.decode import BadConfig, decode
from infra.tests.stage import EAST, HOME, HUB, LAB, WEST, configured, deployed, vnet
from infra.tests.story import action_of, allowed, grants, lived, program, settings_of
from tests.support.deployment import zone_id

EVENTS = filters.OPERATIONS
SERVICES = ("CognitiveServices", "MachineLearningServices", "searchServices", "privateLinkServices")
UNKNOWN = {each for each in rights.READ_ENDPOINTS if "instanceView" in each or any(one in each for one in SERVICES)}
"""Whether Azure asks for these is not documented; nothing shows it here."""
CUSTOM = (rights.READ_ENDPOINTS, rights.WRITE_RECORDS, rights.READ_SURROUNDINGS, rights.READ_LOCKS)


@pytest.fixture(scope="module")
def made():
    return program()


@pytest.fixture(scope="module")
def life(made):
    return lived(grants(made, "nearzone-eastus"), settings_of(made, "nearzone-eastus"), EVENTS)


def test_the_app_does_all_its_work_with_the_rights_that_it_is_given(life):
    gate, _, reports, (status, preflight), _ = life
    assert gate.denied == set()
    assert [failure for report in reports for failure in report.failures] == []
    assert any(report.changes for report in reports)
    found = [alarm["what"] for alarm in status["alarms"]] + [alarm.what for alarm in preflight.alarms]
    assert [what for what in found if "lacks" in what or "cannot be" in what or "could not" in what] == []


def test_the_zones_are_right_in_the_end(life):
    *_, stage = life
    wrong = {
        key: value
        for key, value in stage.wrong_answers().items()
        if key[0] == zone_id(EAST).lower() or EAST in str(key)
    }
    assert wrong == {}
    assert stage.record(EAST, "llama"), "somebody still serves it"
    assert stage.record(EAST, "going") is None, "and a record set was removed"
    assert stage.record(WEST, "llama") == ["10.1.8.8"], "the other region's zone is another app's affair"


def test_every_right_is_used(life):
    """A right that nothing needs is one too many."""
    gate = life[0]
    assert {each for actions in CUSTOM for each in actions} - gate.used == UNKNOWN


NEEDED = [(actions, each) for actions in CUSTOM for each in actions if each not in UNKNOWN]


@pytest.mark.parametrize(("actions", "left_out"), NEEDED, ids=[each.split("/", 1)[1] for _, each in NEEDED])
def test_without_any_one_of_them_something_is_denied(made, actions, left_out):
    fewer = [(scope, [each for each in given if each != left_out]) for scope, given in grants(made, "nearzone-eastus")]
    gate = lived(fewer, settings_of(made, "nearzone-eastus"), EVENTS)[0]
    assert left_out.lower() in {action.lower() for action, _ in gate.denied}


def test_the_write_role_holds_a_record_sets_and_nothing_beyond():
    assert sorted(rights.WRITE_RECORDS) == [
        f"Microsoft.Network/privateDnsZones/A/{each}" for each in ("delete", "read", "write")
    ]
    for actions in CUSTOM:
        assert not any("*" in each for each in actions)
    others = [each for actions in CUSTOM if actions is not rights.WRITE_RECORDS for each in actions]
    assert all(each.endswith("/read") for each in others)


def test_an_app_may_not_write_another_regions_zone(made):
    granted = grants(made, "nearzone-eastus")
    for method in ("GET", "PUT", "DELETE"):
        action = action_of(method, f"{zone_id(EAST)}/A/x")
        assert allowed(granted, action, f"{zone_id(EAST)}/A/x")
        assert not allowed(granted, action, f"{zone_id(WEST)}/A/x")
    assert not allowed(granted, "Microsoft.Network/privateDnsZones/CNAME/write", f"{zone_id(EAST)}/CNAME/x")
    assert not allowed(granted, "Microsoft.Network/privateDnsZones/write", zone_id(EAST))


@pytest.fixture(scope="module")
def regional():
    return deployed()


def test_each_role_is_defined_once_for_the_subscriptions_where_it_is_given(regional):
    found = {name: each.inputs for name, each in regional.all("RoleDefinition").items()}
    expected = {
        "endpoints": (rights.READ_ENDPOINTS, {HOME, LAB}),
        "records": (rights.WRITE_RECORDS, {HOME}),
        "surroundings": (rights.READ_SURROUNDINGS, {HOME, HUB}),
        "locks": (rights.READ_LOCKS, {HOME}),
    }
    assert set(found) == {f"nearzone-{role}" for role in expected}
    for role, (actions, subscriptions) in expected.items():
        given = found[f"nearzone-{role}"]
        assert given["permissions"] == [{"actions": list(actions)}]
        assert given["assignableScopes"] == [f"/subscriptions/{each}" for each in sorted(subscriptions)]
        assert given["scope"] in given["assignableScopes"]
        assert given["roleType"] == "CustomRole"
        assert given["roleDefinitionId"] == names.role_id(decode(configured()), role)
        assert HOME in given["roleName"], "unique in the tenant"


ZONE = f"/subscriptions/{HOME}/resourceGroups/nearzone-%s/providers/Microsoft.Network/privateDnsZones/ai.internal"


@pytest.mark.parametrize(("one_app", "regions"), [(False, [EAST]), (True, [EAST, WEST])])
def test_roles_are_given_at_these_scopes_and_no_other(one_app, regions):
    found = [(scope, tuple(actions)) for scope, actions in grants(deployed(one_app=one_app), "nearzone-eastus")]
    vnets = {EAST: vnet("hub-east"), WEST: vnet("hub-west")}
    expected = [(f"/subscriptions/{each}", rights.READ_ENDPOINTS) for each in (HOME, LAB)]
    expected += [(f"/subscriptions/{HOME}", rights.READ_LOCKS)]
    for region in regions:
        expected += [(ZONE % region, rights.WRITE_RECORDS), (ZONE % region, rights.READ_SURROUNDINGS)]
        expected += [(vnets[region], rights.READ_SURROUNDINGS)]
    assert sorted(found) == sorted(expected)


def test_data_roles_are_given_at_the_apps_own_account_and_telemetry_alone(regional):
    principal = "principal of nearzone-eastus-identity"
    given = {
        (each.inputs["scope"], each.inputs["roleDefinitionId"].rsplit("/", 1)[-1])
        for each in regional.all("RoleAssignment").values()
        if each.inputs["principalId"] == principal and each.inputs["scope"].startswith("/id/")
    }
    own = regional.one("StorageAccount", "nearzone-eastus-storage").id
    assert given == {
        (own, rights.STORAGE_BLOB_DATA_OWNER),
        (own, rights.STORAGE_TABLE_DATA_CONTRIBUTOR),
        (regional.one("Component", "nearzone-eastus-insights").id, rights.MONITORING_METRICS_PUBLISHER),
    }


def test_every_assignment_is_to_a_service_principal(regional):
    """Azure would look for a person otherwise, and a new identity is not found everywhere at once."""
    assert {each.inputs["principalType"] for each in regional.all("RoleAssignment").values()} == {"ServicePrincipal"}


PLATFORM = "/providers/Microsoft.Management/managementGroups/ai-platform"


def test_a_watched_management_group_is_read_with_reader_at_the_group_and_named_in_the_settings():
    found = deployed(management_groups=["ai-platform"])
    given = [each.inputs for each in found.all("RoleAssignment").values() if each.inputs["scope"] == PLATFORM]
    reader = f"/providers/Microsoft.Authorization/roleDefinitions/{rights.READER}"
    assert [each["roleDefinitionId"] for each in given] == [reader] * len(decode(configured()).apps)
    watched = settings_of(found, "nearzone-eastus")["NEARZONE_SUBSCRIPTIONS"]
    assert json.loads(watched) == [HOME, LAB, "managementGroups/ai-platform"]


@pytest.mark.parametrize(("changed", "shown"), [
    ({}, False),
    ({"settings": {"NEARZONE_RESOURCE_GRAPH": "always"}}, True),
    ({"management_groups": ["ai-platform"]}, True),
    ({"management_groups": ["ai-platform"], "settings": {"NEARZONE_RESOURCE_GRAPH": "never"}}, False),
])  # fmt: skip
def test_subscriptions_may_be_read_themselves_only_where_sweeps_use_resource_graph(changed, shown):
    (role,) = [each.inputs for each in deployed(**changed).all("RoleDefinition").values() if "endpoints" in each.name]
    assert set(rights.READ_SUBSCRIPTION) <= {*role["permissions"][0]["actions"]} or not shown
    assert shown or not {*rights.READ_SUBSCRIPTION} & {*role["permissions"][0]["actions"]}


def test_a_name_that_no_management_group_can_have_is_a_fault():
    with pytest.raises(
        BadConfig, match=r"management_groups\[0\]: found .a/b., expected the name of a management group"
    ):
        decode(configured(management_groups=["a/b"]))
