"""The order in which Azure needs things, as the engine is told it: what each resource waits for."""

from itertools import pairwise

import pytest

from infra.tests.stage import EAST, ENTRA, WEST, deployed


@pytest.fixture(scope="module")
def program():
    return deployed(health=True, entra=ENTRA)


@pytest.mark.parametrize("region", [EAST, WEST])
def test_an_app_is_made_after_the_package_container_and_the_rights_that_it_starts_with(program, region):
    before = program.before("WebApp", f"nearzone-{region}-app")
    storage = [f"nearzone-{region}-{each}" for each in ("packages", "storage-b7e6dc6d", "storage-0a9a7e1f")]
    assert before >= {*storage, f"nearzone-{region}-plan", f"nearzone-{region}-identity", f"nearzone-{region}-insights"}


@pytest.mark.parametrize("region", [EAST, WEST])
def test_changes_of_one_site_come_one_after_the_other(program, region):
    """Two changes of a site at a time may be refused with HTTP 409."""
    steps = {"WebApp": "app", "WebAppFtpAllowed": "ftp", "WebAppScmAllowed": "scm", "WebAppAuthSettingsV2": "entra"}
    for (_, earlier), (kind, later) in pairwise(steps.items()):
        assert f"nearzone-{region}-{earlier}" in program.before(kind, f"nearzone-{region}-{later}")


def test_events_come_after_the_site_its_rules_of_entry_and_the_right_to_write_dead_letters(program):
    subscriptions = program.all("SystemTopicEventSubscription")
    assert len(subscriptions) == 8
    for name in subscriptions:
        region = next(each for each in (EAST, WEST) if f"-{each}-" in name)
        before = program.before("SystemTopicEventSubscription", name)
        assert before >= {f"nearzone-{region}-{each}" for each in ("app", "entra", "dead-letters")}
        assert f"{name}-dead-letters" in before


def test_nothing_is_given_rights_at_what_is_not_there_yet(program):
    """A scope that this program makes is made before the assignment; so is the role."""
    for name, each in program.all("RoleAssignment").items():
        before = program.before("RoleAssignment", name)
        if "-records-" in name or "-surroundings-" in name:
            assert f"nearzone-{name.rsplit('-', 1)[-1]}-zone" in before
        if each.inputs["roleDefinitionId"].rsplit("/", 1)[-1] in own_roles(program):
            assert before & set(program.all("RoleDefinition"))
        assert before & {*program.all("UserAssignedIdentity"), *program.all("SystemTopic")}, "whose it is"


def own_roles(program):
    return {each.inputs["roleDefinitionId"] for each in program.all("RoleDefinition").values()}


def test_what_stands_in_a_group_comes_after_it(program):
    groups = {each.inputs["resourceGroupName"]: name for name, each in program.all("ResourceGroup").items()}
    for each in program.cloud.made:
        group = groups.get(each.inputs.get("resourceGroupName"))
        if group and not each.type.endswith(":ResourceGroup"):
            assert program.before(each.type.rsplit(":", 1)[-1], each.name) & set(program.all("ResourceGroup")), (
                each.name
            )
