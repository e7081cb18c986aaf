"""The last status answers of this process, for a time in which the catalog cannot be reached. Pure.

Few answers are kept: the last one to each of a few queries, and of the long ones, with every name, only the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.edge.status_query import NameQuery, PageQuery, SummaryQuery

MAX_KEPT = 16
"""Answers that are kept."""
RUNBOOK = "'The storage account cannot be reached' in docs/runbooks.md says what you can do by hand"

_Query = SummaryQuery | PageQuery | NameQuery


@dataclass(slots=True)
class LastStatus:
    """The last answers of this process, each with when it was given, in seconds since the epoch."""

    _answers: dict[_Query, tuple[float, dict[str, Any]]] = field(default_factory=dict)

    def keep(self, query: _Query, answer: dict[str, Any], now: float) -> None:
        """Keep an answer instead of the one before, and drop the oldest ones."""
        self._answers.pop(query, None)
        self._answers[query] = (now, answer)
        if _is_long(query):
            for old in [each for each in self._answers if _is_long(each) and each != query]:
                del self._answers[old]
        for old in [*self._answers][:-MAX_KEPT]:
            del self._answers[old]

    def find(self, query: _Query) -> tuple[float, dict[str, Any]] | None:
        """The last answer to a query, and when it was given; None where there was none.

        Where there is none to exactly this query, a name is looked up in the last long answers; a full answer is made
        from the last short one, with empty names and endpoints, and the other way round.
        """
        if query in self._answers:
            return self._answers[query]
        match query:
            case NameQuery():
                return self._find_name(query)
            case SummaryQuery():
                return self._find_summary(query)
            case PageQuery():
                return None

    def _find_summary(self, query: SummaryQuery) -> tuple[float, dict[str, Any]] | None:
        found = max(self._summaries(), key=lambda each: each[0], default=None)
        return found and (found[0], {"names": [], "known": [], **found[1]} if query.full else found[1])

    def _find_name(self, query: NameQuery) -> tuple[float, dict[str, Any]] | None:
        for at, known in self._answers.values():
            for each in known.get("names") or known.get("items", ()):
                for answer in each.get("answers", ()):
                    if each["name"] == query.name and answer["zone"] == query.zone.id:
                        return at, {"answer": {key: answer[key] for key in ("addresses", "ttl", "reason")}}
        return None

    def _summaries(self) -> Iterator[tuple[float, dict[str, Any]]]:
        yield from (kept for query, kept in self._answers.items() if isinstance(query, SummaryQuery))


def _is_long(query: _Query) -> bool:
    return isinstance(query, SummaryQuery) and query.full


def stale(at: float | None, now: float, as_of: str | None, error: Exception) -> dict[str, Any]:
    """The age of an old answer. `at`: when it was given, None where only Azure's part of it is known, now."""
    return {"as_of": as_of, "age_s": None if at is None else round(max(0.0, now - at), 1), "error": str(error)}
