"""Every published limit is counted as published, refuses only where it is enforced, and tells how often it did."""

import base64
import json

import pytest

from simulator.arm.front_door import Request
from simulator.private_dns.rules import AssumedBehaviour
from tests.support.dns_cloud import LINK, ZONE, A, Cloud, a_set, link
from tests.support.small_world import COMPUTE, GROUP, NETWORK, VNET, Scene, a_vm, nic_id, vm_id
from tests.support.small_world import ZONE as SMALL_ZONE

MINUTE = 1_700_000_040.0
"""A full minute."""
OTHER = ZONE.replace("dns-eastus", "dns-westus")
READS = "x-ms-ratelimit-remaining-subscription-reads"
GLOBAL_READS = "x-ms-ratelimit-remaining-subscription-global-reads"


# The private DNS provider's budgets


def updates(cloud, number):
    """So many updates of one set; gives the statuses."""
    return [cloud.put("old", "10.0.0.2").status for _ in range(number)]


@pytest.mark.parametrize(("algorithm", "second_burst"), [("fixed", 60), ("sliding", 0), ("bucket", 5)])
def test_how_a_zones_budget_is_counted_is_a_switch_of_the_cloud(algorithm, second_burst):
    cloud = Cloud(limits=True, unknowns=AssumedBehaviour(throttle=algorithm))
    cloud.now = MINUTE + 58
    assert updates(cloud, 61).count(200) == 60
    cloud.now = MINUTE + 63
    assert updates(cloud, 70).count(200) == second_burst


def test_refused_calls_are_counted_by_zone_and_kind():
    cloud = Cloud(limits=True)
    updates(cloud, 63)
    for n in range(62):
        cloud.put(f"n{n}", "10.0.0.2")
    assert dict(cloud.dns.throttled) == {(ZONE.lower(), "update"): 3, (ZONE.lower(), "create"): 2}


@pytest.mark.parametrize("seconds", [10, 25, None])
def test_the_providers_429_tells_how_long_to_wait_or_nothing(seconds):
    cloud = Cloud(limits=True)
    cloud.dns.budgets.retry_after = seconds
    updates(cloud, 60)
    refused = cloud.put("old", "10.0.0.2")
    assert refused.status == 429
    assert refused.headers.get("Retry-After") == (None if seconds is None else str(seconds))


@pytest.mark.parametrize("algorithm", ["fixed", "sliding", "bucket"])
def test_somebody_elses_calls_spend_the_zones_budget(algorithm):
    cloud = Cloud(limits=True, unknowns=AssumedBehaviour(throttle=algorithm))
    assert cloud.dns.spend_foreign(ZONE.upper(), "update", 5) == 5
    assert updates(cloud, 57).count(200) == 55
    assert cloud.dns.spend_foreign(ZONE, "update", 5) == 0, "they are refused as well"
    assert cloud.put("new", "10.0.0.2").status == 201, "creates have a budget of their own"
    cloud.now += 60
    assert cloud.put("old", "10.0.0.2").status == 200


@pytest.mark.parametrize(("counted", "budget"), [(True, 98), (False, 99)])
def test_whether_every_page_of_a_list_is_counted_is_a_switch(counted, budget):
    cloud = Cloud(limits=True, unknowns=AssumedBehaviour(list_pages_counted=counted))
    first = cloud.send("GET", f"{A}?$top=1")
    cloud.put("new", "10.0.0.2")
    token = cloud.send("GET", f"{A}?$top=1").content["nextLink"].split("$skipToken=")[1]
    cloud.now += 60
    assert first.status == 200
    assert cloud.send("GET", f"{A}?$top=1").status == cloud.send("GET", f"{A}?$top=1&$skipToken={token}").status == 200
    statuses = [cloud.send("GET", f"{A}?$top=1").status for _ in range(100)]
    assert statuses.count(200) == budget
    assert cloud.send("GET", f"{A}?$top=1&$skipToken={token}").status == (429 if counted else 200)


@pytest.mark.parametrize(
    ("budget", "call"),
    [
        (40, lambda cloud, n: cloud.send("PUT", ZONE.replace("ai.", f"z{n}."), {"location": "global"})),
        (40, lambda cloud, _: cloud.send("PUT", ZONE, {"location": "global"})),
        (40, lambda cloud, n: cloud.send("DELETE", ZONE.replace("ai.", f"z{n}."))),
        (200, lambda cloud, _: cloud.send("GET", ZONE)),
        (60, lambda cloud, _: cloud.send("GET", "/subscriptions/s1/providers/Microsoft.Network/privateDnsZones")),
        (100, lambda cloud, _: cloud.send("GET", ZONE.rsplit("/", 1)[0])),
        (60, lambda cloud, n: cloud.send("PUT", f"{LINK}{n}", link())),
        (60, lambda cloud, n: cloud.send("DELETE", f"{LINK}{n}")),
        (100, lambda cloud, _: cloud.send("GET", f"{ZONE}/virtualNetworkLinks/l")),
    ],
    ids=["create", "update", "delete", "get", "list", "group list", "link create", "link delete", "link get"],
)
def test_zones_and_links_have_budgets_of_their_own(budget, call):
    """dns-limits.md, 2024-10-08."""
    cloud = Cloud(limits=True)
    cloud.dns.load_zone(ZONE, links=[{"name": "l", "vnet": VNET}])
    statuses = [call(cloud, n).status for n in range(budget + 2)]
    assert statuses.count(429) == 2
    assert statuses[-2:] == [429, 429]


