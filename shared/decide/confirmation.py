"""What is recorded of a possibly false or incomplete observation, and when the endpoint is read again.

Resource Manager is replicated: one response may lack what another one has. A single response that would remove a
serving endpoint without a matching event is therefore recorded as a doubt, and a second read decides. The clock is an
argument.

observation                        recorded                                        read again
404, no event, and the last 404    gone                                            no
  was `CONFIRM_SECONDS` ago
404 after its delete event         gone                                            once, after `CONFIRM_SECONDS`
any other 404                      previous values, in doubt; if unknown: gone     after `CONFIRM_SECONDS`
only 404 for `PERSISTENT_SECONDS`  gone: otherwise repeated events would delay     once, after `CONFIRM_SECONDS`
                                   the second read forever
it reported health, now none       serving, in doubt                               after `CONFIRM_SECONDS`
none again                         warming: it was restarted, for example          by every apply
never reported, has the extension  warming                                         by every apply
the same for `health_wait` seconds serving, with an alarm                          by every sweep
the first claim by an event        as observed                                     by the next apply
unreadable, no power state         previous values, in doubt (from the adapter);   with back-off, if it claims names
                                   if there are none: unknown

The rule for 404 was model-checked. A read caused by an event does not confirm: the endpoint may have been recreated
between the two responses. The interval counts from the last 404.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import replace

from shared.domain.endpoints import Endpoint, EndpointRow, State

PERSISTENT_SECONDS = 30.0
"""Seconds with only 404 after which the endpoint is removed even if events continue; one more read follows."""
CONFIRM_SECONDS = 5.0
"""Seconds between two reads that have to agree before an endpoint is removed. The replication lag of Resource Manager
is not published; public reports of such responses mention seconds."""
FIRST_BACK_OFF_SECONDS = 5.0
MAX_BACK_OFF_SECONDS = 300.0

EVENT, DELETE_EVENT, NO_EVENT = "event", "delete event", "no event"
"""The cause of a read: an event; an event that reports the deletion of exactly this resource; a timer or an operator.
"""
UNKNOWN = "unknown"
"""In addition to a cause: the row that was read before the observation is absent, or claims no name."""
MISSING = "Azure reports that it does not exist; a second read decides"
SILENT = "it does not report its health any more; a second read decides"
TO_CONFIRM = (MISSING, SILENT)
"""Doubts that a second read settles."""


def observed_row(
    old: EndpointRow | None, observed: Endpoint, began: float, now: float, *, asks: AbstractSet[str], health_wait: float
) -> EndpointRow:
    """Return the row for an observation that began at `began`, after `old` was read. Times in seconds.

    The row keeps the `todo` of `old`. `asks`: the causes of the read, and whether the endpoint was unknown.
    `health_wait`: for how long a machine is held back that has not reported its health.
    """
    missing_at = 0.0 if observed.state != State.GONE or _confirmed(old, began, asks) else now
    endpoint = _endpoint(old, observed, began, asks, missing=missing_at > 0)
    question = _open_question(endpoint)
    same = old is not None and question == _open_question(old.endpoint)  # For MISSING: since the first 404.
    since, looks = (old.since, old.looks + 1) if old and same and question else (now if question else 0.0, 1)
    if endpoint.unreported and endpoint.addresses and now - since >= health_wait:
        endpoint = replace(endpoint, state=State.SERVING)
    todo = old.todo if old else frozenset()
    row = EndpointRow(endpoint, todo, now, missing_at, since, looks if question else 0)
    return replace(row, look_at=_next_look(row, now) or (now if _first_claim(row, asks) else 0.0))


def _first_claim(row: EndpointRow, asks: AbstractSet[str]) -> bool:
    """Return whether a row's first claim comes from an event.

    Earlier power events may have been dropped (see `unknown_resources.py`).
    """
    return UNKNOWN in asks and bool(row.endpoint.names) and not asks.isdisjoint((EVENT, DELETE_EVENT))


def says_the_same(row: EndpointRow, observed: Endpoint) -> bool:
    """Return whether a row from another handler equals the observation, so that it may be written again for it."""
    return not row.missing_at and observed.state != State.GONE and observed.equals_ignoring_id_case(row.endpoint)


def _confirmed(old: EndpointRow | None, began: float, asks: Collection[str]) -> bool:
    """Return whether a 404 is the second one, at least `CONFIRM_SECONDS` after the first."""
    if old is None or not old.missing_at or began < old.missing_at + CONFIRM_SECONDS:
        return False
    return EVENT not in asks and DELETE_EVENT not in asks


def _endpoint(
    old: EndpointRow | None, observed: Endpoint, began: float, asks: Collection[str], *, missing: bool
) -> Endpoint:
    previous = old.endpoint if old else None
    persists = old is not None and old.endpoint.doubt == MISSING and began >= old.since + PERSISTENT_SECONDS
    if missing and not persists and DELETE_EVENT not in asks and previous and previous.state != State.GONE:
        return (
            previous if previous.unread else replace(previous, doubt=MISSING)
        )  # An unread endpoint still blocks its names.
    reported = (
        previous is not None and previous.state == State.SERVING and bool(previous.health) and not previous.unreported
    )
    if old and reported and observed.unreported:
        second = old.endpoint.doubt == SILENT and began >= old.since + CONFIRM_SECONDS
        return observed if second else replace(observed, state=State.SERVING, unreported=False, doubt=SILENT)
    if (
        observed.doubt
        and observed.state == State.WARMING
        and (previous is None or previous.state in (State.GONE, State.UNKNOWN))
    ):
        return replace(observed, state=State.UNKNOWN)  # The observation does not show whether it serves.
    return observed


def _open_question(endpoint: Endpoint) -> str:
    """Return the open question about an endpoint: reads with the same question are counted together."""
    if endpoint.doubt:
        return endpoint.doubt if endpoint.doubt in TO_CONFIRM else "doubt"
    return "unreported" if endpoint.unreported else ""


def _next_look(row: EndpointRow, now: float) -> float:
    """Return when to read again, in seconds since the epoch; 0 for no separate time."""
    if row.missing_at:
        return row.missing_at + CONFIRM_SECONDS
    if row.endpoint.doubt == SILENT:
        return row.since + CONFIRM_SECONDS
    if row.endpoint.doubt and row.endpoint.names:
        return now + min(MAX_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2.0 ** min(row.looks - 1, 10))
    return 0.0
