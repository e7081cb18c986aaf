"""Which claims of a name count: those that are permitted, eligible, and of endpoints that serve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.config.settings import Settings
from shared.domain.endpoints import STATIC, Endpoint, State
from shared.domain.overrides import Override, parent_word

NEEDS_ENTRY = "NEARZONE_NEVER_BY_WILDCARD has this name, so only an exact entry of NEARZONE_CLAIMS permits the claim"


def claimants_of(name: str, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Return the endpoints that claim a name, each with the addresses that it publishes for it."""
    return [each.narrowed(name) if each.selected else each for each in endpoints if name in each.names]


def eligible_claims(
    name: str, claimants: Iterable[Endpoint], settings: Settings, excluded: dict[str, str]
) -> tuple[list[Endpoint], bool, list[Endpoint]]:
    """Return the permitted claims, whether one of them is by tag, and those of them that count."""
    permitted = [e for e in claimants if not exclude(excluded, e, claim_problem(e, name, settings))]
    tagged = any([name in e.tagged for e in permitted])  # noqa: C419 - a list is faster than a generator
    return (
        permitted,
        tagged,
        [e for e in permitted if not exclude(excluded, e, _eligibility_problem(e, name, tagged, settings))],
    )


def serving_claims(name: str, claimants: Iterable[Endpoint], settings: Settings) -> list[Endpoint]:
    """Return the serving endpoints whose claim counts, before overrides. `claimants`: all that claim the name."""
    return [each for each in eligible_claims(name, claimants, settings, {})[2] if each.state == State.SERVING]


def is_claimed(name: str, endpoints: Iterable[Endpoint], settings: Settings) -> bool:
    """Return whether an endpoint that is there, whatever its state, claims a name and may do so."""
    return any(
        name in each.names
        and not claim_problem(each, name, settings)
        and not _eligibility_problem(each, name, False, settings)
        for each in endpoints
    )


def exclude(excluded: dict[str, str], endpoint: Endpoint, problem: str | None) -> bool:
    """Note a claim's problem, if it has one; return whether it has."""
    if problem is None:
        return False
    excluded[endpoint.key] = problem
    return True


def claim_problem(endpoint: Endpoint, name: str, settings: Settings) -> str | None:
    """Return why an endpoint may not claim a name; None: it may."""
    if endpoint.state == State.GONE:
        return "deleted"
    if endpoint.kind == STATIC or settings.may_claim(name, endpoint.id):
        return None
    return NEEDS_ENTRY if settings.needs_exact_entry(name) else "NEARZONE_CLAIMS does not let it claim this name"


def _eligibility_problem(endpoint: Endpoint, name: str, tagged: bool, settings: Settings) -> str | None:
    """Why a permitted claim does not count; None: it does. `tagged`: an endpoint claims the name by tag."""
    if endpoint.subscription not in settings.subscriptions and endpoint.kind != STATIC:
        return "its subscription is not in NEARZONE_SUBSCRIPTIONS"
    if name not in endpoint.tagged and not settings.host_names:
        return "claims it only by its own name, and NEARZONE_HOST_NAMES is false"
    if tagged and name not in endpoint.tagged:
        return "claims it only by its own name, and others claim it by tag"
    return None


def availability_problem(endpoint: Endpoint, overrides: Sequence[Override]) -> str | None:
    """Return why an endpoint does not answer now; None: it serves."""
    # Mostly there are no overrides, and a generator costs more than the check for that.
    if overrides and any(override.applies_to(endpoint) for override in overrides):
        by_parent = any(override.about_parent_of(endpoint) for override in overrides)
        return f"drained by an override{f' of its {parent_word(endpoint.parent)}' if by_parent else ''}"
    if endpoint.state != State.SERVING:
        why = endpoint.doubt or endpoint.not_serving
        return endpoint.state.value + (f" ({why})" if why else "")
    return None
