"""What nobody knows about Azure can be turned round, all of it at once by a seed, in a whole cloud."""

import json
from dataclasses import fields
from random import Random

import pytest

from simulator.arm.front_door import Request
from simulator.cloud import SimulatedAzure
from simulator.event_grid.events import event_of
from simulator.private_dns.rules import CHOICES, AssumedBehaviour
from simulator.world.world import read
from tests.simulation.scenario import draw
from tests.simulation.story import Story
from tests.support.dns_cloud import A, a_set
from tests.support.dns_cloud import Cloud as DnsCloud
from tests.support.small_world import COMPUTE, GROUP, VNET, ZONE, Clock, a_vm, nic_id, small, vm_id


def test_every_unknown_has_a_choice_that_holds_its_default():
    assert [each.name for each in fields(AssumedBehaviour)] == list(CHOICES)
    for each in fields(AssumedBehaviour):
        assert each.default in CHOICES[each.name]
        assert len(CHOICES[each.name]) > 1


def test_a_seed_draws_one_setting_of_all_and_enough_seeds_draw_every_answer():
    assert AssumedBehaviour.draw(Random(4)) == AssumedBehaviour.draw(Random(4))
    drawn = [AssumedBehaviour.draw(Random(seed)) for seed in range(60)]
    for name, choices in CHOICES.items():
        assert {getattr(each, name) for each in drawn} == set(choices)


NAMED = {
    "accept_quoted_etag",
    "delete_missing",
    "if_match_missing",
    "list_pages_counted",
    "large_top",
    "inline_nic_event",
    "throttle",
}
"""Those that decide what nearzone itself meets: there has to be a switch for each."""


def azure_of(seed):
    """The cloud with which the convergence simulation begins a seed's story."""
    story = object.__new__(Story)
    story.drawn, story.clock = draw(seed), Clock()
    story._azure(seed)
    return story.cloud


def test_the_convergence_simulation_draws_a_setting_of_all_for_every_seed():
    assert CHOICES.keys() >= NAMED
    drawn = [azure_of(seed).unknowns for seed in range(40)]
    for name, choices in CHOICES.items():
        assert {getattr(each, name) for each in drawn} == set(choices)


def cloud(**unknowns):
    world = small(a_vm("gpu", "10.1.0.4", health="healthy"))
    return SimulatedAzure(read(json.dumps(world)), clock=Clock(), unknowns=AssumedBehaviour(**unknowns))


def ask(one, method, path, body=None, headers=None, **query):
    version = {"api-version": "2024-06-01"} if "DnsZones" in path else COMPUTE
    content = b"" if body is None else json.dumps(body).encode()
    return one.handle(Request(method, path, {**version, **query}, headers or {}, content))


@pytest.mark.parametrize(("accept", "status"), [(True, 200), (False, 412)])
def test_a_whole_cloud_takes_quoted_etags_or_not(accept, status):
    one = cloud(accept_quoted_etag=accept)
    etag = ask(one, "PUT", f"{ZONE}/A/x", a_set("10.0.0.1")).headers["ETag"]
    again = ask(one, "PUT", f"{ZONE}/A/x", a_set("10.0.0.2"), {"if-match": f'"{etag}"'})
    assert again.status == status


@pytest.mark.parametrize("held", [True, False])
def test_a_whole_clouds_status_lists_hold_health_or_not(held):
    listed = ask(cloud(status_only_health=held), "GET", f"{GROUP}/Microsoft.Compute/virtualMachines", statusOnly="true")
    assert ("vmHealth" in listed.content["value"][0]["properties"]["instanceView"]) is held


@pytest.mark.parametrize(("large", "sizes"), [(True, [120, 20]), (False, [100, 100])])
def test_a_top_above_100_is_honoured_or_cut(large, sizes):
    one = DnsCloud(unknowns=AssumedBehaviour(large_top=large))
    for n in range(139):
        one.put(f"n{n}", "10.0.0.2")
    assert [len(one.send("GET", f"{A}?$top={top}").content["value"]) for top in (120, 400)] == [
        sizes[0],
        140 if large else 100,
    ]
    first = one.send("GET", f"{A}?$top=120").content["nextLink"]
    rest = one.send("GET", first.removeprefix("https://management.azure.com"))
    assert len(rest.content["value"]) == 140 - sizes[0]


