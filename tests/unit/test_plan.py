"""The plan: what it takes to turn the record sets that are there into the answers, and when too much is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decide.guard import guard
from shared.decide.plan import Change, Skip, classify_removal, diff, obstacle
from shared.domain.dirty import Urgency
from shared.domain.endpoints import Address, State
from shared.domain.overrides import Override
from shared.domain.zone_findings import BlockedName, Obstacle
from shared.domain.zones import Answer, RecordSet
from tests.support.values import ours, vm, zone

ZONE = zone()
A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def wants(*addresses, ttl=30):
    return Answer("llama", tuple(addresses), ttl, "because")


NONE, KEEP = wants(), Answer("llama", None, 30, "kept")
FOREIGN = RecordSet("llama", 300, (A,), (("team", "x"),), "etag")
THEIRS = ours("llama", A, owner="other-nearzone")
AUTO = RecordSet("llama", 10, (A,), (), "etag", auto_registered=True)
MARKED_AUTO = ours("llama", A, auto_registered=True)

# Columns: what is there, and what it takes for an answer with A, with A and B, without addresses, and to keep.
TABLE = """
there         A         A+B       none      keep
nothing       create    create    -         -
ours A        -         update    delete    -
ours B        update    update    delete    -
ours B+A      update    -         delete    -
ours ttl      update    update    delete    -
ours empty    update    update    delete    -
foreign       skip      skip      skip      skip
lost          skip      skip      skip      skip
theirs        skip      skip      skip      skip
auto          skip      skip      skip      skip
marked auto   skip      skip      skip      skip
adopt foreign update    update    skip      *
adopt theirs  update    update    skip      *
adopt lost    update    update    delete    update
adopt auto    skip      skip      skip      skip
adopt ours A  -         update    delete    -
"""
THERE = {
    "nothing": None,
    "ours A": ours("llama", A),
    "ours B": ours("llama", B),
    "ours B+A": ours("llama", B, A),
    "ours ttl": ours("llama", A, ttl=31),
    "ours empty": ours("llama"),
    "foreign": FOREIGN,
    "lost": FOREIGN,
    "theirs": THEIRS,
    "auto": AUTO,
    "marked auto": MARKED_AUTO,
}
ANSWERS = (wants(A), wants(A, B), NONE, KEEP)


def cells():
    for line in TABLE.strip().splitlines()[1:]:
        there, *expected = line[:14].strip(), *line[14:].split()
        yield from ((there, answer, word) for answer, word in zip(ANSWERS, expected, strict=True))


def word(found):
    return "-" if found is None else "skip" if isinstance(found, Skip) else found.kind


@pytest.mark.parametrize(
    ("there", "answer", "expected"), list(cells()), ids=lambda v: v if isinstance(v, str) else str(v.addresses)
)
def test_the_table(there, answer, expected):
    adopt = there.startswith("adopt ")
    actual, was_ours = THERE[there.removeprefix("adopt ")], there.endswith("lost")
    found = word(diff(ZONE, answer, actual, "nearzone", adopt=adopt, was_ours=was_ours))
    # Adopting a name that is only to be kept may be nothing or a skip; a write it is not.
    assert found == expected or (expected == "*" and found in ("-", "skip"))


def test_a_created_record_set_carries_the_answer_and_our_mark():
    change = diff(ZONE, wants(A, B, ttl=7), None, "me")
    assert change.after == RecordSet("llama", 7, (A, B), (("nearzone-owner", "me"),))
    assert (change.zone, change.name, change.before, change.reason) == (ZONE.id, "llama", None, "because")


def test_a_change_carries_the_etag_that_was_read_and_keeps_the_metadata_of_others():
    there = replace(ours("llama", A), metadata=(("nearzone-owner", "nearzone"), ("team", "x")), etag="seen")
    change = diff(ZONE, wants(B), there, "nearzone")
    assert change.before.etag == "seen"
    assert dict(change.after.metadata) == {"nearzone-owner": "nearzone", "team": "x"}


def test_adopting_marks_the_record_set_and_keeps_its_metadata():
    change = diff(ZONE, wants(A), FOREIGN, "nearzone", adopt=True)
    assert dict(change.after.metadata) == {"nearzone-owner": "nearzone", "team": "x"}


def test_a_skip_says_whose_the_record_set_is():
    assert "'other-nearzone'" in diff(ZONE, wants(B), THEIRS, "nearzone").reason
    assert "adopt" in diff(ZONE, wants(B), FOREIGN, "nearzone").reason
    assert "auto-registered" in diff(ZONE, wants(B), AUTO, "nearzone").reason
    assert "lost our owner tag" in diff(ZONE, wants(B), FOREIGN, "nearzone", was_ours=True).reason


def test_a_mark_that_was_lost_is_put_back_on_what_is_to_be_kept_and_nothing_else_changes():
    change = diff(ZONE, KEEP, FOREIGN, "nearzone", adopt=True, was_ours=True)
    assert (change.after.addresses, change.after.ttl) == (FOREIGN.addresses, FOREIGN.ttl)
    assert dict(change.after.metadata) == {"nearzone-owner": "nearzone", "team": "x"}


@pytest.mark.parametrize(
    ("there", "was_ours", "why", "owner"),
    [
        (FOREIGN, False, Obstacle.FOREIGN, ""),
        (FOREIGN, True, Obstacle.LOST, ""),
        (RecordSet("llama", 30, ()), False, Obstacle.FOREIGN, ""),
        (ours("llama", A, owner=""), True, Obstacle.LOST, ""),
        (THEIRS, True, Obstacle.OTHER, "other-nearzone"),
        (AUTO, True, Obstacle.AUTO, ""),
        (MARKED_AUTO, True, Obstacle.AUTO, ""),
    ],
)
def test_why_a_record_set_is_not_ours_to_write(there, was_ours, why, owner):
    found = obstacle("llama", there, "nearzone", was_ours=was_ours)
    assert found == BlockedName("llama", why, owner, there.addresses)
    assert diff(ZONE, wants(B), there, "nearzone", was_ours=was_ours).blocked == found


@pytest.mark.parametrize("there", [None, ours("llama", A)])
def test_what_is_ours_or_not_there_is_no_obstacle(there):
    assert obstacle("llama", there, "nearzone", was_ours=True) is None


URGENCIES = [
    # there, answer, urgency
    (ours("llama", A), NONE, Urgency.WITHDRAW),
    (ours("llama", A, B), wants(A), Urgency.WITHDRAW),
    (ours("llama", A), wants(B), Urgency.WITHDRAW),
    (None, wants(A), Urgency.FIRST_ADDRESS),
    (ours("llama"), wants(A), Urgency.FIRST_ADDRESS),
    (ours("llama", A), wants(A, B), Urgency.MORE_ADDRESSES),
    (ours("llama", A), wants(A, ttl=5), Urgency.OTHER),
]


@pytest.mark.parametrize(("there", "answer", "urgency"), URGENCIES)
def test_a_change_knows_how_urgent_it_is(there, answer, urgency):
    assert diff(ZONE, answer, there, "nearzone").urgency is urgency


def test_a_dead_address_goes_before_a_first_one_before_more_before_the_rest():
    assert sorted(u for u in Urgency if not u.is_host_name) == [
        Urgency.WITHDRAW,
        Urgency.FIRST_ADDRESS,
        Urgency.MORE_ADDRESSES,
    ]


@pytest.mark.parametrize(
    ("there", "answer", "urgency"),
    [
        (ours("a", A), NONE, Urgency.HOST_WITHDRAW),
        (None, wants(A), Urgency.HOST_FIRST_ADDRESS),
        (ours("a", A), wants(A, ttl=5), Urgency.OTHER),
    ],
)
def test_a_host_name_waits_until_no_service_name_is_as_urgent(there, answer, urgency):
    change = diff(ZONE, answer, there, "nearzone")
    assert classify_removal(change, [vm("a", A, tagged=(), own="a")]).urgency is urgency
    assert max(u for u in Urgency if not u.is_host_name) < urgency


IPS = st.sampled_from([A, B, C, "10.0.0.4"])
SETS = st.none() | st.builds(
    lambda ips, ttl, mark, extra, auto: RecordSet(
        "llama", ttl, tuple(ips), tuple({**extra, **mark}.items()), "etag", auto_registered=auto
    ),
    st.lists(IPS, max_size=4, unique=True),
    st.sampled_from([30, 300]),
    st.sampled_from([{}, {"nearzone-owner": "nearzone"}, {"nearzone-owner": "nearzone"}, {"nearzone-owner": "other"}]),
    st.dictionaries(st.sampled_from(["a", "zz"]), st.text(max_size=3), max_size=2),
    st.sampled_from([False, False, False, True]),
)
WANTED = st.builds(
    lambda ips, ttl: Answer("llama", None if ips is None else tuple(sorted(ips)), ttl, "because"),
    st.none() | st.lists(IPS, max_size=4, unique=True),
    st.sampled_from([30, 300]),
)


@given(SETS, WANTED, st.booleans())
def test_a_plan_applied_to_what_is_there_leaves_an_empty_plan(there, answer, adopt):
    found = diff(ZONE, answer, there, "nearzone", adopt=adopt)
    if isinstance(found, Change):
        assert found.before == there
        assert found.after != there
        assert diff(ZONE, answer, found.after, "nearzone", adopt=adopt) is None
        assert (found.after.addresses if found.after else ()) == answer.addresses
    elif found is None and answer.addresses is not None:
        assert set(there.addresses if there else ()) == set(answer.addresses)


@given(SETS.filter(lambda s: s is not None), WANTED)
def test_what_is_not_ours_is_never_changed(there, answer):
    if there.auto_registered or there.tag("nearzone-owner") != "nearzone":
        assert isinstance(diff(ZONE, answer, there, "nearzone"), Skip)


SEEN = [
    # promise, endpoints, drain overrides, was it seen
    ("stopped", [vm("a", A, state=State.STOPPED)], [], True),
    ("draining", [vm("a", A, state=State.DRAINING)], [], True),
    ("deleted", [vm("a", A, state=State.GONE)], [], True),
    ("warming", [vm("a", A, state=State.WARMING)], [], True),
    ("drained by an override", [vm("a", A)], [Override(vm("a").key, 9.0)], True),
    ("left the name", [vm("a", A, tagged=("gpt",))], [], True),
    ("its tag names another part now", [vm("a", A, B, selected=(("llama", (Address(B, "vnet"),)),))], [], True),
    ("its tag names this part", [vm("a", A, B, selected=(("llama", (Address(A, "vnet"),)),))], [], False),
    ("nobody had it", [], [], False),
    ("still serves, so the settings changed", [vm("a", A)], [], False),
    ("cannot be read", [vm("a", A, state=State.UNKNOWN)], [], False),
    ("another one stopped", [vm("b", B, state=State.STOPPED)], [], False),
]


@pytest.mark.parametrize(("endpoints", "drains", "seen"), [row[1:] for row in SEEN], ids=[row[0] for row in SEEN])
def test_a_removal_counts_as_seen_when_an_endpoint_accounts_for_its_addresses(endpoints, drains, seen):
    assert classify_removal(diff(ZONE, NONE, ours("llama", A), "nearzone"), endpoints, drains).removal_explained is seen


def test_every_address_has_to_be_accounted_for():
    change = diff(ZONE, NONE, ours("llama", A, B), "nearzone")
    stopped = [vm("a", A, state=State.STOPPED)]
    assert not classify_removal(change, stopped).removal_explained
    assert classify_removal(change, [*stopped, vm("b", B, state=State.STOPPED)]).removal_explained


@pytest.mark.parametrize(
    ("endpoints", "drains", "urgency"),
    [
        ([vm("a", A, state=State.STOPPED), vm("b", B)], [], Urgency.WITHDRAW),
        ([vm("a", A), vm("b", B)], [Override(vm("a").key, 9.0)], Urgency.WITHDRAW),
        ([vm("b", B)], [], Urgency.WITHDRAW),
        ([vm("a", A), vm("b", B)], [], Urgency.MORE_ADDRESSES),
    ],
    ids=["stopped", "drained", "nobody's", "still serves, but others are nearer"],
)
def test_only_addresses_that_nobody_serves_are_withdrawn_in_a_hurry(endpoints, drains, urgency):
    change = diff(ZONE, wants(B), ours("llama", A), "nearzone")
    assert classify_removal(change, endpoints, drains).urgency is urgency


def removals(count, *, seen=False):
    there = [replace(ours(f"n{i}", A), name=f"n{i}") for i in range(count)]
    return [Change(ZONE.key, each.name, each, None, "gone", seen) for each in there]


LIMITS = [
    # owned record sets, unseen removals that pass
    (1, 1),
    (2, 1),
    (6, 1),
    (7, 2),
    (10, 3),
    (100, 30),
    (166, 49),
    (167, 50),
    (1000, 50),
]


@pytest.mark.parametrize(("owned", "most"), LIMITS)
def test_the_guard_lets_one_or_30_percent_go_and_never_more_than_50(owned, most):
    assert guard(ZONE, removals(most), owned) is None
    refused = guard(ZONE, removals(most + 1), owned)
    assert not refused.forced
    for part in (str(most + 1), str(owned), str(most), "force", "ai.internal"):
        assert part in refused.text


def test_what_was_seen_is_withdrawn_however_much_it_is():
    assert guard(ZONE, removals(1000, seen=True), 1000) is None


def test_the_guard_counts_sets_that_lose_every_address_and_no_other_change():
    emptied = [Change(ZONE.key, "n", ours("n", A), ours("n"), "x", removal_explained=False)] * 2
    narrowed = [Change(ZONE.key, "n", ours("n", A, B), ours("n", A), "x", removal_explained=False)] * 100
    created = [Change(ZONE.key, "n", None, ours("n", A), "x", removal_explained=False)] * 100
    assert guard(ZONE, narrowed + created + emptied[:1], 2) is None
    assert guard(ZONE, narrowed + created + emptied, 2)
