"""The single state machine of the simulated Azure Resource Manager: request in, response out.

No sockets, no clock and no randomness of its own: both are passed in, so that one seed replays one history. The front
ends add latency, faults and transport. Each resource provider has its own package. This module does what ARM itself
does before and after a provider: routing by resource id, resource groups, long-running work that completes later, and
the notice that a write, delete or action has completed.
"""

from __future__ import annotations

import heapq
import itertools
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal, Protocol

import msgspec

Family = Literal["Write", "Delete", "Action"]
Outcome = Literal["Success", "Failure", "Cancel"]
SignalKind = Literal["AvailabilityStatusChanged", "ResourceAnnotated"]

TENANT = "00000000-0000-0000-0000-00000000aaaa"
"""The tenant of every subscription here."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request to ARM: header names in lower case, query values decoded."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = "https://management.azure.com"
    """Scheme and authority under which the caller reached ARM; links in answers begin with it."""


@dataclass(frozen=True, slots=True)
class Response:
    """What ARM answers: `content` is JSON-serialisable, or None for an empty body."""

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The body as sent."""
        return b"" if self.content is None else msgspec.json.encode(self.content)


@dataclass(frozen=True, slots=True)
class Call:
    """A parsed request.

    `types` and `names` alternate in the path below the namespace: `/virtualMachines/vm1/start` gives types
    ("virtualMachines", "start") and names ("vm1",). A list call or an action has one type more than names.
    """

    request: Request
    subscription: str
    group: str | None
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def method(self) -> str:
        """The HTTP method, upper case."""
        return self.request.method

    @property
    def kind(self) -> str:
        """The resource type path in lower case, without the namespace: `privatednszones/a`."""
        return "/".join(self.types).lower()

    @property
    def id(self) -> str:
        """The path as sent, without a trailing slash."""
        return self.request.path.rstrip("/")

    def header(self, name: str) -> str | None:
        """A request header's value, or None."""
        return self.request.headers.get(name.lower())

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object. Raises ArmError 400 for anything else."""
        try:
            content = json.loads(self.request.body or b"{}")
        except ValueError as error:
            raise ArmError(
                400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: {error}"
            ) from error
        if not isinstance(content, dict):
            raise ArmError(400, "InvalidRequestContent", "The request content was invalid: an object is expected.")
        return content


class ArmError(Exception):
    """An error answer. `wrapped`: in ARM's own form, which puts an `error` object around code and message."""

    def __init__(
        self, status: int, code: str, message: str, *, wrapped: bool = True, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        body = {"code": code, "message": message}
        cause = {"x-ms-failure-cause": "gateway"} if wrapped else {}
        self.response = Response(status, {"error": body} if wrapped else body, {**cause, **(headers or {})})


class NoResourceError(ArmError):
    """A path that names no resource."""


class Provider(Protocol):
    """A resource provider: everything below one top-level resource type."""

    def handle(self, call: Call) -> Response:
        """Answer a call; raise ArmError for an error answer."""


class RateLimiter(Protocol):
    """Called by ARM before a provider."""

    def charge(self, call: Call) -> Mapping[str, str]:
        """Returns headers for the answer; raises ArmError for a call that ARM refuses."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A completed PUT, PATCH, POST or DELETE on a resource, as Event Grid receives it.

    `request_id`: the call's own `x-ms-client-request-id`, if known; `updates`: a write of an existing resource.
    """

    resource_id: str
    operation: str
    family: Family
    outcome: Outcome
    time: float
    correlation_id: str
    request_id: str = ""
    updates: bool = False


@dataclass(frozen=True, slots=True)
class Signal:
    """A change of a resource's health, which the platform reports to its listeners."""

    resource_id: str
    kind: SignalKind
    details: Mapping[str, str]
    time: float


class ArmFrontDoor:
    """ARM of the simulated Azure. `clock` returns seconds since the epoch; `rng` is the only source of randomness.

    `operation_scale` multiplies the durations of long-running operations (start, deallocate, delete, ...). `gate`:
    ARM's own limits; None: no limits.
    """

    def __init__(self, clock: Callable[[], float], rng: Random, *, operation_scale: float = 1.0) -> None:
        self.clock = clock
        self.rng = rng
        self.operation_scale = operation_scale
        self.gate: RateLimiter | None = None
        self.checks: list[Callable[[Call], None]] = []
        """Checks that may forbid a call by raising ArmError before the provider is called: permissions and locks."""
        self.beyond: Callable[[Request], Response | None] = lambda _: None
        """Answers requests that name no resource: subscriptions, resource groups, ..."""
        self.action_in_subject = False
        self.groups: dict[tuple[str, str], str] = {}
        self.completed: list[Callable[[Completed], None]] = []
        self.signalled: list[Callable[[Signal], None]] = []
        self.endings: dict[str, Outcome] = {}
        """Resource id in lower case -> how the next operation on it ends."""
        self._providers: dict[tuple[str, str], Provider] = {}
        self._types: dict[str, dict[str, str]] = {}
        self._namespaces: dict[str, str] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def register(self, namespace: str, resource_type: str, provider: Provider) -> None:
        """Register a provider for a top-level type, e.g. `Microsoft.Compute`, `virtualMachines`."""
        self._providers[namespace.lower(), resource_type.lower()] = provider
        self._namespaces.setdefault(namespace.lower(), namespace)
        self._types.setdefault(namespace.lower(), {})[resource_type.lower()] = resource_type

    def ensure_group(self, subscription: str, group: str) -> None:
        """Create a resource group if it does not exist, without an event."""
        self.groups.setdefault((subscription.lower(), group.lower()), group)

    def handle(self, request: Request) -> Response:
        """Answer one request at the current time; everything due before it has happened."""
        self.advance()
        try:
            call = parse(request)
            provider = self._providers.get((call.namespace.lower(), call.types[0].lower()))
            if provider is None:
                raise ArmError(
                    404,
                    "InvalidResourceType",
                    f"The resource type '{'/'.join(call.types)}' could not be found in the namespace "
                    f"'{call.namespace}' for api version '{request.query.get('api-version', '')}'.",
                )
            if "api-version" not in request.query:
                raise ArmError(
                    400,
                    "MissingApiVersionParameter",
                    "The api-version query parameter (?api-version=) is required for all requests.",
                )
            counted = self.gate.charge(call) if self.gate else {}
            for check in self.checks:
                check(call)
            self._check_group(call)
            return _with(counted, provider, call)
        except NoResourceError as error:
            return self.beyond(request) or error.response
        except ArmError as error:
            return error.response

    def remove(self, resource_id: str) -> Response:
        """Let a provider delete a resource on behalf of ARM, whatever the caller may do."""
        call = parse(Request("DELETE", resource_id, {"api-version": "2024-03-01"}))
        try:
            return self._providers[call.namespace.lower(), call.types[0].lower()].handle(call)
        except ArmError as error:
            return error.response

    def namespaces(self) -> list[str]:
        """The namespaces with at least one provider."""
        return sorted(self._namespaces.values())

    def types(self, namespace: str) -> list[str]:
        """The top-level types of a namespace that have a provider; none for an unknown namespace."""
        return sorted(self._types.get(namespace.lower(), {}).values())

    def _check_group(self, call: Call) -> None:
        if call.group is not None and (call.subscription.lower(), call.group.lower()) not in self.groups:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{call.group}' could not be found.")

    def schedule(self, delay: float, action: Callable[[], None]) -> None:
        """Run an action `delay` seconds from now (the caller has scaled the delay if it is an operation)."""
        heapq.heappush(self._agenda, (self.clock() + delay, next(self._order), action))

    def next_due(self) -> float | None:
        """When the next scheduled action is due, in the clock's time, or None."""
        return self._agenda[0][0] if self._agenda else None

    def advance(self) -> None:
        """Run everything that is due by now, in order."""
        while self._agenda and self._agenda[0][0] <= self.clock():
            heapq.heappop(self._agenda)[2]()

    def emit(
        self,
        resource_id: str,
        operation: str,
        family: Family,
        outcome: Outcome = "Success",
        *,
        request_id: str = "",
        updates: bool = False,
    ) -> None:
        """Notify all listeners that an operation on a resource has completed now; see `Completed`."""
        now, correlation = self.clock(), self.new_guid()
        note = Completed(resource_id, operation, family, outcome, now, correlation, request_id, updates)
        for listener in self.completed:
            listener(note)

    def signal(self, resource_id: str, kind: SignalKind, details: Mapping[str, str]) -> None:
        """Notify all listeners of a change of a resource's health now."""
        for listener in self.signalled:
            listener(Signal(resource_id, kind, details, self.clock()))

    def new_guid(self) -> str:
        """A random GUID from the seeded source."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))


def _with(headers: Mapping[str, str], provider: Provider, call: Call) -> Response:
    """A provider's answer with these headers; an error of ARM itself has none of them, as recorded."""
    try:
        response = provider.handle(call)
    except ArmError as error:
        response = error.response
        if response.headers.get("x-ms-failure-cause") == "gateway":
            return response
    return replace(response, headers={**response.headers, **headers}) if headers else response


_PROVIDERS = "/providers/"
_OWN = re.compile(r"subscriptions/[^/]+/(resourcegroups/[^/]+/moveresources|operationresults/[^/]+)", re.IGNORECASE)
"""What ARM answers itself, without a provider in the path; routed as types of `Microsoft.Resources`."""


def parse(request: Request) -> Call:
    """Parse an ARM path. Raises NoResourceError for a path that is not a resource path.

    An extension resource (`{resource id}/providers/Microsoft.Resources/tags/default`) is routed by its last namespace;
    its scope is the part of `call.id` before that namespace.
    """
    path = request.path.strip("/")
    at = f"/{path}/".lower().rfind(_PROVIDERS)
    parts, rest = path.split("/", 4), path[max(at, 0) + len(_PROVIDERS) - 1 :].split("/")
    if own := _OWN.fullmatch(path):
        at, rest = 0, ["Microsoft.Resources", *own[1].split("/")]
    if parts[0].lower() != "subscriptions" or at < 0 or len(rest) < 2:
        raise NoResourceError(404, "InvalidResourcePath", f"The path '/{path}' is not a resource path.")
    group = parts[3] if len(parts) > 3 and parts[2].lower() == "resourcegroups" else None
    return Call(request, parts[1], group, rest[0], tuple(rest[1::2]), tuple(rest[2::2]))
