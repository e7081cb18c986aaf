"""Rule 3: whether the vantage itself is at fault, so that failures say nothing about the endpoints.

- Two or more regions: the vantage is suspected while at least half of its armed addresses fail in every region.
- One region: there is nothing to compare it with, so the vantage is suspected only while no armed address answers. As
  long as one answers, the vantage sees, and a failure of the others is real. When none answers, nothing is lost: all
  addresses would count anyway (rule 4), and endpoints that have never answered are not preferred to these.
- An address that is down already and still fails does not count: it failed while the vantage was seen to work, and
  would otherwise make the vantage of a small fleet look blind when the next endpoint fails.
- While the vantage is suspected, no verdict is added. Only when those failures have lasted `down_after` rounds is it
  presumed blind, and the verdicts are dropped: one lost round must not publish an endpoint that has been down for
  hours.
- When the suspicion ends, the failures of its time are forgotten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from msgspec.structs import replace

from shared.config.settings import Probing
from shared.domain.probes import Evidence, VantageRow


@dataclass(frozen=True, slots=True)
class Sight:
    """Since when the vantage is suspected, and since when it is presumed blind; 0 for not."""

    suspected_since: float = 0.0
    blind_since: float = 0.0

    @property
    def suspected(self) -> bool:
        """Whether no verdict may be added."""
        return self.suspected_since > 0

    @property
    def blind(self) -> bool:
        """Whether no verdict is given at all."""
        return self.blind_since > 0


def look(evidence: Collection[Evidence], previous: VantageRow, now: float, probing: Probing) -> Sight:
    """Return whether the vantage is suspected or blind. `evidence`: of the round's targets.

    A round without a result of an armed address changes nothing.
    """
    watched = [e for e in evidence if e.armed and e.at == now and not (e.down_since and e.fails)]
    if not watched:
        return Sight(previous.suspected_since, previous.blind_since)
    if not _fails_everywhere(watched, lambda each: each.fails > 0):
        return Sight()
    since = previous.suspected_since or now
    lasts = previous.blind_since > 0 or _fails_everywhere(watched, lambda each: each.fails >= probing.down_after)
    return Sight(since, since if lasts else 0.0)


def _fails_everywhere(watched: Collection[Evidence], fails: Callable[[Evidence], bool]) -> bool:
    """Whether in every region at least half of the addresses fail; with one region: all of them."""
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for each in watched:
        counts[each.region][0] += fails(each)
        counts[each.region][1] += 1
    if len(counts) == 1:
        return all(failing == total for failing, total in counts.values())
    return all(2 * failing >= total for failing, total in counts.values())


def after_suspicion(evidence: Evidence) -> Evidence:
    """Return evidence without the failures from before this round: the vantage could not tell them from its own."""
    return replace(evidence, fails=1) if evidence.fails > 1 and not evidence.down_since else evidence
