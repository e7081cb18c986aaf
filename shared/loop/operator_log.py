"""Overrides as entries in the history of their zones and as lines of the log, like changes of record sets."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.catalog_rows import WHOLE_ZONE
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import Cause, RecordChange
from shared.domain.errors import NearzoneError
from shared.domain.zones import Zone
from shared.edge.report import Report, override_log_line
from shared.ports import Catalog

_log = logging.getLogger("nearzone")


@dataclass(frozen=True)
class OperatorLog:
    """Enters what operators do. Raises nothing: an override does not fail because its entry could not be kept."""

    catalog: Catalog

    async def enter(self, zones: Iterable[Zone], kind: str, reason: str, cause: Cause, report: Report) -> None:
        """Make an entry. `kind`: such as "drain"; `reason`: the whole of it, in words."""
        entry = RecordChange(WHOLE_ZONE, cause.at, kind, (), (), reason, cause.text, cause.by, cause.reason_given)

        async def keep(zone: Zone) -> None:
            _log.info("%s", override_log_line(zone, entry))
            try:
                await self.catalog.add_history(zone.key, [entry])
            except NearzoneError as error:  # The log line has it.
                report.fail(f"history of {zone.fqdn} ({zone.region})", error)

        await gather_bounded(keep(zone) for zone in zones)
