"""Events, locks, budgets, auto-registration, and the switches for what nobody knows about Azure."""

import pytest

from simulator.private_dns.registration import Machine
from simulator.private_dns.rules import AssumedBehaviour
from tests.support.dns_cloud import GROUP, GUID, LINK, MISSING, VNET, ZONE, A, Cloud, a_set, link


@pytest.fixture
def cloud():
    return Cloud()


# Events, locks, budgets


def test_each_completed_write_and_delete_is_told_once(cloud):
    cloud.put("web", "10.0.0.2")
    cloud.send("PATCH", f"{A}/web", {"properties": {"ttl": 60}})
    cloud.send("DELETE", f"{A}/web")
    cloud.send("DELETE", f"{A}/web")
    cloud.put("old", "10.0.0.2", if_match=GUID)
    cloud.finish(cloud.send("PUT", LINK, link()))
    told = [
        (event.operation.removeprefix("Microsoft.Network/privateDnsZones/"), event.family) for event in cloud.events
    ]
    assert told == [
        ("A/write", "Write"),
        ("A/write", "Write"),
        ("A/delete", "Delete"),
        ("virtualNetworkLinks/write", "Write"),
    ]
    assert cloud.events[0].resource_id == f"{A}/web"


@pytest.mark.parametrize(
    ("scope", "level", "put", "delete"),
    [
        (ZONE, "ReadOnly", 409, 409),
        (ZONE.upper(), "CanNotDelete", 200, 409),
        (GROUP, "CanNotDelete", 200, 409),
        (f"{A}/ol", "ReadOnly", 200, 200),
        (ZONE.replace("ai.", "other."), "ReadOnly", 200, 200),
    ],
)
def test_a_lock_holds_for_all_below_its_scope(cloud, scope, level, put, delete):
    """openshift/installer#2300, 2019-08-31: a lock on a zone keeps its record sets from being deleted."""
    cloud.dns.lock(scope, level)
    wrote, deleted = cloud.put("old", "10.0.0.1"), cloud.send("DELETE", f"{A}/old")
    assert (wrote.status, deleted.status) == (put, delete)
    if deleted.status == 409:
        assert deleted.content["error"]["code"] == "ScopeLocked"
        assert deleted.headers["x-ms-failure-cause"] == "gateway"
        assert cloud.send("GET", f"{A}/old").status == 200
        cloud.dns.unlock(scope)
        assert cloud.send("DELETE", f"{A}/old").status == 200


@pytest.mark.parametrize(
    ("budget", "call"),
    [
        (60, lambda cloud, n: cloud.put(f"n{n}", "10.0.0.2")),
        (60, lambda cloud, n: cloud.put("old", "10.0.0.2")),
        (60, lambda cloud, n: cloud.send("DELETE", f"{A}/n{n}")),
        (200, lambda cloud, n: cloud.send("GET", f"{A}/old")),
        (100, lambda cloud, n: cloud.send("GET", f"{ZONE}/ALL")),
    ],
    ids=["create", "update", "delete", "get", "list"],
)
def test_a_zone_has_budgets_per_minute_that_slide(budget, call):
    """dns-limits.md, 2024-10-08; Retry-After from kubernetes-sigs/external-dns#4839."""
    cloud = Cloud(limits=True)
    for n in range(budget):
        cloud.now += 0.25 if n < budget - 1 else 0
        assert call(cloud, n).status < 300
    throttled = call(cloud, 1000)
    assert (throttled.status, throttled.headers["Retry-After"]) == (429, "10")
    assert throttled.content["code"] == "TooManyRequests"
    cloud.now = 1_700_000_000.25 + 59.9
    assert call(cloud, 1000).status == 429
    cloud.now += 0.1
    assert call(cloud, 1000).status < 300
    assert call(cloud, 1001).status == 429


def test_one_zone_does_not_spend_anothers_budget_and_no_budget_is_the_default():
    cloud = Cloud(limits=True)
    other = ZONE.replace("dns-eastus", "dns-westus")
    cloud.dns.load_zone(other)
    for n in range(61):
        last = cloud.put(f"n{n}", "10.0.0.2")
    assert last.status == 429
    assert cloud.send("PUT", f"{other}/A/n", a_set()).status == 201
    cloud.dns.limits = False
    assert cloud.put("n99", "10.0.0.2").status == 201


