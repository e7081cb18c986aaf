"""What the oracle says is right, checked by hand: it judges the app, so nothing else can judge it."""

import copy
import json

import pytest

from simulator.oracle.answers import Findings, expected

S = "5e7a1c00-0000-4000-8000-000000000001"
GROUP = f"/subscriptions/{S}/resourceGroups"
EUS, WEU = (f"{GROUP}/dns-{r}/providers/Microsoft.Network/privateDnsZones/ai.internal".lower() for r in ("eus", "weu"))


def vm(name, region, address, tag="llm", **more):
    """A running VM that claims `llm`; its VNet is its region's."""
    nic = {"id": f"nic-{name}", "vnet": f"vnet-{region}", "ip_configurations": [{"name": "1", "address": address}]}
    group = more.pop("group", "serving")
    tags = {} if tag is None else {"nearzone": tag}
    vm_id = f"{GROUP}/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    return {"id": vm_id, "location": region, "tags": tags, "power": "running", "nics": [nic], **more}


def world(*vms, records=(), **settings):
    """Two zones, for clients in East US and West Europe; `records` stand in the first one."""
    zones = [{"id": EUS, "region": "East US"}, {"id": WEU, "region": "westeurope"}]
    given = {"NEARZONE_ZONES": zones, "NEARZONE_SUBSCRIPTIONS": [S], "NEARZONE_CLAIMS": {"*": [S]}}
    there = [{"id": EUS, "records": list(records)}, {"id": WEU}]
    return {"vms": list(vms), "zones": there, "settings": given | {f"NEARZONE_{k}": v for k, v in settings.items()}}


A = vm("a", "eastus", "10.1.0.4")
B = vm("b", "westeurope", "10.2.0.4")
C = vm("c", "southeastasia", "10.3.0.4")
IPS = {"a": "10.1.0.4", "b": "10.2.0.4", "c": "10.3.0.4"}
STOPPED = A | {"power": "deallocated"}
CNAME = {"name": "llm", "type": "CNAME", "ttl": 9, "records": {"cname": "x."}}
FOREIGN = {"name": "llm", "type": "A", "ttl": 9, "addresses": ["10.9.9.9"]}
OWNED = FOREIGN | {"metadata": {"nearzone-owner": "nearzone"}}
TWO_NICS = A | {"nics": [A["nics"][0] | {"primary": False}, B["nics"][0] | {"primary": True}]}


def policy(**fields):
    return {"POLICIES": {"llm": fields}}


CASES = {
    "each region gets its own endpoint": (world(A, B), "a", "b"),
    "a region without one fails over": (world(STOPPED, B), "b", "b"),
    "of two regions the nearer one is taken: 83 ms before 224 ms": (world(STOPPED, B, C), "b", "b"),
    "an override makes the other one nearer": (
        world(STOPPED, B, C, LATENCY={"eastus": {"southeastasia": 1}}),
        "c",
        "b",
    ),
    "a region that nobody has measured comes last": (world(vm("m", "moon", "10.8.0.4"), C), "c", "c"),
    "of two such regions the first by name, however tolerant": (
        world(vm("a", "moon", "10.1.0.4"), vm("b", "neptune", "10.2.0.4"), **policy(tolerance_ms=9)),
        "a",
        "a",
    ),
    "unhealthy is not serving": (world(A | {"health": "unhealthy"}, B), "b", "b"),
    "healthy is serving": (world(A | {"health": "healthy"}, B), "a", "b"),
    "the tag nearzone-drain withdraws": (world(A | {"tags": A["tags"] | {"nearzone-drain": "true"}}, B), "b", "b"),
    "whatever the word for yes": (world(A | {"tags": A["tags"] | {"Nearzone-Drain": " Yes "}}, B), "b", "b"),
    "a word that says nothing does not": (world(A | {"tags": A["tags"] | {"nearzone-drain": "maybe"}}, B), "a", "b"),
    "a VM without the tag claims nothing": (world(vm("x", "eastus", "10.1.0.9", None), B), "b", "b"),
    "a claim that is not permitted is left out": (
        world(vm("x", "eastus", "10.1.0.9", group="rogue"), B, CLAIMS={"llm": [f"{GROUP}/serving"], "*": [S]}),
        "b",
        "b",
    ),
    "the glob with the most letters decides alone": (world(A, CLAIMS={"*": [S], "ll*": [f"{GROUP}/other"]}), "", ""),
    "a resource group's name is not the beginning of another": (world(A, CLAIMS={"*": [f"{GROUP}/serv"]}), "", ""),
    "endpoints elsewhere are not looked at": (world(A, SUBSCRIPTIONS=["5e7a1c00-0000-4000-8000-000000000002"]), "", ""),
    "min_endpoints takes the next region as well": (world(A, B, C, **policy(min_endpoints=2)), "ab", "ab"),
    "tolerance_ms takes all within it, and 85 ms is not within 84": (
        world(A, B, **policy(tolerance_ms=84)),
        "ab",
        "b",
    ),
    "only the policy's regions": (world(A, B, **policy(regions=["West Europe"])), "b", "b"),
    "an address in two VNets is refused": (world(A, vm("x", "westeurope", "10.1.0.4"), C), "c", "c"),
    "only the primary NIC is published": (world(TWO_NICS), "b", "b"),
    "nobody serves: no record set": (world(STOPPED), "", ""),
    "settings may be text": (world(A, B, POLICIES=json.dumps({"llm": {"regions": ["eastus"]}})), "a", "a"),
    "a record set with our owner tag is ours": (world(A, B, records=[OWNED]), "a", "b"),
    "an own name gives way to a claim by tag": (world(vm("llm", "eastus", "10.1.0.9", ""), B), "b", "b"),
    "even to one that does not serve": (world(vm("llm", "westeurope", "10.1.0.9", ""), STOPPED), "", ""),
    "a CNAME of that name leaves no A record set": (world(A, B, records=[CNAME]), "", "b"),
}


