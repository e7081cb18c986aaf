"""The whole decision of a round: from the evidence to the next row of the vantage. Level-triggered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from shared.config.settings import Settings
from shared.domain.probes import Evidence, Target, TargetKey, VantageRow


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
    raise NotImplementedError
