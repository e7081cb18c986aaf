"""The rules by which others withdraw an endpoint, as their documents state them.

Sources (read 2026-11): AWS Route 53 developer guide, "How Route 53 determines whether a health check is healthy" (fast:
10 s, 3 in a row, 4 s to connect); Kubernetes, "Configure liveness, readiness and startup probes" (10 s, 1 s, 3 in a
row); Azure Traffic Manager, "Endpoint monitoring" (30 s, 10 s, 3 tolerated failures); PowerDNS, "Lua records"
(`ifurlup`: 5 s, 2 s, one failure).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.noise import DAY, HOUR, Disturbances


@dataclass(frozen=True)
class Rule:
    """Withdraw after `down_after` failures in a row, put back after `up_after` successes. Times in seconds."""

    interval: float
    patience: float
    down_after: int
    up_after: int


RULES = {
    "powerdns": Rule(5, 2, 1, 1),
    "kubernetes": Rule(10, 1, 3, 1),
    "route53": Rule(10, 4, 3, 3),
    "traffic_manager": Rule(30, 10, 4, 1),
}


def false_per_day(rule: Rule, seed: int, days: int) -> float:
    """Return withdrawals a day of an endpoint that only pauses."""
    rnd = random.Random(seed)
    noise = Disturbances(rnd, days * DAY)
    at, fails, successes, up, withdrawn = rnd.uniform(0, rule.interval), 0, 0, True, 0
    while at < days * DAY:
        failed = noise.fails(at, rule.patience)
        fails, successes = (fails + 1, 0) if failed else (0, successes + 1)
        if up and fails >= rule.down_after:
            up, withdrawn = False, withdrawn + 1
        elif not up and successes >= rule.up_after:
            up = True
        at += max(rule.interval * rnd.uniform(0.9, 1.1), rule.patience if failed else 0)
    return withdrawn / days


def withdrawal_seconds(rule: Rule, seed: int) -> float:
    """Return the seconds from the death of an endpoint to its withdrawal, without the time of the DNS."""
    rnd = random.Random(seed)
    died = HOUR + rnd.uniform(0, rule.interval)
    at, fails = rnd.uniform(0, rule.interval), 0
    while True:
        fails = fails + 1 if at >= died else 0
        if fails >= rule.down_after:
            return at + rule.patience - died
        at += max(rule.interval * rnd.uniform(0.9, 1.1), rule.patience if at >= died else 0)
