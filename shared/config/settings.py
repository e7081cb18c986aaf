"""App settings as values, and how a name finds its claims entry and its policy."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import IPv4Network
from typing import Generic, TypeVar

from shared.domain.endpoints import Endpoint
from shared.domain.probes import Probe
from shared.domain.zones import Policy, Zone

SWEEP_SCHEDULE = "0 */10 * * * *"
DRAIN_SCHEDULE = "*/30 * * * * *"
PROBE_SCHEDULE = "*/15 * * * * *"

EXACT_ONLY = frozenset({"wpad", "isatap"})
"""Names that Windows looks up automatically and trusts: the server behind `wpad` chooses the proxy of every browser.
They are the default of Windows DNS Server's global query block list. Source:
https://learn.microsoft.com/powershell/module/dnsserver/set-dnsserverglobalqueryblocklist."""

GROUP_SCOPE = "managementgroups/"
"""What stands before the name of a management group, in lower case."""

T = TypeVar("T")

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

_DEFAULT = Policy()


@dataclass(frozen=True, slots=True)
class Cloud:
    """The endpoint of ARM, the audience of tokens, and the authority that issues them ("": from the environment).

    `probe_gateway`: HOST:PORT of the simulator's network, through which probes go; "": they go to the addresses.
    """

    arm: str
    audience: str
    authority: str = ""
    probe_gateway: str = ""


CLOUDS = {
    "public": Cloud("https://management.azure.com", "https://management.azure.com"),
    "usgovernment": Cloud(
        "https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net", "login.microsoftonline.us"
    ),
    "china": Cloud(
        "https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn", "login.chinacloudapi.cn"
    ),
}
"""Values from azure-mgmt-core 1.6 (get_arm_endpoints) and azure-identity 1.27 (AzureAuthorityHosts)."""


class GlobMap(Generic[T]):
    """Entries by exact name or glob (`*`, `?`); globs are compiled once, because a sweep looks up many names.

    Only the most specific entry of a name counts: the exact name, else the matching glob with the most literal
    characters, ties in alphabetical order.
    """

    def __init__(self, entries: Mapping[str, T]) -> None:
        globs = sorted((p for p in entries if "*" in p or "?" in p), key=lambda p: (-len(re.sub(r"[*?]", "", p)), p))
        self._exact = entries
        self._globs = [(_glob(pattern), entries[pattern]) for pattern in globs]

    def exact(self, name: str) -> T | None:
        """Return the entry with exactly this name, None if there is none."""
        return self._exact.get(name)

    def find(self, name: str) -> T | None:
        """Return the entry of a name, None if it has none."""
        if name in self._exact:
            return self._exact[name]
        for glob, entry in self._globs:
            if glob.fullmatch(name):
                return entry
        return None


def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))  # Its pattern avoids exponential backtracking.


@dataclass(frozen=True, slots=True)
class Probing:
    """How this app probes. Times in seconds.

    `enforce`: verdicts and measured distances change answers; otherwise they are only shown. `vantage`: the region
    that it probes from. `timeout`: for the whole probe. `down_after`, `up_after`: results in a row. `stale_after`:
    without a round for so long, verdicts end. `hold`: how long an address stays out for each withdrawal of the last
    hour, and at the most. `slow_start`: how much later than its own region's zone the others get an address that works
    again. `dwell`: how long a place must be nearer before the order changes, and the time between two changes.
    `never`: networks that it never connects to, such as its own subnet.
    """

    enforce: bool = False
    vantage: str = ""
    timeout: float = 5.0
    connect_timeout: float = 3.0
    down_after: int = 3
    up_after: int = 2
    stale_after: float = 60.0
    hold: tuple[float, float] = (30.0, 300.0)
    slow_start: float = 60.0
    dwell: tuple[float, float] = (120.0, 600.0)
    never: tuple[IPv4Network, ...] = ()


