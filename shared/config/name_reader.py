"""Reads the names that settings share: regions, and patterns of names that endpoints claim."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

from shared.config import values as convert
from shared.config.fault_collector import FaultCollector
from shared.config.region_names import suggestion
from shared.config.settings import GlobMap, Settings, lower_ascii

ANY_REGION = "an Azure region"
NEW_REGION = "a region that is not in the table of round-trip times needs a distance in NEARZONE_LATENCY"


class NameReader(FaultCollector):
    """A collector of faults that knows the regions."""

    def __init__(self, environment: Mapping[str, str], regions: Collection[str]) -> None:
        super().__init__(environment)
        self.regions = frozenset(regions)

    def pattern(self, where: str, pattern: str, others: Collection[str]) -> None:
        """Check a name or glob, which must not be one of the others."""
        if pattern.lower() in others:
            self.fault(where, pattern, "each pattern once, whatever its case")
        if not convert.PATTERN.fullmatch(lower_ascii(pattern)):
            self.fault(where, pattern, "a DNS label or a glob of one ('*', '?')")

    def region(self, where: str, value: object) -> str:
        """Parse a known region: with another one, no endpoint and no client would ever match."""
        name = self.parse_region(where, value)
        if name and name not in self.regions:
            meant = suggestion(name, self.regions)
            self.fault(where, value, f"{ANY_REGION}{meant} ({NEW_REGION})")
        return name

    def parse_region(self, where: str, value: object) -> str:
        """Parse a region, known or not; "" after a fault."""
        try:
            return convert.region(value)
        except ValueError:
            self.fault(where, value, "an Azure region such as westeurope")
            return ""

    def check_claimed_names(self, setting: str, patterns: Iterable[str], settings: Settings) -> None:
        """Add a fault for a name of a setting without a permitted claim, if a similar name has one.

        An entry may be set before its claims: a name without a similar one is accepted, and so is a glob.
        """
        scopes = GlobMap(settings.claims)
        named = {name for endpoint in settings.static for name in endpoint.names}
        named |= {pattern for pattern in settings.claims if not set(pattern) & set("*?")}
        for name in patterns:
            if set(name) & set("*?") or name in named or scopes.find(name) is not None:
                continue
            if meant := suggestion(name, named):
                where = f"{setting}[{json.dumps(name)}]"
                self.fault(where, name, f"a name that NEARZONE_CLAIMS permits, or one of NEARZONE_STATIC{meant}")