def test_creates_and_updates_of_zones_and_links_are_counted_apart_and_gets_for_each_zone():
    cloud = Cloud(limits=True)
    cloud.dns.load_zone(ZONE, links=[{"name": "l", "vnet": VNET}])
    cloud.dns.load_zone(OTHER)
    for n in range(60):
        cloud.send("PUT", ZONE.replace("ai.", f"z{n}."), {"location": "global"})
        cloud.send("PUT", f"{LINK}{n}", link())
    for _ in range(200):
        cloud.send("GET", OTHER)
    assert dict(cloud.dns.throttled) == {("/subscriptions/s1", "zone create"): 20}
    assert cloud.send("PUT", ZONE, {"location": "global"}).status == 202
    assert cloud.send("PUT", f"{ZONE}/virtualNetworkLinks/l", link(VNET)).status == 202
    assert cloud.send("GET", ZONE).status == 200


def test_lists_of_links_have_no_budget():
    cloud = Cloud(limits=True)
    assert {cloud.send("GET", f"{ZONE}/virtualNetworkLinks").status for _ in range(150)} == {200}


def test_arm_lets_500_reads_of_a_type_through_in_five_minutes_where_that_is_enforced():
    """The countdown is recorded; the body as seen on public DNS (terraform-provider-azurerm#14213)."""
    cloud = Cloud()
    cloud.now = 1_700_000_100.0  # 5 minutes begin here
    assert {cloud.send("GET", f"{A}/old").status for _ in range(501)} == {200}
    cloud.dns.budgets.requests_enforced = True
    cloud.now += 60
    refused = cloud.send("GET", f"{A}/old")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "240")
    assert refused.headers["x-ms-failure-cause"] == "gateway"
    assert refused.content["error"]["code"] == "ResourceRequestsThrottled"
    assert (
        "'Microsoft.Network/privateDnsZones/A/read' exceeded the limit of '500'" in refused.content["error"]["message"]
    )
    assert cloud.put("old", "10.0.0.2").status == 200, "writes are counted apart"
    assert cloud.send("GET", ZONE).status == 200, "and so is every other type"
    assert cloud.dns.throttled["s1", "privatednszones/a read requests"] == 1
    cloud.now += 240
    assert cloud.send("GET", f"{A}/old").status == 200


# ARM's own buckets


def token(oid, number=0):
    claims = base64.urlsafe_b64encode(json.dumps({"oid": oid, "uti": number}).encode()).decode().rstrip("=")
    return {"authorization": f"Bearer e30.{claims}.e30"}


def get(scene, path=None, headers=None, method="GET", query=None):
    return scene.cloud.handle(Request(method, path or nic_id("gpu-nic"), query or NETWORK, headers or {}))


def test_every_answer_about_vms_and_nics_tells_what_is_left_in_arms_buckets():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    first, second = get(scene), get(scene, vm_id("gpu"), query=COMPUTE)
    assert (first.headers[READS], first.headers[GLOBAL_READS]) == ("249", "3749")
    assert (second.headers[READS], second.headers[GLOBAL_READS]) == ("248", "3748")
    started = get(scene, f"{vm_id('gpu')}/start", method="POST", query=COMPUTE).headers
    assert started["x-ms-ratelimit-remaining-subscription-writes"] == "199"
    deleted = get(scene, vm_id("gpu"), method="DELETE", query=COMPUTE).headers
    assert deleted["x-ms-ratelimit-remaining-subscription-deletes"] == "199"
    assert deleted["x-ms-ratelimit-remaining-subscription-global-deletes"] == "2999"
    scene.wait(1)
    assert get(scene).headers[READS] == "249", "25 reads come back in each second"


def test_answers_about_private_dns_and_errors_of_arm_itself_carry_none_of_these_headers():
    """As in all 881 recorded answers about DNS zones, which have another countdown, and all recorded 404 of ARM."""
    scene = Scene()
    zone = get(scene, SMALL_ZONE, query={"api-version": "2024-06-01"})
    missing = get(scene, vm_id("nope"), query=COMPUTE)
    assert (zone.status, missing.status) == (200, 404)
    assert not any("subscription-reads" in name or "global" in name for name in (*zone.headers, *missing.headers))
    assert get(scene, nic_id("nope")).status == 404


def test_an_error_of_a_provider_tells_what_is_left_as_well():
    """As in nic_put_429_RetryableError.json."""
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    refused = get(scene, nic_id("gpu-nic"), method="DELETE")
    assert refused.status == 400
    assert refused.headers["x-ms-ratelimit-remaining-subscription-deletes"] == "199"


