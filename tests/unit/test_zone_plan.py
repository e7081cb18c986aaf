"""The plan of a zone is a value: what may be written, what may not and why, whatever the order of what was read."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.decide.decision import NameInputs, decide
from shared.decide.plan import Change, Skip
from shared.decide.rules import Rules
from shared.decide.zone_plan import ZoneInputs, claims_by_name, dirty_names, plan_zone, unmatched_digests
from shared.domain.catalog_rows import NameIndexEntry
from shared.domain.dirty import Cause
from shared.domain.endpoints import Endpoint, State
from shared.domain.overrides import FOREVER, Override
from shared.domain.sweep_scope import SweepScope
from shared.domain.zone_findings import KeptRecord, Obstacle
from shared.domain.zones import RecordSet
from tests.support.values import EAST, LATENCY, NORTH, WEST, ours, parsed, vm, zone

ZONE = zone()
A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"
SCOPE = SweepScope((ZONE,), Cause("sweep", 1.0, "ops@example.org", "why"))
FROZEN = (Override(ZONE.key, FOREVER),)
ORPHANS = [ours(f"old-{number}", f"10.0.1.{number}") for number in range(3)]
LLAMA = vm("a", A)
LOST = RecordSet("llama", 30, (A,), (), "etag")


def planned(
    endpoints=(), record_sets=(), scope=SCOPE, *, overrides=(), complete=True, known_as_ours=(), apply=True, index=()
):
    claims = claims_by_name({each.key: each for each in endpoints}, index)
    inputs = ZoneInputs(record_sets, known_as_ours, claims, complete, 5.0)
    rules = Rules(parsed(MODE=None if apply else "shadow"), LATENCY, overrides)
    return plan_zone(ZONE, inputs, rules, scope)


def words(changes):
    return {change.name: change.word for change in changes}


def reasons(plan):
    return {skip.name: skip.reason for skip in plan.skips}


def kept(plan):
    return {record.name: record.why for record in plan.kept}


# Columns: the case, its overrides, whether reading was complete, what is forced, and what becomes of the new name, of
# a name whose endpoint was seen to stop, and of three orphaned record sets.
DIGEST = planned([], ORPHANS).unsafe.plan.digest
CASES = [
    ("allowed", {"record_sets": ORPHANS[:1]}, "create", "delete", "delete", None),
    ("frozen", {"overrides": FROZEN}, "frozen", "frozen", "frozen", None),
    ("incomplete", {"complete": False}, "create", "delete", "incomplete", None),
    ("refused", {}, "create", "delete", "refused", False),
    ("forced", {"scope": replace(SCOPE, force=frozenset({DIGEST}))}, "create", "delete", "delete", True),
    ("forced, incomplete", {"scope": replace(SCOPE, force=frozenset({DIGEST})), "complete": False},
     "create", "delete", "incomplete", None),
    ("another plan forced", {"scope": replace(SCOPE, force=frozenset({"0" * 12}))},
     "create", "delete", "refused", False),
]  # fmt: skip
WITHHELD = {"incomplete": "held back: a list was not complete", "refused": "refused by the guard"}


@pytest.mark.parametrize(("case", "given", "new", "stopped", "orphan", "forced"), CASES, ids=[c[0] for c in CASES])
def test_what_becomes_of_each_change(case, given, new, stopped, orphan, forced):
    """What was seen is always written, unless the zone is frozen; what rests on absence only under the guard."""
    record_sets = [*given.get("record_sets", ORPHANS), ours("qwen", B)]
    endpoints = [LLAMA, vm("b", B, tagged=("qwen",), state=State.STOPPED)]
    plan = planned(endpoints, **{**given, "record_sets": record_sets})
    expected = {"llama": new, "qwen": stopped} | {
        each.name: orphan for each in record_sets if each.name.startswith("old")
    }
    assert words(plan.changes) == {n: word for n, word in expected.items() if word in ("create", "delete")}
    assert {each.name for each in plan.frozen_changes} == {n for n, word in expected.items() if word == "frozen"}
    assert kept(plan) == {n: word for n, word in expected.items() if word in WITHHELD}
    for name, word in expected.items():
        if word in WITHHELD:
            assert reasons(plan)[name] == WITHHELD[word]
        if word == "frozen":
            assert reasons(plan)[name].startswith("frozen: would ")
    assert plan.drift == len(expected)
    assert plan.names == frozenset(expected)
    assert (plan.unsafe and plan.unsafe.forced) is forced
    assert bool(plan.refused) == (orphan == "refused")
    assert bool(plan.forced) == bool(forced)
    assert plan.findings.refusals == ((plan.unsafe.text,) if plan.refused else ())
    assert plan.findings.held == plan.kept


def test_a_plan_beyond_the_hard_limit_needs_the_second_word():
    many = [ours(f"old-{number}", f"10.0.1.{number}") for number in range(12)]
    refused = planned([], many)
    force = replace(SCOPE, force=frozenset({refused.unsafe.plan.digest}))
    assert planned([], many, force).refused.plan.beyond
    assert len(planned([], many, replace(force, beyond=True)).changes) == 12


def test_a_foreign_record_set_is_blocked_and_known_unless_it_is_adopted():
    foreign = RecordSet("llama", 300, (B,), (("team", "x"),), "etag")
    plan = planned([LLAMA], [foreign])
    assert not plan.changes
    assert [(each.name, each.why, each.at) for each in plan.findings.blocked] == [("llama", Obstacle.FOREIGN, 5.0)]
    assert plan.findings.alarms
    adopted = planned([LLAMA], [foreign], replace(SCOPE, adopt=frozenset({"llama", "nothing"})))
    assert words(adopted.changes) == {"llama": "adopt"}
    assert reasons(adopted) == {"nothing": "not adopted: no endpoint claims this name"}
    assert not adopted.findings.blocked
    orphan = planned([], ORPHANS[:1], replace(SCOPE, adopt=frozenset({"old-0"})))
    assert reasons(orphan) == {}, "it is ours already"
    shadow = planned([LLAMA], [foreign], replace(SCOPE, adopt=frozenset({"llama"})), apply=False)
    assert shadow.findings.blocked, "in shadow mode it is not taken over"


def test_a_record_set_that_lost_its_owner_tag_is_taken_back_by_regain_alone():
    plan = planned([LLAMA], [LOST], known_as_ours={"llama"})
    assert not plan.changes
    assert [each.why for each in plan.findings.blocked] == [Obstacle.LOST]
    regain = planned(
        [LLAMA, vm("b", B, tagged=("qwen",))], [LOST], replace(SCOPE, regain=True), known_as_ours={"llama"}
    )
    assert words(regain.changes) == {"llama": "adopt"}
    assert regain.names == {"llama"}, "names that have lost nothing are not planned"


def test_only_names_in_scope_are_planned_and_findings_tell_of_all():
    foreign = RecordSet("qwen", 300, (B,), (), "etag")
    plan = planned([LLAMA, vm("b", B, tagged=("qwen",))], [foreign], replace(SCOPE, names=frozenset({"llama"})))
    assert plan.names == {"llama"}
    assert [each.name for each in plan.findings.blocked] == ["qwen"]


def test_what_the_zone_holds_of_a_claimant_that_cannot_be_read_is_kept():
    unread = Endpoint(LLAMA.id, LLAMA.kind, WEST, ("llama",), None, LLAMA.addresses, State.UNKNOWN)
    plan = planned([unread], [ours("llama", A)])
    assert (plan.changes, plan.kept) == ((), (KeptRecord("llama", (A,), "kept"),))


def test_an_endpoint_that_left_a_name_explains_the_removal_as_long_as_the_index_tells():
    left = vm("a", A, tagged=("qwen",))
    there = [ours("llama", A), *ORPHANS[:1]]
    index = [NameIndexEntry("llama", left.key, 0.0)]
    assert "llama" in words(planned([left], there, index=index).changes)
    assert reasons(planned([left], there))["llama"] == "refused by the guard"


def test_a_dry_run_plans_what_the_sweep_writes():
    """There is no flag below the scope that could change the plan."""
    endpoints, there = [LLAMA, vm("b", B, tagged=("qwen",))], [*ORPHANS, ours("llama", C)]
    assert planned(endpoints, there, replace(SCOPE, dry_run=True)) == planned(endpoints, there)


def test_the_marks_of_a_plan_carry_the_guards_approval_but_not_in_a_frozen_zone():
    there = [ours("llama", C), *ORPHANS[:1]]
    marks = {mark.name: mark for mark in dirty_names(planned([LLAMA], there), SCOPE, 5.0)}
    assert {name: mark.cleared for name, mark in marks.items()} == {"llama": False, "old-0": True}
    found = marks["old-0"]
    assert (found.zone, found.holds, found.held_at) == (ZONE.key, ORPHANS[0].addresses, 5.0)
    assert (found.cause, found.since, found.by, found.reason_given) == ("sweep", 1.0, "ops@example.org", "why")
    frozen = dirty_names(planned([LLAMA], there, overrides=FROZEN), SCOPE, 5.0)
    assert {mark.name: mark.cleared for mark in frozen} == {"llama": False, "old-0": False}


def test_a_digest_that_is_no_plan_is_told():
    plan = planned([], ORPHANS)
    assert unmatched_digests([plan], {plan.unsafe.plan.digest}) == []
    (note,) = unmatched_digests([plan], {plan.unsafe.plan.digest, "0" * 12})
    assert note.startswith(f"force {'0' * 12}: ")


NAMES = ("llama", "qwen", "own-a")
ENDPOINTS = st.lists(
    st.builds(
        lambda i, addresses, region, state, tagged, own, doubt: vm(
            f"v{i}", *addresses, region=region, state=state, tagged=tagged, own=own, doubt=doubt
        ),
        st.integers(1, 8),
        st.lists(st.sampled_from([A, B, C, "192.168.0.1"]), max_size=2, unique=True),
        st.sampled_from([WEST, NORTH, EAST]),
        st.sampled_from([State.SERVING] * 4 + list(State)),
        st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
        st.sampled_from([None, "own-a"]),
        st.sampled_from(["", "", "cannot be read"]),
    ),
    max_size=8,
    unique_by=lambda e: e.id,
)
RECORD_SETS = st.lists(
    st.builds(
        lambda name, addresses, tags, auto: RecordSet(name, 30, tuple(addresses), tags, "etag", auto),
        st.sampled_from([*NAMES, *(f"old-{number}" for number in range(4))]),
        st.lists(st.sampled_from([A, B, C]), max_size=2, unique=True),
        st.sampled_from([(("nearzone-owner", "nearzone"),)] * 4 + [(), (("nearzone-owner", "other"),)]),
        st.sampled_from([False] * 9 + [True]),
    ),
    max_size=7,
    unique_by=lambda r: r.name,
)
KNOWN = st.sets(st.sampled_from([*NAMES, "old-0", "old-1"]))
SCOPES = st.builds(
    lambda names, adopt, regain: replace(SCOPE, names=names, adopt=adopt, regain=regain),
    st.one_of(st.none(), st.frozensets(st.sampled_from(NAMES))),
    st.frozensets(st.sampled_from([*NAMES, "nothing"]), max_size=2),
    st.booleans(),
)
OVERRIDES = st.sampled_from([(), (), FROZEN, (Override(EAST, FOREVER),)])


@given(ENDPOINTS, RECORD_SETS, KNOWN, SCOPES, OVERRIDES, st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_equal_readings_give_equal_plans_in_whatever_order_they_come(
    endpoints, record_sets, known, scope, overrides, complete, chance
):
    more = {"overrides": overrides, "complete": complete}
    index = [NameIndexEntry(name, each.key, 0.0) for each in endpoints for name in NAMES]
    plan = planned(endpoints, record_sets, scope, known_as_ours=sorted(known), index=index, **more)
    for values in (endpoints, record_sets, index):
        chance.shuffle(values)
    again = planned(endpoints, record_sets, scope, known_as_ours=sorted(known, reverse=True), index=index, **more)
    assert plan == again
    for values in (plan.changes, plan.frozen_changes, plan.skips, plan.kept):
        assert [each.name for each in values] == sorted(each.name for each in values)


@given(ENDPOINTS, RECORD_SETS, KNOWN, SCOPES, st.booleans())
@settings(max_examples=200)
def test_every_change_of_a_plan_is_the_decision_about_its_name(endpoints, record_sets, known, scope, complete):
    """A zone worker that reads the same decides the same; the plan only leaves out what may not be written."""
    plan = planned(endpoints, record_sets, scope, known_as_ours=known, complete=complete)
    there, rules = {each.name: each for each in record_sets}, Rules(parsed(), LATENCY, ())
    claims = claims_by_name({each.key: each for each in endpoints}, ())
    for name in plan.names:
        actual = there.get(name)
        was_ours = actual is not None and not actual.metadata and not actual.auto_registered and name in known
        adopt = name in scope.adopt or (scope.regain and was_ours)
        found = decide(ZONE, NameInputs(name, claims.get(name, ()), actual, was_ours=was_ours, adopt=adopt), rules)
        written = [change for change in plan.changes if change.name == name]
        if isinstance(found.outcome, Change):
            assert written == [found.outcome] or found.outcome.needs_approval
        else:
            assert not written
            if isinstance(found.outcome, Skip):
                assert found.outcome in plan.skips
