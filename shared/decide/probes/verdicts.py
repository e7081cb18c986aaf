"""Rules 1, 2 and 7: which verdicts follow from the evidence of a vantage that is not blind."""

from __future__ import annotations

from collections.abc import Iterable

from shared.config.settings import Settings
from shared.domain.probes import Target, Verdict


def waiting(targets: Iterable[Target], settings: Settings, now: float) -> tuple[Verdict, ...]:
    """Return the verdicts that hold an endpoint back which begins to serve, for the names whose policy waits.

    `targets`: those of the endpoint. Whoever records the endpoint adds these to the vantage's row before its names are
    marked dirty. `judge` renews them until the first success or the end of `wait_minutes`; it never adds any.
    """
    raise NotImplementedError
