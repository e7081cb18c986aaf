"""What a run has seen, decided, written, skipped and failed at: what people and tests read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.decide.alarms import Trouble, grouped
from shared.decide.plan import Change, Skip
from shared.domain.alarms import Alarm
from shared.domain.dirty import DirtyName, RecordChange
from shared.domain.errors import NearzoneError
from shared.domain.zone_findings import RefusedPlan
from shared.domain.zones import Zone

NOT_TRIED = "not tried: the zone answers "
WAITS = "not tried in this run: it is tried again by itself"


@dataclass(slots=True)
class Report:
    """Grows while a run goes on. `left`: dirty names that the deadline or a back-off left for later.

    `left_unread`: endpoints that a sweep has listed and not read before its deadline. `drift`: record sets that it
    found not to be as they should. `complete`: it could read everything. `waiting`: the dirty names behind `left`;
    `failing`: those whose writes fail. `refused`: the plans that `refusals` are about. `notes`: what the person who
    asked should know of the request itself, such as that it meets nothing. `covers`: endpoints and names that an order
    is about. `met`: the names that a sweep has planned for. `tried`: the names that were worked on, by
    zone key and name.
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
    refused: list[RefusedPlan] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    covered_addresses: tuple[int, int] | None = None
    met: set[str] = field(default_factory=set)
    alarms: list[Alarm] = field(default_factory=list)
    names_remaining: int = 0
    endpoints_unread: int = 0
    waiting: list[DirtyName] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    tried: set[tuple[str, str]] = field(default_factory=set)
    _last: dict[tuple[str, str], tuple[str, str] | Skip] = field(default_factory=dict, repr=False)
    """The failure, or the skip, that tells the last state of a name that is not settled, by zone key and name."""

    @property
    def idle(self) -> bool:
        """Whether the run found nothing to do: nothing to look at, write, skip, refuse or leave for later."""
        done = (
            self.observed,
            self.complete,
            self.changes,
            self.skips,
            self.failures,
            self.refusals,
            self.names_remaining,
        )
        return not any(done)

    def fail(self, what: str, error: Exception) -> None:
        """Note a failure; the run goes on with the rest."""
        self.failures.append((what, in_words(error)))

    def keep_failing(self, zone: Zone, rows: Iterable[DirtyName]) -> None:
        """Note the names of a zone that are dirty after the run because their writes fail.

        One of which this run has noted nothing is a failure of this run as well.
        """
        for row in sorted((row for row in rows if row.attempts), key=lambda row: (row.urgency, row.since, row.name)):
            name = subject(zone, row.name)
            self.failing.append(name)
            if not self.is_known(zone, row.name):
                waits = "" if (zone.key, row.name) in self.tried else f" ({WAITS})"
                self.fail_name(zone, row.name, f"{row.last_error}{waits}")

    def fail_name(self, zone: Zone, name: str, error: Exception | str) -> None:
        """Note that a name failed, instead of what was noted of it before. A text is the error of an earlier run."""
        self.settle_name(zone, name)
        text = error if isinstance(error, str) else in_words(error)
        self._last[zone.key, name] = failure = (subject(zone, name), text)
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

    def is_known(self, zone: Zone, name: str) -> bool:
        """Whether the last state of an unsettled name was noted."""
        return (zone.key, name) in self._last

    def as_json(self) -> dict[str, Any]:
        """The report as JSON-ready values, in a stable order."""
        return {
            "trigger": self.trigger,
            "dry_run": self.dry_run,
            "observed": self.observed,
            "changes": sorted((change_json(c) for c in self.changes), key=lambda c: (c["zone"], c["name"], c["kind"])),
            "skips": [
                {"zone": s.zone, "name": s.name, "reason": s.reason}
                for s in sorted(set(self.skips), key=lambda s: (s.zone, s.name, s.reason))
            ],
            "failures": [{"what": what, "error": error} for what, error in self.failures],
            "refusals": self.refusals,
            "refused": [refused(plan) for plan in self.refused],
            "notes": self.notes,
            "covers": {"endpoints": self.covered_addresses[0], "names": self.covered_addresses[1]}
            if self.covered_addresses
            else None,
            "alarms": [alarm_json(alarm) for alarm in self.alarms],
            "left": self.names_remaining,
            "left_unread": self.endpoints_unread,
        }

    def failed(self) -> list[str]:
        """The failures in words, one line for each cause."""
        found = ((what, error.removeprefix(NOT_TRIED).removesuffix(f" ({WAITS})")) for what, error in self.failures)
        causes = (Trouble(what, error, "", "", "failures") for what, error in found)
        return [alarm.what for alarm in grouped(causes)]


def in_words(error: Exception) -> str:
    """An error for people: the words of ours, which need no class; of a bug, its class as well."""
    return str(error) if isinstance(error, NearzoneError) else f"{type(error).__name__}: {error}"


def subject(zone: Zone, name: str) -> str:
    """A name of a zone, as failures call it."""
    return f"{name} in {zone.fqdn} ({zone.region})"


def refused(plan: RefusedPlan) -> dict[str, Any]:
    """One refused plan for people and programs."""
    return {
        "zone": plan.zone,
        "digest": plan.digest,
        "removals": plan.removals,
        "owned": plan.owned,
        "beyond": plan.beyond,
    }


def alarm_json(alarm: Alarm) -> dict[str, Any]:
    """One alarm for people."""
    return {
        "what": alarm.what,
        "means": alarm.means,
        "do": alarm.do,
        "count": alarm.count,
        "examples": list(alarm.examples),
    }


def change_json(change: Change) -> dict[str, Any]:
    """One change for people."""
    return {
        "zone": change.zone,
        "name": change.name,
        "kind": change.word,
        "before": list(change.old),
        "after": list(change.new),
        "ttl": change.after.ttl if change.after else None,
        "reason": change.reason,
    }


def decision_log_line(
    what: str, zone: Zone, dirty: DirtyName, before: Sequence[str] = (), after: Sequence[str] = (), reason: str = ""
) -> str:
    """One decision as one line of JSON for the log. `what`: as in `Past.kind`, would ..., skip or failed."""
    line = {
        "decision": what,
        "zone": zone.region,
        "fqdn": zone.fqdn,
        "name": dirty.name,
        "before": before,
        "after": after,
        "reason": reason,
        "cause": dirty.cause,
        "by": dirty.by,
        "reason_given": dirty.reason_given,
    }
    return msgspec.json.encode(line).decode()


def ordered(zone: Zone, entry: RecordChange) -> str:
    """An order as one line of JSON for the log, with the fields of a decision."""
    dirty = DirtyName(zone.key, entry.name, cause=entry.cause, by=entry.by, reason_given=entry.reason_given)
    return decision_log_line(entry.kind, zone, dirty, reason=entry.reason)
