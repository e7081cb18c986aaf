"""Which writes of record sets are this deployment's own, by the id that each request carries. Pure.

Azure repeats the header `x-ms-client-request-id` of a request in the event about it: `data.httpRequest.clientRequestId`
(Microsoft Learn, event-schema-subscriptions; for updates and deletions). Our ids have the form of UUIDs, as Azure asks,
and their first half names the deployment.
"""

from __future__ import annotations

import hashlib

from shared.config.settings import Settings

_HALF = 19
"""Characters of the first half of a UUID, with its hyphens."""


def request_id_prefix(settings: Settings) -> str:
    """The first half of the ids of a deployment's requests: owner and zones say which deployment it is."""
    parts = (settings.owner, sorted(zone.key for zone in settings.zones))
    text = hashlib.sha256(repr(parts).encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-"


def request_id(own: str, chance: str) -> str:
    """The id of one request. `own`: the mark; `chance`: a random UUID of version 4."""
    return own + chance[_HALF:]


def is_own(own: str, told: object) -> bool:
    """Whether what an event tells as its request's id is one of ours; whatever else it may be, it is not."""
    return bool(own) and isinstance(told, str) and told.lower().startswith(own)
