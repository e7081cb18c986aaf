"""VNet integration: each app connects from a subnet of its own region, given or created, and nothing is let in."""

import json

import pytest
from pulumi.runtime.rpc import translate_output_properties
from pulumi_azure_native import network

from infra import names
from infra.config import Subnet
from infra.decode import KEY, BadConfig, decode
from infra.tests.stage import EAST, HUB, WEST, Cloud, configured, deployed, subnet, vnet
from infra.vnet import existing, in_region

MADE = {"vnet": vnet("hub-east"), "prefix": "10.9.0.0/26"}
GIVEN = f"{vnet('hub-west')}/subnets/probes"
INWARDS = {
    *("NetworkSecurityGroup", "SecurityRule", "PublicIPAddress", "PrivateEndpoint", "NatGateway", "LoadBalancer"),
    *("Route", "RouteTable", "VirtualNetworkPeering", "VirtualNetwork", "WebAppPrivateEndpointConnection"),
}


def azure():
    """An Azure with a VNet for each region. It answers with names as it spells them."""
    there = [subnet("default", delegations=()), subnet("PROBES", vnet_name="hub-west")]
    return Cloud(vnets={"hub-east": (EAST, []), "hub-west": ("West Europe", there)})


def regions(east=MADE, west=GIVEN):
    return [{"name": EAST, "subnet": east}, {"name": WEST, "subnet": west}]


@pytest.fixture(scope="module")
def integrated():
    return deployed(azure(), regions=regions())


def site(program, region):
    return program.one("WebApp", f"nearzone-{region}-app").inputs


def test_a_subnet_is_created_in_an_existing_vnet_and_delegated_to_flex_consumption(integrated):
    ((name, made),) = integrated.all("Subnet").items()
    assert made.subscription == HUB, "the VNet's subscription"
    assert made.inputs == {
        "resourceGroupName": "net",
        "virtualNetworkName": "Hub-East",  # From Azure's answer, after its region was checked.
        "subnetName": "nearzone-eastus-probes",
        "addressPrefix": "10.9.0.0/26",
        "delegations": [{"name": "flex-consumption", "serviceName": "Microsoft.App/environments"}],
        "privateEndpointNetworkPolicies": "Disabled",
        "privateLinkServiceNetworkPolicies": "Enabled",
    }
    assert site(integrated, EAST)["virtualNetworkSubnetId"] == made.id
    assert name in integrated.before("WebApp", "nearzone-eastus-app")


def test_an_existing_subnet_is_used_as_it_is(integrated):
    assert site(integrated, WEST)["virtualNetworkSubnetId"] == GIVEN
    assert set(integrated.all("Subnet")) == {"nearzone-eastus-probes"}


def test_nothing_is_opened_inwards_and_only_the_subnet_is_more_than_without_integration(integrated):
    plain = deployed(regions=[{"name": EAST}, {"name": WEST}])
    more = {(each.type, each.name) for each in integrated.cloud.made} - {
        (each.type, each.name) for each in plain.cloud.made
    }
    assert more == {("azure-native:network:Subnet", "nearzone-eastus-probes"), ("pulumi:providers:azure-native", HUB)}
    assert not INWARDS & {each.type.rsplit(":", 1)[-1] for each in integrated.cloud.made}
    for region in (EAST, WEST):
        with_subnet, without = site(integrated, region), site(plain, region)
        assert {name: each for name, each in with_subnet.items() if name != "virtualNetworkSubnetId"} == without


def test_the_apps_identity_gets_no_right_on_the_network(integrated):
    """The deployer joins the subnet; the app never does."""
    scopes = {each.inputs["scope"] for each in integrated.all("RoleAssignment").values()}
    assert not [each for each in scopes if "/virtualNetworks/" in each]
    actions = {
        action
        for each in integrated.all("RoleDefinition").values()
        for action in each.inputs["permissions"][0]["actions"]
    }
    assert not [each for each in actions if "/subnets/" in each]


def test_an_app_that_probes_never_probes_its_own_subnet_made_or_given():
    probing = {"NEARZONE_PROBES": {"llama": {"kind": "vllm"}}, "NEARZONE_PROBING": {"never": ["10.0.0.0/24"]}}
    program = deployed(azure(), regions=regions(), settings=probing)
    there = [subnet("probes", vnet_name="hub-west")["addressPrefix"]]
    for region, own in ((EAST, [MADE["prefix"]]), (WEST, there)):
        values = {each["name"]: each["value"] for each in site(program, region)["siteConfig"]["appSettings"]}
        assert json.loads(values["NEARZONE_PROBING"])["never"] == ["10.0.0.0/24", *own]


def test_a_given_subnet_of_both_families_is_known_by_its_ipv4_network():
    there = subnet("probes")
    there["addressPrefixes"] = [there.pop("addressPrefix"), "fd00::/64"]
    wanted = Subnet(vnet("hub-east"), name="probes")
    assert existing("field", wanted, shown(EAST, there).subnets) == there["addressPrefixes"][:1]


def test_without_a_subnet_no_vnet_is_asked_for_and_no_site_is_integrated():
    program = deployed()
    assert program.cloud.asked == []
    assert program.all("Subnet") == {}
    assert all("virtualNetworkSubnetId" not in each.inputs for each in program.all("WebApp").values())


