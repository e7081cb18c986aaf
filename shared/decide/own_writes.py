"""Recognizes this deployment's own writes of record sets, by the id in each request. Pure.

Azure repeats the header `x-ms-client-request-id` of a request in the event about it: data.httpRequest.clientRequestId
(Microsoft Learn, event-schema-subscriptions; for updates and deletions). Our ids have the form of UUIDs, as Azure
requires, and their first half identifies the deployment.
"""

from __future__ import annotations

import hashlib

from shared.config.settings import Settings

_HALF = 19
"""Characters of the first half of a UUID, with its hyphens."""


def request_id_prefix(settings: Settings) -> str:
    """Return the first half of the ids of a deployment's requests: owner and zones identify the deployment."""
    parts = (settings.owner, sorted(zone.key for zone in settings.zones))
    text = hashlib.sha256(repr(parts).encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-"


def request_id(prefix: str, chance: str) -> str:
    """Return the id of one request. `prefix`: from `request_id_prefix`; `chance`: a random UUID of version 4."""
    return prefix + chance[_HALF:]


def is_own(prefix: str, value: object) -> bool:
    """Return whether an event's request id, which may have any type, is one of ours."""
    return bool(prefix) and isinstance(value, str) and value.lower().startswith(prefix)
