"""Claims that name a part of an endpoint: how the tag is read, and which addresses are published for which name."""

import json
from dataclasses import replace

import msgspec
import pytest

from shared.azure.endpoint_kind import merge_previous
from shared.azure.parts import SHOWN, Part, select
from shared.azure.tags import names, names_and_parts
from shared.catalog.codec import ENDPOINT
from shared.decide.alarms import Trouble, grouped
from shared.domain.endpoints import Address, Endpoint, EndpointRow, State

A, B, C = (Address(f"10.0.0.{number}", "vnet") for number in (4, 5, 6))
ONE = [Part("Front-1", (A,))]
TWO = [Part("Front-1", (A,)), Part("Front-2", (B,))]
LISTED = "'Front-1 10.0.0.4, Front-2 10.0.0.5'"


def chosen(text, parts, own="lb", what="frontend", preferred=""):
    """What is published for each name, and the faults."""
    claimed = names_and_parts({"nearzone": text}, own)
    found = select(*claimed, parts, what, preferred)
    selected = dict(found.selected)
    claims = {*claimed[0].tagged, claimed[0].own}
    return {name: selected.get(name, found.addresses) for name in claims}, (*claimed[0].faults, *found.faults)


def choice(names, example, listed=LISTED, what="frontend"):
    name = example.partition("@")[0]
    written = f"write '{example}' for one of them, or '{name}@*' for all"
    return f"tag nearzone: all of its {what}s that serve are published for {names}: {written}; they are {listed}"


@pytest.mark.parametrize(
    ("text", "published", "faults"),
    [
        ("chat@front-2", {"chat": (B,), "lb": (A, B)}, ()),
        ("Chat@FRONT-2", {"chat": (B,), "lb": (A, B)}, ()),
        ("chat@10.0.0.5", {"chat": (B,), "lb": (A, B)}, ()),
        ("chat@*", {"chat": (A, B), "lb": (A, B)}, ()),
        ("chat@front-1, embed@front-2", {"chat": (A,), "embed": (B,), "lb": (A, B)}, ()),
        ("chat@front-1, chat@front-2", {"chat": (A, B), "lb": (A, B)}, ()),
        ("chat@front-1, chat@10.0.0.4", {"chat": (A,), "lb": (A, B)}, ()),
        ("chat, chat@*", {"chat": (A, B), "lb": (A, B)}, ()),
        ("chat", {"chat": (A, B), "lb": (A, B)}, (choice("'chat'", "chat@front-1"),)),
        ("chat, embed", {"chat": (A, B), "embed": (A, B), "lb": (A, B)}, (choice("'chat, embed'", "chat@front-1"),)),
        ("chat, embed@*", {"chat": (A, B), "embed": (A, B), "lb": (A, B)}, (choice("'chat'", "chat@front-1"),)),
        ("chat, chat@front-1", {"chat": (A, B), "lb": (A, B)}, (choice("'chat'", "chat@front-1"),)),
        ("", {"lb": (A, B)}, (choice("'lb'", "lb@front-1"),)),
        ("lb@front-2", {"lb": (B,)}, ()),
        (
            "chat@nope, embed@front-1",
            {"chat": (), "embed": (A,), "lb": (A, B)},
            (f"tag nearzone: 'chat@nope': it has no frontend 'nope'; it has {LISTED}",),
        ),
        (
            "chat@nope, chat@front-1",
            {"chat": (A,), "lb": (A, B)},
            (f"tag nearzone: 'chat@nope': it has no frontend 'nope'; it has {LISTED}",),
        ),
    ],
)
def test_a_claim_gets_the_parts_that_it_names(text, published, faults):
    assert chosen(text, TWO) == (published, faults)


@pytest.mark.parametrize("text", ["chat", "", "chat@*", "chat@front-1"])
def test_the_only_part_is_taken_as_it_is_and_nothing_is_selected(text):
    found = select(*names_and_parts({"nearzone": text}, "lb"), ONE, "frontend")
    assert found == ((A,), (), ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("chat@", "does not say which part: write 'chat', 'chat@PART' or 'chat@*'"),
        ("chat@@", "does not say which part: write 'chat', 'chat@PART' or 'chat@*'"),
        ("chat @", "does not say which part: write 'chat', 'chat@PART' or 'chat@*'"),
        ("a@b@c", "names more than one part: write 'a@b, a@c'"),
        ("q@*@*", "has a space or an @ too many: write 'q@*'"),
        ("@x", "has no name before the @: write 'NAME@x'"),
        ("@", "has no name before the @: write 'NAME@PART'"),
        ("chat @front-1", "has a space or an @ too many: write 'chat@front-1'"),
        ("chat@ front-1", "has a space or an @ too many: write 'chat@front-1'"),
        ("chat@@front-1", "has a space or an @ too many: write 'chat@front-1'"),
        ("a_b@x", "is not a DNS label"),
    ],
)
def test_what_is_no_name_with_a_part_is_a_fault_that_says_what_to_write_and_claims_nothing(text, problem):
    published, faults = chosen(f"{text}, embed@*", TWO)
    assert published == {"embed": (A, B), "lb": (A, B)}
    assert faults == (f"tag nearzone: {text!r} {problem}",)


@pytest.mark.parametrize("claim", ["lb@", "LB @front-1", "lb@a@b", "lb@front-1 embed", "lb@front\u212a"])
def test_a_faulty_claim_of_the_own_name_does_not_publish_the_whole_endpoint_for_it(claim):
    found, wanted = names_and_parts({"nearzone": f"{claim}, chat"}, "LB")
    assert (found.tagged, found.own, len(found.faults), wanted) == (("chat",), None, 1, ())
    assert names_and_parts({"nearzone": f"{claim}, lb"}, "LB")[0].own == "lb", "claimed without a part as well"


