"""The error answers that Azure may give instead of executing a request, in their recorded or reported shapes.

Pure: `source.py` decides which request gets one, and when. Errors of the private DNS provider are bare, those of ARM
and of the other providers are wrapped (recorded). Docstrings mark messages that are not public and therefore the
simulator's own.
"""

from __future__ import annotations

from simulator.arm import permissions
from simulator.arm.front_door import ArmError, Call, Response
from simulator.arm.limits import principal, throttled
from simulator.private_dns.budgets import RETRY_AFTER, too_many
from simulator.private_dns.rules import conflict


def is_dns(call: Call) -> bool:
    """Whether the private DNS provider, whose errors are bare, answers this call."""
    return call.types[0].lower().startswith("privatedns")


def throttled_by_dns(call: Call, *, retry_after: bool) -> Response:
    """The 429 of the private DNS provider."""
    return too_many(f"Too many requests on '{call.names[0]}'.", RETRY_AFTER if retry_after else None).response


def throttled_by_gateway(call: Call, *, wait: int | None) -> Response:
    """The 429 of ARM. `wait`: seconds; None: without a wait."""
    kind = {"GET": "reads", "DELETE": "deletes"}.get(call.method, "writes")
    return throttled(call.subscription.lower(), principal(call.header("authorization") or ""), kind, wait).response


def server_error(call: Call, status: int) -> Response:
    """A 500 or 503 of the provider; codes as in ARM's common errors, the messages are the simulator's."""
    code, words = {
        500: ("InternalServerError", "An error occurred while processing this request."),
        503: ("ServiceUnavailable", "The service is temporarily unavailable. Please try again later."),
    }[status]
    error = ArmError(status, code, words, wrapped=not is_dns(call))
    headers = {} if is_dns(call) else {"x-ms-failure-cause": "service"}
    return Response(status, error.response.content, headers)


def broken_page(call: Call) -> Response:
    """The 502 in the middle of a listing. Source: azure-rest-api-specs#13843, azure-sdk-for-net#38625."""
    return ArmError(
        502,
        "ProviderError",
        f"Resource provider '{call.namespace}' failed to return collection response for type '{'/'.join(call.types)}'.",
    ).response


def forbidden(call: Call) -> Response:
    """The 403 of ARM for a caller without a role."""
    return permissions.forbidden(permissions.action_of(call), call.id).response


def pending(call: Call) -> Response:
    """Another write of the same set is running. Source: DNSControl#4363 (public DNS, and links of private DNS)."""
    group = call.id.replace("/", "|")
    return conflict(
        "Another operation is pending for requested object. Operation group '/operations/groups/id/"
        f"{group}' already has 1 operations like '/operations/type/UpsertRecordSet' queued."
    ).response


def not_found(call: Call, which: int) -> Response:
    """The 404 of ARM from a lagging replica, in one of the three forms that reports name."""
    code, words = (
        ("ResourceNotFound", f"The Resource '{call.namespace}/{call.types[0]}/{call.names[0]}' was not found."),
        ("ResourceGroupNotFound", f"Resource group '{call.group}' could not be found."),
        ("SubscriptionNotFound", f"The subscription '{call.subscription}' could not be found."),
    )[which]
    return ArmError(404, code, words).response
