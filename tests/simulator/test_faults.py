"""Faults come by a seed and at the rate asked for, in Azure's shapes, and never tell a lie that misleads."""

import asyncio
import itertools
import json
import re
from random import Random

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest

from simulator.arm.front_door import Request, Response
from simulator.cloud import SimulatedAzure
from simulator.faults.source import Faults, Lost, Rates, Slow
from simulator.front_ends.transport import SimulatorTransport
from simulator.world.world import read
from tests.support.small_world import (
    COMPUTE,
    GROUP,
    NETWORK,
    VNET,
    ZONE,
    Clock,
    Scene,
    a_vm,
    in_virtual_time,
    nic_id,
    small,
    vm_id,
)

DNS = {"api-version": "2024-06-01"}
SETS = f"{ZONE}/A"
VMS = "/subscriptions/S/providers/Microsoft.Compute/virtualMachines"
NICS = "/subscriptions/S/providers/Microsoft.Network/networkInterfaces"
WEST = VNET.replace("eastus", "westus")
WEST_ZONE = ZONE.replace("ai.", "west.")

GET_SET = Request("GET", f"{SETS}/db", DNS)
PUT_SET = Request("PUT", f"{SETS}/new", DNS, {"if-none-match": "*"})
PUT_OLD = Request("PUT", f"{SETS}/db", DNS, {"if-none-match": "*"})
DELETE_SET = Request("DELETE", f"{SETS}/db", DNS)
LIST_SETS = Request("GET", SETS, DNS)
NEXT_SETS = Request("GET", SETS, {**DNS, "$skipToken": "x"})
NEXT_VMS = Request("GET", VMS, {**COMPUTE, "$skiptoken": "x"})
GET_VM = Request("GET", vm_id("gpu"), COMPUTE)
START = Request("POST", f"{vm_id('gpu')}/start", COMPUTE)
GET_NIC = Request("GET", nic_id("gpu-nic"), NETWORK)
EVERYTHING = (GET_SET, PUT_SET, PUT_OLD, DELETE_SET, LIST_SETS, NEXT_SETS, NEXT_VMS, GET_VM, START, GET_NIC)


def a_cloud(clock=None):
    """Two regions: eastus with a VM and a zone that holds `db`, westus with a zone and two VMs."""
    west = a_vm("west", "10.2.0.4") | {"location": "westus"}
    west["nics"][0]["vnet"] = WEST
    world = small(a_vm("gpu", "10.1.0.4"), west)
    world["vnets"].append({"id": WEST, "location": "westus", "prefixes": ["10.2.0.0/16"]})
    world["zones"][0]["records"] = [{"name": "db", "type": "A", "ttl": 300, "addresses": ["10.9.9.9"]}]
    world["zones"].append({"id": WEST_ZONE, "links": [{"name": "w", "vnet": WEST}]})
    return SimulatedAzure(read(json.dumps(world)), clock=clock or Clock())


def faulty(seed=1, clock=None, **rates):
    return Faults(a_cloud(clock), Random(seed), Rates(**rates))


def hit(**rates):
    """The requests to which a fault of these rates happens, each asked once."""
    faults = faulty(**rates)
    return {EVERYTHING.index(request) for request in EVERYTHING if faults(request) is not None}


def indices(*requests):
    return {EVERYTHING.index(request) for request in requests}


WRITES = (PUT_SET, PUT_OLD, DELETE_SET)


@pytest.mark.parametrize(
    ("kind", "requests"),
    [
        ("throttled_by_dns", (GET_SET, LIST_SETS, NEXT_SETS, *WRITES)),
        ("throttled_by_gateway", EVERYTHING),
        ("internal_error", EVERYTHING),
        ("unavailable", EVERYTHING),
        ("broken_page", (NEXT_SETS, NEXT_VMS)),
        ("pending", WRITES),
        ("locked", WRITES),
        ("cname", (PUT_SET,)),
        ("quota", (PUT_SET,)),
        ("exists", (PUT_OLD,)),
        ("lost_before", EVERYTHING),
        ("lost_after", EVERYTHING),
        ("slow", EVERYTHING),
    ],
)
def test_each_kind_of_fault_happens_only_where_azure_could_mean_it(kind, requests):
    assert hit(**{kind: 1.0}) == indices(*requests)