def test_requests_count_down_as_recorded(cloud):
    """azure-cli recordings: reads from 499 down, writes and deletes each from 11999 down, per type."""
    header = "x-ms-ratelimit-remaining-subscription-resource-requests"
    reads = [cloud.send("GET", f"{A}/old").headers[header] for _ in range(2)]
    writes = [cloud.put("old", "10.0.0.1").headers[header], cloud.put("old", "10.0.0.1").headers[header]]
    assert (reads, writes) == (["499", "498"], ["11999", "11998"])
    assert cloud.send("DELETE", f"{A}/old").headers[header] == "11999"
    assert header not in cloud.send("GET", MISSING).headers


# Auto-registration, by the documents private-dns-autoregistration and dns-faq-private.yml.


def test_an_auto_registered_name_gives_way_to_a_manual_one_and_comes_back(cloud):
    assert cloud.dns.put_auto_registered(ZONE, "vm1", "10.0.0.7")
    properties = cloud.send("GET", f"{A}/vm1").content["properties"]
    assert (properties["ttl"], properties["isAutoRegistered"]) == (10, True)
    assert cloud.events == []
    assert cloud.put("vm1", "10.9.9.9").content["properties"]["isAutoRegistered"] is False
    assert not cloud.dns.put_auto_registered(ZONE, "vm1", "10.0.0.8")
    assert cloud.addresses("vm1") == ("10.9.9.9",)
    assert cloud.send("DELETE", f"{A}/vm1").status == 200
    assert cloud.addresses("vm1") == ("10.0.0.8",)


def test_an_auto_registered_name_goes_with_its_vm_but_a_manual_one_stays(cloud):
    cloud.dns.put_auto_registered(ZONE, "vm1", "10.0.0.7")
    cloud.dns.put_auto_registered(ZONE, "old", "10.0.0.8")
    for name in ("vm1", "old"):
        cloud.dns.remove_auto_registered(ZONE, name)
    assert (cloud.addresses("vm1"), cloud.addresses("old")) == (None, ("10.0.0.1",))
    cloud.send("DELETE", f"{A}/old")
    assert cloud.addresses("old") is None


def test_an_auto_registered_name_that_is_patched_is_manual_from_then_on(cloud):
    """Inferred: the document speaks of a manual record and names no method."""
    cloud.dns.put_auto_registered(ZONE, "vm1", "10.0.0.7")
    assert (
        cloud.send("PATCH", f"{A}/vm1", {"properties": {"ttl": 60}}).content["properties"]["isAutoRegistered"] is False
    )


def test_a_zone_made_anew_remembers_no_registration(cloud):
    cloud.dns.put_auto_registered(ZONE, "vm1", "10.0.0.7")
    cloud.finish(cloud.send("DELETE", ZONE))
    cloud.finish(cloud.send("PUT", ZONE, {"location": "global"}))
    cloud.put("vm1", "10.9.9.9")
    cloud.send("DELETE", f"{A}/vm1")
    assert cloud.addresses("vm1") is None


def test_auto_registered_names_go_with_the_last_registration_link(cloud):
    cloud.finish(cloud.send("PUT", LINK, link(registration=True)))
    cloud.dns.put_auto_registered(ZONE, "vm1", "10.0.0.7")
    cloud.finish(cloud.send("DELETE", LINK))
    assert cloud.addresses("vm1") is None
    assert cloud.addresses("old") == ("10.0.0.1",)


def machine(address="10.1.0.4", name="Poppy", vnet=VNET):
    return Machine(vnet.upper(), name, address)


def count(cloud):
    return cloud.send("GET", ZONE).content["properties"]["numberOfRecordSets"]


def test_a_link_with_registration_registers_the_computer_names_of_its_vnet(cloud):
    """dns-faq-private.yml, Azure/azure-init#68: TTL 10; the sets count in the zone, and no event tells of them."""
    cloud.dns.registrations.machines = lambda: [machine(), machine("10.2.0.4", "far", f"{VNET}-2")]
    before = count(cloud)
    cloud.finish(cloud.send("PUT", LINK, link(registration=True)))
    assert cloud.addresses("poppy") is None  # the link is still InProgress
    cloud.now = cloud.azure.next_due()
    content = cloud.send("GET", f"{A}/Poppy").content
    assert (content["name"], content["properties"]["fqdn"]) == ("poppy", "poppy.ai.internal.")
    assert content["properties"]["ttl"] == 10
    assert content["properties"]["isAutoRegistered"] is True
    assert content["properties"]["aRecords"] == [{"ipv4Address": "10.1.0.4"}]
    assert count(cloud) == before + 1
    assert cloud.send("GET", f"{A}/far").status == 404
    assert {each.operation for each in cloud.events} == {"Microsoft.Network/privateDnsZones/virtualNetworkLinks/write"}