@pytest.mark.parametrize(("given", "eastus", "westeurope"), CASES.values(), ids=CASES.keys())
def test_clients_of_each_region_get_the_nearest_permitted_serving_claims(given, eastus, westeurope):
    answers = expected(given)
    for zone, vms in ((EUS, eastus), (WEU, westeurope)):
        assert answers.get((zone, "llm")) == ((30, frozenset(IPS[each] for each in vms)) if vms else None)


def test_a_foreign_record_set_of_the_name_stays_as_it_is():
    answers = expected(world(A, B, records=[FOREIGN]))
    assert answers[EUS, "llm"] == (9, frozenset({"10.9.9.9"}))
    assert expected(world(A, records=[OWNED | {"auto_registered": True}]))[EUS, "llm"] == answers[EUS, "llm"]


def test_a_host_name_has_the_ttl_of_host_names_and_a_policy_its_own():
    host, service = frozenset({"10.1.0.4"}), frozenset({"10.1.0.4"})
    answers = expected(world(A))
    assert (answers[EUS, "a"], answers[EUS, "llm"]) == ((300, host), (30, service))
    answers = expected(world(A, TTL="5", HOST_TTL="6", POLICIES={"ll*": {"ttl": 7}}))
    assert (answers[EUS, "a"], answers[EUS, "llm"]) == ((6, host), (7, service))
    assert (EUS, "a") not in expected(world(A, HOST_NAMES="false"))


def test_an_order_drains_an_endpoint_or_a_region():
    assert expected(world(A, B), {A["id"].lower()})[EUS, "llm"] == (30, frozenset({"10.2.0.4"}))
    assert expected(world(A, B), {"westeurope"})[WEU, "llm"] == (30, frozenset({"10.1.0.4"}))


def test_when_nobody_serves_the_policy_decides():
    before = expected(world(A))
    fallback = world(STOPPED, POLICIES={"llm": {"fallback": ["10.7.0.1", "20.7.0.1"], "when_empty": "keep"}})
    assert expected(fallback, before=before)[EUS, "llm"] == (30, frozenset({"10.7.0.1"}))
    keep = world(STOPPED, POLICIES={"llm": {"when_empty": "keep"}})
    assert expected(keep, before=before)[EUS, "llm"] == before[EUS, "llm"]
    assert expected(keep)[EUS, "llm"] is None
    assert expected(world(), before=before)[EUS, "llm"] is None


def test_addresses_out_of_reach_are_left_out_one_by_one():
    given = world(A, B)
    given["settings"]["NEARZONE_ZONES"][0]["reach"] = ["10.2.0.0/16"]
    assert expected(given)[EUS, "llm"] == (30, frozenset({"10.2.0.4"}))
    public = copy.deepcopy(A)
    public["nics"][0]["ip_configurations"] += [{"name": "2", "address": "52.0.0.1"}]
    assert expected(world(public))[EUS, "llm"] == (30, frozenset({"10.1.0.4"}))


