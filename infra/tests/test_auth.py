"""Entra in front of the HTTP functions: who has to show a token, and who must not be asked for one."""

import pytest

import function_app
from infra.auth import EXCLUDED
from infra.tests.stage import EAST, HOME, LAB, WEST, deployed
from simulator.functions_host.functions import index
from simulator.functions_host.host import Host, Keys
from tests.support.deployment import a_world, environment

CLIENT, PEOPLE, ROBOT = (f"dddddddd-0000-4000-8000-00000000000{n}" for n in range(3))
ENTRA = {"tenant": LAB, "client_id": CLIENT.upper(), "groups": [PEOPLE], "identities": [ROBOT]}


def settings(**more):
    return [each.inputs for each in deployed(entra=ENTRA, **more).all("WebAppAuthSettingsV2").values()]


def test_without_it_the_keys_alone_guard_the_functions():
    assert not deployed().all("WebAppAuthSettingsV2")


def test_every_app_asks_for_a_token_of_the_tenant_for_the_registration_by_somebody_named():
    program = deployed(entra=ENTRA)
    found = program.all("WebAppAuthSettingsV2")
    assert {each.inputs["name"] for each in found.values()} == {
        each.inputs["name"] for each in program.all("WebApp").values()
    }
    for each in found.values():
        assert each.subscription == HOME
        assert each.inputs["platform"] == {"enabled": True}
        rules = each.inputs["globalValidation"]
        assert (rules["requireAuthentication"], rules["unauthenticatedClientAction"]) == (True, "Return401")
        provider = each.inputs["identityProviders"]["azureActiveDirectory"]
        assert provider["registration"] == {
            "clientId": CLIENT,
            "openIdIssuer": f"https://login.microsoftonline.com/{LAB}/v2.0",
        }
        assert provider["validation"]["allowedAudiences"] == [CLIENT, f"api://{CLIENT}"]
        allowed = provider["validation"]["defaultAuthorizationPolicy"]["allowedPrincipals"]
        assert allowed == {"groups": [PEOPLE], "identities": [ROBOT]}
        assert "secret" not in str(each.inputs).lower()


@pytest.mark.parametrize(("cloud", "authority"), [("usgovernment", ".us/"), ("china", ".cn/")])
def test_another_cloud_has_its_own_issuer(cloud, authority):
    (one, _) = settings(settings={"NEARZONE_CLOUD": cloud})
    assert authority in one["identityProviders"]["azureActiveDirectory"]["registration"]["openIdIssuer"]


def test_event_grids_path_and_the_page_without_data_are_left_out_and_nothing_else():
    functions = index(function_app.app)
    host = Host(functions, environment(a_world(regions=(EAST, WEST))) | SCHEDULES, Keys())
    webhook = host.event_endpoint("on_resource_event").split("?")[0]
    http = {
        f"/api/{each.trigger['route']}": each.trigger["authLevel"] for each in functions if each.kind == "httpTrigger"
    }
    anonymous = {path for path, level in http.items() if str(getattr(level, "value", level)).lower() == "anonymous"}
    for each in settings():
        excluded = each["globalValidation"]["excludedPaths"]
        assert webhook in excluded
        assert anonymous == {path for path in excluded if path.startswith("/api/")}
        assert not [
            path for path in http.keys() - anonymous for left in excluded if path.lower().startswith(left.lower())
        ]
    assert len(EXCLUDED) == len(anonymous) + 2, "the webhook in both spellings"


SCHEDULES = {"NEARZONE_DRAIN_SCHEDULE": "*/30 * * * * *", "NEARZONE_SWEEP_SCHEDULE": "0 */10 * * * *"}
