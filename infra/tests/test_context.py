"""The stack exports a context for the command line: every app, how to authenticate, and no key."""

import tomllib

import pytest

from infra.context import context_text
from infra.tests.stage import EAST, HOME, LAB, SOMEBODY, WEST, deployed

ENTRA = {"tenant": HOME, "client_id": LAB, "groups": [SOMEBODY]}


def exported(**changed):
    program = deployed(**changed)
    return program, tomllib.loads(program.outputs["cli_context"])


@pytest.mark.parametrize(("one_app", "regions"), [(False, [EAST, WEST]), (True, [EAST])])
def test_it_has_the_address_of_each_app_and_a_command_that_prints_its_key(one_app, regions):
    program, context = exported(one_app=one_app)
    assert context["current"] == "test", "the stack"
    apps = context["contexts"]["test"]["apps"]
    assert list(apps) == regions
    for region, app in apps.items():
        site = program.one("WebApp", f"nearzone-{region}-app").inputs
        assert app["url"] == program.outputs["functions"][f"nearzone-{region}"]["status"].removesuffix("/api/status")
        command = app["key_command"]
        assert command[:4] == ["az", "functionapp", "keys", "list"]
        options = dict(zip(command[4::2], command[5::2], strict=True))
        assert options["--subscription"] == HOME
        assert options["--resource-group"] == site["resourceGroupName"]
        assert options["--name"] == site["name"]
        assert options["--query"] == "functionKeys.default", "the host key: it opens resync and status, and no more"
        assert set(app) == {"url", "key_command"}


def test_with_entra_there_is_the_scope_of_a_token_that_the_apps_accept():
    program, context = exported(entra=ENTRA)
    settings = program.all("WebAppAuthSettingsV2").values()
    (accepted,) = {
        tuple(each.inputs["identityProviders"]["azureActiveDirectory"]["validation"]["allowedAudiences"])
        for each in settings
    }
    for app in context["contexts"]["test"]["apps"].values():
        assert app["entra_scope"].removesuffix("/.default") in accepted
        assert app["key_command"], "the functions still ask for their key"


def test_a_stack_with_dots_in_its_name_is_one_key():
    text = context_text("prod.eu", {EAST: {"url": "https://a"}})
    assert tomllib.loads(text)["contexts"] == {"prod.eu": {"apps": {EAST: {"url": "https://a"}}}}