def test_public_addresses_need_a_word_and_some_are_never_answered():
    odd = copy.deepcopy(A)
    odd["nics"][0]["ip_configurations"] += [
        {"name": str(n), "address": ip} for n, ip in enumerate(["52.0.0.1", "127.0.0.1"])
    ]
    given = world(odd)
    given["settings"]["NEARZONE_ZONES"][0]["reach"] = ["0.0.0.0/0"]
    assert expected(given)[EUS, "llm"] == (30, frozenset({"10.1.0.4"}))
    given["settings"]["NEARZONE_ZONES"][0]["public"] = True
    assert expected(given)[EUS, "llm"] == (30, frozenset({"10.1.0.4", "52.0.0.1"}))


def test_at_most_20_addresses_of_which_each_zone_has_its_own_choice():
    answers = expected(world(*(vm(f"v{n}", "eastus", f"10.1.0.{n}") for n in range(10, 40))))
    chosen = {zone: answers[zone, "llm"][1] for zone in (EUS, WEU)}
    assert [len(each) for each in chosen.values()] == [20, 20]
    assert chosen[EUS] != chosen[WEU]
    # The ten that come last by sha256(zone, newline, endpoint), worked out apart from the oracle.
    assert not {f"10.1.0.{n}" for n in (36, 29, 34, 16, 12, 15, 24, 32, 11, 19)} & chosen[EUS]


def of_kind(kind, **fields):
    """An endpoint of East US that claims `llm`."""
    endpoint_id = f"{GROUP}/serving/providers/Microsoft.Network/{kind}/x"
    return {"id": endpoint_id, "location": "eastus", "tags": {"nearzone": "llm"}} | fields


FRONTENDS = [{"name": "in", "vnet": "n", "address": "10.5.0.4"}, {"name": "out", "public_ip": "ip"}]
LB = of_kind("loadBalancers", frontends=FRONTENDS)
PE = of_kind("privateEndpoints", vnet="n", addresses=["10.5.0.4"], connection="Approved", zone_group=False)
ACI = of_kind("containerGroups", vnet="n", address="10.5.0.4", state="Running")
AG = of_kind("applicationGateways", frontends=FRONTENDS)
APIM = of_kind("service", vnet="n", address="10.5.0.4")
FAR_PLACE = {"location": "East Asia", "vnet": "m", "address": "10.6.0.4"}
ENV = of_kind("managedEnvironments", vnet="n", address="10.5.0.4")
CRASHED = {"name": "server", "state": "Waiting"}
POOL = of_kind("virtualMachineScaleSets", vnet="n", mode="Uniform")
STATIC = {"name": "X", "region": "East US", "addresses": ["10.5.0.4"], "claims": ["llm"]}
DRAINED = {"tags": {"nearzone": "llm", "nearzone-drain": "TRUE"}}


def instance(**fields):
    return POOL | {"instances": [{"id": "0", "power": "running", "address": "10.5.0.4"} | fields]}


@pytest.mark.parametrize(
    ("kind", "endpoint", "serves"),
    [
        ("load_balancers", LB, True),
        ("load_balancers", LB | {"frontends": FRONTENDS[1:]}, False),
        ("load_balancers", LB | {"frontends": [FRONTENDS[0] | {"address": "fd00::4"}]}, False),
        ("load_balancers", LB | DRAINED, False),
        ("load_balancers", LB | {"tags": {}}, False),
        ("private_endpoints", PE, True),
        *(("private_endpoints", PE | {"connection": each}, False) for each in ("Pending", "Rejected", "Disconnected")),
        ("private_endpoints", PE | {"zone_group": [WEU.upper()]}, False),
        ("private_endpoints", PE | {"zone_group": [WEU + ".example"]}, True),
        ("private_endpoints", PE | {"zone_group": True}, True),
        ("private_endpoints", PE | DRAINED, False),
        ("container_groups", ACI, True),
        ("container_groups", ACI | {"state": "running"}, True),
        *(("container_groups", ACI | {"state": each}, False) for each in ("Pending", "Stopped", "Succeeded", "Failed")),
        ("container_groups", ACI | {"vnet": None, "address": None}, False),
        ("container_groups", ACI | DRAINED, False),
        ("container_groups", ACI | {"containers": [CRASHED]}, False),
        ("container_groups", ACI | {"containers": [CRASHED, {"name": "sidecar", "port": None}]}, False),
        ("container_groups", ACI | {"containers": [CRASHED, {"name": "other"}]}, True),
        ("container_groups", ACI | {"containers": [{"name": "main"}, CRASHED | {"port": None}]}, True),
        ("application_gateways", AG, True),
        *(("application_gateways", AG | {"operational": each}, False) for each in ("Stopped", "Stopping", "Starting")),
        ("application_gateways", AG | {"frontends": FRONTENDS[1:]}, False),
        ("application_gateways", AG | {"frontends": [FRONTENDS[0] | {"listener": False}]}, False),
        ("application_gateways", AG | {"backends": 0}, False),
        ("application_gateways", AG | DRAINED, False),
        ("api_managements", APIM, True),
        ("api_managements", APIM | {"state": "Updating"}, True),
        ("api_managements", APIM | {"additional_locations": [FAR_PLACE]}, True),
        *(("api_managements", APIM | {"state": each}, False) for each in ("Activating", "Deleting", "Failed")),
        *(("api_managements", APIM | {"mode": each}, False) for each in ("External", "None")),
        ("api_managements", APIM | {"vnet": None, "address": None}, False),
        ("api_managements", APIM | {"disabled": True}, False),
        ("api_managements", APIM | DRAINED, False),
        ("container_environments", ENV, True),
        ("container_environments", ENV | {"vnet": None, "address": None}, False),
        ("container_environments", ENV | {"state": "Waiting"}, False),
        ("container_environments", ENV | DRAINED, False),
        ("scale_sets", instance(), True),
        ("scale_sets", instance(power="stopped"), False),
        ("scale_sets", instance(health="unhealthy"), False),
        ("scale_sets", instance(health="silent"), False),
        ("scale_sets", instance() | DRAINED, False),
    ],
)
def test_an_endpoint_of_another_kind_serves_as_its_kind_does(kind, endpoint, serves):
    answers = expected(world(B) | {kind: [endpoint]})
    assert answers[EUS, "llm"] == (30, frozenset({"10.5.0.4" if serves else IPS["b"]}))
    assert answers.get((EUS, "x")) == ((300, frozenset({"10.5.0.4"})) if serves else None)


