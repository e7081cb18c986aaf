"""The report of a run: what it observed, changed, skipped and failed at, for operators and tests."""

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

NOT_TRIED = "not tried: Azure refuses writes to the zone: "
WAITS = "not tried in this run: it is retried automatically"


@dataclass(slots=True)
class Report:
    """Collects the results during a run. `names_remaining`: dirty names left for a later run by deadline or back-off.

    `endpoints_unread`: endpoints that a sweep listed and did not read before its deadline. `drift`: record sets that
    differed from their answers. `complete`: the sweep could read everything. `waiting`: the dirty names in
    `names_remaining`; `failing`: those whose writes fail. `refused`: the plans behind `refusals`. `notes`: remarks on
    the request itself, such as that it matches nothing. `covered_counts`: how many endpoints and names an override
    covers. `probed`: what each address said to a probe by hand, None without one. `met`: the names that a sweep has
    planned. `tried`: the names that were processed, by zone key and name. `inventory`: how a
    sweep has found endpoints: lists or Resource Graph, and why. `not_settled`: why a sweep that could read everything
    is not complete, or "".
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
    covered_counts: tuple[int, int] | None = None
    probed: list[dict[str, Any]] | None = None
    met: set[str] = field(default_factory=set)
    alarms: list[Alarm] = field(default_factory=list)
    names_remaining: int = 0
    endpoints_unread: int = 0
    waiting: list[DirtyName] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    tried: set[tuple[str, str]] = field(default_factory=set)
    inventory: str = ""
    not_settled: str = ""
    _last_outcomes: dict[tuple[str, str], tuple[str, str] | Skip] = field(default_factory=dict, repr=False)
    """The last failure or skip of each name that is not settled, by zone key and name."""

    @property
    def idle(self) -> bool:
        """Whether the run found nothing to do: nothing to observe, write, skip, refuse or leave for later."""
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
        """Add a failure; the run continues."""
        self.failures.append((what, error_text(error)))

    def keep_failing(self, zone: Zone, rows: Iterable[DirtyName]) -> None:
        """Add the names of a zone that are still dirty after the run because their writes fail.

        A name without an outcome in this run counts as a failure of this run as well.
        """
        for row in sorted((row for row in rows if row.attempts), key=lambda row: (row.urgency, row.since, row.name)):
            name = name_in_zone(zone, row.name)
            self.failing.append(name)
            if not self.has_outcome(zone, row.name):
                waits = "" if (zone.key, row.name) in self.tried else f" ({WAITS})"
                self.fail_name(zone, row.name, f"{row.last_error}{waits}")

    def fail_name(self, zone: Zone, name: str, error: Exception | str) -> None:
        """Set the failure of a name, in place of its earlier outcome. A text is the error of an earlier run."""
        self.settle_name(zone, name)
        text = error if isinstance(error, str) else error_text(error)
        self._last_outcomes[zone.key, name] = failure = (name_in_zone(zone, name), text)
        self.failures.append(failure)

    def put_off_name(self, zone: Zone, name: str, reason: str) -> None:
        """Set the reason why a name was postponed without a failure, in place of its earlier outcome."""
        self.settle_name(zone, name)
        self._last_outcomes[zone.key, name] = skip = Skip(zone.id, name, reason)
        self.skips.append(skip)

    def settle_name(self, zone: Zone, name: str) -> None:
        """Remove the earlier outcome of a name that was settled."""
        last = self._last_outcomes.pop((zone.key, name), None)
        if isinstance(last, Skip):
            self.skips.remove(last)
        elif last:
            self.failures.remove(last)

    def has_outcome(self, zone: Zone, name: str) -> bool:
        """Return whether a name has a failure or a skip as its outcome."""
        return (zone.key, name) in self._last_outcomes

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready values, in a stable order."""
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
            "refused": [refused_plan_json(plan) for plan in self.refused],
            "notes": self.notes,
            "covers": {"endpoints": self.covered_counts[0], "names": self.covered_counts[1]}
            if self.covered_counts
            else None,
            "probed": self.probed,
            "alarms": [alarm_json(alarm) for alarm in self.alarms],
            "left": self.names_remaining,
            "left_unread": self.endpoints_unread,
            "inventory": self.inventory,
        }

    def failure_lines(self) -> list[str]:
        """Return the failures as text, one line for each cause."""
        found = ((what, error.removeprefix(NOT_TRIED).removesuffix(f" ({WAITS})")) for what, error in self.failures)
        causes = (Trouble(what, error, "", "", "failures") for what, error in found)
        return [alarm.what for alarm in grouped(causes)]


def error_text(error: Exception) -> str:
    """Return an error as text for the operator: our own exceptions without, bugs with their class."""
    return str(error) if isinstance(error, NearzoneError) else f"{type(error).__name__}: {error}"


def name_in_zone(zone: Zone, name: str) -> str:
    """Return a name with its zone, as failures show it."""
    return f"{name} in {zone.fqdn} ({zone.region})"


def refused_plan_json(plan: RefusedPlan) -> dict[str, Any]:
    """Return one refused plan as JSON-ready values."""
    return {
        "zone": plan.zone,
        "digest": plan.digest,
        "removals": plan.removals,
        "owned": plan.owned,
        "beyond": plan.beyond,
    }


def alarm_json(alarm: Alarm) -> dict[str, Any]:
    """Return one alarm as JSON-ready values."""
    return {
        "what": alarm.what,
        "means": alarm.means,
        "do": alarm.do,
        "count": alarm.count,
        "examples": list(alarm.examples),
    }


def change_json(change: Change) -> dict[str, Any]:
    """Return one change as JSON-ready values."""
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
    """Return one decision as one line of JSON for the log.

    `what`: as in `RecordChange.kind`, would ..., skip or failed.
    """
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


def override_log_line(zone: Zone, entry: RecordChange) -> str:
    """Return an override as one line of JSON for the log, with the fields of a decision."""
    dirty = DirtyName(zone.key, entry.name, cause=entry.cause, by=entry.by, reason_given=entry.reason_given)
    return decision_log_line(entry.kind, zone, dirty, reason=entry.reason)
