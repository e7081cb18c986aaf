"""The log of a span of time, of all zones, as lines of JSON: every change and every override, oldest first.

One answer holds what one page of each zone's log has. Where there is more, its last line is `{"next": TIME}`: the
`since` of the next request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from shared.domain.catalog_rows import tick
from shared.domain.concurrency import gather_bounded
from shared.domain.errors import BadRequest
from shared.domain.zones import Zone
from shared.edge.status_query import LogQuery
from shared.loop.status_json import change_json
from shared.loop.times import format_time
from shared.ports import Catalog


async def export(catalog: Catalog, zones: Sequence[Zone], query: LogQuery, clock: Callable[[], float]) -> str:
    """Everything from `since` on and before `until`. Raises BadRequest, Transient, Terminal."""
    begin, end = _time("since", query.since), _time("until", query.until) if query.until else clock()
    if tick(begin) >= tick(end):
        raise BadRequest(f"since: {query.since[:80]!r} is not before {query.until[:80] or 'now'}, where the span ends")
    pages = await gather_bounded(catalog.log(zone.key, begin, end) for zone in zones)
    whole = min(page.until for page in pages)
    found = [(past, zone) for page, zone in zip(pages, zones, strict=True) for past in page.entries]
    found = [each for each in found if tick(each[0].at) < tick(whole)]
    lines = [change_json(*each) for each in sorted(found, key=lambda each: (each[0].at, each[1].key, each[0].name))]
    if tick(whole) < tick(end):
        lines.append({"next": str(format_time(whole)).replace("+00:00", "Z")})
    return "".join(msgspec.json.encode(line).decode() + "\n" for line in lines)


def _time(field: str, text: str) -> float:
    """A time of ISO 8601, in UTC where it does not say. In a URL, an unquoted `+` of its offset is a space."""
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "+") if text.count(":") > 2 else text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise BadRequest(f"{field}: {text[:80]!r} is not a time such as 2026-11-29T10:00:00Z") from error