def test_registered_names_follow_their_machines(cloud):
    there = [machine()]
    cloud.dns.registrations.machines = lambda: there
    cloud.dns.load_zone(ZONE, links=[{"name": "eastus", "vnet": VNET, "registration": True}])
    etag = cloud.etag("poppy")
    assert cloud.etag("poppy") == etag
    there[:] = [machine("10.1.0.9"), machine(name="not a name")]
    assert cloud.addresses("poppy") == ("10.1.0.9",)
    assert cloud.etag("poppy") != etag
    assert cloud.addresses("not a name") is None
    there[:] = [machine(name="POPPY"), machine("10.1.0.9", "poppy")]
    assert cloud.addresses("poppy") == ("10.1.0.9",)
    there.pop()
    assert cloud.addresses("poppy") == ("10.1.0.4",)
    there.clear()
    assert cloud.addresses("poppy") is None
    assert count(cloud) == 1


def test_a_manual_set_hides_the_name_of_a_machine_until_it_is_deleted(cloud):
    cloud.dns.registrations.machines = lambda: [machine()]
    cloud.put("poppy", "10.9.9.9")
    cloud.finish(cloud.send("PUT", LINK, link(registration=True)))
    cloud.now = cloud.azure.next_due()
    assert cloud.addresses("poppy") == ("10.9.9.9",)
    cloud.send("DELETE", f"{A}/poppy")
    assert cloud.addresses("poppy") == ("10.1.0.4",)
    cloud.send("DELETE", f"{A}/poppy")
    assert cloud.addresses("poppy") == ("10.1.0.4",)
    cloud.finish(cloud.send("DELETE", LINK))
    assert cloud.addresses("poppy") is None


def test_a_zone_that_is_loaded_again_registers_its_machines_again(cloud):
    cloud.dns.registrations.machines = lambda: [machine()]
    for _ in range(2):
        cloud.dns.load_zone(ZONE, links=[{"name": "eastus", "vnet": VNET, "registration": True}])
        assert cloud.addresses("poppy") == ("10.1.0.4",)


# What nobody knows about Azure: each switch turns one answer round


@pytest.mark.parametrize(("accept", "status"), [(False, 412), (True, 200)])
def test_a_quoted_etag_is_taken_only_where_it_is_allowed(accept, status):
    cloud = Cloud(unknowns=AssumedBehaviour(accept_quoted_etag=accept))
    assert cloud.put("old", "10.0.0.2", if_match=f'"{cloud.etag()}"').status == status
    assert cloud.put("old", "10.0.0.2", if_match=cloud.etag()).status == 200
    assert cloud.put("old", "10.0.0.2", if_match=f'"{GUID}"').status == 412


@pytest.mark.parametrize(
    ("unknowns", "method", "path", "more", "status"),
    [
        ({"delete_missing": 404}, "DELETE", f"{A}/none", {}, 404),
        ({"if_match_missing": 404}, "PUT", f"{A}/none", {"body": a_set(), "if_match": "*"}, 404),
        ({"check_body_etag": False}, "PUT", f"{A}/old", {"body": {"etag": GUID, **a_set()}}, 200),
        ({"check_body_etag": True}, "PUT", f"{A}/old", {"body": {"etag": GUID, **a_set()}}, 412),
        ({"refuse_auto_registered_delete": True}, "DELETE", f"{A}/vm1", {}, 400),
        ({"refuse_auto_registered_delete": False}, "DELETE", f"{A}/vm1", {}, 200),
    ],
)
def test_an_unknown_has_a_switch(unknowns, method, path, more, status):
    cloud = Cloud(unknowns=AssumedBehaviour(**unknowns))
    cloud.dns.put_auto_registered(ZONE, "vm1", "10.0.0.7")
    assert cloud.send(method, path, **more).status == status


@pytest.mark.parametrize(("keep", "expected"), [(True, {"k": "v"}), (False, None)])
def test_a_put_without_metadata_keeps_or_drops_it_by_switch(keep, expected):
    cloud = Cloud(unknowns=AssumedBehaviour(put_keeps_metadata=keep))
    cloud.send("PUT", f"{A}/old", a_set(metadata={"k": "v"}))
    assert cloud.put("old", "10.0.0.2").content["properties"].get("metadata") == expected


def test_an_overlapping_link_is_refused_at_once_by_switch():
    cloud = Cloud(unknowns=AssumedBehaviour(overlap_at_once=True))
    cloud.dns.load_zone(ZONE.replace("dns-eastus", "dns-westus"), links=[{"name": "l", "vnet": VNET}])
    assert cloud.send("PUT", LINK, link()).status == 400
