"""What a sweep reads where Resource Graph shows what has opted in: what is new, differs or is due, and no list more."""

from dataclasses import replace

import pytest

from shared.decide.sweep_reads import READS_PER_SWEEP, choose_reads
from shared.domain.catalog_rows import Versioned
from shared.domain.endpoints import Endpoint, EndpointRow, State
from shared.domain.resource_graph import VM, GraphFindings, GraphResource
from tests.support.values import OTHER_SUB, SUB, vm

LOAD_BALANCER, INSTANCE = "microsoft.network/loadbalancers", "microsoft.compute/virtualmachinescalesets/virtualmachines"
KINDS = {VM, LOAD_BALANCER, INSTANCE}
FEW = {SUB: 10_000}
"""A subscription of many VMs, few of which have opted in."""
FRESH = [vm(f"fresh-{number:03}", "10.0.1.1", group="fresh") for number in range(READS_PER_SWEEP)]
"""These were not read for the longest time, so that nothing else is due."""


def rows(*endpoints, at=100.0):
    known = {each.key: Versioned(EndpointRow(each, seen_at=at), "etag") for each in endpoints}
    return known | {each.key: Versioned(EndpointRow(each, seen_at=1.0), "etag") for each in FRESH}


def hint(endpoint, **changed):
    power = "deallocated" if endpoint.state == State.STOPPED else "running"
    own = endpoint.parent or endpoint.id
    shown = GraphResource(own, endpoint.kind, endpoint.tagged, endpoint.own, endpoint.state == State.DRAINING, power)
    return replace(shown, **changed)


def read(known, hints, vms=FEW):
    """What is read and listed, but for what is due."""
    found = GraphFindings((*hints, *map(hint, FRESH)), vms)
    reads = choose_reads(known, found, vms.keys(), KINDS)
    due = {each.key for each in FRESH}
    return sorted(each.id for each in reads.vms if each.key not in due), sorted(reads.lists)


A = vm("a", "10.0.0.1", own="a")
STOPPED, DRAINING, WARMING = (replace(A, state=each) for each in (State.STOPPED, State.DRAINING, State.WARMING))
GONE = replace(A, state=State.GONE)


@pytest.mark.parametrize(("known", "shown", "is_read"), [
    (A, hint(A), False),
    (A, hint(A, id=A.id.upper()), False),
    (A, hint(A, power=""), False),
    (A, hint(A, power="starting"), False),
    (WARMING, hint(A), False),
    (STOPPED, hint(STOPPED), False),
    (STOPPED, hint(STOPPED, drained=True), False),
    (DRAINING, hint(DRAINING), False),
    (GONE, None, False),
    (replace(A, tagged=(), own=None), None, False),
    (None, hint(A), True),
    (A, None, True),
    (A, hint(A, tagged=("phi",)), True),
    (A, hint(A, own=None), True),
    (A, hint(A, drained=True), True),
    (DRAINING, hint(A), True),
    (A, hint(A, power="deallocated"), True),
    (WARMING, hint(A, power="stopping"), True),
    (STOPPED, hint(A), True),
    (GONE, hint(A), True),
    (replace(A, tagged=(), own=None), hint(A), True),
    (replace(A, doubt="HTTP 403"), hint(A), True),
    (replace(A, state=State.UNKNOWN), hint(A), True),
])  # fmt: skip
def test_a_vm_is_read_if_it_is_new_or_missing_or_shown_differently(known, shown, is_read):
    found = read(rows(*filter(None, [known])), filter(None, [shown]))
    assert found[0] == ([shown.id if shown else known.id] if is_read else [])
    assert found[1] == []


def test_what_is_read_by_get_has_its_names_and_nothing_that_a_get_has_to_show():
    reads = choose_reads(rows(), GraphFindings((), FEW), [SUB], KINDS)
    assert {(each.tagged, each.state, each.addresses) for each in reads.vms} == {(("llama",), State.UNKNOWN, ())}


