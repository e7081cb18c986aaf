"""Rules 1, 2 and 7: which verdicts follow from the evidence of a vantage that is not blind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace

from shared.config.settings import Probing, Settings
from shared.decide.probes.evidence import is_fresh
from shared.domain.probes import Evidence, Target, TargetKey, VantageRow, Verdict, VerdictKind

WITHDRAWALS_SECONDS = 3600.0
"""For so long a withdrawal lengthens the hold of the next one."""
UNSEEN_SECONDS = 60.0
"""For so long a WAITING verdict stays whose endpoint is not a target yet: the round may have read it before it began to
serve."""


def settled(evidence: Evidence, now: float, probing: Probing, *, may_withdraw: bool) -> Evidence:
    """Return the evidence with `down_since`, `up_at` and `withdrawals` as of now.

    An armed address is down after `down_after` failures in a row. It is up after `up_after` successes in a row, and not
    before it has been down for `hold[0]` seconds for each withdrawal of the last hour, at most `hold[1]`. Old evidence
    is no evidence.
    """
    recent = tuple(at for at in evidence.withdrawals if at > now - WITHDRAWALS_SECONDS)
    known = evidence if len(recent) == len(evidence.withdrawals) else replace(evidence, withdrawals=recent)
    if not is_fresh(known, now, probing):
        return replace(known, down_since=0.0) if known.down_since else known
    if known.down_since:
        over = now - known.down_since >= min(probing.hold[0] * len(recent), probing.hold[1])
        is_up = known.successes >= probing.up_after and over
        return replace(known, down_since=0.0, up_at=now) if is_up else known
    if may_withdraw and known.armed and known.fails >= probing.down_after:
        return replace(known, down_since=now, withdrawals=(*recent, now))
    return known


def verdicts(
    evidence: Mapping[TargetKey, Evidence],
    targets: Mapping[TargetKey, Target],
    previous: VantageRow,
    now: float,
    settings: Settings,
) -> tuple[Verdict, ...]:
    """Return what is said against the targets, sorted by key. `evidence`: of the targets, settled."""
    before = {each.key: each for each in previous.verdicts} if now < previous.until else {}
    reached = _Reached(evidence.values(), now, settings.probing)
    found = {}
    for key, each in evidence.items():
        verdict = _down(each, before.get(key), reached) if each.down_since else None
        if not verdict and key in before:
            verdict = _still_waiting(before[key], each, targets[key], settings, now) or _returning(
                before[key], each, now, previous.vantage, settings.probing.slow_start
            )
        if verdict:
            found[key] = verdict
    for key, each_before in before.items():
        unseen = key not in targets and each_before.kind == VerdictKind.WAITING
        if unseen and now - each_before.since < UNSEEN_SECONDS:
            found[key] = each_before
    return tuple(found[key] for key in sorted(found))


class _Reached:
    """At which places the vantage reaches an address other than a given one."""

    def __init__(self, evidence: Collection[Evidence], now: float, probing: Probing) -> None:
        self._answering: defaultdict[str, set[str]] = defaultdict(set)
        self._steady: defaultdict[str, set[str]] = defaultdict(set)
        for each in evidence:
            if not each.armed:
                continue
            if each.at == now and not each.fails:
                self._answering[each.place].add(each.ip)
            if is_fresh(each, now, probing) and each.fails < probing.down_after:
                self._steady[each.place].add(each.ip)

    def another(self, evidence: Evidence, *, steady: bool) -> bool:
        """Whether another address of its place answers; `steady`: a few failures of that one do not count."""
        found = (self._steady if steady else self._answering)[evidence.place]
        return len(found) > (evidence.ip in found)


def _down(evidence: Evidence, before: Verdict | None, reached: _Reached) -> Verdict:
    """The verdict against an address that is down.

    It holds everywhere only where another address of the same place answers: then the path there works, and the address
    is at fault. From then on that address may miss a round or two: they would publish this one elsewhere for so long.
    """
    was_everywhere = before is not None and before.kind == VerdictKind.DOWN and before.everywhere
    what = f"{evidence.word.value}{f' {evidence.status}' if evidence.status else ''}"
    why = (
        f"{what}, {evidence.fails} times in a row"
        if evidence.fails
        else "it answers again and is held back for a while"
    )
    return Verdict(
        VerdictKind.DOWN,
        *evidence.key,
        evidence.region,
        evidence.down_since,
        why,
        everywhere=reached.another(evidence, steady=was_everywhere),
    )


def _still_waiting(
    before: Verdict, evidence: Evidence, target: Target, settings: Settings, now: float
) -> Verdict | None:
    """The verdict that holds back a new endpoint, until its first success or the end of the wait."""
    over = evidence.ok_at >= before.since or now - before.since >= 60 * _wait_minutes(target, settings)
    return None if before.kind != VerdictKind.WAITING or over else before


def _wait_minutes(target: Target, settings: Settings) -> int:
    """How long a new endpoint is held back: of its names that wait, the shortest time, as it is a limit for each."""
    return min((minutes for name in target.names if (minutes := settings.policy(name).wait_minutes) > 0), default=0)


def _returning(before: Verdict, evidence: Evidence, now: float, vantage: str, slow_start: float) -> Verdict | None:
    """The verdict that keeps an address from the zones of other regions for a while after it came back.

    Only zones for which it was down: others have it already.
    """
    was_down = before.kind in (VerdictKind.DOWN, VerdictKind.RETURNING)
    elsewhere = before.everywhere or evidence.region != vantage
    if not was_down or not elsewhere or not 0 <= now - evidence.up_at < slow_start:
        return None
    why = "it works again; its own region's zone has it first"
    return Verdict(VerdictKind.RETURNING, *evidence.key, evidence.region, evidence.up_at, why, before.everywhere)


def waiting(targets: Iterable[Target], settings: Settings, now: float) -> tuple[Verdict, ...]:
    """Return the verdicts that hold an endpoint back which begins to serve, for the names whose policy waits.

    `targets`: those of the endpoint. The recorder of the endpoint adds these to the vantage's row before it marks the
    names dirty. `judge` renews them until the first success or the end of `wait_minutes`; it never adds any, so that
    the endpoints that serve already when probing begins are not held back.
    """
    return tuple(
        Verdict(VerdictKind.WAITING, *each.key, each.region, now, "it has not answered its probe yet", everywhere=True)
        for each in targets
        if _wait_minutes(each, settings)
    )
