"""False withdrawals by the app's own rules: an endpoint that only pauses, beside two that always answer.

The rules run alone, without catalog and DNS, because hundreds of days are needed to count what is rare. Rounds in which
nothing is disturbed change nothing, and are left out.
"""

from __future__ import annotations

import random

from benchmarks.noise import DAY, ROUND, Disturbances
from shared.config.settings import Probing, Settings
from shared.decide.probes.evidence import fold
from shared.decide.probes.judgement import judge
from shared.domain.probes import Evidence, Probe, ProbeResult, ProbeWord, Target, TargetKey, VantageRow, VerdictKind

_MARGIN = 2 * ROUND
"""Seconds of rounds before a disturbance."""
_PROBE = Probe("vllm", 8000, "/health")
_QUIET_ROUNDS = 3
"""Rounds without a failure after which the rest is left out; while the endpoint is down every round is played."""


def false_per_day(seed: int, days: int, *, connects: bool = False) -> float:
    """Return withdrawals a day of an endpoint that only pauses.

    `connects`: on a disturbed path a probe gives up after the time limit for connections, as the app does; otherwise it
    waits as long as for an answer.
    """
    rnd = random.Random(seed)
    noise = Disturbances(rnd, days * DAY)
    targets = [Target(f"vm-{i}", f"10.0.0.{i}", region, region, _PROBE) for i, region in enumerate(_REGIONS)]
    settings = Settings((), frozenset(), {}, probes={"*": _PROBE}, probing=Probing(vantage=_REGIONS[0]))
    patience = settings.probing.timeout
    to_connect = settings.probing.connect_timeout if connects else patience
    evidence: dict[TargetKey, Evidence] = {}
    row, at, offset, withdrawn, was_down, busy = VantageRow(_REGIONS[0]), 0.0, rnd.uniform(0, 3), 0, False, 0
    while at < days * DAY:
        failed = noise.fails(at + offset, patience, to_connect)
        results = {each.key: ProbeResult(ProbeWord.OK) for each in targets}
        if failed:
            results[targets[0].key] = ProbeResult(ProbeWord.ANSWER_TIMEOUT)
        evidence = fold(evidence, targets, results, at, settings.probing)
        judged = judge(evidence, targets, row, at, settings, lambda _: 20.0)
        evidence, row = dict(judged.evidence), judged.row
        is_down = any(each.kind == VerdictKind.DOWN for each in row.verdicts)
        withdrawn += is_down and not was_down
        was_down = is_down
        busy = _QUIET_ROUNDS if failed or is_down else busy - 1
        at += ROUND
        if busy <= 0:
            at = max(at, (noise.quiet_until(at, to_connect) - _MARGIN) // ROUND * ROUND)
    return withdrawn / days


_REGIONS = ("westeurope", "westeurope", "northeurope")