def test_a_role_that_is_missing_is_one_kinds_or_everybodys():
    assert hit(forbidden={"virtualmachines": 1.0}) == indices(GET_VM, NEXT_VMS)
    assert hit(forbidden={"privatednszones/a": 1.0}) == indices(GET_SET, LIST_SETS, NEXT_SETS, *WRITES)
    assert hit(forbidden={"*": 1.0, "virtualmachines": 0.0}) == indices(*EVERYTHING) - indices(GET_VM, NEXT_VMS)


@pytest.mark.parametrize(
    ("kind", "request_", "status", "code", "words", "cause"),
    [
        ("throttled_by_dns", GET_SET, 429, "TooManyRequests", "", None),
        ("throttled_by_gateway", GET_VM, 429, "SubscriptionRequestsThrottled", "'read' requests", "gateway"),
        ("internal_error", GET_SET, 500, "InternalServerError", "", None),
        ("internal_error", GET_VM, 500, "InternalServerError", "", "service"),
        ("unavailable", PUT_SET, 503, "ServiceUnavailable", "", None),
        ("broken_page", NEXT_VMS, 502, "ProviderError", "'Microsoft.Compute' failed to return collection", "gateway"),
        ("pending", PUT_SET, 409, "Conflict", "Another operation is pending", None),
        ("locked", DELETE_SET, 409, "ScopeLocked", f"cannot perform delete operation because .* '{ZONE}'", "gateway"),
        ("cname", PUT_SET, 409, "Conflict", "CNAME record with the same name already exists", None),
        ("quota", PUT_SET, 409, "Conflict", "maximum number of record resources", None),
        ("exists", PUT_OLD, 409, "Conflict", "exists already and hence cannot be created again", None),
    ],
)
def test_an_error_answer_has_azures_shape(kind, request_, status, code, words, cause):
    """Errors of the DNS provider are bare; those of ARM and of the other providers are wrapped (recorded)."""
    answer = faulty(**{kind: 1.0})(request_)
    body = answer.content["error"] if cause else answer.content
    assert (answer.status, body["code"]) == (status, code)
    assert answer.headers.get("x-ms-failure-cause") == cause
    assert re.search(words, body["message"])


def test_a_missing_role_is_told_with_the_action_and_the_scope():
    answer = faulty(forbidden={"*": 1.0})(GET_VM)
    assert (answer.status, answer.content["error"]["code"]) == (403, "AuthorizationFailed")
    assert "'Microsoft.Compute/virtualMachines/read'" in answer.content["error"]["message"]
    assert vm_id("gpu") in answer.content["error"]["message"]


@pytest.mark.parametrize(("kind", "request_"), [("throttled_by_dns", GET_SET), ("throttled_by_gateway", GET_VM)])
def test_a_429_tells_how_long_to_wait_or_leaves_it_out(kind, request_):
    assert int(faulty(**{kind: 1.0})(request_).headers["Retry-After"]) in range(1, 16)
    assert "Retry-After" not in faulty(**{kind: 1.0}, no_retry_after=1.0)(request_).headers
    some = faulty(**{kind: 1.0}, no_retry_after=0.5)
    told = ["Retry-After" in some(request_).headers for _ in range(200)]
    assert 60 < told.count(True) < 140


def test_a_rate_is_the_share_of_requests_that_fail():
    faults = faulty(internal_error=0.2)
    failed = [faults(GET_VM) for _ in range(2000)]
    assert 320 < sum(each is not None for each in failed) < 480
    assert faults.made == {"internal_error": sum(each is not None for each in failed)}


def history(seed, number=300):
    faults = faulty(seed, internal_error=0.1, throttled_by_gateway=0.1, slow=0.2, lost_after=0.1, outage=0.01)
    return [faults(request) for request in itertools.islice(itertools.cycle(EVERYTHING), number)]


