"""The minimal example: one zone, two record sets, and the zone's name."""

from infra.tests.stage import INFRA, Cloud, Program, vnet


def example(**config):
    return Program(INFRA / "minimal", config, Cloud())


def test_two_record_sets_stand_in_one_zone_whose_name_is_exported():
    program = example()
    (zone,) = program.all("PrivateZone").values()
    assert zone.inputs["privateZoneName"] == "aiworkloads.local"
    records = [each.inputs for each in program.all("PrivateRecordSet").values()]
    assert {each["relativeRecordSetName"]: (each["recordType"], each["ttl"], each["aRecords"]) for each in records} == {
        "server1": ("A", 300, [{"ipv4Address": "10.1.0.4"}]),
        "server2": ("A", 300, [{"ipv4Address": "10.2.0.4"}]),
    }
    assert {each["relativeRecordSetName"]: each["metadata"]["region"] for each in records} == {
        "server1": "East US",
        "server2": "Europe West",
    }
    assert {(each["resourceGroupName"], each["privateZoneName"]) for each in records} == {
        ("aiworkloads", "aiworkloads.local")
    }
    assert program.outputs == {"zone": "aiworkloads.local"}
    assert program.all("VirtualNetworkLink") == {}


def test_vnets_are_linked_when_they_are_given():
    links = example(**{"two-records:vnets": [vnet("hub")]}).all("VirtualNetworkLink").values()
    assert [(each.inputs["virtualNetwork"]["id"], each.inputs["registrationEnabled"]) for each in links] == [
        (vnet("hub"), False)
    ]
