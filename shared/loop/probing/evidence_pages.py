"""The pages on which evidence is stored: which target is on which page. No I/O."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from shared.domain.probes import Evidence, EvidencePage, TargetKey, VantageRow

TARGETS_PER_PAGE = 64
"""Targets of a page, on average at the most."""


def merge_pages(pages: Iterable[EvidencePage], row: VantageRow, now: float) -> dict[TargetKey, Evidence]:
    """Return the evidence of all pages, as far as it counts beside the vantage's row.

    A target may be on two after a change of their number: the newer counts. Results in a row go on only if the page is
    of the row's round: after a crash between the two writes, a success or a failure in between may be missing. Nor do
    they go on after the end of the row: `now`, in seconds since the epoch.
    """
    last = row.round if now < row.until else None
    found: dict[TargetKey, Evidence] = {}
    for page in pages:
        for each in page.evidence:
            if each.key not in found or each.at > found[each.key].at:
                found[each.key] = each if page.round == last else replace(each, fails=0, successes=0)
    return found


def split_pages(row: VantageRow, evidence: Mapping[TargetKey, Evidence]) -> list[EvidencePage]:
    """Return the pages of a round, sorted by number. Their number is a power of two, at least one."""
    count = 1 << max(0, (len(evidence) - 1) // TARGETS_PER_PAGE).bit_length()
    found: list[list[Evidence]] = [[] for _ in range(count)]
    for key in sorted(evidence):
        found[page_number(key, count)].append(evidence[key])
    return [EvidencePage(row.vantage, number, tuple(each), row.round) for number, each in enumerate(found)]


def page_number(key: TargetKey, count: int) -> int:
    """Return the page of a target among `count`; the same in every process."""
    return zlib.crc32("\n".join(key).encode()) % count
