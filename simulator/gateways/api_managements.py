"""The provider of `Microsoft.ApiManagement/service`: writes, deletions, backups and the polls of these operations.

Statuses, headers, states and durations as recorded (`api_management.py` names the recording): the answer to an update
shows the old properties, and the new ones come into force at its end. APIs, products and everything else below a
service are not simulated. Inferred: PATCH (as PUT), errors, and that a service in internal mode gets its addresses from
the subnets of its locations.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from simulator.arm.collection import Collection
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Family, Outcome, Response
from simulator.gateways.api_management import APIM_TYPE, Place, Service, ServiceState, place_id
from simulator.network.addresses import Reference, Wanted, WantedProperties, configure
from simulator.network.changes import assign, region, release
from simulator.network.nic import IpConfiguration
from simulator.network.provider import PAGE_SIZE, Network
from simulator.timing.latency import Spread

CREATE_SECONDS = Spread(1800.0, 3000.0, 4283.0)
"""4,283 s recorded once; the rest is assumed."""
UPDATE_SECONDS = Spread(900.0, 2291.0, 2700.0)
"""2,291 s recorded once; 15 to 45 minutes are documented (Microsoft Learn, api-management-using-with-internal-vnet)."""
DELETE_SECONDS = Spread(60.0, 90.0, 120.0)
"""Recorded once: running after 60 s, done after 120 s."""
BACKUP_SECONDS = Spread(482.0, 510.0, 543.0)
"""Recorded once: running after 480 s, done after 543 s."""
FIRST_ETAG = 0x4CA0CE
"""The number in the recorded etag of a first write."""
COUNTDOWN, REMAINING = "x-ms-ratelimit-remaining-subscription-resource-requests", "23999"
"""Recorded in all answers but those to polls and actions, and always the same number."""
_STATES: Mapping[Outcome, str] = {"Success": "Succeeded", "Failure": "Failed", "Cancel": "Canceled"}


class _Vnet(msgspec.Struct, rename="camel"):
    subnet_resource_id: str | None = None


class _Location(msgspec.Struct, rename="camel"):
    location: str
    sku: dict[str, Any] = {}
    virtual_network_configuration: _Vnet | None = None
    disable_gateway: bool | None = None


class _Properties(msgspec.Struct, rename="camel"):
    virtual_network_type: str | None = None
    virtual_network_configuration: _Vnet | None = None
    additional_locations: list[_Location] | None = None
    disable_gateway: bool | None = None


class _Body(msgspec.Struct):
    location: str
    sku: dict[str, Any]
    properties: _Properties
    tags: dict[str, str] | None = None
    identity: dict[str, Any] | None = None


@dataclass(slots=True)
class _Operation:
    """`by_code`: a poll answers 202 while it runs, and then 200 with the service, as recorded of a backup."""

    service: Service
    headers: Mapping[str, str]
    status: str = "InProgress"
    by_code: bool = False


class ApiManagements:
    """Answers for `Microsoft.ApiManagement/service`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._azure = network.azure
        self._number = FIRST_ETAG - 1
        self.all: Collection[Service] = Collection(APIM_TYPE)
        self._operations: dict[str, _Operation] = {}
        self._routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            ("service", 0, "GET"): lambda call: self.all.page(call, PAGE_SIZE, Service.body),
            ("service", 1, "GET"): lambda call: self._answer(200, self.all.get_or_404(call)),
            ("service", 1, "PUT"): self._put,
            ("service", 1, "PATCH"): self._patch,
            ("service", 1, "DELETE"): self._delete,
            ("service/backup", 1, "POST"): self._backup,
            ("service/operationresults", 2, "GET"): self._poll,
        }

    def handle(self, call: Call) -> Response:
        """Answer a call on services or on one of their operations."""
        answer = self._routes.get((call.kind, len(call.names), call.method))
        if answer is None:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        answered = answer(call)
        if len(call.types) > 1:
            return answered
        return replace(answered, headers={**answered.headers, COUNTDOWN: REMAINING})

    def load(self, service: Service) -> None:
        """Add a service to the world as it is, without an event; its addresses count as assigned."""
        service.number = self._next_number()
        self.all.add(service)
        self._assign(service.id, service.places)

    def place(self, holder: str) -> tuple[Service, Place] | None:
        """The location with this id, and its service, or None."""
        service = self.all.find(holder.rsplit("/", 2)[0])
        place = service.place(holder) if service else None
        return (service, place) if service and place else None

    def set_state(self, service_id: str, state: ServiceState) -> None:
        """A service changes its state, without an event. Raises KeyError for an unknown service."""
        service = self.all.find(service_id)
        if service is None:
            raise KeyError(service_id)
        service.provisioning = state

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _assign(self, service_id: str, places: list[Place]) -> None:
        for each in places:
            assign(self._network, place_id(service_id, each), [each.address] if each.address else [])

    def _release(self, service_id: str, places: list[Place]) -> None:
        for each in places:
            release(self._network, place_id(service_id, each), [each.address] if each.address else [])

    def _answer(self, status: int, service: Service, headers: Mapping[str, str] | None = None) -> Response:
        return Response(status, service.body(), {"etag": f'"{service.etag}"', **(headers or {})})

    def _put(self, call: Call) -> Response:
        return self._write(call, call.json())

    def _patch(self, call: Call) -> Response:
        old, wanted = self.all.get_or_404(call), call.json()
        kept = {"location": old.location, "sku": old.sku, "tags": old.tags}
        return self._write(call, {**kept, **wanted, "properties": {**old.written, **wanted.get("properties", {})}})

    def _write(self, call: Call, wanted: dict[str, Any]) -> Response:
        body = _decoded(wanted)
        own = self.all.id_of(call)
        old, now = self.all.find(own), self._azure.clock()
        new = Service(
            id=own,
            location=region(body.location),
            tags=dict(body.tags or {}),
            sku=body.sku,
            written=wanted["properties"],
            places=self._places(own, old, body),
            created=old.created if old else now,
            written_at=now,
            number=self._next_number(),
            principal=old.principal if old else self._azure.new_guid() if body.identity else None,
        )
        if old is None:
            self.all.add(new)
            new.provisioning, new.target = "Activating", "Activating"
            return self._answer(201, new, self._begin(call, new, ("write", "Write", CREATE_SECONDS), lambda: None))
        old.provisioning, old.target, old.number = "Updating", "Updating", new.number

        def end() -> None:
            if self.all.find(own) is not old:
                return
            self._release(own, [each for each in old.places if not _holds(new, each)])
            old.tags, old.sku, old.written, old.places = new.tags, new.sku, new.written, new.places
            old.written_at = new.written_at

        return self._answer(200, old, self._begin(call, old, ("write", "Write", UPDATE_SECONDS), end))

    def _places(self, own: str, old: Service | None, body: _Body) -> list[Place]:
        first = body.properties
        wanted = [
            _Location(body.location, body.sku, first.virtual_network_configuration, first.disable_gateway),
            *(first.additional_locations or []),
        ]
        internal = (first.virtual_network_type or "").lower() == "internal"
        found: list[Place] = []
        try:
            for each in wanted:
                place = self._place(own, old, each, internal=internal)
                found.append(place)
                self._assign(own, [place])
        except ArmError:
            self._release(own, [each for each in found if old is None or not _holds(old, each)])
            raise
        return found

    def _place(self, own: str, old: Service | None, wanted: _Location, *, internal: bool) -> Place:
        here = region(wanted.location)
        before = next((each for each in (old.places if old else ()) if each.region == here), None)
        network = wanted.virtual_network_configuration
        subnet = network.subnet_resource_id if network else None
        number = self._azure.rng.randrange(1 << 16)
        return Place(
            location=wanted.location,
            subnet=subnet,
            address=self._address(f"{own}/locations/{here}", before, subnet) if internal and subnet else None,
            public_ip=before.public_ip if before else f"203.0.{number >> 8}.{number & 255}",
            disabled=bool(wanted.disable_gateway),
            sku=wanted.sku,
        )

    def _address(self, holder: str, before: Place | None, subnet: str) -> IpConfiguration:
        held = [before.address] if before and before.address else []
        wanted = Wanted("gateway", WantedProperties(Reference(subnet)))
        return configure(self._network.vnets, holder, held, [wanted])[0]

    def _delete(self, call: Call) -> Response:
        service = self.all.find(self.all.id_of(call))
        if service is None:
            return Response(204)
        service.provisioning, service.target, service.number = "Deleting", "Deleting", self._next_number()

        def end() -> None:
            if self.all.find(service.id) is service:
                self._release(service.id, service.places)
                self.all.remove(service)

        headers = self._begin(call, service, ("delete", "Delete", DELETE_SECONDS), end)
        return Response(202, service.body(), headers)

    def _backup(self, call: Call) -> Response:
        service = self.all.get_or_404(call)
        headers = self._begin(call, service, ("backup/action", "Action", BACKUP_SECONDS), lambda: None, by_code=True)
        return Response(202, None, headers)

    def _begin(
        self,
        call: Call,
        service: Service,
        what: tuple[str, Family, Spread],
        end: Callable[[], object],
        *,
        by_code: bool = False,
    ) -> Mapping[str, str]:
        """Start an operation; `what`: its name, kind and duration. Returns the answer's headers."""
        (name, family, spread), token = what, base64.urlsafe_b64encode(self._azure.new_guid().encode()).decode()
        link = (
            f"{call.request.base}{service.id}/operationresults/{token}?api-version={call.request.query['api-version']}"
        )
        both = {"azure-asyncoperation": f"{link}&asyncResponse", "location": f"{link}&asyncResponse"}
        operation = self._operations[token] = _Operation(service, {"location": link} if by_code else both)
        operation.by_code = by_code
        ending = self._azure.endings.pop(service.id.lower(), "Success")

        def complete() -> None:
            operation.status = _STATES[ending]
            if ending == "Success":
                end()
            if not by_code:
                service.provisioning, service.target = "Succeeded" if ending == "Success" else "Failed", ""
            service.number = self._next_number()
            self._azure.emit(service.id, f"{APIM_TYPE}/{name}", family, ending)

        self._azure.schedule(spread.draw(self._azure.rng) * self._azure.operation_scale, complete)
        return operation.headers

    def _poll(self, call: Call) -> Response:
        operation = self._operations.get(call.names[1])
        if operation is None:
            raise ArmError(404, "NotFound", "The entity was not found.")
        runs = operation.status == "InProgress"
        headers = operation.headers if runs else {}
        if operation.by_code:
            return Response(202 if runs else 200, None if runs else operation.service.body(), headers)
        return Response(200, {"status": operation.status}, headers)


def _holds(service: Service, place: Place) -> bool:
    """Whether a service has this address in this location."""
    held = {(each.region, each.address.address) for each in service.places if each.address}
    return place.address is not None and (place.region, place.address.address) in held


def _decoded(wanted: dict[str, Any]) -> _Body:
    try:
        return msgspec.convert(wanted, _Body)
    except msgspec.ValidationError as error:
        message = f"The request content was invalid: {error}."
        raise ArmError(400, "ValidationError", message, wrapped=True) from error


def register(azure: ArmFrontDoor, network: Network) -> ApiManagements:
    """Create the provider of API Management services and register it."""
    services = ApiManagements(network)
    azure.register("Microsoft.ApiManagement", "service", services)
    return services
