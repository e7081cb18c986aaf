"""Resource Graph answers the queries that the app sends, and no other: pages, quota, permissions, and rows that lag."""

import json

import pytest

from shared.azure.resource_graph import OPTED_IN, PATH, READABLE
from simulator.arm.front_door import Request
from simulator.arm.permissions import Role
from simulator.arm.resource_graph import QUERIES, WINDOW
from tests.support.small_world import Scene, a_vm, vm_id

SUB = "s"
FOUND = OPTED_IN.format(types="'microsoft.compute/virtualmachines', 'microsoft.network/loadbalancers'")


def scene(count=3, **more):
    vms = [a_vm(f"vm-{number}", f"10.1.0.{number + 10}", tags={"NearZone": "llama"}) for number in range(count)]
    return Scene(*vms, a_vm("plain", "10.1.0.9", tags={"team": "web"}), a_vm("bare", "10.1.0.8"), **more)


def query(scene, text, subscriptions=(SUB,), token=None, **options):
    asked = {"subscriptions": list(subscriptions), "query": text, "options": options}
    if token:
        asked["options"]["$skipToken"] = token
    body = json.dumps(asked).encode()
    return scene.cloud.handle(Request("POST", PATH, {"api-version": "2022-10-01"}, {"authorization": "me"}, body))


def names(answer):
    return [each["id"].rsplit("/", 1)[1] for each in answer.content["data"]]


def test_what_has_a_tag_with_the_name_in_any_case_is_found_with_its_power_state():
    one = scene()
    answer = query(one, FOUND)
    assert names(answer) == ["vm-0", "vm-1", "vm-2"]
    assert answer.content["data"][0] == {
        "id": vm_id("vm-0"),
        "type": "microsoft.compute/virtualmachines",
        "tags": {"NearZone": "llama"},
        "power": "PowerState/running",
    }
    assert (answer.content["totalRecords"], answer.content["count"], answer.content["resultTruncated"]) == (
        3, 3, "false",
    )  # fmt: skip


def test_the_subscriptions_that_may_be_read_come_with_the_number_of_their_vms():
    one = scene()
    one.cloud.azure.ensure_group("empty", "any")
    assert query(one, READABLE, (SUB, "empty", "missing")).content["data"] == [
        {"subscriptionId": "empty", "vms": None},
        {"subscriptionId": SUB, "vms": 5},
    ]


@pytest.mark.parametrize("text", ["resources", FOUND.replace("order by id asc", "order by id desc"), READABLE.upper()])
def test_any_other_query_is_refused_and_the_error_says_why(text):
    answer = query(scene(), text)
    assert answer.status == 400
    assert "answers only the queries that nearzone sends" in answer.content["error"]["message"]


def test_a_token_leads_to_the_next_page_of_the_same_query_also_if_rows_come_and_go():
    one = scene(5)
    first = query(one, FOUND, **{"$top": 2})
    one.ask("DELETE", vm_id("vm-0"))
    one.wait_for_all()
    token = first.content["$skipToken"]
    second = query(one, FOUND, token=token, **{"$top": 2})
    third = query(one, FOUND, token=second.content["$skipToken"], **{"$top": 2})
    assert names(first) + names(second) + names(third) == [f"vm-{number}" for number in range(5)]
    assert "$skipToken" not in third.content
    assert query(one, READABLE, token=token).status == 400


def test_a_caller_has_so_many_queries_in_a_window_and_the_headers_say_how_many_are_left():
    one = scene()
    one.cloud.enforce_limits()
    left = [query(one, READABLE).headers["x-ms-user-quota-remaining"] for _ in range(QUERIES)]
    assert left == [str(number) for number in reversed(range(QUERIES))]
    refused = query(one, READABLE)
    assert (refused.status, refused.content["error"]["code"]) == (429, "RateLimiting")
    assert refused.headers == {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:05"}
    assert one.cloud.throttled.total() == 1
    one.wait(WINDOW)
    assert query(one, READABLE).status == 200


def test_a_caller_sees_only_what_it_may_read():
    one = scene()
    group = vm_id("vm-0").partition("/providers/")[0]
    one.cloud.permissions.roles = (Role(group, ["Microsoft.Compute/*/read"]),)
    assert query(one, FOUND).status == 403
    one.cloud.permissions.roles = (Role(f"/subscriptions/{SUB}", ["Microsoft.Resources/subscriptions/read"]),)
    assert query(one, READABLE).content["data"] == [{"subscriptionId": SUB, "vms": None}]
    assert names(query(one, FOUND)) == []


def test_a_change_shows_as_late_as_the_lag_says():
    one = scene()
    one.cloud.graph.lag = lambda: 60.0
    one.cloud.graph.observe()
    one.ask("PATCH", vm_id("plain"), {"tags": {"nearzone": "phi"}})
    one.ask("PATCH", vm_id("vm-1"), {"tags": {}})
    one.ask("POST", f"{vm_id('vm-0')}/deallocate")
    one.ask("DELETE", vm_id("vm-2"))
    one.wait_for_all()
    late = query(one, FOUND)
    assert names(late) == ["vm-0", "vm-1", "vm-2"]
    assert late.content["data"][0]["power"] == "PowerState/running"
    one.wait(61.0)
    shown = query(one, FOUND)
    assert names(shown) == ["plain", "vm-0"]
    assert shown.content["data"][1]["power"] == "PowerState/deallocated"


def test_flexible_sets_are_left_out_as_their_vms_have_tags_of_their_own():
    text = OPTED_IN.format(types="'microsoft.compute/virtualmachinescalesets'")
    sets = f"/subscriptions/{SUB}/resourceGroups/G/providers/Microsoft.Compute/virtualMachineScaleSets"
    one = scene()
    for mode in ("Uniform", "Flexible"):
        body = {"location": "eastus", "tags": {"nearzone": "x"}, "sku": {"name": "a", "capacity": 0}}
        assert one.ask("PUT", f"{sets}/{mode}", body | {"properties": {"orchestrationMode": mode}}).status < 300
    one.wait_for_all()
    assert names(query(one, text)) == ["Uniform"]
