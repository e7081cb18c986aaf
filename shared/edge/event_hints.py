"""An event is a hint: from what Event Grid delivers, only the resource id and the kind of event are taken.

Anything else in the payload may be late, doubled, reordered or forged; the state is read from ARM. The event's own id
and operation are kept for people alone. What else the payload says may only let an event be dropped: then a forged one
is as good as none, and a lost one costs no more than time. Events arrive in the Event Grid schema or as CloudEvents 1.0
and hold the same data (Microsoft Learn, event-schema-subscriptions).
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
"""Operations through ARM, told when they have ended, and what happens to VMs by themselves or begins to happen: a guest
that shuts down, a preempted Spot VM, a host that crashed, a power operation under way (Microsoft Learn,
event-schema-health-resources; preview)."""

_DELETED = "microsoft.resources.resourcedeletesuccess"
_VM = "microsoft.compute/virtualmachines"
_POWER = frozenset(f"{_VM}/{what}/action" for what in ("start", "poweroff", "deallocate", "restart"))
_EDITED = ("microsoft.resources.resourcewritesuccess", _DELETED)
RECORD_SETS = "microsoft.network/privatednszones/a"
"""The ARM type of A record sets, in lower case."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Look at this resource. `type`: its ARM type in lower case, e.g. `microsoft.network/networkinterfaces`.

    `said`: what the event says of itself, for people: `event ID: OPERATION RESOURCE`. Nothing is decided by it.
    `deleted`: the event says that exactly this resource was deleted; then one 404 is enough to believe it.
    `power`: it tells that a VM was started or stopped, or of its health, and so of nothing that could change what the
    VM claims. It may only let the event be dropped.
    """

    resource_id: str
    type: str
    said: str = field(default="", compare=False)
    deleted: bool = False
    power: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class RecordEdit:
    """Look at this name of this zone (its key): its A record set was written or deleted. `said` as in `Hint`.

    `created`: the event tells nothing of a request, as one about a record set that was not there before.
    """

    zone: str
    name: str
    said: str = field(default="", compare=False)
    created: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to look at, and why. `outcome`: malformed, oversized, foreign, irrelevant or own."""

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
    """Read one event. `subscriptions` are watched, `types` are the ARM types that matter, both in lower case.

    `zones`: keys of our zones, whose record sets matter as well. `own`: the mark of our own requests (`own_writes`).

    The subject of an action event may end in the action's name, and a tag event's subject in the tags resource; both
    lead to the resource itself. A sub-resource that does not matter itself (an extension, an IP configuration, the
    health of a VM) leads to the resource that it belongs to.
    """
    if len(text) > MAX_BYTES:
        return Ignored("oversized", f"event of {len(text)} characters, at most {MAX_BYTES} are read")
    try:
        event = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Ignored("malformed", f"event is not readable: {error}")
    kind = event.event_type or event.type
    if not _TYPE.fullmatch(kind):
        return Ignored("irrelevant", f"event type {kind[:80]!r}")
    target = event.subject or (event.data.target if event.data else "")
    found = resource_id(target, {*types, RECORD_SETS})
    if found and found.type == RECORD_SETS:
        return _edit(found.id, kind, event, zones, own)
    if not found:
        return Ignored("irrelevant", f"subject {target[:200]!r} is no resource that could be an endpoint")
    if found.subscription not in subscriptions:
        return Ignored("foreign", f"subscription {found.subscription[:80]!r} is not in NEARZONE_SUBSCRIPTIONS")
    if found.type not in types:
        return Ignored("irrelevant", f"resource type {found.type[:80]!r}")
    deleted, power = found.whole and kind.lower() == _DELETED, found.type == _VM and _is_power(kind, event)
    return Hint(found.id, found.type, _said(event, kind, found.id), deleted, power)


def _is_power(kind: str, event: _Event) -> bool:
    operation = str(event.data.operation_name).lower() if event.data else ""
    action = kind.lower().startswith("microsoft.resources.resourceaction") and operation in _POWER
    return action or ".healthresources." in kind.lower()


def _edit(record_set: str, kind: str, event: _Event, zones: Collection[str], own: str) -> RecordEdit | Ignored:
    """What an event about an A record set hints at.

    One that carries the id of a request of ours is dropped: it tells nothing new. Who forges that id hides nothing but
    an event that he has made up himself; Azure's own events of others' edits do not carry it.
    """
    zone, _, name = record_set.lower().rsplit("/", 2)
    if zone not in zones or not LABEL.fullmatch(name):
        return Ignored("irrelevant", f"record set {record_set[-200:]!r} is no name in a zone of NEARZONE_ZONES")
    if kind.lower() not in _EDITED:
        return Ignored("irrelevant", f"event type {kind!r} about a record set")
    request = event.data.http_request if event.data else None
    if isinstance(request, dict) and is_own(own, request.get("clientRequestId")):
        return Ignored("own", f"our own write of {name!r}")
    created = request is None and kind.lower() != _DELETED
    return RecordEdit(zone, name, _said(event, kind, record_set), created)


def _said(event: _Event, kind: str, resource: str) -> str:
    operation = (event.data.operation_name if event.data else "") or kind.rsplit(".", 1)[-1]
    return f"event {_plain(event.id, 64)}: {_plain(operation, 120)} {resource.rsplit('/', 1)[-1]}"


def _plain(said: object, most: int) -> str:
    """What a stranger may have written, for people: one line, and not long."""
    return "".join(each for each in str(said)[:most] if each.isprintable())
