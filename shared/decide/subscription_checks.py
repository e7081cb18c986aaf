"""Watched subscriptions that do not exist, may not be read, or show nothing because a role is missing.

What Azure answers a caller without a role differs: 404 and 403 have been seen for a subscription, and a list may come
back empty. So each of the three leads here.
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
"""Stands for every right that the app needs in a subscription: who has this one by a role has the others as well."""
_ROLE = "assign Reader, or the role of infra/, to the app's identity at the subscription"


def allowed(permissions: Sequence[Permission], action: str) -> bool:
    """Whether one of several roles gives an action."""
    return any(_any(each.actions, action) and not _any(each.not_actions, action) for each in permissions)


def _any(patterns: Sequence[str], action: str) -> bool:
    return any(re.fullmatch(re.escape(each).replace(r"\*", ".*"), action, re.IGNORECASE) for each in patterns)


def silent(listings: Sequence[Listing]) -> list[str]:
    """Subscriptions in which every list could be read, and nothing is in any."""
    found = _by_subscription(listings)
    return [each for each, lists in found.items() if not any(x.error or x.endpoints or x.needs_get for x in lists)]


def alarms(listings: Sequence[Listing], rights: Mapping[str, Sequence[Permission] | None]) -> list[Alarm]:
    """What is wrong with the watched subscriptions and their lists. `rights`: in those that are `silent`."""
    whole, parts = [], []
    for subscription, lists in _by_subscription(listings).items():
        if alarm := _missing(subscription, [each.error for each in lists]):
            whole.append(alarm)
        else:
            parts += list(_lists(lists))
    return [*whole, *(_empty(each, found) for each, found in rights.items() if not _reads(found)), *grouped(parts)]


def _by_subscription(listings: Sequence[Listing]) -> dict[str, list[Listing]]:
    found: defaultdict[str, list[Listing]] = defaultdict(list)
    for listing in listings:
        if listing.kind != STATIC:
            found[listing.subscription].append(listing)
    return dict(sorted(found.items()))


def _missing(subscription: str, errors: Sequence[str]) -> Alarm | None:
    """The one alarm about a subscription of which every list is answered with 404."""
    if not all(each.startswith("Terminal: there is no ") for each in errors):
        return None
    return Alarm(
        f"subscription {subscription} of NEARZONE_SUBSCRIPTIONS is not there, or the identity may not see it (404)",
        "no endpoint is found in it, and no sweep is complete: nothing is removed for absence anywhere",
        f"correct NEARZONE_SUBSCRIPTIONS, or {_ROLE}",
    )


def _reads(permissions: Sequence[Permission] | None) -> bool:
    return permissions is not None and allowed(permissions, _READ)


def _empty(subscription: str, permissions: Sequence[Permission] | None) -> Alarm:
    unread = "what the identity may do in it cannot be read: it may not exist"
    why = unread if permissions is None else f"the identity lacks {_READ}"
    return Alarm(
        f"subscription {subscription} of NEARZONE_SUBSCRIPTIONS shows no endpoint, and {why}",
        "its endpoints may be there and not be seen: they are taken for absent",
        f"correct NEARZONE_SUBSCRIPTIONS, or {_ROLE}",
    )


def _lists(listings: Sequence[Listing]) -> Iterator[Trouble]:
    for listing in listings:
        if listing.error:
            what = f"{listing.kind} cannot be listed in subscription {listing.subscription}"
            yield Trouble(
                f"{listing.kind} in subscription {listing.subscription}",
                f"it cannot be listed: {listing.error}",
                "sweeps are not complete: what was claimed there stays as it is, and nothing is removed for absence",
                "where it is forbidden, assign Reader, or the role of infra/, at the subscription",
                "lists",
                f"{what}: {listing.error}",
            )
