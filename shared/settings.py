"""App settings as values: what an operator has decided, and how a name finds its claims entry and its policy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from shared.model import Policy, Zone

SWEEP_SCHEDULE = "0 */10 * * * *"
DRAIN_SCHEDULE = "*/30 * * * * *"

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where ARM answers, and for whom tokens are asked."""

    arm: str
    audience: str


CLOUDS = {
    "public": Cloud("https://management.azure.com", "https://management.azure.com"),
    "usgovernment": Cloud("https://management.usgovcloudapi.net", "https://management.usgovcloudapi.net"),
    "china": Cloud("https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
}


@dataclass(frozen=True)
class Settings:
    """What an operator has decided. `claims` and `policies` are looked up through `may_claim` and `policy`."""

    zones: tuple[Zone, ...]
    subscriptions: frozenset[str]
    claims: Mapping[str, tuple[str, ...]]
    owner: str = "nearzone"
    apply: bool = True
    host_names: bool = True
    ttl: int = 30
    host_ttl: int = 300
    policies: Mapping[str, Policy] = field(default_factory=dict)
    latency: Mapping[tuple[str, str], float] = field(default_factory=dict)
    cloud: Cloud = CLOUDS["public"]

    @cached_property
    def digest(self) -> str:
        """Changes when a setting changes that could change an answer, whatever the order in which it was written."""
        parts = (
            sorted(repr((zone.key, zone.region, sorted(zone.reach))) for zone in self.zones),
            sorted(self.subscriptions),
            sorted((pattern, sorted(scopes)) for pattern, scopes in self.claims.items()),
            (self.owner, self.host_names, self.ttl, self.host_ttl),
            sorted((n, repr(replace(p, regions=frozenset())), sorted(p.regions)) for n, p in self.policies.items()),
            sorted(self.latency.items()),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def watches(self, endpoint_id: str) -> bool:
        """Whether an endpoint's subscription is one of those where endpoints are looked for."""
        return endpoint_id.lower().removeprefix("/subscriptions/").split("/", 1)[0] in self.subscriptions

    def may_claim(self, name: str, endpoint_id: str) -> bool:
        """Whether an endpoint's subscription or resource group is allowed to claim a name.

        The most specific entry decides alone: the exact name, else the matching glob with the most literal characters.
        """
        pattern = most_specific(name, self.claims)
        wanted = endpoint_id.lower() + "/"
        return pattern is not None and any(wanted.startswith(scope + "/") for scope in self.claims[pattern])

    def policy(self, name: str) -> Policy:
        """The policy of a name, found in the same way as its claims entry; the default policy where there is none."""
        pattern = most_specific(name, self.policies)
        return Policy() if pattern is None else self.policies[pattern]


def most_specific(name: str, patterns: Mapping[str, Any]) -> str | None:
    """The exact name, else the matching glob (`*`, `?`) with the most literal characters, ties by alphabet."""
    if name in patterns:
        return name
    fitting = [p for p in patterns if ("*" in p or "?" in p) and _glob(p).fullmatch(name)]
    return min(fitting, key=lambda p: (-len(p.replace("*", "").replace("?", "")), p), default=None)


def _glob(pattern: str) -> re.Pattern[str]:
    # Names hold no character that a regular expression gives a meaning to, but for these two.
    return re.compile(pattern.replace("*", ".*").replace("?", "."))


def region_name(text: str) -> str:
    """`East US` and `eastus` are the same region; ARM uses the second form in ids, people the first."""
    return text.replace(" ", "").lower()
