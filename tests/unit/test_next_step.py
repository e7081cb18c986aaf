"""What the zone worker does about a dirty name: it writes what the catalog knows enough of and the guard permits."""

import pytest

from shared.decide.decision import (
    ADDITIONS_HELD_SECONDS,
    CATALOG_INCOMPLETE_SECONDS,
    CLAIMANTS_UNREAD_SECONDS,
    Decision,
    HoldBack,
    next_step,
    unread_claimants,
)
from shared.decide.plan import Change, Skip
from shared.domain.endpoints import EndpointRow, State
from shared.domain.zones import Answer, RecordSet
from tests.support.values import vm, zone

ZONE = zone()
ONE, TWO = (RecordSet("llama", 30, addresses) for addresses in (("10.0.0.1",), ("10.0.0.1", "10.0.0.2")))
WIDENS = Change(ZONE.id, "llama", ONE, TWO, "")
NARROWS = Change(ZONE.id, "llama", TWO, ONE, "")
EMPTIES = Change(ZONE.id, "llama", ONE, None, "", removal_explained=False)
EXPLAINED = Change(ZONE.id, "llama", ONE, None, "")
SKIP = Skip(ZONE.id, "llama", "is not ours")
GUARD = Skip(ZONE.id, "llama", "no endpoint accounts for its addresses: a sweep decides, under guard")
INCOMPLETE = HoldBack("not narrowed before a complete sweep", CATALOG_INCOMPLETE_SECONDS)
UNREAD = HoldBack("2 of its claimants are being read", CLAIMANTS_UNREAD_SECONDS)


@pytest.mark.parametrize(
    ("outcome", "unread", "approved", "complete", "step"),
    [
        (None, 0, False, True, None),
        (None, 2, False, True, UNREAD),
        (SKIP, 2, False, False, SKIP),
        (WIDENS, 2, False, False, WIDENS),
        (NARROWS, 0, False, True, NARROWS),
        (NARROWS, 0, True, False, INCOMPLETE),
        (EXPLAINED, 0, False, True, EXPLAINED),
        (EXPLAINED, 0, False, False, INCOMPLETE),
        (EMPTIES, 0, False, True, GUARD),
        (EMPTIES, 0, True, True, EMPTIES),
        (EMPTIES, 0, True, False, INCOMPLETE),
    ],
)
def test_a_change_is_written_if_the_catalog_is_complete_enough_and_a_removal_is_explained_or_approved(
    outcome, unread, approved, complete, step
):
    decision = Decision(Answer("llama", (), 30, ""), outcome)
    assert next_step(ZONE, decision, unread=unread, guard_approved=approved, catalog_complete=complete) == step


@pytest.mark.parametrize(("change", "narrows"), [(WIDENS, False), (NARROWS, True), (EMPTIES, True), (SKIP, False)])
def test_a_decision_narrows_where_addresses_go_away(change, narrows):
    assert Decision(Answer("llama", (), 30, ""), change).narrows is narrows


def test_a_claimant_that_was_listed_a_moment_ago_and_not_read_is_unread():
    now = 1000.0
    rows = [
        EndpointRow(vm("listed", state=State.UNKNOWN), seen_at=now - ADDITIONS_HELD_SECONDS + 1),
        EndpointRow(vm("long-ago", state=State.UNKNOWN), seen_at=now - ADDITIONS_HELD_SECONDS),
        EndpointRow(vm("read", "10.0.0.1"), seen_at=now),
    ]
    assert unread_claimants(rows, now) == 1