def test_a_forgotten_comma_after_a_part_is_named():
    assert chosen("chat@front-1 embed", ONE)[1] == (
        "tag nearzone: 'chat@front-1 embed' is not a DNS label: separate names by commas",
    )


def test_members_of_one_preferred_part_mean_that_part_unless_another_is_named():
    members = [Part("default", (A,)), Part("inference", (B,)), Part("notebook", (C,))]
    assert chosen("chat", members, "pe", "member", "inference") == ({"chat": (B,), "pe": (B,)}, ())
    both = chosen("chat, note@notebook, all@*", members, "pe", "member", "inference")
    assert both == ({"chat": (B,), "note": (C,), "all": (A, B, C), "pe": (B,)}, ())


def test_parts_without_a_name_are_chosen_by_their_address():
    nameless = [Part("", (A, B))]
    assert chosen("chat@10.0.0.5", nameless)[0]["chat"] == (B,)
    assert chosen("chat", nameless)[1] == (), "one part"


def test_a_part_that_does_not_serve_is_published_for_no_name():
    parts = [Part("Front-1", (A,), withheld=True), Part("Front-2", (B,))]
    published, faults = chosen("chat@front-1, embed@*", parts)
    assert (published, faults) == ({"chat": (), "embed": (B,), "lb": (B,)}, ())
    assert select(*names_and_parts({"nearzone": ""}, "lb"), parts, "frontend").addresses == (A, B), "it is still there"


def test_a_choice_is_only_asked_for_among_parts_that_serve():
    parts = [Part("Front-1", (A,), withheld=True), Part("Front-2", (B,))]
    assert chosen("chat", parts) == ({"chat": (B,), "lb": (B,)}, ())
    (fault,) = chosen("chat", [*parts, Part("Front-3", (C,))])[1]
    assert fault == choice("'chat'", "chat@front-2", "'Front-2 10.0.0.5, Front-3 10.0.0.6'")


@pytest.mark.parametrize("tag", ["", "chat", "{names}", "{part}", "chat@{part}", "chat@", "@{part}"])
def test_one_fault_of_many_load_balancers_is_one_alarm(tag):
    """Each has other frontends, and another number of them, as the load balancers of AKS have."""
    troubles = []
    for number in range(2, 6):
        parts = [Part(f"f{number}-{each}", (Address(f"10.0.{number}.{each}"),)) for each in range(number * 3)]
        names = ", ".join(f"chat-{each}" for each in range(number))
        faults = chosen(tag.format(names=names, part=f"part-{number}"), parts, own=f"lb{number}")[1]
        troubles += [Trouble(f"lb{number}", each, "means", "do", "endpoints") for each in faults[:1]]
    assert [each.count for each in grouped(troubles)] == [4]


def test_a_fault_lists_some_of_many_parts():
    many = [Part(f"a{number}", (Address(f"10.0.1.{number}"),)) for number in range(SHOWN + 3)]
    assert chosen("chat@x", many)[1][0].endswith(f"a{SHOWN - 1} 10.0.1.{SHOWN - 1} and 3 more'")


def test_of_parts_that_are_not_known_yet_nothing_is_faulty():
    assert chosen("chat@front-1", []) == ({"chat": (), "lb": ()}, ())


def test_a_kind_without_parts_does_not_claim_a_name_with_one():
    """Publishing the whole endpoint would publish more than the tag says."""
    fault = "an endpoint of this kind has no parts to choose from: write 'chat'"
    assert names({"nearzone": "chat@front-1, embed@*, llama"}, "vm") == (
        ("embed", "llama"),
        "vm",
        (f"tag nearzone: 'chat@front-1': {fault}",),
    )
    assert names({"nearzone": "VM@front-1, chat"}, "VM")[:2] == (("chat",), None), "its own name is restricted as well"
    assert names({"nearzone": "vm@front-1, vm"}, "vm")[:2] == (("vm",), "vm")
    assert names({"nearzone": "chat@x, chat"}, "vm") == (("chat",), "vm", (f"tag nearzone: 'chat@x': {fault}",))


def seen(*chosen, addresses=(A, B), tagged=("chat",), state=State.SERVING, **more):
    """A load balancer as a read shows it; `chosen`: what `chat` has."""
    selected = (("chat", chosen),) if "chat" in tagged else ()
    return Endpoint("lb", "kind", "eastus", tagged, None, addresses, state, selected=selected, **more)


@pytest.mark.parametrize(
    ("found", "addresses", "chat"),
    [
        (seen(addresses=(), state=State.WARMING), (A, B), (A,)),
        (seen(B), (A, B), (B,)),
        (seen(addresses=(B,)), (B,), (A,)),
        (seen(addresses=(B, C), tagged=()), (B, C), (A,)),
    ],
    ids=["no address known", "another part", "its part is not shown", "the claim is gone"],
)
def test_a_read_in_doubt_keeps_what_was_selected_unless_it_shows_another_part(found, addresses, chat):
    merged = merge_previous(replace(found, doubt="in doubt"), seen(A))
    assert (merged.addresses, merged.narrowed("chat").addresses) == (addresses, chat)


def test_a_row_keeps_what_was_selected_and_a_row_of_an_older_version_selects_nothing():
    row = EndpointRow(seen(B, not_serving="backend pool p is empty"))
    assert ENDPOINT.decode(msgspec.json.encode(row)) == row
    older = json.loads(msgspec.json.encode(row))
    del older["endpoint"]["selected"], older["endpoint"]["not_serving"]
    assert ENDPOINT.decode(json.dumps(older)).endpoint.narrowed("chat").addresses == (A, B)