def test_equal_seeds_give_equal_faults_and_other_seeds_others():
    assert history(5) == history(5)
    assert history(5) != history(6)
    kinds = {type(fault) for fault in history(5)}
    assert kinds == {Response, Slow, Lost, type(None)}


def test_no_faults_are_the_default_and_stopping_ends_them_all():
    faults = faulty(internal_error=1.0)
    faults.fail_region("eastus", 1000)
    assert [faults(request).status for request in (GET_VM, GET_SET, START)] == [503, 503, 503]
    faults.stop()
    assert [faults(request) for request in EVERYTHING] == [None] * len(EVERYTHING)
    assert hit() == set()


def test_what_claims_a_state_that_a_client_would_act_on_is_never_made_up():
    """A 412 says that an etag changed: only the world may say so. Only a lagging replica says 404 of what is there."""
    for kind in set(Rates.__struct_fields__) - {"not_found"}:
        value = {"*": 1.0} if kind == "forbidden" else 1.0
        answers = [faulty(**{kind: value})(request) for request in EVERYTHING]
        assert {each.status for each in answers if isinstance(each, Response)}.isdisjoint({200, 404, 412})


@pytest.mark.parametrize("word", ["ResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound"])
def test_a_replica_that_lags_does_not_know_a_vm_for_some_seconds_and_then_knows_it_for_a_minute(word):
    """Each of the three words is said; a list, a write and a record set never get one."""
    now = [0.0]
    faults = next(each for each in lagging(now) if said(each(GET_VM)) == word)
    now[0] += 10.0
    assert [faults(GET_VM) for _ in range(50)] == [None] * 50
    now[0] += 60.0
    assert any(faults(GET_VM) for _ in range(50))
    assert [faults(request) for request in (GET_SET, START, NEXT_VMS, GET_NIC)] == [None] * 4


def lagging(now):
    """Sources of the fault, one seed after the other."""
    for seed in range(50):
        cloud = a_cloud(lambda: now[0])
        yield Faults(cloud, Random(seed), Rates(not_found={"virtualmachines": 1.0}))


def said(answer):
    return answer.content["error"]["code"] if isinstance(answer, Response) else None


def test_exists_already_is_said_only_of_a_set_that_exists():
    faults = faulty(exists=1.0)
    assert faults(PUT_OLD).status == 409
    faults._cloud.handle(Request("DELETE", f"{SETS}/db", DNS))
    assert faults(PUT_OLD) is None


# A whole region


@pytest.mark.parametrize(
    ("region", "method", "path", "query", "status"),
    [
        ("eastus", "GET", vm_id("gpu"), COMPUTE, 503),
        ("eastus", "POST", f"{vm_id('GPU')}/start", COMPUTE, 503),
        ("eastus", "GET", nic_id("gpu-nic"), NETWORK, 503),
        ("eastus", "GET", VNET, NETWORK, 503),
        ("eastus", "GET", f"{vm_id('gpu')}/providers/Microsoft.Resources/tags/default", NETWORK, 503),
        ("eastus", "GET", f"{SETS}/db", DNS, 503),
        ("eastus", "GET", SETS, DNS, 503),
        ("eastus", "GET", ZONE, DNS, 503),
        ("eastus", "GET", "/subscriptions/S/providers/Microsoft.Compute/locations/eastus/operations/1", COMPUTE, 503),
        ("eastus", "GET", VMS, COMPUTE, 502),
        ("westus", "GET", f"{GROUP}/Microsoft.Compute/virtualMachines", COMPUTE, 502),
        ("eastus", "GET", NICS, NETWORK, 502),
        ("westus", "GET", vm_id("gpu"), COMPUTE, None),
        ("westus", "GET", f"{SETS}/db", DNS, None),
        ("westus", "GET", f"{WEST_ZONE}/A/x", DNS, 503),
        ("eastus", "GET", vm_id("nope"), COMPUTE, None),
        ("eastus", "GET", VMS.replace("/S/", "/T/"), COMPUTE, None),
        ("eastus", "GET", "/nonsense", {}, None),
    ],
)
def test_a_failing_region_takes_all_that_is_in_it_along_and_nothing_else(region, method, path, query, status):
    faults = faulty()
    faults.fail_region(region, 60)
    fault = faults(Request(method, path, query))
    assert (fault and fault.status) == status


