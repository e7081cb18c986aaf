"""The answers of every simulated zone for every name, with their times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

from simulator.arm.front_door import Completed
from simulator.cloud import SimulatedAzure
from simulator.oracle.answers import held

Answer: TypeAlias = "tuple[int, frozenset[str]] | None"
"""TTL in seconds and addresses, or None: no A record set."""
Key: TypeAlias = tuple[str, str]
"""Zone id in lower case, and name."""


class History:
    """Records a cloud from now on. A write counts from the instant at which it took effect."""

    def __init__(self, cloud: SimulatedAzure) -> None:
        self._cloud = cloud
        self._begun = cloud.azure.clock()
        self._answers: dict[Key, list[tuple[float, Answer]]] = {
            key: [(self._begun, answer)] for key, answer in held(cloud.world()).items()
        }
        cloud.azure.completed.append(self._note)

    def _note(self, note: Completed) -> None:
        if not note.operation.startswith("Microsoft.Network/privateDnsZones/A/"):
            return
        zone_id, _, name = note.resource_id.rsplit("/", 2)
        zone = self._cloud.private_dns.zone(zone_id)
        found = zone.get("A", name) if zone else None
        answer = (found.ttl, frozenset(found.addresses)) if found else None
        self._of((zone_id.lower(), name.lower())).append((note.time, answer))

    def _of(self, key: Key) -> list[tuple[float, Answer]]:
        return self._answers.setdefault(key, [(self._begun, None)])

    def now(self, key: Key) -> Answer:
        """Return a zone's current answer for a name."""
        return self._of(key)[-1][1]

    def first(self, key: Key) -> float:
        """Return when the name got its first address; infinite if it never had one."""
        return next((at for at, answer in self._of(key) if answer and answer[1]), float("inf"))

    def since(self, key: Key, right: Callable[[Answer], bool]) -> float:
        """Return since when every answer has been right; infinite if the current one is not."""
        last = float("inf")
        for at, answer in reversed(self._of(key)):
            if not right(answer):
                break
            last = at
        return last

    def changes(self, after: float) -> Counter[Key]:
        """Return how often each answer has changed after an instant."""
        return Counter(
            key
            for key, answers in self._answers.items()
            for (_, before), (at, answer) in pairwise(answers)
            if at > after and answer != before
        )