def test_the_one_app_uses_the_subnet_of_the_region_that_it_runs_in():
    program = deployed(azure(), one_app=True, regions=[{"name": EAST, "subnet": MADE}, {"name": WEST}])
    made = program.one("Subnet", "nearzone-eastus-probes")
    assert [each.inputs["virtualNetworkSubnetId"] for each in program.all("WebApp").values()] == [made.id]


def test_the_name_of_a_created_subnet_fits_azure_for_the_longest_names():
    longest = decode(configured(name="a" * 20, regions=[{"name": EAST}]))
    name = names.subnet(longest, longest.regions[0])
    assert len(name) <= 80
    assert "_" not in name


def shown(location=EAST, *subnets):
    """A VNet as the SDK gives it to the program."""
    answer = {"location": location, "name": "hub-east", "subnets": list(subnets)}
    return translate_output_properties(answer, lambda name: name, network.GetVirtualNetworkResult)


REFUSED = [
    ([], "regions[0].subnet: {vnet} has no subnet probes: create it"),
    ([subnet("default")], "regions[0].subnet: {vnet} has no subnet probes: create it"),
    ([subnet("probes", delegations=())], "regions[0].subnet: subnet probes is not delegated to {service}"),
    (
        [subnet("probes", delegations=("Microsoft.Web/serverFarms",))],
        "regions[0].subnet: subnet probes is not delegated to {service}",
    ),
    ([subnet("probes", prefix="10.9.0.0/28")], "regions[0].subnet: subnet probes (10.9.0.0/28) is smaller than a /27"),
    ([subnet("probes", prefix="fd00::/64")], "regions[0].subnet: subnet probes (fd00::/64) is smaller than a /27"),
]


@pytest.mark.parametrize(("subnets", "told"), REFUSED)
def test_a_subnet_that_flex_consumption_cannot_use_is_refused_with_its_field(subnets, told):
    wanted = Subnet(vnet("hub-east"), name="probes")
    with pytest.raises(ValueError, match=r"regions\[0\]") as caught:
        existing("regions[0].subnet", wanted, shown(EAST, *subnets).subnets)
    assert str(caught.value).startswith(told.format(vnet=vnet("hub-east"), service="Microsoft.App/environments"))


def test_a_subnet_without_a_known_prefix_is_left_to_azure():
    there = subnet("probes")
    del there["addressPrefix"]
    wanted = Subnet(vnet("hub-east"), name="probes")
    assert existing("field", wanted, shown(EAST, there).subnets) == []


def test_a_vnet_of_another_region_is_refused_with_the_field_and_both_regions():
    region = decode(configured()).regions[0]
    told = r"regions\[0\]\.subnet: the VNet is in westus2, the app in eastus: name a VNet of eastus"
    with pytest.raises(ValueError, match=told):
        in_region("regions[0].subnet", region, shown("westus2"))
    assert in_region("regions[0].subnet", region, shown("East US")).location == "East US"


def test_azure_is_asked_about_the_vnet_of_each_subnet(integrated):
    asked = {token: args for token, args in integrated.cloud.asked if args["virtualNetworkName"] == "hub-east"}
    assert asked == {
        "azure-native:network:getVirtualNetwork": {"resourceGroupName": "net", "virtualNetworkName": "hub-east"}
    }
    assert len(integrated.cloud.asked) == 2


WRONG = [
    (regions(east="hub-east"), "regions[0].subnet: found"),
    (regions(east=vnet("hub-east")), "regions[0].subnet: found"),
    (regions(east=""), "regions[0].subnet: found"),
    (regions(east=f"{vnet('hub-east')}/subnets/probe_subnet"), "regions[0].subnet: found"),
    (regions(east=MADE | {"prefix": "10.9.0.0/28"}), 'regions[0].subnet.prefix: found "10.9.0.0/28", expected an IPv4'),
    (regions(east=MADE | {"prefix": "10.9.0.1/26"}), "regions[0].subnet.prefix: found"),
    (regions(east=MADE | {"prefix": "10.9.0.0"}), "regions[0].subnet.prefix: found"),
    (regions(east=MADE | {"prefix": "fd00::/64"}), "regions[0].subnet.prefix: found"),
    (regions(east=MADE | {"prefix": 26}), "regions[0].subnet.prefix: found"),
    (regions(east={"vnet": vnet("hub-east")}), "regions[0].subnet.prefix: found nothing"),
    (regions(east={"vnet": GIVEN, "prefix": "10.9.0.0/26"}), "regions[0].subnet.vnet: found"),
    (regions(east=MADE | {"name": "probes"}), "regions[0].subnet.name: found"),
    (regions(west=MADE | {"vnet": vnet("HUB-east")}), "regions[1].subnet: found"),
]


@pytest.mark.parametrize(("wanted", "fault"), WRONG, ids=[fault for _, fault in WRONG])
def test_a_wrong_subnet_is_one_fault_under_its_key(wanted, fault):
    with pytest.raises(BadConfig) as caught:
        decode(configured(regions=wanted))
    (found,) = caught.value.faults
    assert found.startswith(f"{KEY}.{fault}")


def test_a_subnet_in_a_region_without_an_app_is_refused():
    with pytest.raises(BadConfig, match=r"regions\[1\]\.subnet: .* no app runs in this region"):
        decode(configured(one_app=True, regions=regions()))


def test_the_smallest_documented_subnet_is_accepted():
    found = decode(configured(regions=regions(east=MADE | {"prefix": "10.9.0.0/27"})))
    assert found.regions[0].subnet.prefix == "10.9.0.0/27"
