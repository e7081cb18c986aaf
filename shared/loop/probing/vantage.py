"""The vantage of this app: what rounds, drain timer and recorder need of it, and conditional changes of its row."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from shared.config.settings import Settings
from shared.decide.probes.targets import targets
from shared.decide.region_latency import Latency
from shared.domain.catalog_rows import Versioned
from shared.domain.endpoints import Endpoint
from shared.domain.errors import Conflict
from shared.domain.probes import Target, VantageRow
from shared.ports import Catalog

CHANGE_ATTEMPTS = 8
"""Attempts to change the row while other writers change it: a round, the drain timer, and the recorders."""


@dataclass(frozen=True)
class Vantage:
    """The vantage of this app. `clock`: seconds since the epoch. Calls may raise Transient and Terminal."""

    catalog: Catalog
    settings: Settings
    latency: Latency
    clock: Callable[[], float]

    @property
    def name(self) -> str:
        """Its name, which is a region."""
        return self.settings.probing.vantage

    @property
    def enforces(self) -> bool:
        """Whether what it finds changes answers."""
        return bool(self.settings.probes) and self.settings.probing.enforce

    def published(self, region: str) -> float | None:
        """Return the published round-trip time to a region in milliseconds."""
        return self.latency.ms(self.name, region)

    def targets(self, endpoints: Collection[Endpoint]) -> tuple[Target, ...]:
        """Return what is to be probed of these endpoints."""
        return targets(self.settings, endpoints)

    async def all_targets(self) -> tuple[Target, ...]:
        """Return what is to be probed of all endpoints that the catalog knows."""
        return self.targets([row.value.endpoint for row in await self.catalog.endpoints()])

    async def row(self) -> Versioned[VantageRow] | None:
        """Return its row; None before the first round."""
        return await self.catalog.vantage(self.name)

    async def change(
        self, change: Callable[[VantageRow], VantageRow | None], known: Versioned[VantageRow] | None = None
    ) -> Versioned[VantageRow] | None:
        """Replace the row with what `change` returns; None if that is None, or if there is no row.

        `known`: the row as this process wrote it last; it saves a read. Raises Conflict after too many attempts.
        """
        for _ in range(CHANGE_ATTEMPTS):
            stored = known or await self.row()
            wanted = change(stored.value) if stored else None
            if stored is None or wanted is None:
                return None
            with suppress(Conflict):
                return Versioned(wanted, await self.catalog.put_vantage(wanted, stored.etag))
            known = None
        raise Conflict(f"the row of vantage {self.name} changed {CHANGE_ATTEMPTS} times while it was written")

    async def clear_todo(self, written: Versioned[VantageRow]) -> bool:
        """Take the names that have been marked off the row; whether no other round has begun meanwhile."""
        row = written.value

        def cleared(now: VantageRow) -> VantageRow | None:
            same = now.round == row.round
            return (
                replace(now, todo=now.todo - row.todo, reordered=now.reordered and not row.reordered) if same else None
            )

        return not (row.todo or row.reordered) or await self.change(cleared, written) is not None
