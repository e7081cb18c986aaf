"""Which addresses are probed, and which of them share one connection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Network

from shared.config.settings import Settings
from shared.domain.endpoints import Endpoint
from shared.domain.probes import ProbeResult, Target, TargetKey

Dial = tuple[str, str]
"""The address and the probe's digest: targets with the same dial share one connection."""


def targets(settings: Settings, endpoints: Iterable[Endpoint], own: Collection[IPv4Network] = ()) -> tuple[Target, ...]:
    """Return what is to be probed, sorted by key.

    Only addresses of serving endpoints whose claim counts, within the reach of at least one zone. `own`: the networks
    of the app itself, which it never connects to. An endpoint that an override drains is probed as well, so that its
    evidence is fresh when the override ends. `endpoints`: all that claim a name; an endpoint alone can differ in which
    of its claims count.
    """
    raise NotImplementedError


def by_dial(targets: Iterable[Target]) -> Mapping[Dial, tuple[Target, ...]]:
    """Group targets by what is dialed: each group needs one connection."""
    raise NotImplementedError


def results_by_target(results: Mapping[Dial, ProbeResult], targets: Iterable[Target]) -> dict[TargetKey, ProbeResult]:
    """Return the result of each target; a target whose dial has no result has none."""
    raise NotImplementedError
