"""A zone with registration holds the computer names of its VMs, as the private DNS FAQ says, in a whole cloud."""

import json

import pytest

from simulator.cloud import SimulatedAzure
from simulator.world.world import WorldError, read
from tests.support.small_world import VNET, ZONE, Clock, Scene, a_vm, nic_id, small, vm_id

ZONES = [{"id": ZONE, "links": [{"name": "eastus", "vnet": VNET, "registration": True}]}]


def scene(*vms):
    return Scene(*vms, zones=ZONES)


def registered(one):
    """The auto-registered sets of the zone, as a list shows them."""
    listed = one.ask("GET", f"{ZONE}/A").content["value"]
    return {
        each["name"]: [record["ipv4Address"] for record in each["properties"]["aRecords"]]
        for each in listed
        if each["properties"]["isAutoRegistered"]
    }


def test_vms_are_registered_by_computer_name_and_by_their_own_where_they_have_none():
    one = scene(a_vm("gpu-1", "10.1.0.4", computer_name="Poppy"), a_vm("gpu-2", "10.1.0.5"))
    assert registered(one) == {"poppy": ["10.1.0.4"], "gpu-2": ["10.1.0.5"]}
    assert one.ask("GET", vm_id("gpu-1")).content["properties"]["osProfile"] == {"computerName": "Poppy"}
    assert one.ask("GET", ZONE).content["properties"]["numberOfRecordSets"] == 3
    assert one.told == []


def test_a_set_goes_with_the_deallocation_and_deletion_of_its_vm_and_comes_with_its_start():
    one = scene(a_vm("gpu", "10.1.0.4", computer_name="poppy"))
    for action, expected in (("powerOff", True), ("deallocate", False), ("start", True)):
        one.ask("POST", f"{vm_id('gpu')}/{action}")
        one.wait_for_all()
        assert ("poppy" in registered(one)) is expected
    one.ask("DELETE", vm_id("gpu"))
    one.wait_for_all()
    assert registered(one) == {}
    assert {note.operation.split("/")[1] for note in one.told} == {"virtualMachines"}


def test_a_vm_that_a_client_creates_is_registered_by_its_primary_nic():
    one = scene()
    for name, address in (("first", "10.1.5.4"), ("second", "10.1.5.5")):
        place = {"subnet": {"id": f"{VNET}/subnets/small"}, "privateIPAddress": address}
        ip = {"name": "ipconfig1", "properties": {**place, "privateIPAllocationMethod": "Static"}}
        one.ask("PUT", nic_id(name), {"location": "eastus", "properties": {"ipConfigurations": [ip]}})
    nics = [{"id": nic_id(name), "properties": {"primary": name == "second"}} for name in ("first", "second")]
    properties = {"osProfile": {"computerName": "poppy"}, "networkProfile": {"networkInterfaces": nics}}
    one.ask("PUT", vm_id("gpu"), {"location": "eastus", "properties": properties})
    one.wait_for_all()
    assert registered(one) == {"poppy": ["10.1.5.5"]}


def test_a_world_keeps_computer_names_and_the_sets_of_its_vms():
    world = small(a_vm("gpu", "10.1.0.4", computer_name="poppy")) | {"zones": ZONES}
    first = SimulatedAzure(read(json.dumps(world)), clock=Clock()).world()
    assert [each["computer_name"] for each in first["vms"]] == ["poppy"]
    again = SimulatedAzure(read(json.dumps(first)), clock=Clock())
    assert again.world() == first
    again.compute.vms.find(vm_id("gpu")).power = "deallocated"
    assert again.world()["zones"][0]["records"] == []


@pytest.mark.parametrize("name", ["", "a.b", "-a", "a" * 64, "with space"])
def test_a_world_with_an_impossible_computer_name_is_refused(name):
    with pytest.raises(WorldError, match="computer_name"):
        read(json.dumps(small(a_vm("gpu", "10.1.0.4", computer_name=name))))
