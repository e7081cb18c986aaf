"""Conditions that stop a private DNS call before it does anything, and all unknown behaviour of Azure.

No state of zones and records enters here. Each rule names the recording or the document that it follows. Where neither
exists, it is an assumption with a switch, so that a client can be tested under either answer. Budgets: `budgets.py`,
locks: `simulator/arm/locks.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, Self

from simulator.arm.front_door import ArmError, Call
from simulator.arm.throttles import Algorithm

Failure = Literal["exists", "modified"]


@dataclass(frozen=True, slots=True)
class AssumedBehaviour:
    """Behaviour of Azure for which no recording or document was found; each default is a guess that can be changed."""

    accept_quoted_etag: bool = False
    """Whether `"guid"` matches the etag `guid` of a record set or zone: azure-mgmt-privatedns 2.0.0 sends quotes."""
    delete_missing: Literal[204, 404] = 204
    """Status for DELETE of a missing record set in an existing zone (204 by the OpenAPI text only)."""
    if_match_missing: Literal[412, 404] = 412
    """Status for a PUT with If-Match if no record set exists."""
    check_body_etag: bool = False
    """Whether a stale `etag` in the body of a record set's PUT or PATCH fails like a stale If-Match."""
    put_keeps_metadata: bool = False
    """Whether a PUT without `metadata` keeps the record set's previous metadata."""
    refuse_auto_registered_delete: bool = False
    """Whether DELETE of an auto-registered set is a 400; otherwise it is a 200, and the set is registered again."""
    overlap_at_once: bool = False
    """Whether a link to a second zone of the same name is a 400 at once; otherwise the operation fails."""
    registration_seconds: float = 30.0
    """How long a link stays InProgress after registration was switched on and its operation has succeeded."""
    throttle: Algorithm = "sliding"
    """How the published budgets of a zone are counted."""
    list_pages_counted: bool = True
    """Whether every page of a list of record sets counts against the zone's list budget, or only the first."""
    large_top: bool = False
    """Whether `$top` above 100 is honoured for record sets; otherwise a page never has more than 100."""
    status_only_health: bool = True
    """Whether a list of VMs with `statusOnly=true` contains the health that VMs report."""
    inline_nic_event: bool = False
    """Whether a NIC that is created inline with its VM raises its own event."""
    action_in_subject: bool = False
    """Whether the subject of an action's event ends in the action's name; otherwise it is the resource's id."""
    flexible_vm_events: bool = False
    """Whether VMs that a flexible scale set creates or removes by its capacity raise their own events."""
    move_events: bool = False
    """Whether a move to another resource group raises a write of the new id and a delete of the old one."""
    create_tells_request: bool = False
    """Whether the event of a created record set contains its request, as those of updates and deletions do."""
    put_keeps_tags: bool = True
    """Whether a PUT of a VM or a scale set without tags keeps the old ones; otherwise it removes them."""

    @classmethod
    def draw(cls, rng: Random) -> Self:
        """A random value for each switch."""
        return cls(**{name: rng.choice(choices) for name, choices in CHOICES.items()})


CHOICES: Mapping[str, tuple[Any, ...]] = {
    "accept_quoted_etag": (False, True),
    "delete_missing": (204, 404),
    "if_match_missing": (412, 404),
    "check_body_etag": (False, True),
    "put_keeps_metadata": (False, True),
    "refuse_auto_registered_delete": (False, True),
    "overlap_at_once": (False, True),
    "registration_seconds": (0.0, 30.0, 120.0),
    "throttle": ("fixed", "sliding", "bucket"),
    "list_pages_counted": (False, True),
    "large_top": (False, True),
    "status_only_health": (False, True),
    "inline_nic_event": (False, True),
    "action_in_subject": (False, True),
    "flexible_vm_events": (False, True),
    "move_events": (False, True),
    "create_tells_request": (False, True),
    "put_keeps_tags": (False, True),
}
"""The possible values of each switch of `AssumedBehaviour`."""


def failed_condition(call: Call, etag: str | None, *, strip_quotes: bool = False) -> Failure | None:
    """The condition of the request that fails against the current etag (None: no such resource), or None.

    Etags are compared as text: Azure answered 412 to the bare word `gibberish` (azure-powershell
    TestRecordSetEtagMismatch, 2019-05-13), so it does not parse them.
    """
    if call.header("if-none-match") == "*" and etag is not None:
        return "exists"
    wanted = call.header("if-match")
    if strip_quotes and wanted is not None:
        wanted = wanted.strip('"')
    if wanted is None or (wanted == "*" and etag is not None):
        return None
    return None if wanted == etag else "modified"


def cname_in_the_way(record_type: str) -> ArmError:
    """A CNAME must be alone at its name: as seen on public DNS (rcl-letsencrypt-auto-ssl#26 and external-dns#5358)."""
    other = "another record" if record_type == "CNAME" else "a CNAME record"
    return conflict(
        f"The {record_type} record could not be created because {other} with the same name already exists in this zone."
    )


def zone_full(zone: str, sets: int, limit: int) -> ArmError:
    """The zone has its maximum number of record sets: as seen on public DNS (console-operator#927)."""
    return conflict(
        f"You have reached or exceeded the maximum number of record resources in zone '{zone}'. You have {sets} record "
        f"resources of {limit} allowed."
    )


def conflict(message: str) -> ArmError:
    """A 409 of the private DNS provider: all its meanings share a code and differ in the message."""
    return ArmError(409, "Conflict", message, wrapped=False)
