"""What the engine is told to send, the SDK's own defaults included, is what Azure's type definitions take."""

import importlib
import inspect
import json
import re
from pathlib import Path

import pytest

from infra.tests.stage import EAST, ENTRA, INFRA, ON_CALL, Cloud, Program, deployed, vnet

RECORDED = json.loads(Path(__file__).with_name("azure_types.json").read_text(encoding="utf-8"))
TYPES, RENAMED = RECORDED["resources"], RECORDED["renamed"]
FORMS = (
    {"health": True, "entra": ENTRA, "alerts": {"action_groups": [ON_CALL]}},
    {"one_app": True, "zone_redundant_plan": True, "subscribed": None},
    {"regions": [{"name": EAST, "subnet": {"vnet": vnet("hub-east"), "prefix": "10.9.0.0/26"}}]},
)
VNETS = {"hub-east": (EAST, [])}


@pytest.fixture(scope="module")
def sent():
    """All that is made, by the program in two forms and by the minimal example."""
    minimal = Program(INFRA / "minimal", {"two-records:vnets": [vnet("hub")]}, Cloud())
    programs = (*(deployed(Cloud(vnets=VNETS), **form) for form in FORMS), minimal)
    every = (each for program in programs for each in program.cloud.made)
    return [each for each in every if each.type.startswith("azure-native:")]


def test_every_kind_of_resource_is_recorded_with_the_api_version_that_the_provider_uses(sent):
    assert {each.type for each in sent} == set(TYPES)
    for kind, recorded in TYPES.items():
        _, module, name = kind.split(":")
        resource = getattr(importlib.import_module(f"pulumi_azure_native.{module}"), name)
        used = re.search(r"Uses Azure REST API version ([\w-]+)", inspect.getsource(resource))[1]
        assert used == recorded["version"], kind


def leaves(value, path=()):
    """Every value with its path, objects and arrays among them."""
    if path:
        yield path, value
    inner = [("[]", each) for each in value] if isinstance(value, list) else ()
    for key, each in value.items() if isinstance(value, dict) else inner:
        yield from leaves(each, (*path, key))


def known(path):
    """A path without what the provider leaves out or spells in its own way: `properties`, `_`, `.`, capitals."""
    names = [RENAMED.get(each, each) for each in path if each != "properties"]
    return "/".join(re.sub(r"[_.]", "", each).lower() for each in names)


def definitions(recorded):
    """How each path of a body is defined, arrays' elements as `/[]`."""
    return {known(path.replace("[]", "/[]").split("/")): text for path, text in recorded["body"].items()}


def defined(path, body):
    """The definition of a path, that of `*` where an object takes any key."""
    return body.get(known(path)) or body.get(known((*path[:-1], "*")))


FORM = re.compile(r"(?P<kind>\w+)(\{(?P<low>\d*)\.\.(?P<high>\d*)\})?( /(?P<pattern>.*)/)?( \((required|readOnly)\))*$")
KINDS = {
    "string": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "number": lambda value: isinstance(value, float | int) and not isinstance(value, bool),
    "int": lambda value: KINDS["number"](value) and value == int(value),
}


def fits(value, text):
    """Whether a value is of a type as it is written in the record. An open enumeration has to be met as well."""
    literals = re.findall(r"'([^']*)'", text)
    if literals:
        return value in literals
    form = FORM.match(text)
    if not KINDS[form["kind"]](value):
        return False
    size = len(value) if isinstance(value, str | list) else value
    return (
        not (form["low"] and size < int(form["low"]))
        and not (form["high"] and size > int(form["high"]))
        and not (form["pattern"] and not re.search(form["pattern"], value))
    )


def body(resource):
    inputs = {name: each for name, each in resource.inputs.items() if name not in TYPES[resource.type]["path"]}
    given = inputs.get("identity", {}).get("userAssignedIdentities")
    if given is None:
        return inputs
    # The provider makes an object with these keys of the list (pulumi-azure-native, "userAssignedIdentities").
    return inputs | {"identity": inputs["identity"] | {"userAssignedIdentities": {each: {} for each in given}}}


def faults(resource):
    """What Azure's definitions have against what is sent."""
    recorded = TYPES[resource.type]
    types = definitions(recorded)
    for path, value in leaves(body(resource)):
        text = defined(path, types)
        if text is None or "(readOnly)" in text:
            yield f"{'.'.join(path)}: {'unknown' if text is None else 'read only'}"
        elif not fits(value, text):
            yield f"{'.'.join(path)}: {value!r} is no {text}"
    for name, text in recorded["path"].items():
        if name in resource.inputs and not fits(resource.inputs[name], text):
            yield f"{name}: {resource.inputs[name]!r} is no {text}"


