"""Claims that name a part of an endpoint, from the tag to the zones of a simulated Azure."""

import pytest

from tests.support.deployment import REGIONS, a_vm, run_scenario, vm_id, vnet
from tests.support.endpoint_kinds import (
    FAR,
    container_group,
    load_balancer,
    path,
    private_endpoint,
    swept,
    tagged,
    world,
)

EAST, _, _ = REGIONS
FRONTENDS = [
    {"name": "Front-1", "vnet": vnet(EAST), "address": "10.1.0.20"},
    {"name": "Front-2", "vnet": vnet(EAST), "address": "10.1.0.21"},
]


def balancer(tag):
    return load_balancer("lb", {"nearzone": tag}, *FRONTENDS)


async def told(stage):
    """What has happened has reached the zones by events alone."""
    await stage.deliver_pending_events()
    assert stage.wrong_answers() == {}


async def faults(stage, name):
    """The faults of one endpoint as the status has them."""
    (found,) = [each for each in (await stage.app.status(full=True))["known"] if each["id"].endswith(f"/{name}")]
    return found["faults"]


def records(stage, *names):
    return {name: stage.record(EAST, name) for name in names}


def test_each_name_has_the_frontend_that_its_claim_names_and_follows_the_tag_by_events():
    async def story(stage):
        await swept(stage)
        assert records(stage, "chat", "embed", "lb") == {
            "chat": ["10.1.0.21"],
            "embed": ["10.1.0.20", "10.1.0.21"],
            "lb": ["10.1.0.20", "10.1.0.21"],
        }
        assert await faults(stage, "lb") == []
        tagged(stage, balancer("")["id"], nearzone="chat@10.1.0.20, embed@front-2")
        await told(stage)
        assert records(stage, "chat", "embed") == {"chat": ["10.1.0.20"], "embed": ["10.1.0.21"]}

    run_scenario(story, world(FAR, load_balancers=[balancer("chat@front-2, embed@*")]))


def test_a_part_that_does_not_exist_takes_its_name_out_at_once_and_says_what_there_is():
    async def story(stage):
        await swept(stage)
        tagged(stage, balancer("")["id"], nearzone="chat@front-3, embed@front-2")
        await told(stage)
        assert records(stage, "chat", "embed") == {"chat": None, "embed": ["10.1.0.21"]}
        (fault,) = await faults(stage, "lb")
        assert fault.endswith("it has no frontend 'front-3'; it has 'Front-1 10.1.0.20, Front-2 10.1.0.21'")
        explained = await stage.app.explain(stage.app.settings.zones[0], "chat")
        assert explained["claims"][0]["reason"] == "no part that its tag names has a private IPv4 address"

    run_scenario(story, world(load_balancers=[balancer("chat@front-1, embed@front-2")]))


def test_several_frontends_without_a_choice_are_all_published_with_one_fault_that_says_how_to_choose():
    async def story(stage):
        await swept(stage)
        assert stage.record(EAST, "chat") == ["10.1.0.20", "10.1.0.21"]
        (fault,) = await faults(stage, "lb")
        assert "write 'chat@front-1' for one of them, or 'chat@*' for all" in fault

    run_scenario(story, world(load_balancers=[balancer("chat")]))


@pytest.mark.parametrize("tags", [{"nearzone": "chat"}, {"nearzone": "chat@*, a_b"}, {"nearzone": "chat@nope"}])
def test_the_alarm_of_a_fault_does_not_say_that_something_is_unpublished(tags):
    """Of these faults, only some concern what is not published: what each means is in its text."""

    async def story(stage):
        await swept(stage)
        (alarm,) = [each for each in (await stage.app.status())["alarms"] if "tag nearzone" in each["what"]]
        assert alarm["means"] == (
            "in this respect the endpoint may not be published as intended; nothing else about it is affected"
        )
        assert alarm["do"].startswith("correct what the text names, such as a tag, the resource, a setting or a role")

    run_scenario(story, world(FAR, load_balancers=[balancer("") | {"tags": tags}]))


def test_an_address_is_shown_only_for_the_name_that_it_is_published_for():
    async def story(stage):
        await swept(stage)
        explained = await stage.app.explain(stage.app.settings.zones[0], "chat")
        assert [claim["addresses"] for claim in explained["claims"]] == [["10.1.0.21"]]
        (shown,) = (await stage.app.status(full=True))["known"]
        assert (shown["addresses"], shown["selected"]) == (["10.1.0.20", "10.1.0.21"], {"chat": ["10.1.0.21"]})

    run_scenario(story, world(load_balancers=[balancer("chat@front-2")]))