def test_each_location_of_an_api_management_service_is_an_endpoint_of_its_own():
    service = APIM | {"additional_locations": [FAR_PLACE | {"location": "West Europe"}]}
    answers = expected(world() | {"api_managements": [service]})
    assert (answers[EUS, "llm"], answers[WEU, "llm"]) == ((30, {"10.5.0.4"}), (30, {"10.6.0.4"}))
    drained = {f"{APIM['id']}/locations/westeurope".lower()}
    assert expected(world() | {"api_managements": [service]}, drained)[WEU, "x"] == (300, {"10.5.0.4"})


def test_what_azure_keeps_a_zone_for_does_not_even_stand_in_the_way_of_an_own_name():
    host = vm("llm", "eastus", "10.1.0.9", "")
    assert expected(world(host) | {"private_endpoints": [PE | {"connection": "Pending"}]})[EUS, "llm"] is None
    kept = PE | {"connection": "Pending", "zone_group": [EUS]}
    assert expected(world(host) | {"private_endpoints": [kept]})[EUS, "llm"] == (300, frozenset({"10.1.0.9"}))


def test_a_static_endpoint_serves_always_claims_what_it_says_and_is_drained_by_order_only():
    given = world(B, STATIC=[STATIC], CLAIMS={"*": []})
    answers = expected(given)
    assert (answers[EUS, "llm"], answers[EUS, "x"]) == (
        (30, frozenset({"10.5.0.4"})),
        (300, frozenset({"10.5.0.4"})),
    )
    there_too = {"load_balancers": [LB | {"id": LB["id"] + "2"}]}
    assert expected(given | there_too | {"settings": given["settings"] | {"NEARZONE_CLAIMS": {"*": [S]}}})[
        EUS, "llm"
    ] == (30, frozenset({"10.5.0.4"})), "its VNet is not known, and so no other one"
    for order in ("static/x", "eastus"):
        assert expected(given, {order})[EUS, "llm"] is None
    assert expected(world(B, STATIC=json.dumps([STATIC])), {"static/y"})[EUS, "llm"] == answers[EUS, "llm"]


def test_each_instance_of_a_scale_set_is_an_endpoint_of_its_own():
    pool = POOL | {"instances": [{"id": str(n), "power": "running", "address": f"10.5.0.{n}"} for n in (4, 5)]}
    given = world(B, POLICIES={"llm": {"min_endpoints": 2}}) | {"scale_sets": [pool]}
    assert expected(given)[EUS, "llm"] == (30, frozenset({"10.5.0.4", "10.5.0.5"}))
    one = pool | {"instances": pool["instances"][:1]}
    assert expected(given | {"scale_sets": [one]})[EUS, "llm"] == (30, frozenset({"10.5.0.4", IPS["b"]}))
    same = pool | {"instances": [{"id": str(n), "power": "running", "address": "10.5.0.4"} for n in (4, 5)]}
    assert expected(given | {"scale_sets": [same]})[EUS, "llm"][1] == {"10.5.0.4", IPS["b"]}, (
        "one address, one endpoint"
    )
    drained = {f"{POOL['id']}/virtualMachines/4".lower()}
    assert expected(world() | {"scale_sets": [pool]}, drained)[EUS, "x"] == (300, frozenset({"10.5.0.5"}))