def missing(resource):
    """Properties that Azure requires wherever what holds them is sent."""
    paths = [path for path, _ in leaves(body(resource))]
    there = {known(path) for path in paths} | {""}
    for path, text in definitions(TYPES[resource.type]).items():
        holder = path.rpartition("/")[0]
        if text.endswith("(required)") and holder in there and path and path not in there:
            yield path


def test_everything_that_is_sent_is_known_to_azure_writable_and_of_the_right_type(sent):
    assert {(each.type, each.name, fault) for each in sent for fault in faults(each)} == set()


def test_everything_that_azure_requires_is_sent(sent):
    assert {(each.type, each.name, path) for each in sent for path in missing(each)} == set()


@pytest.mark.parametrize(
    ("kind", "wrong", "told"),
    [
        ("StorageAccount", {"minimumTlsVersion": "TLS1_7"}, "minimumTlsVersion: 'TLS1_7' is no 'TLS1_0'"),
        ("StorageAccount", {"accountName": "Upper"}, "accountName: 'Upper' is no string{3..24} /^[a-z0-9]+$/"),
        ("WebApp", {"siteConfig": {"minimalTls": "1.2"}}, "siteConfig.minimalTls: unknown"),
        ("Workspace", {"retentionInDays": "30"}, "retentionInDays: '30' is no int"),
        ("Workspace", {"features": {"disableLocalAuth": 1}}, "features.disableLocalAuth: 1 is no bool"),
    ],
)
def test_what_azure_would_refuse_is_found(sent, kind, wrong, told):
    resource = next(each for each in sent if each.type.endswith(f":{kind}"))
    changed = type(resource)(resource.type, resource.name, resource.inputs | wrong, None, resource.id)
    assert any(fault.startswith(told) for fault in faults(changed))


LEARN = "Microsoft Learn, functions-app-settings, Flex Consumption plan deprecations"
REFUSED = {
    "netFrameworkVersion": "HTTP 400, pulumi-azure-native#4168 and azure-pipelines-tasks#21032",
    "ftpsState": "HTTP 400, azure-pipelines-tasks#21032",
    "use32BitWorkerProcess": "HTTP 400, azure-pipelines-tasks#21032",
    "functionsRuntimeScaleMonitoringEnabled": "HTTP 400, azure-pipelines-tasks#21032",
    "linuxFxVersion": "HTTP 400, terraform-azurerm-avm-res-web-site#283",
    "functionAppScaleLimit": "HTTP 400, azure-functions-host#10643",
    "windowsFxVersion": "terraform-azurerm-avm-res-web-site#345",
    "alwaysOn": "terraform-azurerm-avm-res-web-site#345",
    "preWarmedInstanceCount": LEARN,
    "javaVersion": LEARN,
    "powerShellVersion": LEARN,
    "containerSize": LEARN,
    "isReserved": LEARN,
    "isXenon": LEARN,
    "vnetBackupRestoreEnabled": LEARN,
    "vnetContentShareEnabled": LEARN,
    "vnetImagePullEnabled": LEARN,
    "vnetRouteAllEnabled": LEARN,
}
"""Properties of a site or of its `siteConfig` that Flex Consumption does not take. Not every region looks (#4168)."""
REFUSED_SETTINGS = {
    "ENABLE_ORYX_BUILD",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_MAX_HTTP_CONCURRENCY",
    "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "TZ",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTOVERVNET",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_DNS_SERVER",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
    "WEBSITE_NODE_DEFAULT_VERSION",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_SKIP_CONTENTSHARE_VALIDATION",
    "WEBSITE_TIME_ZONE",
    "WEBSITE_VNET_ROUTE_ALL",
}
"""App settings that Flex Consumption does not take. Source: as LEARN."""


def refused(site):
    """What of a web app Flex Consumption does not take."""
    names = {name.lower() for name in (*site, *site["siteConfig"])}
    settings = {each["name"].upper() for each in site["siteConfig"]["appSettings"]}
    return {each for each in REFUSED if each.lower() in names} | (settings & REFUSED_SETTINGS)


def test_no_site_is_sent_anything_that_flex_consumption_refuses(sent):
    sites = [each for each in sent if each.type.endswith(":WebApp")]
    assert len(sites) == 4
    assert [refused(each.inputs) for each in sites] == [set()] * 4


def test_what_is_said_of_a_site_is_what_is_sent_and_nothing_else(sent):
    """Every property is one that this program has written; a default of the SDK would be one more."""
    bare, *_, integrated = (each.inputs for each in sent if each.type.endswith(":WebApp"))
    assert set(bare) == {
        *("resourceGroupName", "name", "location", "kind", "serverFarmId", "httpsOnly", "identity"),
        *("functionAppConfig", "siteConfig"),
    }
    assert set(integrated) == set(bare) | {"virtualNetworkSubnetId"}, "no Route All: Flex Consumption has none"
    assert {*bare["siteConfig"], *integrated["siteConfig"]} == {"minTlsVersion", "appSettings"}
