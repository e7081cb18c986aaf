"""What is recorded of an observation that may be false or says too little, and when the endpoint is looked at again.

Resource Manager is replicated: one answer may lack what another one has. So one answer that would take a serving
endpoint away without a matching event is recorded as a doubt, and a second look decides. The clock is an argument.

observation                        recorded                                        looked at again
404, no event asked, and the last  gone                                            no
  one was `CONFIRM_SECONDS` ago
404 after its delete event         gone                                            once, after `CONFIRM_SECONDS`
any other 404                      as known, in doubt; unknown: gone               after `CONFIRM_SECONDS`
nothing but 404 for                gone: events that keep asking would put the     once, after `CONFIRM_SECONDS`
  `PERSISTENT_SECONDS`               second look off for ever
it reported health, now none       serving, in doubt                               after `CONFIRM_SECONDS`
none again                         warming: it was restarted, for example          by every drain
never reported, extension is there warming                                         by every drain
the same for `health_wait` seconds serving, with an alarm                          by every sweep
the first claim by an event        as seen                                         by the next drain
unreadable, no power state         as known, in doubt (the adapter says so);       with back-off, if it claims names
                                   nothing known: unknown

The rule of the 404 was model-checked. A look that an event asked for does not confirm: between the two answers the
endpoint may have been made again. The time counts from the last 404.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import replace

from shared.domain.endpoints import Endpoint, EndpointRow, State

PERSISTENT_SECONDS = 30.0
"""Seconds of nothing but 404 after which the endpoint is withdrawn even where events keep asking; one look follows."""
CONFIRM_SECONDS = 5.0
"""Seconds between two looks that have to agree before an endpoint is withdrawn. How long a replica of Resource Manager
lags is not published; public reports of such answers speak of seconds."""
FIRST_BACK_OFF_SECONDS = 5.0
MAX_BACK_OFF_SECONDS = 300.0

EVENT, DELETE_EVENT, NO_EVENT = "event", "delete event", "no event"
"""What asks for a look: an event; an event that says that exactly this resource was deleted; a timer or a person."""
UNKNOWN = "unknown"
"""Beside one of these: the row that was read before the look claims no name, or is not there."""
MISSING = "Azure says that it does not exist; a second look decides"
SILENT = "it does not report its health any more; a second look decides"
TO_CONFIRM = (MISSING, SILENT)
"""Doubts that a second look settles."""


def observed_row(
    old: EndpointRow | None, seen: Endpoint, began: float, now: float, *, asks: AbstractSet[str], health_wait: float
) -> EndpointRow:
    """The row for an observation, begun at `began` after `old` was read, with the old row's `todo`. Times in seconds.

    `asks`: what asked for the look, and whether the endpoint was unknown. `health_wait`: for how long a machine is held
    back that reports no health.
    """
    missing_at = 0.0 if seen.state != State.GONE or _confirmed(old, began, asks) else now
    endpoint = _endpoint(old, seen, began, asks, missing=missing_at > 0)
    question = _open_question(endpoint)
    same = old is not None and question == _open_question(old.endpoint)  # MISSING: since the first 404.
    since, looks = (old.since, old.looks + 1) if old and same and question else (now if question else 0.0, 1)
    if endpoint.unreported and endpoint.addresses and now - since >= health_wait:
        endpoint = replace(endpoint, state=State.SERVING)
    todo = old.todo if old else frozenset()
    row = EndpointRow(endpoint, todo, now, missing_at, since, looks if question else 0)
    return replace(row, look_at=_next_look(row, now) or (now if _first_claim(row, asks) else 0.0))


def _first_claim(row: EndpointRow, asks: AbstractSet[str]) -> bool:
    """Whether a row begins to claim by an event: power events before it may have been dropped (`strangers.py`)."""
    return UNKNOWN in asks and bool(row.endpoint.names) and not asks.isdisjoint((EVENT, DELETE_EVENT))


def says_the_same(row: EndpointRow, seen: Endpoint) -> bool:
    """Whether a row that another handler wrote says what was seen, so that it may be written again for this look."""
    return not row.missing_at and seen.state != State.GONE and seen.equals_ignoring_id_case(row.endpoint)


def _confirmed(old: EndpointRow | None, began: float, asks: Collection[str]) -> bool:
    """Whether a 404 is the second one, after an earlier one that has lasted."""
    if old is None or not old.missing_at or began < old.missing_at + CONFIRM_SECONDS:
        return False
    return EVENT not in asks and DELETE_EVENT not in asks


def _endpoint(
    old: EndpointRow | None, seen: Endpoint, began: float, asks: Collection[str], *, missing: bool
) -> Endpoint:
    known = old.endpoint if old else None
    persists = old is not None and old.endpoint.doubt == MISSING and began >= old.since + PERSISTENT_SECONDS
    if missing and not persists and DELETE_EVENT not in asks and known and known.state != State.GONE:
        return known if known.unread else replace(known, doubt=MISSING)  # What is unread still holds its names back.
    reported = known is not None and known.state == State.SERVING and bool(known.health) and not known.unreported
    if old and reported and seen.unreported:
        second = old.endpoint.doubt == SILENT and began >= old.since + CONFIRM_SECONDS
        return seen if second else replace(seen, state=State.SERVING, unreported=False, doubt=SILENT)
    if seen.doubt and seen.state == State.WARMING and (known is None or known.state in (State.GONE, State.UNKNOWN)):
        return replace(
            seen, state=State.UNKNOWN
        )  # Nothing was seen of it: neither that it serves nor that it does not.
    return seen


def _open_question(endpoint: Endpoint) -> str:
    """What is open about it: looks with the same question belong together."""
    if endpoint.doubt:
        return endpoint.doubt if endpoint.doubt in TO_CONFIRM else "doubt"
    return "unreported" if endpoint.unreported else ""


def _next_look(row: EndpointRow, now: float) -> float:
    """When to look again, in seconds since the epoch; 0 for no time of its own."""
    if row.missing_at:
        return row.missing_at + CONFIRM_SECONDS
    if row.endpoint.doubt == SILENT:
        return row.since + CONFIRM_SECONDS
    if row.endpoint.doubt and row.endpoint.names:
        return now + min(MAX_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2.0 ** min(row.looks - 1, 10))
    return 0.0
