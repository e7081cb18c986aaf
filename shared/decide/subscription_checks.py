"""Watched subscriptions that do not exist, may not be read, or show no endpoints because a role is missing.

Azure's response to a caller without a role varies: 404 and 403 were recorded for a subscription, and a list may be
empty. This module handles all three.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from shared.decide.alarms import Trouble, grouped
from shared.domain.alarms import Alarm
from shared.domain.endpoints import STATIC, Listing
from shared.domain.zone_environment import Permission

_READ = "Microsoft.Compute/virtualMachines/read"
"""Represents every right that the app needs in a subscription: a role with this action has the others as well."""
_ROLE = "assign Reader, or the role of infra/, to the app's identity at the subscription"


def allowed(permissions: Sequence[Permission], action: str) -> bool:
    """Return whether one of several roles permits an action."""
    return any(
        _matches_any(each.actions, action) and not _matches_any(each.not_actions, action) for each in permissions
    )


def _matches_any(patterns: Sequence[str], action: str) -> bool:
    return any(re.fullmatch(re.escape(each).replace(r"\*", ".*"), action, re.IGNORECASE) for each in patterns)


def empty_subscriptions(listings: Sequence[Listing]) -> list[str]:
    """Return subscriptions in which every list was readable and empty."""
    found = _by_subscription(listings)
    return [
        each
        for each, lists in found.items()
        if not any(x.error or x.endpoints or x.needs_get or x.hinted for x in lists)
    ]


def alarms(listings: Sequence[Listing], rights: Mapping[str, Sequence[Permission] | None]) -> list[Alarm]:
    """Return alarms about the watched subscriptions and their lists. `rights`: permissions in `empty_subscriptions`."""
    whole, parts = [], []
    for subscription, lists in _by_subscription(listings).items():
        if alarm := _missing_alarm(subscription, [each.error for each in lists]):
            whole.append(alarm)
        else:
            parts += list(_list_troubles(lists))
    return [
        *whole,
        *(_empty_alarm(each, found) for each, found in rights.items() if not _can_read(found)),
        *grouped(parts),
    ]


def _by_subscription(listings: Sequence[Listing]) -> dict[str, list[Listing]]:
    found: defaultdict[str, list[Listing]] = defaultdict(list)
    for listing in listings:
        if listing.kind != STATIC:
            found[listing.subscription].append(listing)
    return dict(sorted(found.items()))


def _missing_alarm(subscription: str, errors: Sequence[str]) -> Alarm | None:
    """Return the one alarm about a subscription in which every list gives 404."""
    if not all(each.startswith("Terminal: there is no ") for each in errors):
        return None
    return Alarm(
        f"subscription {subscription} of NEARZONE_SUBSCRIPTIONS does not exist, or the identity may not read it (404)",
        "no endpoint is found in it, and no sweep is complete: nothing is removed for absence anywhere",
        f"correct NEARZONE_SUBSCRIPTIONS, or {_ROLE}",
    )


def _can_read(permissions: Sequence[Permission] | None) -> bool:
    return permissions is not None and allowed(permissions, _READ)


def _empty_alarm(subscription: str, permissions: Sequence[Permission] | None) -> Alarm:
    unread = "the permissions of the identity in it cannot be read: it may not exist"
    why = unread if permissions is None else f"the identity lacks {_READ}"
    return Alarm(
        f"subscription {subscription} of NEARZONE_SUBSCRIPTIONS shows no endpoint, and {why}",
        "it may have endpoints that nearzone cannot read and treats as absent",
        f"correct NEARZONE_SUBSCRIPTIONS, or {_ROLE}",
    )


def _list_troubles(listings: Sequence[Listing]) -> Iterator[Trouble]:
    for listing in listings:
        if listing.error:
            what = f"{listing.kind} cannot be listed in subscription {listing.subscription}"
            yield Trouble(
                f"{listing.kind} in subscription {listing.subscription}",
                f"it cannot be listed: {listing.error}",
                "sweeps are not complete: what was claimed there stays as it is, and nothing is removed for absence",
                "if access is denied, assign Reader, or the role of infra/, at the subscription",
                "lists",
                f"{what}: {listing.error}",
            )
