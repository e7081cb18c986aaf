"""An app whose vantage has probed: its settings, and what the catalog holds of a round."""

from msgspec.structs import replace

from shared.domain.probes import Distances, Evidence, EvidencePage, ProbeWord, VantageRow, Verdict, VerdictKind
from tests.support.deployment import REGIONS, vm_id

EAST, WEST, ASIA = REGIONS
AROUND = {EAST: 0.4, WEST: 83.2, ASIA: 231.0}
"""Measured distances from the vantage in `EAST`, in milliseconds."""


def probed_settings(mode="observe", **more):
    """App settings of `a_world` under which llama is probed from `EAST`; `more`: fields of NEARZONE_PROBING."""
    return {"PROBES": {"llama": {"kind": "vllm"}}, "PROBING": {"mode": mode, "vantage": EAST} | more}


def digest_of(app, name="llama"):
    """Names the probe of a name in evidence and verdicts; "" where it has none."""
    probe = app.settings.probe(name)
    return probe.digest if probe else ""


def evidence_of(app, vm, ip, region, **changed):
    """What the vantage has seen of an address that has always answered, changed."""
    now = app.clock()
    found = Evidence(vm_id(vm).lower(), ip, digest_of(app), region, region, now - 600, armed=True, at=now - 5)
    seen = {"successes": 20, "samples": (83.0, 84.0, 90.0), "sampled_at": now - 5, "recent": "." * 20}
    return replace(found, **(seen | changed))


def failing_evidence(app, vm, ip, region, **changed):
    """What it has seen of an address that does not answer any more."""
    seen = {"fails": 4, "successes": 0, "word": ProbeWord.CONNECT_TIMEOUT, "recent": "." * 16 + "x" * 4}
    return evidence_of(app, vm, ip, region, **(seen | {"down_since": app.clock() - 60} | changed))


def verdict_of(app, vm, ip, region, kind=VerdictKind.DOWN, **changed):
    """A verdict that holds for all zones."""
    why = "connect timed out 4 times in a row"
    since = app.clock() - 60
    found = Verdict(kind, vm_id(vm).lower(), ip, digest_of(app), region, since, why, everywhere=True)
    return replace(found, **changed)


def measured_distances(app, order=REGIONS, **changed):
    """Distances in force."""
    return replace(Distances(app.clock() + 600, AROUND, tuple(order), changed_at=app.clock() - 900), **changed)


async def store_round(app, *, evidence=(), **changed):
    """Write a round of the vantage into the catalog, as a prober would, 5 s ago."""
    now, vantage = app.clock(), app.settings.probing.vantage or EAST
    there = await app.catalog.vantage(vantage)
    fresh = VantageRow(vantage, 7, now - 5, 3.21, now + 55, addresses=3, failing=1)
    await app.catalog.put_vantage(replace(fresh, **changed), there.etag if there else None)
    if evidence:
        await app.catalog.put_evidence(EvidencePage(vantage, 0, tuple(evidence)))
