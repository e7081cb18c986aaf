"""What a run has seen, decided, written, skipped and failed at: what people and tests read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.alarms import Trouble, grouped
from shared.model import Alarm, Dirty, Zone
from shared.plan import Change, Skip


@dataclass(slots=True)
class Report:
    """Grows while a run goes on. `left`: dirty names that the deadline or a back-off left for later.

    `left_unread`: endpoints that a sweep has listed and not read before its deadline. `drift`: record sets that it
    found not to be as they should. `complete`: it could read everything.
    """

    trigger: str
    dry_run: bool = False
    observed: int = 0
    drift: int = 0
    complete: bool = False
    changes: list[Change] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    left: int = 0
    left_unread: int = 0
    _last: dict[tuple[str, str], tuple[str, str] | Skip] = field(default_factory=dict, repr=False)
    """The failure, or the skip, that tells the last state of a name that is not settled, by zone key and name."""

    @property
    def sweeps(self) -> bool:
        """Whether the run compares everything with the truth, and so answers for every name of its zones."""
        return self.trigger in ("sweep", "resync")

    @property
    def idle(self) -> bool:
        """Whether the run found nothing to do: nothing to look at, write, skip, refuse or leave for later."""
        done = (self.observed, self.complete, self.changes, self.skips, self.failures, self.refusals, self.left)
        return not any(done)

    def fail(self, what: str, error: Exception) -> None:
        """Note a failure; the run goes on with the rest."""
        self.failures.append((what, f"{type(error).__name__}: {error}"))

    def fail_name(self, zone: Zone, name: str, error: Exception | str) -> None:
        """Note that a name failed, instead of what was noted of it before. A text is the error of an earlier run."""
        self.settle_name(zone, name)
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        self._last[zone.key, name] = failure = (f"{name} in {zone.fqdn} ({zone.region})", text)
        self.failures.append(failure)

    def put_off_name(self, zone: Zone, name: str, reason: str) -> None:
        """Note why a name was put off without a failure, instead of what was noted of it before."""
        self.settle_name(zone, name)
        self._last[zone.key, name] = skip = Skip(zone.id, name, reason)
        self.skips.append(skip)

    def settle_name(self, zone: Zone, name: str) -> None:
        """A name was settled in the end: what was noted of it on the way is no longer true."""
        last = self._last.pop((zone.key, name), None)
        if isinstance(last, Skip):
            self.skips.remove(last)
        elif last:
            self.failures.remove(last)

    def knows(self, zone: Zone, name: str) -> bool:
        """Whether the last state of an unsettled name was noted."""
        return (zone.key, name) in self._last

    def as_json(self) -> dict[str, Any]:
        """The report as JSON-ready values, in a stable order."""
        return {
            "trigger": self.trigger,
            "dry_run": self.dry_run,
            "observed": self.observed,
            "changes": sorted((describe(c) for c in self.changes), key=lambda c: (c["zone"], c["name"], c["kind"])),
            "skips": [
                {"zone": s.zone, "name": s.name, "reason": s.reason}
                for s in sorted(set(self.skips), key=lambda s: (s.zone, s.name, s.reason))
            ],
            "failures": [{"what": what, "error": error} for what, error in self.failures],
            "refusals": self.refusals,
            "alarms": [told(alarm) for alarm in self.alarms],
            "left": self.left,
            "left_unread": self.left_unread,
        }

    def failed(self) -> list[str]:
        """The failures in words, one line for each cause."""
        causes = (Trouble(what, error, "", "", "failures") for what, error in self.failures)
        return [alarm.what for alarm in grouped(causes)]


def told(alarm: Alarm) -> dict[str, Any]:
    """One alarm for people."""
    return {
        "what": alarm.what,
        "means": alarm.means,
        "do": alarm.do,
        "count": alarm.count,
        "examples": list(alarm.examples),
    }


def describe(change: Change) -> dict[str, Any]:
    """One change for people."""
    return {
        "zone": change.zone,
        "name": change.name,
        "kind": change.kind,
        "before": list(change.old),
        "after": list(change.new),
        "ttl": change.after.ttl if change.after else None,
        "reason": change.reason,
    }


def decided(
    what: str, zone: Zone, dirty: Dirty, before: Sequence[str] = (), after: Sequence[str] = (), reason: str = ""
) -> str:
    """One decision as one line of JSON for the log. `what`: create, update, delete, would ..., skip or failed."""
    line = {
        "decision": what,
        "zone": zone.region,
        "fqdn": zone.fqdn,
        "name": dirty.name,
        "before": before,
        "after": after,
        "reason": reason,
        "cause": dirty.cause,
    }
    return msgspec.json.encode(line).decode()
