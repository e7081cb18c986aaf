"""What may stop a private DNS call before it does anything: conditions; and all of Azure's unknowns.

No state of zones and records enters here. Each rule names the recording or the document that it follows; where there is
none, it is an unknown with a switch, so that a client can be tried under either answer. Budgets: `dns_budgets.py`,
locks: `locks.py`.
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
    """What no recording or document tells about Azure; the defaults are guesses, and each can be turned round."""

    accept_quoted_etag: bool = False
    """Whether `"guid"` is taken for the etag `guid` of a record set or zone: azure-mgmt-privatedns 2.0.0 sends that."""
    delete_missing: Literal[204, 404] = 204
    """Status for DELETE of a record set that does not exist, in a zone that does (204 by the OpenAPI text only)."""
    if_match_missing: Literal[412, 404] = 412
    """Status for a PUT with If-Match where there is no record set."""
    check_body_etag: bool = False
    """Whether a stale `etag` in the body of a record set's PUT or PATCH fails like a stale If-Match."""
    put_keeps_metadata: bool = False
    """Whether a PUT without `metadata` leaves the metadata that the record set had."""
    refuse_auto_registered_delete: bool = False
    """Whether DELETE of an auto-registered set is a 400; otherwise it is a 200, and the set is registered again."""
    overlap_at_once: bool = False
    """Whether a link to a second zone of the same name is a 400 at once; otherwise the operation fails."""
    operation_seconds: float = 10.0
    """How long a zone or link operation runs: recorded ones were running after 4 s and over after 30 s."""
    registration_seconds: float = 30.0
    """How long a link whose registration was switched on stays InProgress after its operation has succeeded."""
    throttle: Algorithm = "sliding"
    """How the published budgets of a zone are counted."""
    list_pages_counted: bool = True
    """Whether every page of a list of record sets spends the zone's list budget, or its first page only."""
    large_top: bool = False
    """Whether `$top` above 100 is honoured for record sets; otherwise a page never has more than 100."""
    status_only_health: bool = True
    """Whether a list of VMs with `statusOnly=true` holds the health that VMs report."""
    inline_nic_event: bool = False
    """Whether a NIC that is created inline with its VM raises an event of its own."""
    action_in_subject: bool = False
    """Whether the subject of an action's event ends in the action's name; otherwise it is the resource's id."""
    flexible_vm_events: bool = False
    """Whether VMs that a flexible scale set makes or removes by its capacity raise events of their own."""
    move_events: bool = False
    """Whether a move to another resource group raises a write of the new id and a delete of the old one."""
    create_tells_request: bool = False
    """Whether the event of a record set that is created tells of its request, as those of updates and deletions do."""

    @classmethod
    def draw(cls, rng: Random) -> Self:
        """A random setting of all of them."""
        return cls(**{name: rng.choice(choices) for name, choices in CHOICES.items()})


CHOICES: Mapping[str, tuple[Any, ...]] = {
    "accept_quoted_etag": (False, True),
    "delete_missing": (204, 404),
    "if_match_missing": (412, 404),
    "check_body_etag": (False, True),
    "put_keeps_metadata": (False, True),
    "refuse_auto_registered_delete": (False, True),
    "overlap_at_once": (False, True),
    "operation_seconds": (5.0, 10.0, 29.0),
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
}
"""What each unknown of `Unknowns` may be."""


def failed_condition(call: Call, etag: str | None, *, strip_quotes: bool = False) -> Failure | None:
    """Which of the request's conditions fails against the present etag (None: no such resource), or None.

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
    """A CNAME stands alone at its name: as seen on public DNS (rcl-letsencrypt-auto-ssl#26 and external-dns#5358)."""
    other = "another record" if record_type == "CNAME" else "a CNAME record"
    return conflict(
        f"The {record_type} record could not be created because {other} with the same name already exists in this zone."
    )


def zone_full(zone: str, sets: int, limit: int) -> ArmError:
    """The zone has as many record sets as it may have: as seen on public DNS (console-operator#927)."""
    return conflict(
        f"You have reached or exceeded the maximum number of record resources in zone '{zone}'. You have {sets} record "
        f"resources of {limit} allowed."
    )


def conflict(message: str) -> ArmError:
    """A 409 of the private DNS provider: its meanings share a code and differ in their words."""
    return ArmError(409, "Conflict", message, wrapped=False)