TWO_FRONTENDS = [{"name": f"Front-{n}", "vnet": "n", "address": f"10.5.0.{n}"} for n in (4, 5)]
MEMBERS = {"10.5.0.4": "default", "10.5.0.5": "inference"}


@pytest.mark.parametrize(
    ("tag", "balancer", "private_endpoint"),
    [
        ("llm", "45", "5"),
        ("llm@*", "45", "45"),
        ("LLM@front-5", "5", ""),
        ("llm@default", "", "4"),
        ("llm@10.5.0.4", "4", "4"),
        ("llm@front-4, llm@front-5, llm@default", "45", "4"),
        ("llm@nope", "", ""),
        ("llm@, llm@a@b", "", ""),
    ],
)
def test_a_claim_gets_the_part_that_it_names(tag, balancer, private_endpoint):
    for kind, entry, serves in (
        ("load_balancers", LB | {"frontends": TWO_FRONTENDS}, balancer),
        ("private_endpoints", PE | {"addresses": list(MEMBERS), "members": MEMBERS}, private_endpoint),
    ):
        answers = expected(world() | {kind: [entry | {"tags": {"nearzone": tag}}]})
        ips = frozenset(f"10.5.0.{number}" for number in serves)
        assert answers.get((EUS, "llm")) == ((30, ips) if ips else None)


def test_a_kind_without_parts_claims_no_name_with_one():
    given = world(vm("x", "eastus", "10.1.0.9", "llm@front, gpt@*"))
    assert (EUS, "llm") not in expected(given)
    assert expected(given)[EUS, "gpt"] == (30, frozenset({"10.1.0.9"}))


@pytest.mark.parametrize(
    ("backends", "own", "serves"), [(0, None, ""), (0, 1, "5"), (1, 0, "4"), (2, None, "45"), (0, 0, "")]
)
def test_a_frontend_serves_while_something_is_in_its_pool(backends, own, serves):
    frontends = [TWO_FRONTENDS[0], TWO_FRONTENDS[1] | {"backends": own}]
    answers = expected(world() | {"load_balancers": [LB | {"frontends": frontends, "backends": backends}]})
    ips = frozenset(f"10.5.0.{number}" for number in serves)
    assert answers.get((EUS, "llm")) == ((30, ips) if ips else None)


def test_a_private_endpoint_is_where_its_service_is():
    given = world(A, B) | {"private_endpoints": [PE | {"service_location": "westeurope"}]}
    answers = expected(given)
    assert answers[EUS, "llm"] == (30, frozenset({IPS["a"]}))
    assert answers[WEU, "llm"] == (30, frozenset({IPS["b"], "10.5.0.4"}))
    assert expected(given, {"westeurope"})[WEU, "llm"] == (30, frozenset({IPS["a"]}))
    assert expected(given, {"eastus"})[WEU, "llm"] == (30, frozenset({IPS["b"]})), "it is itself in eastus"


@pytest.mark.parametrize(
    ("more", "eus", "weu"),
    [
        ({}, "4", "6"),
        ({"service": "other"}, "46", "46"),
        ({"location": "eastus"}, "46", "46"),
        ({"connection": "Rejected"}, "4", "4"),
    ],
)
def test_of_the_private_endpoints_of_one_service_those_nearest_to_the_clients_are_right(more, eus, weu):
    one = PE | {"service": "account", "service_location": "westeurope"}
    other = one | {"id": f"{PE['id']}-2", "location": "westeurope", "addresses": ["10.5.0.6"]} | more
    answers = expected(world(**policy(min_endpoints=2)) | {"private_endpoints": [one, other]})
    for where, right in ((EUS, eus), (WEU, weu)):
        assert answers[where, "llm"] == (30, frozenset(f"10.5.0.{each}" for each in right))


def test_where_the_nearest_private_endpoint_does_not_answer_another_one_of_the_service_is_right():
    one = PE | {"service": "account", "service_location": "westeurope"}
    other = one | {"id": f"{PE['id']}-2", "location": "westeurope", "addresses": ["10.5.0.6"]}
    down = Findings(down=frozenset({(PE["id"].lower(), "10.5.0.4")}))
    answers = expected(world() | {"private_endpoints": [one, other]}, probed=lambda _zone, _name: down)
    assert answers[EUS, "llm"] == (30, frozenset({"10.5.0.6"}))