def test_an_outage_ends_by_itself():
    clock = Clock()
    faults = faulty(clock=clock)
    faults.fail_region("eastus", 60)
    clock.now += 59.9
    assert faults(GET_VM).status == 503
    clock.now += 0.1
    assert faults(GET_VM) is None


def test_outages_begin_by_chance_in_any_region_and_end():
    seen, west = set(), Request("GET", vm_id("west"), COMPUTE)
    for seed in range(20):
        clock = Clock()
        faults = faulty(seed, clock=clock, outage=1.0, longest_outage=100.0)
        faults(START)
        faults.rates = Rates()
        seen.add((faults(GET_VM) is not None, faults(west) is not None))
        clock.now += 100.1
        assert (faults(GET_VM), faults(west)) == (None, None)
    assert seen == {(True, False), (False, True)}


# Through a client's transport


def send(request=None, number=1, **rates):
    """Send requests through the transport of real clients; outcomes, seconds, and whether `new` was written."""

    async def story(loop):
        cloud = a_cloud(loop.time)
        transport = SimulatorTransport(cloud, None, Faults(cloud, Random(2), Rates(**rates)))
        body = {"properties": {"ttl": 30, "aRecords": []}}

        async def one():
            wanted = request or HttpRequest("PUT", f"https://arm{SETS}/new", params=DNS, json=body)
            try:
                return (await transport.send(wanted)).status_code
            except (ServiceRequestError, ServiceResponseError, HttpResponseError) as error:
                return type(error)

        began = loop.time()
        outcomes = await asyncio.gather(*(one() for _ in range(number)))
        return outcomes, loop.time() - began, cloud.private_dns.zone(ZONE).get("A", "new") is not None

    return in_virtual_time(story)


@pytest.mark.parametrize(
    ("kind", "outcome", "written"),
    [
        ("internal_error", 500, False),
        ("lost_before", ServiceRequestError, False),
        ("lost_after", ServiceResponseError, True),
        ("slow", 201, True),
        ("pending", 409, False),
    ],
)
def test_a_fault_reaches_the_client_and_takes_effect_or_not(kind, outcome, written):
    outcomes, _, found = send(**{kind: 1.0})
    assert (outcomes, found) == ([outcome], written)


def test_a_slow_answer_takes_up_to_twenty_seconds_or_what_was_asked_for():
    _, took, _ = send(number=50, slow=1.0)
    assert 15 < took <= 20
    assert send(number=50, slow=1.0, slowest=3.0)[1] <= 3


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("load_balancers", {"frontends": [{"name": "in", "vnet": VNET, "address": "10.1.0.9"}]}),
        ("private_endpoints", {"vnet": VNET, "addresses": ["10.1.0.9"], "service": "s"}),
        ("container_groups", {"state": "Running"}),
    ],
)
def test_a_failing_region_takes_endpoints_of_every_kind_along(kind, entry):
    types = {
        "load_balancers": "Microsoft.Network/loadBalancers",
        "private_endpoints": "Microsoft.Network/privateEndpoints",
        "container_groups": "Microsoft.ContainerInstance/containerGroups",
    }
    one = f"{GROUP}/{types[kind]}/one"
    scene = Scene(**{kind: [entry | {"id": one, "location": "eastus"}]})
    faults = Faults(scene.cloud, Random(1))
    faults.fail_region("eastus", 60)
    for path, status in ((one, 503), (f"/subscriptions/S/providers/{types[kind]}", 502)):
        assert faults(Request("GET", path, NETWORK)).status == status
    assert faults(Request("GET", one + "2", NETWORK)) is None
