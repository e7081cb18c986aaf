"""The calls on one zone's record sets: GET, PUT, PATCH, DELETE, lists. All of them are answered at once.

The zone exists when a call arrives here; `provider.py` handles zones, links and operations.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.private_dns.budgets import Budget, ZoneBudgets
from simulator.private_dns.pages import CONTINUATION, after_record_set, last_record_set, next_link
from simulator.private_dns.record_sets import (
    FIELDS,
    SETS_PER_ZONE,
    RecordSet,
    Zone,
    record_set_json,
    refused,
    written,
)
from simulator.private_dns.registration import Registrations
from simulator.private_dns.rules import AssumedBehaviour, Failure, cname_in_the_way, failed_condition, zone_full

PAGE = 100
"""Record sets on a page unless `$top` is smaller. Source: OpenAPI 2020-06-01; no longer page is recorded."""


class RecordSetCalls:
    """Answers record set calls."""

    def __init__(
        self, azure: ArmFrontDoor, unknowns: AssumedBehaviour, budgets: ZoneBudgets, registrations: Registrations
    ) -> None:
        self._azure = azure
        self._unknowns = unknowns
        self._budgets = budgets
        self._registrations = registrations

    def handle(self, call: Call, zone: Zone) -> Response:
        """Answer a call whose second type is a record type or ALL. Raises ArmError for an error answer."""
        record_type = call.types[1].upper()
        if len(call.names) == 1 and call.method == "GET":
            return self._list(call, zone, None if record_type == "ALL" else record_type)
        if len(call.names) != 2 or record_type == "ALL" or call.method not in {"GET", "PUT", "PATCH", "DELETE"}:
            raise ArmError(405, "HttpMethodNotSupported", f"{call.method} is not supported here.", wrapped=False)
        old = zone.get(record_type, _name(call))
        budget: dict[str, Budget] = {"GET": "get", "DELETE": "delete"}
        change: Budget = "update" if old else "create"
        self._budgets.spend(zone.id, budget.get(call.method, change))
        if call.method == "GET":
            return self._answer(call, zone, self._existing(call, old))
        if call.method == "DELETE" and old and old.type == "SOA":  # recorded without a condition; the order is inferred
            raise refused(f"Record sets of type 'SOA' with name '{old.name}' cannot be deleted.")
        self._check_conditions(call, old)
        if call.method == "DELETE":
            return self._delete(call, zone, old)
        return self._write(call, zone, record_type, old)

    def _existing(self, call: Call, found: RecordSet | None) -> RecordSet:
        if found is None:  # azure-powershell TestRecordSetCrud, 2019
            raise ArmError(
                404,
                "NotFound",
                f"The resource record '{_name(call)}' does not exist in resource group '{call.group}' of "
                f"subscription '{call.subscription}'.",
                wrapped=False,
            )
        return found

    def _check_conditions(self, call: Call, old: RecordSet | None) -> None:
        failure: Failure | None = failed_condition(
            call, old.etag if old else None, strip_quotes=self._unknowns.accept_quoted_etag
        )
        if self._unknowns.check_body_etag and call.method != "DELETE" and old and failure is None:
            failure = "modified" if call.json().get("etag", old.etag) != old.etag else None
        if failure is None:
            return
        if old is None and self._unknowns.if_match_missing == 404:
            self._existing(call, old)
        what = {
            "exists": "exists already and hence cannot be created again.",
            "modified": "has been modified (etag mismatch).",
        }[failure]
        raise ArmError(412, "PreconditionFailed", f"The Record set {_name(call)} {what}", wrapped=False)

    def _write(self, call: Call, zone: Zone, record_type: str, old: RecordSet | None) -> Response:
        properties = call.json().get("properties", {})
        if not isinstance(properties, dict):
            raise refused("The properties of a record set are an object.")
        if call.method == "PATCH":
            base: RecordSet | None = self._existing(call, old)
        else:
            base = None
            if old and self._unknowns.put_keeps_metadata and old.metadata is not None:
                properties = {"metadata": old.metadata, **properties}
        new = written(base, record_type, _name(call), properties)
        if record_type == "SOA" and old:  # recorded: the serial number stays 1 whatever is sent
            new = replace(new, records={**old.records, **new.records, "serialNumber": old.records["serialNumber"]})
        self._check_neighbours(zone, new, old)
        new = replace(new, etag=self._azure.new_guid())
        zone.put(new)
        self._emit(call, zone, new, updates=old is not None or self._unknowns.create_tells_request)
        return self._answer(call, zone, new, 200 if old else 201)

    def _check_neighbours(self, zone: Zone, new: RecordSet, old: RecordSet | None) -> None:
        if old is not None:
            return
        others = zone.types_at(new.name)
        if others and (new.type == "CNAME" or "CNAME" in others):
            raise cname_in_the_way(new.type)
        if len(zone) >= SETS_PER_ZONE:
            raise zone_full(zone.name, len(zone), SETS_PER_ZONE)

    def _delete(self, call: Call, zone: Zone, old: RecordSet | None) -> Response:
        if old is None:
            if self._unknowns.delete_missing == 404:
                self._existing(call, old)
            return Response(204, None, self._budgets.countdown(call))
        if old.auto_registered and self._unknowns.refuse_auto_registered_delete:
            raise refused(f"The record set '{old.name}' is auto-registered and cannot be deleted.")
        zone.remove(old)
        self._emit(call, zone, old)
        if old.type == "A":  # documented: registered again while the VM exists (private-dns-autoregistration)
            self._registrations.restore(zone, old.name)
        return Response(200, None, self._budgets.countdown(call))

    def _emit(self, call: Call, zone: Zone, record_set: RecordSet, *, updates: bool = False) -> None:
        deletes = call.method == "DELETE"
        self._azure.emit(
            f"{zone.id}/{record_set.type}/{record_set.name}",
            f"Microsoft.Network/privateDnsZones/{record_set.type}/{'delete' if deletes else 'write'}",
            "Delete" if deletes else "Write",
            request_id=call.header("x-ms-client-request-id") or "",
            updates=updates,
        )

    def _answer(self, call: Call, zone: Zone, record_set: RecordSet, status: int = 200) -> Response:
        headers = {"ETag": record_set.etag, **self._budgets.countdown(call)}
        return Response(status, record_set_json(zone, record_set), headers)

    def _list(self, call: Call, zone: Zone, record_type: str | None) -> Response:
        query = call.request.query
        if self._unknowns.list_pages_counted or CONTINUATION not in query:
            self._budgets.spend(zone.id, "list")
        top, suffix = _page_size(query, large=self._unknowns.large_top), query.get("$recordsetnamesuffix", "").lower()
        chosen = (
            found
            for found in zone.sets_after(last_record_set(call, suffix), record_type)
            if not suffix or found.name.endswith(f".{suffix}")
        )
        page = list(itertools.islice(chosen, top))
        content: dict[str, Any] = {"value": [record_set_json(zone, found) for found in page]}
        if len(page) == top:  # recorded: even when nothing follows
            content["nextLink"] = next_link(call, after_record_set(page[-1], suffix))
        left = {"x-ms-ratelimit-remaining-subscription-resource-entities-read": str(60_000 - len(page))}
        return Response(200, content, {**left, **self._budgets.countdown(call)})


def _name(call: Call) -> str:
    """The record set's name as Azure stores and shows it, in errors too: in lower case.

    azure-sdk-for-net, PutRecordSet_IfMatchFailure_ExpectError: `recordName` in the path, `recordname` in all answers.
    """
    return call.names[1].lower()


def is_record_type(text: str) -> bool:
    """Whether a path segment names a record type or ALL, in any case (`/a/` is accepted, recorded)."""
    return text.upper() in FIELDS or text.upper() == "ALL"


def _page_size(query: Mapping[str, str], *, large: bool) -> int:
    text = query.get("$top", str(PAGE))
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise refused(f"The value '{text}' of $top is invalid: a positive number is expected.")
    return int(text) if large else min(int(text), PAGE)
