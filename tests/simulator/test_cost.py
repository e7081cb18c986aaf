"""A page costs what it holds, however large the world is: counted in Python calls, which no machine makes faster."""

import json
import sys
from dataclasses import replace
from functools import partial

import pytest

from simulator.arm.front_door import Request
from simulator.private_dns.record_sets import RecordSet
from tests.support.dns_cloud import ZONE, A, a_set
from tests.support.dns_cloud import Cloud as DnsCloud
from tests.support.small_world import COMPUTE, NETWORK, Scene, a_vm, vm_id

VMS = "/subscriptions/S/providers/Microsoft.Compute/virtualMachines"
NICS = "/subscriptions/S/providers/Microsoft.Network/networkInterfaces"


def calls(work):
    """How many functions, built-in ones included, are called by `work`; and what it gives."""
    count = 0

    def note(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        result = work()
    finally:
        sys.setprofile(None)
    return count, result


def dns_pages(cloud, path):
    """The cost of each page of a list, first to last."""
    costs, size = [], 0
    while path:
        cost, response = calls(partial(cloud.send, "GET", path))
        costs.append(cost)
        size += len(response.content["value"])
        path = response.content.get("nextLink", "").removeprefix("https://management.azure.com")
    return costs, size


def a_zone(number, others=0):
    cloud = DnsCloud()
    texts = [{"value": ["x"]}]
    cloud.dns.load_zone(
        ZONE,
        records=[{"name": f"n{n}", "type": "A", "ttl": 30, "addresses": ["10.0.0.1"]} for n in range(number)]
        + [{"name": f"n{n}", "type": "TXT", "ttl": 30, "records": texts} for n in range(others)],
    )
    return cloud


@pytest.mark.parametrize("path", [A, f"{ZONE}/ALL"])
def test_the_last_page_of_a_large_zone_costs_what_the_first_page_of_a_small_one_does(path):
    (small, *_), _ = dns_pages(a_zone(150), path)
    costs, size = dns_pages(a_zone(3000), path)
    assert size in {3000, 3001}
    assert max(costs) < 1.2 * small


def test_a_list_of_one_type_does_not_go_through_the_others():
    costs, size = dns_pages(a_zone(150, others=3000), A)
    assert size == 150
    assert max(costs) < 1.2 * dns_pages(a_zone(150), A)[0][0]


def test_a_record_set_is_read_and_written_at_the_same_cost_in_a_large_zone():
    for method, body in (("GET", None), ("PUT", a_set("10.0.0.2")), ("DELETE", None)):
        (small, _), (large, _) = (
            calls(partial(zone.send, method, f"{A}/n7", body)) for zone in (a_zone(10), a_zone(3000))
        )
        assert large < 1.2 * small


def vm_pages(number, path, version):
    """Cost per item of each page of a list of VMs or NICs, in a world of so many."""
    scene = Scene(*(a_vm(f"gpu-{n:05}", f"10.1.{n // 250 + 6}.{n % 250 + 4}") for n in range(number)))
    query, costs, size = dict(version), [], 0
    while query:
        cost, response = calls(partial(scene.cloud.handle, Request("GET", path, query)))
        found = response.content["value"]
        costs.append(cost / len(found))
        size += len(found)
        link = response.content.get("nextLink")
        query = {**version, "$skiptoken": link.split("skiptoken=")[1]} if link else None
    return costs, size


@pytest.mark.parametrize(("path", "version"), [(VMS, COMPUTE), (NICS, NETWORK)])
def test_each_page_of_a_long_list_costs_the_same_for_each_item(path, version):
    costs, size = vm_pages(2000, path, version)
    assert size == 2000
    small = vm_pages(60, path, version)[0][0]
    assert max(costs[:-1]) < 1.5 * small, "the last page may hold next to nothing"


def test_adding_a_vm_does_not_sort_all_others_again():
    scene = Scene(*(a_vm(f"gpu-{n:05}", f"10.1.{n // 250 + 6}.{n % 250 + 4}") for n in range(2000)))
    vm = scene.cloud.compute.vms.find(vm_id("gpu-01000"))

    def add_and_list():
        scene.cloud.compute.vms.remove(vm)
        scene.cloud.compute.vms.add(vm)
        return scene.cloud.handle(Request("GET", VMS, COMPUTE))

    cost, response = calls(add_and_list)
    assert cost < 60 * len(response.content["value"])


def test_a_resource_that_is_written_in_another_region_is_listed_once():
    scene = Scene(a_vm("a", "10.1.0.4"), a_vm("b", "10.1.0.5"))
    moved = replace(scene.cloud.compute.vms.find(vm_id("a")), location="westus")
    scene.cloud.compute.vms.add(moved)
    listed = scene.cloud.handle(Request("GET", VMS, COMPUTE)).content["value"]
    assert [(vm["name"], vm["location"]) for vm in listed] == [("b", "eastus"), ("a", "westus")]
    assert len(scene.cloud.compute.vms) == 2


def test_a_record_set_list_keeps_the_recorded_order_over_all_types():
    """By labels from the right, then by type: the recorded order of the Zone2 and Zone3 imports."""
    cloud = DnsCloud()
    names = ["b", "a", "x.b", "a.b", "@", "c"]
    texts = [{"value": ["x"]}]
    cloud.dns.load_zone(
        ZONE,
        records=[{"name": n, "type": "TXT", "ttl": 1, "records": texts} for n in names]
        + [{"name": n, "type": "A", "ttl": 1, "addresses": ["10.0.0.1"]} for n in names],
    )
    found = [(each.name, each.type) for each in cloud.dns.zone(ZONE).record_sets]
    want = [(n, t) for n in ("@", "a", "b", "a.b", "x.b", "c") for t in ("A", "SOA", "TXT") if t != "SOA" or n == "@"]
    assert found == want
    pages, path = [], f"{ZONE}/ALL?$top=1"
    while path:
        content = cloud.send("GET", path).content
        pages += [(each["name"], each["type"].rsplit("/", 1)[1]) for each in content["value"]]
        path = content.get("nextLink", "").removeprefix("https://management.azure.com")
    assert pages == want


def test_what_is_written_and_removed_between_two_pages_neither_doubles_nor_hides_anything_else():
    cloud = a_zone(250)
    first = cloud.send("GET", A).content
    last = first["value"][-1]["name"]
    cloud.send("DELETE", f"{A}/{last}")
    cloud.send("DELETE", f"{A}/{first['value'][0]['name']}")
    cloud.put("zzz", "10.0.0.9")
    rest, path = [], first["nextLink"].removeprefix("https://management.azure.com")
    while path:
        content = cloud.send("GET", path).content
        rest += [each["name"] for each in content["value"]]
        path = content.get("nextLink", "").removeprefix("https://management.azure.com")
    names = [each["name"] for each in first["value"]] + rest
    assert len(names) == len(set(names)) == 251
    assert "zzz" in rest


def test_a_body_is_the_json_of_what_was_answered():
    cloud = a_zone(3)
    response = cloud.send("GET", A)
    assert json.loads(response.body) == response.content
    assert isinstance(next(iter(cloud.dns.zone(ZONE).sets_after(None, "A"))), RecordSet)
