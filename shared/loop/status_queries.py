"""Status requests: the answer now, or the last known one where the catalog cannot be read."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from shared.domain.errors import NearzoneError, Terminal, Transient
from shared.domain.zones import Zone
from shared.edge import pages
from shared.edge.last_status import RUNBOOK, LastStatus, stale
from shared.edge.status_query import LogQuery, NameQuery, PageQuery, StatusQuery, SummaryQuery
from shared.loop import explanation, status, status_details
from shared.loop.export import export
from shared.loop.instance import Instance
from shared.loop.startup import Startup
from shared.loop.status_sources import StatusSources
from shared.loop.times import format_time


@dataclass(frozen=True)
class StatusQueries:
    """Answers status requests; writes nothing. `event_counts`: the events of this process by what became of them."""

    sources: StatusSources
    startup: Startup
    instance: Instance
    event_counts: Counter[str]
    _last: LastStatus = field(default_factory=LastStatus)

    async def handle(self, query: StatusQuery) -> dict[str, Any] | str:
        """The log as lines of JSON; for everything else values that are ready for JSON.

        Where the catalog cannot be read now, what this process last knew, and how old that is.
        Raises BadRequest for a span of the log that is none, Transient where nothing was known before.
        """
        if isinstance(query, LogQuery):
            await self.startup.begin(fills=False)
            return await export(self.sources.catalog, self.sources.settings.zones, query, self.sources.clock)
        try:
            answer = await self._answer(query)
        except (Transient, Terminal) as error:
            return await self._stale(query, error)
        self._last.keep(query, answer, self.sources.clock())
        return answer

    async def _answer(self, query: SummaryQuery | PageQuery | NameQuery) -> dict[str, Any]:
        match query:
            case PageQuery():
                return await self.page(query.list, query.after, query.limit)
            case NameQuery():
                return await self.explain(query.zone, query.name)
            case SummaryQuery():
                return await self.summary(full=query.full)

    async def summary(self, *, full: bool = False) -> dict[str, Any]:
        """Everything in short; `full`: with names and endpoints, as many as one answer holds."""
        found = pages.summary(await self._everything())
        for name, key in (("names", "names"), ("endpoints", "known")) if full else ():
            first = await self.page(name, "", pages.FULL)
            found |= {key: first["items"], f"{key}_count": first["count"], f"{key}_next": first["next"]}
        return found

    async def page(self, name: str, after: str, limit: int) -> dict[str, Any]:
        """A page of one of the long lists of the status."""
        await self.startup.begin(fills=False)
        if name == "names":
            items = await status_details.names(self.sources)
        elif name == "endpoints":
            items = await status_details.endpoints(self.sources)
        else:
            items = (await self._everything())[name]
        return {"now": format_time(self.sources.clock()), **pages.page(name, items, after, limit)}

    async def explain(self, zone: Zone, name: str) -> dict[str, Any]:
        """Why a zone answers a name as it does."""
        await self.startup.begin(fills=False)
        return await explanation.explain(self.sources, zone, name)

    async def _everything(self) -> dict[str, Any]:
        await self.startup.begin(fills=False)
        found = await status.status(self.sources, self.instance.alarms())
        return {**found, "events": dict(sorted(self.event_counts.items()))}

    async def _stale(self, query: SummaryQuery | PageQuery | NameQuery, error: NearzoneError) -> dict[str, Any]:
        """The last answer; of one name, what the zone holds is read anew where Azure answers."""
        known, about, record = self._last.find(query), {}, {}
        if isinstance(query, NameQuery):
            about = {"zone": query.zone.id, "name": query.name}
            with suppress(NearzoneError):
                record = await explanation.record(self.sources, query.zone, query.name)
        if not known and not record:
            raise Transient(f"{error}. This process has read nothing yet, so there is no older answer; {RUNBOOK}")
        at, answer = known or (None, {"answer": None})
        age = stale(at, self.sources.clock(), format_time(at or 0.0), error)
        return {**answer, **about, **record, "stale": age}
