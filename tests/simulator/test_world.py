"""A world file is read, loaded and written again without loss, and a faulty one is refused with the field's name."""

import json

import pytest

from simulator.cloud import SimulatedAzure
from simulator.world.world import WorldError, read
from tests.support.small_world import VNET, ZONE, Clock, Scene, a_vm, nic_id, small, vm_id


def rich():
    world = small(
        a_vm("gpu-1", "10.1.0.4", health="healthy", tags={"nearzone": "llama-70b"}),
        a_vm("gpu-2", "10.1.0.5", power="deallocated"),
    )
    second = {"id": nic_id("second"), "vnet": VNET, "subnet": "small", "primary": False}
    second["ip_configurations"] = [{"name": "a", "address": "10.1.5.4", "allocation": "Static"}]
    world["vms"][0]["nics"].append(second)
    world["zones"][0]["records"] = [
        {"name": "db", "type": "A", "ttl": 300, "addresses": ["10.9.9.9"], "metadata": {"k": "v"}},
        {"name": "auto", "type": "A", "ttl": 10, "addresses": ["10.1.0.5"], "auto_registered": True},
        {"name": "alias", "type": "CNAME", "ttl": 60, "records": {"cname": "db.ai.internal"}},
    ]
    world["zones"][0]["tags"] = {"team": "ai"}
    world["vms"][0]["server"] = {"kind": "vllm", "behaviour": "loading", "port": 8000, "seconds": 60}
    world["hosts"] = [{"address": "172.20.0.4", "location": "eastus", "server": {"behaviour": "hangs"}}]
    cut = {"from": "westeurope", "to": "*", "both": False, "partition": "prober"}
    slow = {"from": "westeurope", "to": "eastus", "rtt_ms": 140, "terminated_ms": 2}
    world["network"] = {"loss": 0.01, "jitter_ms": 0.3, "spikes": 0.02, "wander_ms": 0.8, "paths": [cut, slow]}
    world["settings"] = {"NEARZONE_OWNER": "demo", "NEARZONE_TTL": 30}
    return world


def at(world, path):
    for step in path[:-1]:
        world = world[step]
    return world, path[-1]


def test_a_world_that_is_written_and_loaded_again_is_the_same_world():
    first = SimulatedAzure(read(json.dumps(rich())), clock=Clock()).world()
    assert SimulatedAzure(read(json.dumps(first)), clock=Clock()).world() == first


def test_what_the_file_says_is_what_there_is():
    world = SimulatedAzure(read(json.dumps(rich())), clock=Clock()).world()
    assert [vm["power"] for vm in world["vms"]] == ["running", "deallocated"]
    assert world["vms"][0]["tags"] == {"nearzone": "llama-70b"}
    assert [nic["primary"] for nic in world["vms"][0]["nics"]] == [True, False]
    assert world["vms"][0]["nics"][1]["ip_configurations"][0]["allocation"] == "Static"
    records = {record["name"]: record for record in world["zones"][0]["records"]}
    assert records["db"]["addresses"] == ["10.9.9.9"]
    assert records["db"]["metadata"] == {"k": "v"}
    assert records["auto"]["auto_registered"] is True
    assert records["alias"]["records"] == {"cname": "db.ai.internal"}
    assert world["settings"] == {"NEARZONE_OWNER": "demo", "NEARZONE_TTL": 30}
    servers = [vm["server"] for vm in world["vms"]] + [host["server"] for host in world["hosts"]]
    assert [each and each["behaviour"] for each in servers] == ["loading", None, "hangs"]
    network = world["network"]
    assert (network["loss"], network["jitter_ms"], network["spikes"], network["wander_ms"]) == (0.01, 0.3, 0.02, 0.8)
    paths = {(each["from"], each["to"]): (each["rtt_ms"], each["partition"]) for each in network["paths"]}
    assert paths == {
        ("westeurope", "*"): (None, "prober"),
        ("westeurope", "eastus"): (140, None),
        ("eastus", "westeurope"): (140, None),
    }


def test_loading_a_world_tells_event_grid_nothing():
    assert Scene(*rich()["vms"]).told == []


def test_what_changed_since_is_in_the_world():
    scene = Scene(a_vm("gpu", "10.1.0.4", "deallocated"))
    scene.ask("POST", f"{vm_id('gpu')}/start")
    assert scene.cloud.world()["vms"][0]["power"] == "starting"
    scene.wait_for_all()
    body = {"properties": {"ttl": 30, "aRecords": [{"ipv4Address": "10.1.0.4"}]}}
    scene.ask("PUT", f"{ZONE}/A/llama", body)
    world = scene.cloud.world()
    assert world["vms"][0]["power"] == "running"
    assert world["zones"][0]["records"][0]["addresses"] == ["10.1.0.4"]