def test_a_kind_other_than_vms_is_listed_where_something_of_it_differs():
    balancer = Endpoint(f"/subscriptions/{SUB}/resourceGroups/g/providers/{LOAD_BALANCER}/lb", LOAD_BALANCER)
    balancer = replace(balancer, tagged=("llama",), own="lb", state=State.SERVING)
    place = [(SUB, LOAD_BALANCER)]
    assert read(rows(balancer), [hint(balancer)]) == ([], [])
    assert read(rows(), [hint(balancer)]) == ([], place)
    assert read(rows(balancer), []) == ([], place)
    assert read(rows(balancer), [hint(balancer, tagged=())]) == ([], place)
    assert read(rows(balancer), [hint(balancer, drained=True)]) == ([], place)
    assert read(rows(replace(balancer, state=State.DRAINING)), [hint(balancer)]) == ([], place)
    assert read(rows(replace(balancer, doubt="HTTP 403")), [hint(balancer)]) == ([], place)


def test_instances_are_compared_with_the_tags_of_their_scale_set():
    group = f"/subscriptions/{SUB}/resourceGroups/g/providers/microsoft.compute/virtualmachinescalesets/pool"
    one = Endpoint(f"{group}/virtualMachines/0", INSTANCE, tagged=("llama",), own="pool", parent=group.lower())
    one, other = replace(one, state=State.SERVING), replace(one, id=f"{group}/virtualMachines/1", state=State.STOPPED)
    assert read(rows(one, other), [hint(one)]) == ([], [])
    assert read(rows(one, other), [hint(one, tagged=("phi",))]) == ([], [(SUB, INSTANCE)])


def test_those_that_were_not_read_for_the_longest_time_are_read_resource_group_by_resource_group():
    old = [vm(f"old-{number:02}", "10.0.0.1", group=f"g{number % 2}") for number in range(READS_PER_SWEEP)]
    new = [vm(f"new-{number:02}", "10.0.0.1", group="new") for number in range(READS_PER_SWEEP)]
    known = {each.key: Versioned(EndpointRow(each, seen_at=9.0), "etag") for each in new}
    known |= {each.key: Versioned(EndpointRow(each, seen_at=5.0 + at % 2), "etag") for at, each in enumerate(old)}
    found = GraphFindings(tuple(map(hint, (*new, *old))), FEW)
    reads = choose_reads(known, found, [SUB], KINDS)
    assert {each.id for each in reads.vms} == {each.id for each in old}
    assert reads.known == {SUB: len(new)}


def test_of_a_large_resource_group_a_part_is_read_and_all_of_it_in_turn():
    many = [vm(f"x-{number:03}", "10.0.0.1") for number in range(2 * READS_PER_SWEEP + 50)]
    seen = dict.fromkeys((each.key for each in many), 0.0)
    found = GraphFindings(tuple(map(hint, many)), FEW)
    for sweep in range(1, 4):
        known = {each.key: Versioned(EndpointRow(each, seen_at=seen[each.key]), "etag") for each in many}
        reads = choose_reads(known, found, [SUB], KINDS)
        assert len(reads.vms) == READS_PER_SWEEP
        seen |= dict.fromkeys((each.key for each in reads.vms), float(sweep))
    assert 0.0 not in seen.values()


def test_a_subscription_is_listed_if_it_is_not_shown_or_if_lists_tell_much():
    everything = sorted((OTHER_SUB, kind) for kind in KINDS)
    assert read(rows(), [], {SUB: 10_000}) == ([], [])
    assert choose_reads({}, GraphFindings((), {}), [OTHER_SUB], KINDS).lists == frozenset(everything)
    dense = tuple(hint(vm(f"d-{number}", subscription=OTHER_SUB)) for number in range(200))
    listed = choose_reads({}, GraphFindings(dense, {OTHER_SUB: 250}), [OTHER_SUB], KINDS)
    assert (sorted(listed.lists), listed.vms) == (everything, ())
    sparse = choose_reads({}, GraphFindings(dense, {OTHER_SUB: 10_000}), [OTHER_SUB], KINDS)
    assert (sparse.lists, len(sparse.vms)) == (frozenset(), 200)
