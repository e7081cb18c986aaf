"""What a sweep reads where Resource Graph shows what has opted in: lists where they tell much, else single VMs. Pure.

Resource Graph shows hints, which may be minutes old. So every endpoint is read that is new in it, missing from it or
differs from the catalog, and in addition those that were not read for the longest time: what no event and no hint shows
(an address, health) is corrected within a known number of sweeps.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.config.settings import Settings
from shared.decide.inventory_diff import Rows
from shared.domain.endpoints import Endpoint, EndpointRow, State
from shared.domain.resource_graph import VM, GraphFindings, GraphResource

Place = tuple[str, str]
"""A subscription and a kind: what one list shows."""

SUBSCRIPTIONS_LISTED = 10
"""Up to so many subscriptions, a sweep lists everything: the truth of every endpoint costs few calls."""
READS_PER_SWEEP = 100
"""Endpoints that each sweep reads because they were not read for the longest time. A fleet of this size is read as a
whole in each sweep, one of 2,000 endpoints within 20 sweeps. At a VM and a part of a list of NICs each, it leaves the
budgets of Resource Manager nearly untouched (25 reads a second in each subscription)."""
SETTLED_SECONDS = 300.0
"""Seconds after which Resource Graph is taken to show what has changed: five times the published 60 seconds."""
_VMS_PER_PAGE = 50
"""VMs in a page of a list, if ARM asks one region after the other (Azure/azure-sdk-for-node#4769)."""
_LISTS = 6
"""Calls of the lists of a small subscription."""
_RUNNING = ("running", "starting", "", "unknown")
"""Power states of a hint that do not show that a VM has stopped."""


def prefers_graph(settings: Settings) -> bool:
    """Whether sweeps ask Resource Graph, and list everything only if it cannot be read."""
    many = len(settings.subscriptions) > SUBSCRIPTIONS_LISTED
    return settings.resource_graph == "always" or (settings.resource_graph == "auto" and many)


@dataclass(frozen=True, slots=True)
class SweepReads:
    """What a sweep reads. `lists`: the places to list. `vms`: the VMs to read by GET, with the names of the hint.

    `known`: how many other endpoints Resource Graph shows as the catalog knows them, by subscription; 0 for those in
    which nothing has opted in. Subscriptions of which everything is listed are not in it.
    """

    lists: frozenset[Place]
    vms: tuple[Endpoint, ...]
    known: Mapping[str, int]


@dataclass(slots=True)
class _Known:
    """Endpoints that need not be read now, and are read together: the VMs of a resource group, or a place."""

    place: Place
    rows: list[EndpointRow] = field(default_factory=list)

    @property
    def age(self) -> tuple[float, str]:
        """The order in which they are read."""
        return min(row.seen_at for row in self.rows), self.rows[0].endpoint.key


def choose_reads(
    rows: Rows, found: GraphFindings, subscriptions: Collection[str], kinds: Collection[str]
) -> SweepReads:
    """Choose what to read. `subscriptions`, `kinds`: all that are watched."""
    opted = Counter(each.subscription for each in found.resources if each.kind == VM)
    whole = {each for each in subscriptions if each not in found.vms or _lists_are_cheap(found.vms[each], opted[each])}
    rest = {each for each in subscriptions if each not in whole}
    stored = [row.value for row in rows.values() if row.value.endpoint.subscription in rest and _is_current(row.value)]
    hints = [each for each in found.resources if each.subscription in rest]
    vms, known = _changed_vms(
        [row for row in stored if row.endpoint.kind == VM], [each for each in hints if each.kind == VM]
    )
    lists, quiet = _changed_places(
        [row for row in stored if row.endpoint.kind in kinds and row.endpoint.kind != VM],
        [each for each in hints if each.kind != VM],
    )
    due, left = _longest_unread([*known, *quiet])
    lists |= {each.place for each in due if each.place[1] != VM}
    vms += [_to_read(row.endpoint) for each in due if each.place[1] == VM for row in each.rows]
    counts = Counter(each.place[0] for each in left for _ in each.rows)
    everything = {(each, kind) for each in whole for kind in kinds}
    return SweepReads(frozenset(lists | everything), tuple(vms), {each: counts[each] for each in sorted(rest)})


def _to_read(vm: GraphResource | Endpoint) -> Endpoint:
    """Return a VM with its names alone: all else is what its GET shows."""
    return Endpoint(vm.id, VM, tagged=vm.tagged, own=vm.own)


def _lists_are_cheap(vms: int, opted: int) -> bool:
    """Whether a call of the lists of a subscription tells the truth of two endpoints or more."""
    return opted >= 2 * (_LISTS + 2 * vms / _VMS_PER_PAGE)


def _is_current(row: EndpointRow) -> bool:
    return row.endpoint.is_relevant and row.endpoint.state != State.GONE


def _changed_vms(rows: Sequence[EndpointRow], hints: Sequence[GraphResource]) -> tuple[list[Endpoint], list[_Known]]:
    """Return the VMs that are to be read, and the others by resource group."""
    by_key = {row.endpoint.key: row for row in rows}
    shown = {each.key: each for each in hints}
    wanted = [_to_read(row.endpoint) for key, row in by_key.items() if key not in shown]
    groups: defaultdict[str, list[EndpointRow]] = defaultdict(list)
    for key, hint in shown.items():
        row = by_key.get(key)
        if row is None or _is_doubtful(row) or _differs(hint, row.endpoint):
            wanted.append(_to_read(hint))
        else:
            groups[key.partition("/providers/")[0]].append(row)
    return wanted, [_Known((group[0].endpoint.subscription, VM), group) for group in groups.values()]


def _changed_places(rows: Iterable[EndpointRow], hints: Iterable[GraphResource]) -> tuple[set[Place], list[_Known]]:
    """Return the places in which something differs, and the others."""
    known: dict[Place, _Known] = {}
    shown: defaultdict[Place, dict[str, GraphResource]] = defaultdict(dict)
    for hint in hints:
        shown[hint.subscription, hint.kind][hint.key] = hint
    for row in rows:
        place = row.endpoint.subscription, row.endpoint.kind
        known.setdefault(place, _Known(place)).rows.append(row)
    changed = {place for place in known.keys() | shown.keys() if _place_differs(known.get(place), shown[place])}
    return changed, [each for place, each in known.items() if place not in changed]


def _place_differs(known: _Known | None, shown: Mapping[str, GraphResource]) -> bool:
    """Whether Resource Graph and the catalog differ in a place, or an endpoint in it is in doubt."""
    met = set()
    for row in known.rows if known else ():
        hint = shown.get(row.endpoint.parent) or shown.get(row.endpoint.key)
        if hint is None or _is_doubtful(row) or _tags_differ(hint, row.endpoint):
            return True
        met.add(hint.key)
    return met != shown.keys()


def _is_doubtful(row: EndpointRow) -> bool:
    """Whether the row does not say how the endpoint is."""
    return bool(row.endpoint.doubt) or row.endpoint.state == State.UNKNOWN


def _tags_differ(hint: GraphResource, endpoint: Endpoint) -> bool:
    """Whether a hint has other names, or another drain tag than the endpoint's state shows."""
    drains = hint.drained != (endpoint.state == State.DRAINING) and endpoint.state != State.STOPPED
    return drains or (hint.tagged, hint.own) != (endpoint.tagged, endpoint.own)


def _differs(hint: GraphResource, vm: Endpoint) -> bool:
    runs = hint.power in _RUNNING
    return _tags_differ(hint, vm) or (bool(hint.power) and runs != (vm.state != State.STOPPED))


def _longest_unread(known: Iterable[_Known]) -> tuple[list[_Known], list[_Known]]:
    """Return what is read in this sweep, and the rest.

    Whole resource groups, for one list of NICs then has the addresses of many VMs. At least one, and of a large group
    the part that was not read for the longest time.
    """
    due: list[_Known] = []
    left: list[_Known] = []
    reads = READS_PER_SWEEP
    for each in sorted(known, key=lambda each: each.age):
        if each.place[1] == VM and 0 < reads < len(each.rows):
            oldest = sorted(each.rows, key=lambda row: row.seen_at)
            due.append(_Known(each.place, oldest[:reads]))
            left.append(_Known(each.place, oldest[reads:]))
        else:
            (due if reads > 0 else left).append(each)
        reads -= len(each.rows)
    return due, left