def test_a_power_state_on_its_way_is_read_as_the_one_where_it_leads():
    assert Scene(a_vm("gpu", "10.1.0.4", "starting")).power("gpu") == "PowerState/running"


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("vms", 0, "powr"), "running", "powr"),
        (("vms", 0, "power"), "on", "vms[0].power"),
        (("vms", 0, "id"), "gpu-1", "vms[0].id"),
        (("vms", 0, "health"), "sick", "vms[0].health"),
        (("vms", 0, "nics", 0, "vnet"), VNET + "-nope", "vms[0].nics[0].vnet"),
        (("vms", 0, "nics", 0, "ip_configurations", 0, "address"), "10.1.0.x", "vms[0].nics[0].ip_configurations[0]"),
        (("vms", 0, "nics", 0, "ip_configurations", 0, "address"), "10.2.0.4", "not in the prefixes"),
        (("vms", 0, "nics", 0, "ip_configurations", 0, "address"), "10.1.0.5", "vms[1].nics[0].ip_configurations[0]"),
        (("vnets", 0, "prefixes", 0), "10.1.0.0/99", "vnets[0].prefixes[0]"),
        (("vnets", 0, "prefixes", 0), "10.1.0.1/16", "vnets[0].prefixes[0]"),
        (("zones", 0, "links", 0, "vnet"), VNET + "-nope", "zones[0].links[0].vnet"),
        (("zones", 0, "records", 0, "ttl"), "soon", "zones[0].records[0].ttl"),
        (("zones", 0, "records", 0, "addresses"), ["10.9.9"], "zones[0]"),
        (("settings",), [], "settings"),
        (("vms", 0, "server", "behaviour"), "sulks", "vms[0].server.behaviour"),
        (("vms", 0, "server", "kind"), "vlm", "vms[0].server.kind"),
        (("vms", 0, "server", "port"), 0, "vms[0].server.port"),
        (("vms", 0, "server", "seconds"), 0, "vms[0].server.seconds"),
        (("network", "loss"), 1.5, "network.loss"),
        (("network", "lost"), 0.1, "network.lost: there is no such key; did you mean loss?"),
        (("network", "paths", 1, "form"), "eastus", "network.paths[1].form: there is no such key; did you mean from?"),
        (("network", "paths", 1, "rtt_ms"), 0, "network.paths[1].rtt_ms"),
        (("network", "paths", 1), {"to": "eastus", "rtt_ms": 1}, "network.paths[1].from: missing"),
        (("network", "paths", 0, "partition"), "some", "expected one of all, prober"),
        (("network", "paths", 0, "partition"), None, "network.paths[0]: states nothing"),
        (("hosts", 0, "address"), "10.1.0.9", "hosts[0].address: 10.1.0.9 is in a VNet"),
        (("hosts", 0, "address"), "on-prem", "hosts[0].address"),
        (("hosts", 0, "address"), "fd00::4", "hosts[0].address: found 'fd00::4', expected an IPv4 address"),
    ],
)
def test_a_faulty_world_is_refused_with_the_name_of_the_field(path, value, named):
    world = rich()
    where, last = at(world, path)
    where[last] = value
    with pytest.raises(WorldError) as caught:
        SimulatedAzure(read(json.dumps(world)), clock=Clock())
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (("network", "paths", 1, "to"), "network.paths[1].to: found 'eastsu', expected an Azure region"),
        (("network", "paths", 0, "from"), "network.paths[0].from: found 'eastsu', expected an Azure region"),
        (("hosts", 0, "location"), "hosts[0].location: found 'eastsu', expected an Azure region"),
    ],
)
def test_a_region_of_the_network_that_does_not_exist_is_refused_with_the_one_that_may_be_meant(path, told):
    world = rich()
    where, last = at(world, path)
    where[last] = "eastsu"
    with pytest.raises(WorldError) as caught:
        read(json.dumps(world), {"eastus", "westeurope"})
    (fault,) = caught.value.faults
    assert fault.startswith(told)
    assert fault.endswith("did you mean eastus?")


def test_two_hosts_of_one_address_are_refused():
    world = rich()
    world["hosts"] *= 2
    with pytest.raises(WorldError, match=r"hosts\[1\].address: 172.20.0.4 is used twice"):
        read(json.dumps(world))


def test_text_that_is_no_json_is_refused():
    with pytest.raises(WorldError):
        read("{")
