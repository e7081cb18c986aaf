"""A sweep of 10,000 VMs and a full zone (25,000 record sets with its SOA) in which nothing has to change.

**CPU.** Azure's answers to one such sweep are kept on disk; a fresh process gives the app the same bytes again, without
latency, so that no work of the simulator is in either side. The floor fetches the same pages through azure-core's
pipeline (credential, retries, the same transport), decodes each once with `json.loads`, and has all of them in hand at
its end, as a sweep has to. `cpu_over_discarding` is against a floor that throws every page away at once, which costs
half of that, for it always works in memory that the processor has just used; `cpu_over_msgspec` against the floor with
another decoder, the app's own, still into plain dicts and lists. Sweep and floors take turns; the smallest of several
rounds counts, after one that does not.

**octoDNS** plans the same zone (no VMs, no routing): the same record sets through its own SDK client from the same kind
of folder, against a YAML file, its usual source; as many rounds as ours, after one that does not count. Most of
`octodns_cpu_ratio` is reading that file; `octodns_plan_ratio` leaves it out.

**Wall** is virtual, with recorded latencies, 10 ms for each call of the catalog and Azure's limits on. The floor: each
page once, however often it was read; pages come one after the other, for each one names the next; 100 of the zone's
pages go in any minute; the inventory's lists run side by side, after the zone's, for the protocol reads record sets
first (CONTRIBUTING.md).

**Table** is what the lists of rows that a sweep reads would cost from a table instead of from memory: the app's own
table catalog, through its SDK, on kept answers as well; and of those, one reading of the endpoints' rows.

**Memory** is the peak of a fresh process with that app: interpreter, SDKs, the in-memory catalog's rows (in a table, in
production), and everything that one sweep has in hand; the pages come from disk.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from azure.core.rest import HttpRequest

from benchmarks import converged, recorded, table_rows, worker, worlds
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.stage import Sent, Stage
from simulator.front_ends.transport import understand
from simulator.timing.virtual_time import in_virtual_time

HOSTS, SERVICES = 10_000, 14_999
ROUNDS = 7
LISTS_PER_MINUTE = 100
OCTODNS = Path(__file__).parent.parent / ".venv-bench" / "bin" / "python"
"""The environment that `make bench` creates for octoDNS."""

FIGURES = {
    "cpu_ratio": Figure("x", "CPU of a warm sweep relative to fetching and decoding the same pages", "<= 2.0", "real"),
    "cpu_over_discarding": Figure("x", "the same relative to a fetch that discards every page at once", None, "real"),
    "cpu_over_msgspec": Figure("x", "the same relative to a fetch that decodes with msgspec into dicts", None, "real"),
    "cpu_s": Figure("s", "CPU of a warm sweep", None, "real"),
    "wall_ratio": Figure("x", "sweep relative to the minimum given by latency, pages and throttling", "<= 1.1"),
    "wall_s": Figure("s", "duration of the sweep"),
    "octodns_cpu_ratio": Figure(
        "x", "CPU of octoDNS planning the same zone, reading its YAML included, relative to the app", ">= 5", "real"
    ),
    "octodns_plan_ratio": Figure("x", "the same without reading its YAML", None, "real"),
    "table_pct": Figure("%", "CPU that reading the catalog from a table adds", None, "real"),
    "table_endpoints_pct": Figure("%", "part of it for one reading of the 10,000 endpoints' rows", None, "real"),
    "peak_mb": Figure("MB", "peak memory of a fresh process that sweeps once", "< 250", "real"),
    "before_mb": Figure("MB", "memory of that process before the sweep", None, "real"),
    "record_sets": Figure("", "record sets in the zone, SOA included"),
    "pages": Figure("", "pages that the sweep reads"),
    "writes": Figure("", "record sets written", "= 0"),
}


def measure(hosts: int, services: int, rounds: int, octodns: Path, say: Say) -> dict[str, float]:
    """Return all figures for a world of this size. `octodns`: a Python with octodns-azure."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / each for each in ("ours", "table", "octodns")]
        for folder in folders:
            folder.mkdir()
        ours, table, theirs = folders
        say(f"sweeping {hosts:,} VMs and {hosts + services:,} record sets, in virtual time")
        figures, asked = in_virtual_time(lambda: _measure_sweep(ours, table, theirs, hosts, services))
        say(f"sweeping {rounds + 1} times in a fresh process")
        cpu = worker.measure(ours, "cpu", str(rounds))
        say("sweeping once in a fresh process, for its memory")
        memory = worker.measure(ours, "memory")
        say("reading its catalog from a table")
        rows = worker.measure(table, "table", str(rounds))
        say("octoDNS plans the same zone")
        others = _octodns(octodns, theirs, hosts + services, rounds)
    return figures | {
        "cpu_ratio": cpu["sweep"] / cpu["fetch"],
        "cpu_over_discarding": cpu["sweep"] / cpu["discard"],
        "cpu_over_msgspec": cpu["sweep"] / cpu["msgspec"],
        "cpu_s": cpu["sweep"],
        "octodns_cpu_ratio": (others["source"] + others["plan"]) / cpu["sweep"],
        "octodns_plan_ratio": others["plan"] / cpu["sweep"],
        "table_pct": 100 * sum(asked[name] * seconds for name, seconds in rows.items()) / cpu["sweep"],
        "table_endpoints_pct": 100 * rows["endpoints"] / cpu["sweep"],
        "peak_mb": memory["peak"],
        "before_mb": memory["before"],
    }


