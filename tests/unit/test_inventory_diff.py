"""What a sweep records, reads and looks for: what lists and rows say differently, and never what they agree on."""

from dataclasses import replace

from shared.decide.inventory_diff import diff_inventory
from shared.domain.catalog_rows import Versioned
from shared.domain.endpoints import EndpointRow, Listing, State
from tests.support.values import SUB, vm

A, B = vm("a", "10.0.0.1"), vm("b", "10.0.0.2")
UNREAD = replace(B, state=State.UNKNOWN)


def row(endpoint, *todo):
    return {endpoint.key: Versioned(EndpointRow(endpoint, frozenset(todo)), "etag")}


def listing(*endpoints, needs_get=(), error=""):
    return Listing(SUB, A.kind, endpoints, needs_get, error)


def ids(pairs):
    return [endpoint.id for endpoint, _ in pairs]


def test_what_a_list_says_differently_is_recorded_and_what_it_repeats_is_not():
    stopped = replace(A, state=State.STOPPED)
    assert ids(diff_inventory(row(A), [listing(A)]).differing) == []
    assert ids(diff_inventory(row(A), [listing(replace(A, id=A.id.upper()))]).differing) == []
    assert ids(diff_inventory(row(A), [listing(stopped)]).differing) == [A.id]
    assert ids(diff_inventory(row(A, "llama"), [listing(A)]).differing) == [A.id], "its recording is not done"
    assert ids(diff_inventory(row(A), [listing(A)], rewrites=True).differing) == [A.id]


def test_a_new_endpoint_is_recorded_if_it_claims_something():
    assert ids(diff_inventory({}, [listing(A, vm("plain", "10.0.0.9", tagged=()))]).differing) == [A.id]


def test_a_known_endpoint_is_missing_only_from_a_complete_list():
    assert diff_inventory(row(A), [listing(B)]).missing == (A,)
    assert diff_inventory(row(A), [listing(B, error="HTTP 502")]).missing == ()
    assert diff_inventory(row(A), []).missing == (), "its subscription was not listed"
    assert diff_inventory(row(replace(A, state=State.GONE)), [listing()]).missing == ()
    gone = replace(A, state=State.GONE)
    assert diff_inventory(row(gone, "llama"), [listing(error="HTTP 502")]).missing == (gone,), (
        "its names are not marked"
    )


def test_what_a_list_leaves_open_is_read_and_enlisted_first_where_its_state_is_not_known():
    open_endpoints = [listing(needs_get=(UNREAD,))]
    assert ids(diff_inventory({}, open_endpoints).unknown) == [B.id]
    assert ids(diff_inventory(row(UNREAD), open_endpoints).unknown) == [B.id]
    assert ids(diff_inventory(row(replace(B, state=State.GONE)), open_endpoints).unknown) == [B.id]
    known = diff_inventory(row(B), open_endpoints)
    assert (ids(known.unknown), ids(known.needs_get), known.missing, known.listed) == ([], [B.id], (), 1)


def test_claimants_of_service_names_come_before_host_names():
    host = replace(vm("h", "10.0.0.3", tagged=(), own="h"), state=State.UNKNOWN)
    last = replace(vm("z", "10.0.0.4", tagged=("zephyr",)), state=State.UNKNOWN)
    found = diff_inventory({}, [listing(needs_get=(host, last, UNREAD))])
    assert ids(found.unknown) == [UNREAD.id, last.id, host.id]
