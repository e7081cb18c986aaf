"""A round of probes: probe every address once, judge what is known of it, write the row, mark the names.

The steps and their order are model-checked (tests/protocol). The row is written before its names are marked, so that
a decision about a marked name reads the new verdicts; the names are read after that, so that none is missed that is
claimed meanwhile. The row says which endpoints concern them until they are marked, so that another process can finish
after a crash. That write is on condition of the row as it was read: of two probers at work, only one gets on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from shared.decide.probes.changes import to_be_marked
from shared.decide.probes.evidence import fold
from shared.decide.probes.judgement import judge
from shared.decide.probes.targets import by_dial, results_by_target
from shared.domain.catalog_rows import Versioned
from shared.domain.concurrency import gather_bounded
from shared.domain.errors import Conflict, Transient
from shared.domain.probes import Evidence, EvidencePage, ProbeResult, Target, TargetKey, VantageRow
from shared.edge.report import Report
from shared.loop.probing.evidence_pages import merge_pages, split_pages
from shared.loop.probing.marks import mark_names
from shared.loop.probing.vantage import Vantage
from shared.loop.probing.verdict_log import VerdictLog
from shared.loop.times import cause_now
from shared.ports import Metrics, Prober

WRITE_ATTEMPTS = 5
"""Attempts to write the row while the recorders and the drain timer change it."""
ANOTHER_PROBER = "another prober is at work: this round was dropped"


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a round has read. `stored`: the row of the vantage; None: there is none yet."""

    stored: Versioned[VantageRow] | None
    pages: Sequence[EvidencePage]
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """What a round has written. `old`: the row before; `written`: the new one."""

    old: VantageRow
    written: Versioned[VantageRow]
    evidence: Mapping[TargetKey, Evidence]


@dataclass(frozen=True)
class ProbeRounds:
    """Runs the rounds of this app's vantage."""

    vantage: Vantage
    probe: Prober
    log: VerdictLog
    metrics: Metrics

    async def run(self, report: Report) -> bool:
        """Run one round; gives whether names were marked. Raises Transient, Terminal."""
        begun, cause = self.vantage.clock(), cause_now("probe", self.vantage.clock())
        gathered = await self._gather()
        dials = by_dial(gathered.targets)
        asked = [(ip, found[0].probe) for (ip, _), found in dials.items()]
        results = await self.probe(asked, first=_overdue(gathered, dials))
        decided = await self._decide(gathered, results_by_target(results, gathered.targets), begun)
        self.metrics("probes.rounds", 1, outcome="done" if decided else "dropped")
        if decided is None:
            report.notes.append(ANOTHER_PROBER)
            return False
        row = decided.written.value
        marked = await mark_names(self.vantage, decided.old, row, cause)
        if await self.vantage.clear_todo(decided.written):
            await self._write_pages(row, gathered.pages, decided.evidence)
        known = {(alarm.means, alarm.do) for alarm in decided.old.alarms}  # `what` has numbers that may change.
        report.alarms += [alarm for alarm in row.alarms if (alarm.means, alarm.do) not in known]
        await self.log.enter(decided.old, row, cause, report)
        self._measure(decided.old, row, results)
        return marked > 0

    async def _gather(self) -> Gathered:
        """Read the row first: what is read after it is at least as new, and the write on its etag notices the rest."""
        vantage = self.vantage
        stored = await vantage.row()
        pages, targets = await asyncio.gather(vantage.catalog.evidence(vantage.name), vantage.all_targets())
        return Gathered(stored, pages, targets)

    async def _decide(
        self, gathered: Gathered, results: Mapping[TargetKey, ProbeResult], begun: float
    ) -> Decided | None:
        """Judge, and write the row; None where another prober is at work.

        Where only the recorder or the drain timer has changed the row, what it says now is judged anew.
        """
        vantage, now, stored = self.vantage, self.vantage.clock(), gathered.stored
        round_read = stored.value.round if stored else 0
        probing = vantage.settings.probing
        known = merge_pages(gathered.pages, stored.value if stored else VantageRow(vantage.name), begun)
        evidence = fold(known, gathered.targets, results, now, probing)
        for _ in range(WRITE_ATTEMPTS):
            old = stored.value if stored else VantageRow(vantage.name)
            judged = judge(evidence, gathered.targets, old, now, vantage.settings, vantage.published)
            row = replace(judged.row, seconds=now - begun, until=begun + probing.stale_after)
            row = to_be_marked(old, row) if vantage.enforces else replace(row, todo=frozenset(), reordered=False)
            try:
                etag = await vantage.catalog.put_vantage(row, stored.etag if stored else None)
            except Conflict:
                stored = await vantage.row()
                if stored and stored.value.round != round_read:
                    return None
            else:
                return Decided(old, Versioned(row, etag), judged.evidence)
        raise Transient(f"the row of vantage {vantage.name} changed {WRITE_ATTEMPTS} times while it was written")

    async def _write_pages(
        self, row: VantageRow, old: Sequence[EvidencePage], evidence: Mapping[TargetKey, Evidence]
    ) -> None:
        catalog, name = self.vantage.catalog, self.vantage.name
        pages = split_pages(row, evidence)
        await gather_bounded(catalog.put_evidence(page) for page in pages)
        surplus = {page.number for page in old} - {page.number for page in pages}
        await gather_bounded(catalog.purge_evidence(name, number) for number in sorted(surplus))

    def _measure(self, old: VantageRow, new: VantageRow, results: Mapping[tuple[str, str], ProbeResult]) -> None:
        self.metrics("probes.round_duration", new.seconds)
        for word, count in Counter(result.word for result in results.values()).items():
            self.metrics("probes", count, result=word.value)
        before, after = _given(old), _given(new)
        for change, found in (("given", after - before), ("ended", before - after)):
            for kind, count in Counter(kind for kind, _ in found).items():
                self.metrics("probes.verdict_changes", count, kind=kind, change=change)


def _overdue(gathered: Gathered, dials: Mapping[tuple[str, str], Sequence[Target]]) -> frozenset[tuple[str, str]]:
    """Return what the last round had no time for. It begins first, so that no address is left out again and again."""
    last = gathered.stored.value.at if gathered.stored else 0.0
    missed = {each.key for page in gathered.pages for each in page.evidence if each.at < last and not each.absent}
    return frozenset(dial for dial, found in dials.items() if any(target.key in missed for target in found))


def _given(row: VantageRow) -> set[tuple[str, TargetKey]]:
    """Return the kind and the target of each verdict."""
    return {(each.kind.value, each.key) for each in row.verdicts}