async def _measure_sweep(
    ours: Path, table: Path, theirs: Path, hosts: int, services: int
) -> tuple[dict[str, float], Mapping[str, int]]:
    """Sweep once, and record what fresh processes need; returns figures, and the calls of the catalog."""
    swept = await converged.keep_sweep(ours, converged.a_stage(hosts, services))
    zone = worlds.zone_id(converged.CLIENTS)
    await table_rows.keep(table, swept.app)
    _keep_for_octodns(theirs, swept.stage, zone)
    figures = {
        "wall_ratio": swept.seconds / floor(swept.sent, zone),
        "wall_s": swept.seconds,
        "record_sets": len(swept.stage.record_sets(zone)) + 1,
        "pages": sum(each.method == "GET" for each in swept.sent),
        "writes": swept.writes,
    }
    return figures, swept.asked


def floor(sent: Iterable[Sent], zone: str) -> float:
    """Return the minimum seconds for any program: pages in their order, with their latencies, and the rate limit.

    Each page counts once, even if it was requested more often: its last response.
    """
    answered = {each.url: each for each in sent if each.method == "GET" and each.status == 200}
    chains: defaultdict[str, list[float]] = defaultdict(list)
    for each in answered.values():
        chains[_list_of(each)].append(each.ended - each.began)
    zones = [_throttled(chain) for path, chain in chains.items() if path.startswith(zone.lower())]
    return max(zones) + max(sum(chain) for path, chain in chains.items() if not path.startswith(zone.lower()))


def _list_of(each: Sent) -> str:
    """Return the list that a page belongs to; two lists of VMs differ in their query only."""
    return each.path.lower() + ("?status" if "statusonly" in each.url.lower() else "")


def _throttled(latencies: Sequence[float]) -> float:
    """Return when the last page arrives if Azure accepts 100 in any minute; requests arrive there half way."""
    arrivals: list[float] = []
    end = 0.0
    for number, latency in enumerate(latencies):
        arrival = end + latency / 2
        if number >= LISTS_PER_MINUTE:
            arrival = max(arrival, arrivals[number - LISTS_PER_MINUTE] + 60.0)
        arrivals.append(arrival)
        end = arrival + latency / 2
    return end


def _keep_for_octodns(folder: Path, stage: Stage, zone: str) -> None:
    """Write the zone's pages as octodns-azure requests them (all types, API of 2018), and its records as YAML."""
    stage.cloud.enforce_limits(enforced=False)
    url: str | None = f"{worker.ARM}{zone}/ALL?$top=100&api-version=2018-09-01"
    answers = []
    while url:
        response = stage.cloud.handle(understand(HttpRequest("GET", url)))
        answers.append(recorded.RecordedResponse(url, response.status, {}, response.body))
        url = response.content.get("nextLink")
    recorded.keep(folder, answers)
    about = {"subscription": zone.split("/")[2], "group": zone.split("/")[4], "zone": zone.rsplit("/", 1)[1]}
    (folder / "about.json").write_text(json.dumps(about))
    lines = ["---"]
    for name, (ttl, addresses) in sorted(stage.record_sets(zone).items()):
        lines += [f"{name}:", f"  ttl: {ttl}", "  type: A", "  values:", *(f"  - {each}" for each in addresses)]
    (folder / f"{about['zone']}.yaml").write_text("\n".join(lines) + "\n")


def _octodns(python: Path, folder: Path, records: int, rounds: int) -> dict[str, float]:
    """Return CPU seconds of octoDNS. Raises RuntimeError if it did not plan the same."""
    found = worker.run([str(python), str(Path(__file__).with_name("octodns_plan.py")), str(folder), str(rounds)])
    if found["records"] != records or found["changes"]:
        raise RuntimeError(f"octoDNS has planned something else: {found}")
    return found


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(400, 600, 3, OCTODNS, say) if quick else measure(HOSTS, SERVICES, ROUNDS, OCTODNS, say)


SCENARIO = Scenario("A sweep of 10,000 VMs and a full zone of 25,000 record sets without drift.", FIGURES, _run)
