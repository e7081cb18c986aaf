"""What a seed draws about probes, from a source of chance of its own: seeds without probes keep their stories."""

import itertools
from dataclasses import dataclass
from random import Random

CYCLE, WITH_PROBES = 7, (5, 6)
"""Of so many seeds in a row, these draw probes."""
ASKED = (
    ("tcp", {"kind": "tcp", "port": 8000}),
    ("http", {"kind": "vllm"}),
    ("http", {"kind": "http", "port": 8080, "path": "/health"}),
    ("tls", {"kind": "tls", "tls": {"name": "ai.example.net"}}),
    ("https", {"kind": "tei", "port": 443, "tls": {"name": "ai.example.net"}}),
)
"""Probe settings, each with what such a probe asks (see `simulator/oracle/probes.py`)."""
ENDINGS = ("goes on", "goes on", "stops", "dies")
"""What the prober does at the end: it goes on, is not run any more, or dies before it has marked its names."""


@dataclass(frozen=True)
class ProbeScenario:
    """How a story probes. Times in seconds, chances between 0 and 1.

    `gap`: chance that the timer pauses after a round; `twice`: that two processes run a round at once; `freeze`: that
    a prober freezes. `every`: mean time between two changes of the network or of a server; `spells`: between two
    troubles that last for minutes, 0: none. `settles`: time at the end in which nothing changes. `ends`: one of
    `ENDINGS`. `tempo`: replaces the scenario's.
    """

    asks: str
    settings: dict
    vantage: str
    regional: bool
    network: dict
    gap: float
    twice: float
    freeze: float
    every: float
    spells: float
    settles: float
    ends: str
    tempo: float


def with_probes(seed):
    """Whether a seed draws probes."""
    return seed % CYCLE in WITH_PROBES


def chosen(first, count, *, probes, last=None):
    """So many seeds from the first one on, up to `last`; `probes`: only such as draw probes."""
    drawn = (seed for seed in itertools.count(first) if with_probes(seed) or not probes)
    return [seed for seed in itertools.islice(drawn, count) if last is None or seed <= last]


def draw_probing(seed, world, regions):
    """What a seed probes, None: nothing. The settings of `world` gain what that needs."""
    if not with_probes(seed):
        return None
    rng = Random(f"probes {seed}")
    asks, probe = rng.choice(ASKED)
    vantage, regional = regions[0], rng.random() < 0.35
    settles = rng.choice((540.0, 540.0, 2100.0))
    found = ProbeScenario(
        asks=asks,
        settings=_settings(rng, probe, vantage),
        vantage=vantage,
        regional=regional,
        network={
            "loss": rng.choice((0.0, 0.0, 0.02)),
            "jitter_ms": rng.choice((0.2, 1.0)),
            "spikes": rng.choice((0.0, 0.05)),
            "wander_ms": rng.choice((0.0, 1.0)),
        },
        gap=rng.choice((0.0, 0.05)),
        twice=rng.choice((0.0, 0.2)),
        freeze=rng.choice((0.0, 0.02)),
        every=rng.choice((15.0, 40.0, 120.0)),
        spells=Random(f"spells {seed}").choice((0.0, 120.0)),
        settles=settles,
        ends=rng.choice(ENDINGS),
        tempo=rng.choice((12.0, 24.0, 60.0)),
    )
    _put_into(world["settings"], found, rng)
    for vm in world["vms"]:
        vm["power"] = "running" if rng.random() < 0.8 else vm["power"]
        vm["tags"] = {"nearzone": "llama"} if rng.random() < 0.3 else vm["tags"]
    return found


def _settings(rng, probe, vantage):
    probing = {"mode": rng.choice(("enforce",) * 4 + ("observe",)), "vantage": vantage}
    if rng.random() < 0.3:
        probing |= {"down_after": 2, "hold": [15, 60]}
    patterns = rng.choice((("*",), ("*",), ("llama", "mistral"), ("vm-*", "llama", "phi")))
    return {"NEARZONE_PROBES": dict.fromkeys(patterns, probe), "NEARZONE_PROBING": probing}


def _put_into(settings, found, rng):
    settings |= found.settings
    if found.regional:
        settings["NEARZONE_ZONES"] = settings["NEARZONE_ZONES"][:1]
    policies = settings["NEARZONE_POLICIES"] = dict(settings["NEARZONE_POLICIES"])
    for name in ("llama", "mistral", "phi"):
        more = {"distance": "published"} if rng.random() < 0.15 else {}
        more |= {"wait_minutes": rng.choice((1, 2))} if rng.random() < 0.3 else {}
        if more:
            policies[name] = policies.get(name, {}) | more
