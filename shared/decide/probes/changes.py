"""Which names a new row of a vantage concerns, and what is left of a row that has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from shared.config.settings import Settings
from shared.decide.distance import FAR, exchanged
from shared.decide.probes.reorder import places_of_names
from shared.domain.dirty import Urgency
from shared.domain.probes import Distances, Target, TargetKey, VantageRow, Verdict, VerdictKind

_UNFINISHED = "an earlier round ended before it marked the name"
_SEVERITY = {None: 0, VerdictKind.RETURNING: 1, VerdictKind.WAITING: 2, VerdictKind.DOWN: 3}


class NameChange(msgspec.Struct, frozen=True):
    """Why a name must be marked dirty. `everywhere`: in all zones; otherwise in those of the vantage's region.

    `cause`: text for the operator, made of fixed words, names and numbers.
    """

    urgency: Urgency
    everywhere: bool
    cause: str


def changed_names(
    old: VantageRow,
    new: VantageRow,
    targets: Iterable[Target],
    settings: Settings,
    published: Callable[[str], float | None],
) -> Mapping[str, NameChange]:
    """Return the names whose answers can differ between two rows, by name. Times are taken from the rows.

    `targets`: those of the endpoints as they were read after `new` was written, so that no name is missed that was
    claimed meanwhile. A verdict against an endpoint that does not serve any more concerns no name. `published`: as in
    `judge`.
    """
    known = tuple(targets)
    return _by_name(
        (
            *_verdict_changes(old, new, known, settings),
            *_order_changes(old, new, known, settings, published),
        )
    )


def names_to_mark(
    old: VantageRow,
    written: VantageRow,
    targets: Iterable[Target],
    settings: Settings,
    published: Callable[[str], float | None],
) -> Mapping[str, NameChange]:
    """Return the names that `changed_names` gives, and those that the old row had left to be marked.

    A name of both gets the greater urgency and all zones of both. Arguments as in `changed_names`.
    """
    known = tuple(targets)
    left, changed = left_behind(old, known, settings), changed_names(old, written, known, settings, published)
    return _by_name((*changed.items(), *left.items()))


def changed_endpoints(old: VantageRow, new: VantageRow) -> frozenset[str]:
    """Return the endpoints against which something else is said than before."""
    before, after = ({each.key: each for each in row.verdicts} for row in (old, new))
    return frozenset(key[0] for key in {*before, *after} if _says(before.get(key)) != _says(after.get(key)))


def left_behind(row: VantageRow, targets: Iterable[Target], settings: Settings) -> Mapping[str, NameChange]:
    """Return the names that an earlier round, or the drain timer, should have marked and perhaps did not.

    A name whose new order is pending is left out, unless a verdict concerns it: the round that releases it marks it.
    """
    known = tuple(targets)
    named = {name for target in known if target.endpoint in row.todo for name in target.names}
    found = {name: NameChange(Urgency.WITHDRAW, True, _UNFINISHED) for name in named}
    if row.reordered:
        ranked = {name for name, places in places_of_names(known, settings).items() if len(places) > 1}
        waiting = row.distances.pending
        found = {name: NameChange(Urgency.OTHER, False, _UNFINISHED) for name in ranked - waiting} | found
    return {name: found[name] for name in sorted(found)}


def _by_name(changes: Iterable[tuple[str, NameChange]]) -> Mapping[str, NameChange]:
    found: dict[str, NameChange] = {}
    for name, change in changes:
        before = found.get(name)
        found[name] = _merged(before, change) if before else change
    return dict(sorted(found.items()))


def _merged(one: NameChange, other: NameChange) -> NameChange:
    first = min(one, other, key=lambda each: each.urgency)
    return replace(first, everywhere=one.everywhere or other.everywhere)


def _verdict_changes(
    old: VantageRow, new: VantageRow, targets: Iterable[Target], settings: Settings
) -> Iterator[tuple[str, NameChange]]:
    """The names of targets against which something else is said than before."""
    before = {each.key: each for each in old.verdicts}
    after = {each.key: each for each in new.verdicts}
    if not before and not after:
        return
    by_key: dict[TargetKey, Target] = {each.key: each for each in targets}
    for key in sorted({*before, *after} & by_key.keys()):
        was, now = before.get(key), after.get(key)
        if _says(was) != _says(now):
            everywhere = any(each.everywhere for each in (was, now) if each)
            for name in by_key[key].names:
                if not _is_ignored(was, name, settings) or not _is_ignored(now, name, settings):
                    urgency = _urgency(was, now, host=name not in by_key[key].tagged)
                    yield name, NameChange(urgency, everywhere, _cause(new.vantage, key[1], was, now))


def _says(verdict: Verdict | None) -> tuple[VerdictKind, bool] | None:
    return (verdict.kind, verdict.everywhere) if verdict else None


def _is_ignored(verdict: Verdict | None, name: str, settings: Settings) -> bool:
    """Whether a verdict makes no difference to a name (see `_healthy` in `routing.py`)."""
    return verdict is None or (verdict.kind == VerdictKind.WAITING and not settings.policy(name).wait_minutes)


def _urgency(was: Verdict | None, now: Verdict | None, *, host: bool) -> Urgency:
    """A withdrawal is as urgent as a stop, a return as a start."""
    before, after = (_SEVERITY[each.kind if each else None] for each in (was, now))
    wider = now is not None and now.everywhere and not (was and was.everywhere)
    if after > before or (after == before and wider):
        return Urgency.HOST_WITHDRAW if host else Urgency.WITHDRAW
    return Urgency.HOST_FIRST_ADDRESS if host else Urgency.FIRST_ADDRESS


def _cause(vantage: str, ip: str, was: Verdict | None, now: Verdict | None) -> str:
    if now:
        return f"probes from {vantage}: {ip} is {now.words}"
    return f"probes from {vantage}: {ip} is no longer {was.kind.value}" if was else f"probes from {vantage}"


def _order_changes(
    old: VantageRow,
    new: VantageRow,
    targets: Iterable[Target],
    settings: Settings,
    published: Callable[[str], float | None],
) -> Iterator[tuple[str, NameChange]]:
    """The names that a measured order or value concerns in another way than before, in the zones of the vantage."""
    if not old.distances.order and not new.distances.order:
        return
    if not reorders(old, new):
        return
    for name, places in places_of_names(targets, settings).items():
        tolerates = settings.policy(name).tolerance_ms > 0
        views = [_view(each.distances, name, places, published, with_ms=tolerates) for each in (old, new)]
        if len(places) > 1 and views[0] != views[1]:
            yield name, NameChange(Urgency.OTHER, False, f"distances measured from {new.vantage}")


def reorders(old: VantageRow, new: VantageRow) -> bool:
    """Return whether measured distances may decide in another way than before."""
    views = [(d.ms, d.order, d.previous, d.pending) for d in (old.distances, new.distances)]
    return views[0] != views[1]


def _view(
    distances: Distances,
    name: str,
    places: Mapping[str, str],
    published: Callable[[str], float | None],
    *,
    with_ms: bool,
) -> tuple[object, ...]:
    """The order of a name's places as it decides, and their values where the policy compares these."""
    effective = {place if place in distances.ms else region: region for place, region in places.items()}
    keys = {place: published(region) for place, region in effective.items()}
    ranked = sorted(effective, key=lambda place: (FAR if (ms := keys[place]) is None else ms, place))
    order = exchanged(ranked, distances.order_for(name), distances.ms)
    return tuple((place, distances.ms.get(place) if with_ms else None) for place in order)


def ended(row: VantageRow, now: float) -> VantageRow:
    """Return the row without verdicts and distances that have ended at `now`; the same row if none has.

    `todo` and `reordered` then say what must be marked.
    """
    found = row
    if row.verdicts and row.until <= now:
        found = replace(found, verdicts=(), kept=())
    if row.distances.order and row.distances.until <= now:
        found = replace(found, distances=Distances())
    return found if found is row else to_be_marked(row, found)


def to_be_marked(old: VantageRow, new: VantageRow) -> VantageRow:
    """Return the new row with what it and earlier ones leave to be marked."""
    todo = old.todo | changed_endpoints(old, new)
    return replace(new, todo=todo, reordered=old.reordered or reorders(old, new))
