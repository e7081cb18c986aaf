"""The whole decision of a round: from the evidence to the next row of the vantage.

It is level-triggered: it depends on the evidence and the last row, not on what changed, so that a lost round loses
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from shared.config.settings import Settings
from shared.decide.probes import distances as measuring
from shared.decide.probes.reorder import affected, release
from shared.decide.probes.round_alarms import alarms_of, kept_names
from shared.decide.probes.sight import Sight, after_suspicion, look
from shared.decide.probes.verdicts import settled, verdicts
from shared.domain.probes import Distances, Evidence, Target, TargetKey, VantageRow, VerdictKind


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a round has decided. `evidence`: with `down_since`, `up_at` and `withdrawals` set, to be stored.

    `row`: the vantage's next row. The caller sets `seconds` and `todo`; `todo` comes as it was in the previous row.
    """

    evidence: Mapping[TargetKey, Evidence]
    row: VantageRow


def judge(
    evidence: Mapping[TargetKey, Evidence],
    targets: Iterable[Target],
    previous: VantageRow,
    now: float,
    settings: Settings,
    published: Callable[[str], float | None],
) -> Judgement:
    """Judge the evidence that `fold` gave for the same `now` (seconds since the epoch).

    `previous`: the vantage's last row; for the first round `VantageRow(vantage)`. `published`: the published
    round-trip time in milliseconds from the vantage to a region, None if there is none. The mode (observe or enforce)
    makes no difference here.
    """
    by_key = {each.key: each for each in sorted(targets, key=lambda each: each.key)}
    last = previous.verdicts if now < previous.until else ()
    down = {each.key: each.since for each in last if each.kind == VerdictKind.DOWN}
    known = {key: _as_said(evidence[key], down.get(key, 0.0)) for key in by_key}
    sight = look(known.values(), previous, now, settings.probing)
    here = {key: _judged(each, sight, previous, now, settings) for key, each in known.items()}
    found = () if sight.blind else verdicts(here, by_key, previous, now, settings)
    every = {**evidence, **here}
    kept = kept_names(found, by_key, settings, previous.vantage)
    distances = _distances(previous, every, by_key.values(), sight, now, settings, published)
    row = replace(
        previous,
        round=previous.round + 1,
        at=now,
        seconds=0.0,
        until=now + settings.probing.stale_after,
        verdicts=found,
        distances=distances,
        addresses=len(here),
        failing=sum(each.at == now and each.fails > 0 for each in here.values()),
        blind_since=sight.blind_since,
        suspected_since=sight.suspected_since,
        kept=kept,
    )
    return Judgement(every, replace(row, alarms=alarms_of(row, here, by_key, settings.probing)))


def _as_said(evidence: Evidence, down_since: float) -> Evidence:
    """The evidence of a target that is down exactly if the last row says so: its page may be lost or older."""
    return evidence if evidence.down_since == down_since else replace(evidence, down_since=down_since)


def _judged(evidence: Evidence, sight: Sight, previous: VantageRow, now: float, settings: Settings) -> Evidence:
    """The evidence of a target with its state as of now. A blind vantage says of no address that it is down."""
    if sight.blind:
        return replace(evidence, down_since=0.0) if evidence.down_since else evidence
    if previous.suspected_since and not sight.suspected:
        evidence = after_suspicion(evidence)
    return settled(evidence, now, settings.probing, may_withdraw=not sight.suspected)


def _distances(
    previous: VantageRow,
    evidence: Mapping[TargetKey, Evidence],
    targets: Iterable[Target],
    sight: Sight,
    now: float,
    settings: Settings,
    published: Callable[[str], float | None],
) -> Distances:
    """The distances after a round. A new order waits as `pending` for the names that it concerns."""
    before = previous.distances
    if sight.suspected:
        return measuring.renewed(before, now, blind=sight.blind)
    probing = settings.probing
    continuous = now - previous.at <= probing.stale_after
    found = measuring.measured(before, evidence.values(), now, published, continuous=continuous, dwell=probing.dwell)
    if found.changed_at == now:
        found = replace(found, pending=affected(found.previous, found.order, targets, settings))
    return release(found, now)