@pytest.mark.parametrize(("inside", "tail"), [(True, "/start"), (False, "")])
def test_an_actions_event_names_the_action_in_its_subject_or_not(inside, tail):
    one, told = cloud(action_in_subject=inside), []
    one.azure.completed.append(told.append)
    one.azure.emit(vm_id("gpu"), "Microsoft.Compute/virtualMachines/start/action", "Action")
    one.azure.emit(vm_id("gpu"), "Microsoft.Compute/virtualMachines/write", "Write")
    events = [event_of(each, "1", action_in_subject=one.azure.action_in_subject) for each in told]
    assert [event.subject for event in events] == [vm_id("gpu") + tail, vm_id("gpu")]
    assert {event.data["resourceUri"] for event in events} == {vm_id("gpu")}


# A NIC that is created with its VM


def with_nic(*names, **more):
    ip = {"name": "ipconfig1", "properties": {"subnet": {"id": f"{VNET}/subnets/default"}}}
    wanted = [
        {"name": name, "properties": {"primary": name == names[0], "ipConfigurations": [ip], **more}} for name in names
    ]
    profile = {"networkApiVersion": "2020-11-01", "networkInterfaceConfigurations": wanted}
    return {"location": "eastus", "properties": {"networkProfile": profile}}


def created(one, body=None):
    """A new VM once its operations have ended; the VM as served and the operations that Event Grid heard of."""
    told = []
    one.azure.completed.append(told.append)
    assert ask(one, "PUT", vm_id("new"), body or with_nic("card")).status == 201
    while one.azure.next_due() is not None:
        one.azure.clock.now = max(one.azure.clock.now, one.azure.next_due())
        one.azure.advance()
    return ask(one, "GET", vm_id("new")).content, [each.operation for each in told]


def test_a_nic_that_a_vm_asks_for_is_made_with_it_and_has_an_address():
    one = cloud()
    vm, _ = created(one, with_nic("card", "second"))
    links = vm["properties"]["networkProfile"]["networkInterfaces"]
    assert [link["properties"]["primary"] for link in links] == [True, False]
    nic = one.network.nics.find(links[0]["id"])
    assert links[0]["id"].startswith(nic_id("card-"))
    assert (nic.location, nic.vm) == ("eastus", vm_id("new"))
    assert nic.configurations[0].address.startswith("10.1.")
    assert ask(one, "PUT", vm_id("new"), with_nic("card", "second")).status == 200
    assert [each.id for each in one.compute.vms.find(vm_id("new")).nics] == [link["id"] for link in links]


@pytest.mark.parametrize(
    ("told", "operations"), [(True, ["networkInterfaces", "virtualMachines"]), (False, ["virtualMachines"])]
)
def test_such_a_nic_raises_an_event_of_its_own_or_not(told, operations):
    _, heard = created(cloud(inline_nic_event=told))
    assert [each.split("/")[1] for each in heard] == operations


def test_such_a_nic_goes_with_its_vm_where_that_was_asked_for():
    one = cloud()
    vm, _ = created(one, with_nic("card", deleteOption="Delete"))
    [link] = vm["properties"]["networkProfile"]["networkInterfaces"]
    ask(one, "DELETE", vm_id("new"))
    one.azure.clock.now += 1000
    one.azure.advance()
    assert one.network.nics.find(link["id"]) is None


def test_a_vm_whose_inline_nic_cannot_be_made_is_refused():
    body = with_nic("card")
    [wanted] = body["properties"]["networkProfile"]["networkInterfaceConfigurations"]
    wanted["properties"]["ipConfigurations"] = []
    assert ask(cloud(), "PUT", vm_id("new"), body).status == 400
