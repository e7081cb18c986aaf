"""How long operations ran: between which recorded times they ended, and after how long the simulator's end.

A recording shows an operation only where it was polled. Compute's polls say when it began and ended. Any other one
ended after the last answer that says that it runs, and before the first that says that it does not; the times of
answers have the precision of a second.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from recordings import Interaction

PRECISION = 1.0
"""Seconds by which a recorded span may be too long or too short."""
RECENT = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
"""Operations of former years do not count where there are later ones: those of private DNS were much faster."""
_PRIVATE_DNS = (f"{label}: {method}" for label in ("zones", "links") for method in ("PUT", "PATCH", "DELETE"))
ELSEWHERE = {
    **dict.fromkeys(_PRIVATE_DNS, (3.0, 122.0)),
    "VMs: start": (5.0, 23.0),
    "VMs: powerOff": (6.0, 21.0),
    "VMs: deallocate": (22.0, 41.0),
    "VMs: restart": (0.3, 42.0),
    "VMs: redeploy": (43.0, 120.0),
    "VMs: DELETE": (0.5, 324.0),
    "VMs: PUT": (0.6, 102.0),
    "scale sets: start": (3.0, 10.0),
    "scale sets: deallocate": (30.0, 35.0),
    "scale sets: delete": (1.0, 50.0),
    "scale sets: PUT": (0.1, 321.0),
}
"""Seconds that are known of some kinds from other recordings of azure-cli and azure-service-operator or from reports.

122 s is the longest that was reported of private DNS; 3 to 5 s after they had begun, recorded operations still ran.
"""
FEW = 10
MARGIN = 1.5
"""Fewer than FEW operations do not show the extremes: others may be shorter or longer by the factor MARGIN."""
OUTSIDE = {
    "scale sets: restart": "assumed to take as long as that of a VM",
}
"""Kinds whose operations in the simulator are known to take other times than recorded, and why."""
_ENDED = {"Succeeded", "Failed", "Canceled"}


@dataclass(frozen=True)
class Span:
    """An operation that ended between `least` and `most` seconds after its beginning at `began` (since 1970).

    `kind`: the type and what was done. `ours`: after how many seconds the simulator's ended; None: not known.
    """

    kind: str
    began: float
    least: float
    most: float
    ours: float | None


@dataclass(frozen=True)
class Range:
    """All operations of a kind: how many, between which times they ended, and after which times the simulator's did."""

    kind: str
    count: int
    least: float
    most: float
    ours: tuple[float, ...]

    @property
    def outside(self) -> tuple[float, ...]:
        """Those of the simulator's times that the recorded ones do not make likely."""
        margin = MARGIN if self.count < FEW else 1.0
        low, high = ELSEWHERE.get(self.kind, (self.least, self.most))
        least = min(low, self.least / margin) - PRECISION
        most = max(high, self.most * margin) + PRECISION
        return tuple(each for each in self.ours if not least <= each <= most)


def ranges(spans: Iterable[Span]) -> Iterator[Range]:
    """What is known of each kind, by its name."""
    found = list(spans)
    for kind in sorted({each.kind for each in found}):
        mine = [each for each in found if each.kind == kind]
        recent = [each for each in mine if each.began >= RECENT] or mine
        ours = tuple(sorted({round(each.ours, 1) for each in recent if each.ours is not None}))
        yield Range(kind, len(recent), min(e.least for e in recent), max(e.most for e in recent), ours)


class Stopwatch:
    """The operations of one recording that have begun."""

    def __init__(self) -> None:
        self._running: dict[str, Span] = {}

    def start(self, interaction: Interaction, links: Iterable[str], ours: float | None) -> None:
        """A call has begun an operation, which is polled at these URLs."""
        if interaction.at is None:
            return
        what = interaction.path.rpartition("/")[2] if interaction.method == "POST" else interaction.method
        span = Span(f"{interaction.label}: {what}", interaction.at, 0.0, 0.0, ours)
        self._running |= dict.fromkeys(links, span)

    def stop(self, interaction: Interaction, link: str) -> Span | None:
        """A poll at this URL: the operation's span if it has ended."""
        span = self._running.get(link)
        if span is None or interaction.at is None:
            return None
        links = [url for url, each in self._running.items() if each == span]
        passed = interaction.at - span.began
        if _runs(interaction):
            later = Span(span.kind, span.began, passed, 0.0, span.ours)
            self._running |= dict.fromkeys(links, later)
            return None
        for url in links:
            del self._running[url]
        exact = _stated(interaction.content)
        return Span(span.kind, span.began, exact or span.least, exact or passed, span.ours)


def _stated(content: Any) -> float | None:
    """The seconds between the times of a poll's answer that has both."""
    if not isinstance(content, dict) or "startTime" not in content or "endTime" not in content:
        return None
    start, end = (datetime.fromisoformat(content[name]) for name in ("startTime", "endTime"))
    return (end - start).total_seconds()


def _runs(poll: Interaction) -> bool:
    content = poll.content
    if isinstance(content, dict) and "status" in content:
        return content["status"] not in _ENDED
    return poll.status == 202
