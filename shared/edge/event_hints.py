"""An event is a hint: only the resource id and the kind of event are used of what Event Grid delivers.

All other parts of the payload may be late, duplicated, out of order or forged; the state is read from ARM. The event's
id and operation are kept for the operator only. The rest of the payload may only cause an event to be dropped: a forged
event then has no effect, and a lost event only costs time. Events arrive in the Event Grid schema or as CloudEvents 1.0
and contain the same data (Microsoft Learn, event-schema-subscriptions).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.config.settings import LABEL
from shared.decide.own_writes import is_own
from shared.domain.resource_ids import resource_id

MAX_BYTES = 1024 * 1024
"""Larger events are ignored. Source: Event Grid accepts events of up to 1 MB."""

_TYPE = re.compile(
    r"Microsoft\.Resources\.Resource(Write|Delete|Action)(Success|Failure|Cancel)"
    r"|Microsoft\.ResourceNotifications\.HealthResources\.(AvailabilityStatusChanged|ResourceAnnotated)",
    re.IGNORECASE,
)
"""Operations through ARM, reported when they have ended, and changes of VMs that occur on their own or begin: a guest
shutdown, a preempted Spot VM, a host that crashed, a power operation in progress (Microsoft Learn,
event-schema-health-resources; preview)."""

_DELETED = "microsoft.resources.resourcedeletesuccess"
_VM = "microsoft.compute/virtualmachines"
_POWER = frozenset(f"{_VM}/{what}/action" for what in ("start", "poweroff", "deallocate", "restart"))
_EDITED = ("microsoft.resources.resourcewritesuccess", _DELETED)
RECORD_SETS = "microsoft.network/privatednszones/a"
"""The ARM type of A record sets, in lower case."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A resource to observe. `type`: its ARM type in lower case, e.g. `microsoft.network/networkinterfaces`.

    `description`: the event for the operator, as `event ID: OPERATION RESOURCE`; no decision depends on it. `deleted`:
    the event reports the deletion of exactly this resource; then one 404 suffices. `power`: the event reports a start,
    a stop or the health of a VM, and so does not change the VM's claims. It may only cause the event to be dropped.
    """

    resource_id: str
    type: str
    description: str = field(default="", compare=False)
    deleted: bool = False
    power: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class RecordEdit:
    """A name of a zone (its key) to check: its A record set was written or deleted. `description`: as in `Hint`.

    `created`: the event has no request, like an event about a record set that did not exist before.
    """

    zone: str
    name: str
    description: str = field(default="", compare=False)
    created: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event without a hint, and the reason. `outcome`: malformed, oversized, foreign, irrelevant or own."""

    outcome: str
    reason: str


class _HealthProperties(msgspec.Struct, rename="camel"):
    target_resource_id: str = ""


class _ResourceInfo(msgspec.Struct):
    properties: _HealthProperties | None = None


class _Data(msgspec.Struct, rename="camel"):
    operation_name: Any = ""
    http_request: Any = None
    resource_uri: str = ""
    resource_info: _ResourceInfo | None = None

    @property
    def target(self) -> str:
        health = self.resource_info.properties if self.resource_info else None
        return self.resource_uri or (health.target_resource_id if health else "")


class _Event(msgspec.Struct, rename="camel"):
    id: Any = ""
    event_type: str = ""
    type: str = ""
    subject: str = ""
    data: _Data | None = None


_decoder = msgspec.json.Decoder(_Event)


def hint(
    text: str | bytes,
    subscriptions: Collection[str],
    types: Collection[str],
    zones: Collection[str] = (),
    own: str = "",
) -> Hint | RecordEdit | Ignored:
    """Parse one event. `subscriptions`: the watched ones; `types`: the relevant ARM types; both in lower case.

    `zones`: keys of our zones, whose record sets are relevant as well. `own`: the prefix of our own requests' ids (see
    `own_writes.py`).

    The subject of an action event may end in the action's name, and the subject of a tag event in the tags resource;
    both give a hint for the resource itself. A sub-resource of an irrelevant type (an extension, an IP configuration,
    the health of a VM) gives a hint for the resource that contains it.
    """
    if len(text) > MAX_BYTES:
        return Ignored("oversized", f"event of {len(text)} characters, at most {MAX_BYTES} are read")
    try:
        event = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Ignored("malformed", f"the event cannot be parsed: {error}")
    kind = event.event_type or event.type
    if not _TYPE.fullmatch(kind):
        return Ignored("irrelevant", f"event type {kind[:80]!r}")
    target = event.subject or (event.data.target if event.data else "")
    found = resource_id(target, {*types, RECORD_SETS})
    if found and found.type == RECORD_SETS:
        return _record_edit(found.id, kind, event, zones, own)
    if not found:
        return Ignored("irrelevant", f"subject {target[:200]!r} is not a resource that could be an endpoint")
    if found.subscription not in subscriptions:
        return Ignored("foreign", f"subscription {found.subscription[:80]!r} is not in NEARZONE_SUBSCRIPTIONS")
    if found.type not in types:
        return Ignored("irrelevant", f"resource type {found.type[:80]!r}")
    deleted, power = found.whole and kind.lower() == _DELETED, found.type == _VM and _is_power_event(kind, event)
    return Hint(found.id, found.type, _description(event, kind, found.id), deleted, power)


def _is_power_event(kind: str, event: _Event) -> bool:
    operation = str(event.data.operation_name).lower() if event.data else ""
    action = kind.lower().startswith("microsoft.resources.resourceaction") and operation in _POWER
    return action or ".healthresources." in kind.lower()


def _record_edit(record_set: str, kind: str, event: _Event, zones: Collection[str], own: str) -> RecordEdit | Ignored:
    """Return the hint of an event about an A record set.

    An event with the request id of our own write is dropped, because it has no news. A forged id can only hide the
    forged event itself: Azure's events about the edits of others do not have it.
    """
    zone, _, name = record_set.lower().rsplit("/", 2)
    if zone not in zones or not LABEL.fullmatch(name):
        return Ignored("irrelevant", f"record set {record_set[-200:]!r} is not a name in a zone of NEARZONE_ZONES")
    if kind.lower() not in _EDITED:
        return Ignored("irrelevant", f"event type {kind!r} about a record set")
    request = event.data.http_request if event.data else None
    if isinstance(request, dict) and is_own(own, request.get("clientRequestId")):
        return Ignored("own", f"our own write of {name!r}")
    created = request is None and kind.lower() != _DELETED
    return RecordEdit(zone, name, _description(event, kind, record_set), created)


def _description(event: _Event, kind: str, resource: str) -> str:
    operation = (event.data.operation_name if event.data else "") or kind.rsplit(".", 1)[-1]
    return f"event {_printable(event.id, 64)}: {_printable(operation, 120)} {resource.rsplit('/', 1)[-1]}"


def _printable(said: object, most: int) -> str:
    """Return text from an untrusted event for the operator: one line of limited length."""
    return "".join(each for each in str(said)[:most] if each.isprintable())