MEMBERS = {"10.1.0.30": "default", "10.1.0.31": "inference", "10.1.0.32": "notebook"}


@pytest.mark.parametrize(
    ("tag", "published"),
    [
        ("chat", {"chat": ["10.1.0.31"], "pe": ["10.1.0.31"]}),
        ("chat@Notebook", {"chat": ["10.1.0.32"], "pe": ["10.1.0.31"]}),
        ("chat@*", {"chat": list(MEMBERS), "pe": ["10.1.0.31"]}),
        ("chat, embed@default", {"chat": ["10.1.0.31"], "embed": ["10.1.0.30"]}),
    ],
)
def test_a_claim_names_a_member_of_a_private_endpoint_and_inference_is_meant_without(tag, published):
    async def story(stage):
        await swept(stage)
        assert (records(stage, *published), await faults(stage, "pe")) == (published, [])

    entry = private_endpoint(tags={"nearzone": tag}, addresses=list(MEMBERS), members=MEMBERS)
    run_scenario(story, world(private_endpoints=[entry]))


def test_members_of_which_none_is_meant_are_all_published_with_one_fault():
    async def story(stage):
        await swept(stage)
        assert stage.record(EAST, "chat") == ["10.1.0.30", "10.1.0.31"]
        (fault,) = await faults(stage, "pe")
        assert "all of its members that serve are published for 'chat': write 'chat@blob'" in fault

    members = {"10.1.0.30": "blob", "10.1.0.31": "dfs"}
    entry = private_endpoint(tags={"nearzone": "chat"}, addresses=list(members), members=members)
    run_scenario(story, world(private_endpoints=[entry]))


@pytest.mark.parametrize("kind", ["vm", "group"])
def test_a_kind_without_parts_publishes_nothing_for_a_claim_with_one_and_says_so(kind):
    tag = {"nearzone": "chat@front-1, embed@*"}
    given = (
        world(a_vm("near", EAST, 4, tag["nearzone"]))
        if kind == "vm"
        else world(container_groups=[container_group(tags=tag)])
    )
    name, address = ("near", "10.1.0.4") if kind == "vm" else ("aci", "10.1.0.40")

    async def story(stage):
        await swept(stage)
        assert records(stage, "chat", "embed") == {"chat": None, "embed": [address]}
        (fault,) = await faults(stage, name)
        assert "'chat@front-1': an endpoint of this kind has no parts to choose from" in fault

    run_scenario(story, given)


@pytest.mark.parametrize("tag", ["solo@front-1, chat", "solo@, chat", "Solo @front-1, chat"])
def test_a_claim_of_the_own_name_that_cannot_be_followed_does_not_publish_the_own_name(tag):
    async def story(stage):
        await swept(stage)
        assert records(stage, "solo", "chat") == {"solo": None, "chat": ["10.1.0.4"]}
        assert len(await faults(stage, "solo")) == 1
        assert stage.wrong_answers() == {}
        tagged(stage, vm_id("solo"), nearzone="chat")
        await told(stage)
        assert records(stage, "solo", "chat") == {"solo": ["10.1.0.4"], "chat": ["10.1.0.4"]}

    run_scenario(story, world(a_vm("solo", EAST, 4, tag)))


def test_a_claim_names_a_frontend_of_an_application_gateway():
    async def story(stage):
        await swept(stage)
        assert records(stage, "chat", "embed", "agw") == {
            "chat": ["10.1.0.60"],
            "embed": None,
            "agw": ["10.1.0.60", "10.1.0.61"],
        }
        (fault,) = await faults(stage, "agw")
        assert "'embed@nope': it has no frontend 'nope'" in fault

    frontends = [{"name": f"In-{n}", "vnet": vnet(EAST), "address": f"10.1.0.6{n}"} for n in (0, 1)]
    gateway = {"id": path("Microsoft.Network/applicationGateways", "agw"), "location": EAST, "frontends": frontends}
    tags = {"nearzone": "chat@in-0, embed@nope"}
    run_scenario(story, world(application_gateways=[gateway | {"tags": tags}]))
