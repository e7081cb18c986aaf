"""simulator/README.md has every key of a world file, route, switch, fault and limit, with its default."""

import json
import re
from dataclasses import fields
from typing import get_args

import msgspec
import pytest
from readme import README, generated, limits, replaced

from simulator.faults.source import Rates
from simulator.front_ends import control
from simulator.model_servers.entry import Behaviour, Kind
from simulator.private_dns.rules import AssumedBehaviour
from simulator.world import entries as world_entries

PAGE = README.read_text(encoding="utf-8")
ENTRIES = {
    "vnets[]": world_entries.VnetEntry,
    "zones[]": world_entries.ZoneEntry,
    "zones[].links[]": world_entries.LinkEntry,
    "zones[].records[]": world_entries.RecordEntry,
    "vms[]": world_entries.VmEntry,
    "vms[].nics[]": world_entries.NicEntry,
    "vms[].nics[].ip_configurations[]": world_entries.IpConfigurationEntry,
    "scale_sets[]": world_entries.ScaleSetEntry,
    "scale_sets[].instances[]": world_entries.InstanceEntry,
    "load_balancers[]": world_entries.LoadBalancerEntry,
    "load_balancers[].frontends[]": world_entries.FrontendEntry,
    "private_endpoints[]": world_entries.PrivateEndpointEntry,
    "container_groups[]": world_entries.ContainerGroupEntry,
    "container_groups[].containers[]": world_entries.ContainerEntry,
    "application_gateways[]": world_entries.ApplicationGatewayEntry,
    "application_gateways[].frontends[]": world_entries.GatewayFrontendEntry,
    "api_managements[]": world_entries.ApiManagementEntry,
    "api_managements[].additional_locations[]": world_entries.ApiManagementLocationEntry,
    "container_environments[]": world_entries.ContainerEnvironmentEntry,
    "hosts[]": world_entries.HostEntry,
    "network": world_entries.NetworkEntry,
    "network.paths[]": world_entries.PathEntry,
    "server": world_entries.ServerEntry,
}


def rows(head):
    """The cells of the table whose first line begins so."""
    table = PAGE.split(f"\n| {head} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]


def names(cells):
    """What stands in backticks in the first cell of each row."""
    return [name for first, *_ in cells for name in re.findall(r"`([^`{]+)`", first)]


def default(field):
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return f"`{json.dumps(value)}`"


@pytest.mark.parametrize("place", ENTRIES)
def test_the_reference_of_world_files_has_each_key_with_its_default(place):
    stated = [(first.strip("`"), second) for first, second, *_ in rows(f"key of `{place}`")]
    assert stated == [(each.encode_name, default(each)) for each in msgspec.structs.fields(ENTRIES[place])]


def test_every_kind_of_entry_has_a_reference():
    known = {
        each for each in vars(world_entries).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)
    }
    assert known - {world_entries.World, world_entries.SubnetEntry} == set(ENTRIES.values())
    top = {each.name for each in msgspec.structs.fields(world_entries.World)}
    assert top == {re.split(r"[.\[]", place)[0] for place in ENTRIES if place != "server"} | {"settings"}


def test_every_behaviour_of_a_model_server_is_on_the_page():
    assert set(get_args(Behaviour)) == set(names(rows("behaviour")))


def test_every_kind_of_a_model_server_is_on_the_page():
    told = next(value for key, _, value in rows("key of `server`") if key == "`kind`")
    assert set(re.findall(r"`([^`]+)`", told)) == set(get_args(Kind))


def test_every_route_is_on_the_page():
    served = {each.path.removeprefix("/") for each in control.Control(None).routes("")}
    stated = {name.split("?")[0] for name in names(rows("route"))}
    assert stated == served


def test_every_switch_is_on_the_page_and_named_with_another_value_than_its_default():
    switches = dict(re.findall(r"`(\w+)=([^`]+)`", " ".join(cell for *_, cell in rows("question"))))
    assert list(switches) == [each.name for each in fields(AssumedBehaviour)]
    for each in fields(AssumedBehaviour):
        assert switches[each.name] != str(each.default)


def test_every_kind_of_fault_is_on_the_page():
    told = set(re.findall(r"`(\w+)`", " ".join(" ".join(each) for each in rows("kind"))))
    assert {each.name for each in msgspec.structs.fields(Rates)} <= told
    assert f"`slowest` ({Rates().slowest:g})" in PAGE
    assert f"`longest_outage` ({Rates().longest_outage:g})" in PAGE


def test_the_tables_of_limits_have_the_figures_of_the_code():
    assert generated(PAGE, "limits") == list(limits()), "make fidelity ARGS=--write"


def test_a_part_is_written_between_its_markers_and_nothing_else_of_the_page_changes():
    written = replaced(PAGE, "limits", ["| new |"])
    assert generated(written, "limits") == ["| new |"]
    assert replaced(written, "limits", limits()) == PAGE


def test_a_page_without_markers_is_refused():
    with pytest.raises(ValueError, match="no markers for 'limits'"):
        replaced("A page.", "limits", [])
