"""What this process was last able to tell, for a time in which the catalog cannot be reached. Pure.

Few answers are kept: the last one to each of a few questions, and of the long ones, with every name, the last alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.edge.commands import StatusQuery

MAX_KEPT = 16
"""Answers that are kept."""
RUNBOOK = "'The storage account cannot be reached' in docs/runbooks.md says what can be done by hand"


@dataclass(slots=True)
class LastStatus:
    """The last answers of this process, each with when it was given, in seconds since the epoch."""

    _answers: dict[StatusQuery, tuple[float, dict[str, Any]]] = field(default_factory=dict)

    def keep(self, asked: StatusQuery, answer: dict[str, Any], now: float) -> None:
        """Remember an answer instead of the one before, and forget the oldest ones."""
        self._answers.pop(asked, None)
        self._answers[asked] = (now, answer)
        for old in [each for each in self._answers if each.full and each != asked] if asked.full else ():
            del self._answers[old]
        for old in [*self._answers][:-MAX_KEPT]:
            del self._answers[old]

    def status(self, asked: StatusQuery) -> tuple[float, dict[str, Any]] | None:
        """The last answer to a question about everything, and when it was given; None where there was none.

        Where only a shorter one was given, names and endpoints are empty.
        """
        if asked in self._answers or asked.list:
            return self._answers.get(asked)
        found = max((each for each in self._general()), key=lambda each: each[0], default=None)
        return found and (found[0], {"names": [], "known": [], **found[1]} if asked.full else found[1])

    def name(self, asked: StatusQuery) -> tuple[float, dict[str, Any]] | None:
        """What is known of one name of one zone: the last answer about it, or what the last long answer says of it."""
        if asked in self._answers:
            return self._answers[asked]
        for at, told in self._answers.values():
            for each in told.get("names") or told.get("items", ()):
                for answer in each.get("answers", ()):
                    if asked.zone and each["name"] == asked.name and answer["zone"] == asked.zone.id:
                        return at, {"answer": {key: answer[key] for key in ("addresses", "ttl", "reason")}}
        return None

    def _general(self) -> Iterator[tuple[float, dict[str, Any]]]:
        yield from (kept for asked, kept in self._answers.items() if not asked.zone and not asked.list)


def stale(at: float | None, now: float, as_of: str | None, error: Exception) -> dict[str, Any]:
    """What an old answer says of itself. `at`: when it was given, None where only Azure's part of it is known, now."""
    return {"as_of": as_of, "age_s": None if at is None else round(max(0.0, now - at), 1), "error": str(error)}
