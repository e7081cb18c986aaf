"""What people order is an entry in the history of the zones that it concerns, and a line of the log, like a change."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import NearzoneError
from shared.model import Cause, Past, Zone
from shared.ports import EVERY_NAME, Catalog
from shared.report import Report, ordered
from shared.together import all_of

_log = logging.getLogger("nearzone")


@dataclass(frozen=True)
class Journal:
    """Enters orders. Raises nothing: an order does not fail because its entry could not be kept."""

    catalog: Catalog

    async def enter(self, zones: Iterable[Zone], kind: str, reason: str, cause: Cause, report: Report) -> None:
        """Enter an order. `kind`: what was ordered, in a word; `reason`: the whole of it, in words."""
        entry = Past(EVERY_NAME, cause.at, kind, (), (), reason, cause.said, cause.by, cause.reason_given)

        async def keep(zone: Zone) -> None:
            _log.info("%s", ordered(zone, entry))
            try:
                await self.catalog.keep(zone.key, [entry])
            except NearzoneError as error:  # The log line has it.
                report.fail(f"history of {zone.fqdn} ({zone.region})", error)

        await all_of(keep(zone) for zone in zones)