def test_a_providers_error_that_names_the_service_as_its_cause_tells_what_is_left():
    """Test_Compute_VM_20201201_CRUD.yaml, call 8: a NIC in a subnet that is still being written."""
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    subnet, writes = f"{VNET}/subnets/late", "x-ms-ratelimit-remaining-subscription-writes"
    bodies = (
        (subnet, {"properties": {"addressPrefix": "10.1.9.0/24"}}),
        (nic_id("late"), {"location": "eastus", "properties": {"ipConfigurations": [config(subnet)]}}),
    )
    made, refused = (
        scene.cloud.handle(Request("PUT", path, NETWORK, {}, json.dumps(body).encode())) for path, body in bodies
    )
    assert (made.status, refused.status, refused.headers["x-ms-failure-cause"]) == (201, 429, "service")
    assert (made.headers[writes], refused.headers[writes]) == ("199", "198")


def config(subnet):
    return {"name": "ip", "properties": {"subnet": {"id": subnet}}}


def test_arm_refuses_who_reads_faster_than_its_bucket_fills_only_where_that_is_enforced():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    assert {get(scene).status for _ in range(260)} == {200}
    scene.cloud.arm_limits.enforce = True
    refused = get(scene)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert refused.headers["x-ms-failure-cause"] == "gateway"
    assert refused.content["error"]["code"] == "SubscriptionRequestsThrottled"
    assert get(scene, nic_id("gpu-nic"), method="DELETE").status == 400, "deletes have a bucket of their own"
    assert scene.cloud.throttled == {("arm", "s", "reads"): 1}
    scene.wait(1)
    assert [get(scene).status for _ in range(26)] == [200] * 25 + [429]


def test_each_principal_has_a_bucket_and_all_share_one_that_is_fifteen_times_as_large():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.cloud.arm_limits.enforce = True
    one = [get(scene, headers=token("one", n)).status for n in range(251)]
    assert one.count(200) == 250, "a new token of the same principal is no new bucket"
    assert get(scene, headers=token("two")).headers[READS] == "249"
    for who in range(3, 17):
        for _ in range(250):
            get(scene, headers=token(str(who)))
    assert get(scene, headers=token("seventeen")).status == 429


@pytest.mark.parametrize("authorization", ["Bearer x", "Bearer a.b.c", "Bearer e30.e30.e30", "Bearer e30.W10.e30", ""])
def test_a_token_that_is_none_of_azures_is_a_principal_too(authorization):
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    assert get(scene, headers={"authorization": authorization}).headers[READS] == "249"
    assert get(scene, headers={"authorization": authorization}).headers[READS] == "248"


# The network provider's, and all of them at once


def test_the_network_provider_lets_1000_writes_through_in_five_minutes_where_that_is_enforced():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.cloud.network.limits.enforce = True
    statuses = [get(scene, nic_id("gpu-nic"), method="DELETE").status for _ in range(1001)]
    assert statuses.count(400) == 1000
    refused = get(scene, nic_id("gpu-nic"), method="DELETE")
    assert refused.status == 429
    assert refused.content["error"]["code"] == "TooManyRequests"
    assert get(scene).status == 200
    scene.wait(int(refused.headers["Retry-After"]))
    assert get(scene, nic_id("gpu-nic"), method="DELETE").status == 400
    assert scene.cloud.throttled["network", "s", "writes"] == 2


def burst(scene):
    """Beyond one limit of each provider, and of ARM; gives the set of statuses."""
    every = {"api-version": "2024-06-01"}
    body = json.dumps(a_set("10.0.0.1")).encode()
    found = {scene.cloud.handle(Request("PUT", f"{SMALL_ZONE}/A/x", every, {}, body)).status for _ in range(70)}
    found |= {get(scene, f"{SMALL_ZONE}/AAAA", query=every).status for _ in range(501)}
    found |= {get(scene, vm_id("gpu"), query=COMPUTE, headers=token(str(n))).status for n in range(50)}
    found |= {get(scene, f"{GROUP}/Microsoft.Network/networkInterfaces").status for _ in range(300)}
    return found | {get(scene, headers=token(str(n)), method="DELETE").status for n in range(1100)}


def test_one_switch_enforces_all_published_limits_and_one_counter_tells_whose_was_hit():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    assert 429 not in burst(scene)
    assert scene.cloud.throttled == {}
    scene.wait(600)
    scene.cloud.enforce_limits()
    assert 429 in burst(scene)
    assert {whose for whose, _, _ in scene.cloud.throttled} == {"arm", "compute", "network", "dns"}
    assert {kind for whose, _, kind in scene.cloud.throttled if whose == "dns"} == {
        "update",
        "list",
        "privatednszones/aaaa read requests",
    }
    scene.wait(600)
    scene.cloud.enforce_limits(enforced=False)
    assert 429 not in burst(scene)


def test_one_zones_foreign_calls_leave_another_zone_alone():
    cloud = Cloud(limits=True)
    cloud.dns.load_zone(OTHER)
    cloud.dns.spend_foreign(OTHER, "create", 100)
    assert cloud.put("new", "10.0.0.2").status == 201
    assert cloud.send("PUT", f"{OTHER}/A/new", a_set("10.0.0.2")).status == 429