@dataclass(frozen=True)
class Settings:
    """The settings of the operator. Use `may_claim` and `policy` to look up `claims` and `policies`.

    `exact_only`: names that only an exact entry of `claims` permits, not a glob. `resource_graph`: whether sweeps
    find endpoints by Azure Resource Graph: auto, always or never. `groups`: names of management groups, in lower case,
    whose subscriptions are watched; see `with_members`.
    """

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
    static: tuple[Endpoint, ...] = ()
    cloud: Cloud = CLOUDS["public"]
    sweep_schedule: str = SWEEP_SCHEDULE
    health_wait_minutes: int = 15
    drain_schedule: str = DRAIN_SCHEDULE
    exact_only: frozenset[str] = EXACT_ONLY
    probes: Mapping[str, Probe] = field(default_factory=dict)
    probing: Probing = field(default_factory=Probing)
    probe_schedule: str = PROBE_SCHEDULE
    resource_graph: str = "auto"
    groups: frozenset[str] = frozenset()

    @cached_property
    def subscriptions_digest(self) -> str:
        """Changes with the watched subscriptions only."""
        return hashlib.sha256(repr(sorted(self.subscriptions)).encode()).hexdigest()[:16]

    @cached_property
    def digest(self) -> str:
        """Changes with every setting that could change an answer; independent of the order of entries."""
        parts = (
            sorted(repr((zone.key, zone.region, sorted(zone.reach), zone.public)) for zone in self.zones),
            sorted(self.subscriptions),
            sorted((pattern, sorted(scopes)) for pattern, scopes in self.claims.items()),
            (self.owner, self.host_names, self.ttl, self.host_ttl),
            sorted((n, _policy_digest(p), sorted(p.regions)) for n, p in self.policies.items()),
            sorted(self.latency.items()),
            sorted(repr(endpoint) for endpoint in self.static),
            sorted(self.exact_only),
        )
        if self.probes:  # Without probes the digest is the one of releases that did not probe.
            probes = sorted((name, probe.digest) for name, probe in self.probes.items())
            measured = sorted((name, p.distance) for name, p in self.policies.items())
            probed = repr((probes, self.probing.enforce, self.probing.vantage, measured))
            return hashlib.sha256((repr(parts) + probed).encode()).hexdigest()[:16]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def with_members(self, members: Mapping[str, frozenset[str]]) -> Settings:
        """Return these settings with the subscriptions of each group in its place, also in `claims`."""
        below = {GROUP_SCOPE + group: [f"/subscriptions/{each}" for each in found] for group, found in members.items()}
        claims = {
            name: tuple(sorted(each for scope in scopes for each in below.get(scope, [scope])))
            for name, scopes in self.claims.items()
        }
        return replace(self, subscriptions=self.subscriptions.union(*members.values()), claims=claims)

    def may_claim(self, name: str, endpoint_id: str) -> bool:
        """Return whether an endpoint's subscription or resource group may claim a name."""
        scopes = self._scopes.exact(name) if name in self.exact_only else self._scopes.find(name)
        return scopes is not None and f"{endpoint_id.lower()}/".startswith(scopes)

    def needs_exact_entry(self, name: str) -> bool:
        """Return whether no endpoint may claim a name because `claims` has no exact entry for it."""
        return name in self.exact_only and self._scopes.exact(name) is None

    def policy(self, name: str) -> Policy:
        """Return the policy of a name; the default policy if it has none."""
        return self._policies.find(name) or _DEFAULT

    @cached_property
    def _scopes(self) -> GlobMap[tuple[str, ...]]:
        return GlobMap({name: tuple(f"{scope}/" for scope in scopes) for name, scopes in self.claims.items()})

    def probe(self, name: str) -> Probe | None:
        """Return how the addresses of a name are probed; None: they are not."""
        return self._probes.find(name) if self.probes else None

    @cached_property
    def _probes(self) -> GlobMap[Probe]:
        return GlobMap(self.probes)

    @cached_property
    def _policies(self) -> GlobMap[Policy]:
        return GlobMap(self.policies)


def _policy_digest(policy: Policy) -> str:
    """The fields of a policy that have been in the digest from the first release on."""
    fields = ("min_endpoints", "tolerance_ms", "regions", "fallback", "when_empty", "ttl")
    bare = replace(policy, regions=frozenset())
    return f"Policy({', '.join(f'{name}={getattr(bare, name)!r}' for name in fields)})"


def region_name(text: str) -> str:
    """Return the name of a region as ARM writes it in ids: "East US" and "eastus" are the same region."""
    return lower_ascii(text.replace(" ", ""))


def lower_ascii(text: str) -> str:
    """Return ASCII text in lower case, and other text unchanged, so that no pattern of ASCII names matches it.

    `str.lower` turns the Kelvin sign (U+212A), which looks like a K, into the ASCII letter k.
    """
    return text.lower() if text.isascii() else text
