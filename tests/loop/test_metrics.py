"""`GET /api/metrics`: the figures of every instance as Prometheus reads them, from what the catalog knows."""

import asyncio
import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import azure.functions as func
import pytest
import yaml

import function_app
from shared.bootstrap import build
from shared.catalog.memory import MemoryCatalog
from shared.catalog.table import TableCatalog
from shared.domain.counters import BUCKETS, Counters, Gauge, ProcessCounters
from shared.domain.errors import Transient
from shared.domain.metrics import COUNTER, GAUGE, HISTOGRAM, METRICS
from shared.edge.prometheus import format_metric, prometheus_text
from shared.loop.metrics import WRITE_INTERVAL_SECONDS
from simulator.tables import Tables
from tests.support.catalogs import client, error
from tests.support.deployment import REGIONS, Token, run_scenario, vm_id
from tests.support.measured_app import eventful, eventful_fleet, fleet, measured_story

ROOT = Path(__file__).parents[2]
EAST, WEST, ASIA = REGIONS
DAY = 86_400.0

NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
HEAD = re.compile(rf"# (HELP|TYPE) ({NAME}) (.+)")
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (-?[0-9.e+-]+)")


def read(text):
    """The text by the grammar of its format: {family: (type, help)} and {sample: {labels: value}}; strict.

    A family's lines stand together, HELP and TYPE come once and before its samples, and no sample comes twice.
    """
    assert text.endswith("\n")
    heads, samples, family = defaultdict(dict), defaultdict(dict), ""
    for line in text.splitlines():
        if head := HEAD.fullmatch(line):
            kind, name, said = head.groups()
            assert kind not in heads[name], f"{line} comes twice"
            assert name == family or kind == "HELP", f"{line} without HELP before it"
            heads[name][kind], family = said, name
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, f"not a line of the format: {line}"
        suffixes = ("_bucket", "_sum", "_count") if heads[family]["TYPE"] == HISTOGRAM else ("",)
        assert sample[1] in {family + suffix for suffix in suffixes}, f"{line} stands below {family}"
        labels = re.findall(LABEL, sample[2] or "")
        assert len(dict(labels)) == len(labels), f"a label comes twice: {line}"
        key = tuple(sorted((name, re.sub(r"\\(.)", _plain, value)) for name, value in labels))
        assert key not in samples[sample[1]], f"{line} comes twice"
        samples[sample[1]][key] = float(sample[7])
    return {name: (found["TYPE"], found["HELP"]) for name, found in heads.items()}, samples


def _plain(escaped):
    return "\n" if escaped[1] == "n" else escaped[1]


class Scraped:
    """What one scrape has told."""

    def __init__(self, text):
        self.families, self.samples = read(text)

    def of(self, name, **labels):
        return self.samples[name].get(tuple(sorted(labels.items())))

    def total(self, name):
        return sum(self.samples[name].values())


async def scrape(app):
    return Scraped(prometheus_text(*await app.metrics_page()))


def test_every_metric_of_the_telemetry_is_told_by_its_name_with_its_meaning_and_type():
    async def story(stage, _):
        await eventful(stage, _)
        return await scrape(stage.app)

    async def told(stage, figures):
        kept.append(await story(stage, figures))

    kept = []
    figures = measured_story(told, eventful_fleet())
    (found,) = kept
    assert found.families == {
        format_metric(name): (metric.kind, metric.description) for name, metric in METRICS.items()
    }
    for name, metric in METRICS.items():
        values = figures.values[f"nearzone.{name}"]
        assert values, name
        for dimensions, value in values.items():
            labels = dict(dimensions)
            if metric.kind == GAUGE:
                if name != "blocked":  # Measured when it changes; both say the last one.
                    assert found.of(format_metric(name), **labels) == pytest.approx(value, abs=60), (name, labels)
            elif metric.kind == COUNTER:
                assert found.of(format_metric(name), instance="app", **labels) == value, (name, labels)
            else:
                both = [found.of(format_metric(name) + end, instance="app", **labels) for end in ("_count", "_sum")]
                assert both == pytest.approx(list(value)), (name, labels)
    assert found.of("nearzone_writes_total", instance="app", zone=EAST, kind="create") == 5
    assert [found.of("nearzone_frozen", zone=zone) for zone in REGIONS] == [0, 1, 0]
    assert [found.of("nearzone_dirty", zone=zone) for zone in REGIONS] == [0, 2, 0]
    assert [found.of("nearzone_blocked", zone=zone) for zone in REGIONS] == [0, 0, 0]
    assert 1 < found.of("nearzone_dirty_oldest_seconds", zone=WEST) < 60


def test_names_have_their_base_unit_and_counters_their_suffix():
    names = {
        name: format_metric(name) for name in ("writes", "dirty.oldest", "delivery_to_dns", "blocked", "sweep.age")
    }
    assert names == {
        "writes": "nearzone_writes_total",
        "dirty.oldest": "nearzone_dirty_oldest_seconds",
        "delivery_to_dns": "nearzone_delivery_to_dns_seconds",
        "blocked": "nearzone_blocked",
        "sweep.age": "nearzone_sweep_age_seconds",
    }


def test_a_distribution_counts_upwards_to_all_of_its_measurements():
    figures = Counters({}, {"sweep.duration": ()})
    values = [0.0, 0.1, 0.1001, 7.0, 300.0, 4000.0]
    for value in values:
        figures.record("sweep.duration", value)
    found = Scraped(prometheus_text((), [figures.snapshot("i", 0.0)]))
    buckets = [
        (float(dict(labels)["le"]), count)
        for labels, count in found.samples["nearzone_sweep_duration_seconds_bucket"].items()
    ]
    assert [bound for bound, _ in buckets] == [*BUCKETS, float("inf")]
    assert all(low <= high for (_, low), (_, high) in pairwise(buckets))
    for bound, count in buckets:
        assert count == sum(value <= bound for value in values), bound
    assert found.of("nearzone_sweep_duration_seconds_count", instance="i") == 6
    assert found.of("nearzone_sweep_duration_seconds_sum", instance="i") == pytest.approx(sum(values))


def test_a_label_may_hold_anything():
    odd = 'a"b\\c\nd,e="f"}'
    found = Scraped(
        prometheus_text([Gauge("dirty", 1, {"zone": odd})], [ProcessCounters("i", 0.0, (("events", (odd,), 2),))])
    )
    assert found.of("nearzone_dirty", zone=odd) == 1
    assert found.of("nearzone_events_total", instance="i", outcome=odd) == 2


def test_what_another_release_counts_is_left_out():
    strange = ProcessCounters(
        "i", 0.0, (("unheard", ("a",), 1), ("writes", ("eastus", "create", "new"), 1), ("writes", (), 1))
    )
    assert sum(map(len, Scraped(prometheus_text((), [strange])).samples.values())) == 0


def beside(stage, holder="asked"):
    """Another process of the same deployment: it shares the catalog with the first, and nothing else."""
    return build(
        stage.environment,
        credential=Token(),
        transport=stage.transport,
        catalog=stage.app.catalog,
        clock=stage.clock,
        holder=holder,
    )


def test_the_process_that_is_asked_tells_what_the_others_have_counted():
    async def story(stage):
        await stage.app.correct_drift()
        await stage.deliver_pending_events(WRITE_INTERVAL_SECONDS)
        found = await scrape(beside(stage))
        assert found.of("nearzone_writes_total", instance="app", zone=EAST, kind="create") == 4
        assert found.of("nearzone_sweep_duration_seconds_count", instance="app") == 1
        assert 0 < found.of("nearzone_sweep_age_seconds") < 60
        assert {dict(labels)["instance"] for labels in found.samples["nearzone_writes_total"]} == {"app"}

    run_scenario(story, fleet())


def test_two_processes_are_told_apart_by_their_label():
    async def story(stage):
        await stage.app.correct_drift()
        other = beside(stage, "other")
        await other.on_event("{")
        await stage.app.on_event("{")
        await stage.deliver_pending_events(2 * WRITE_INTERVAL_SECONDS)
        found = await scrape(beside(stage))
        for instance in ("app", "other"):
            assert found.of("nearzone_events_total", instance=instance, outcome="malformed") == 1

    run_scenario(story, fleet())


def test_the_last_events_of_a_burst_are_kept_within_the_pause_although_no_call_follows():
    async def story(stage):
        for _ in range(100):
            await stage.app.on_event("{")
        await asyncio.sleep(WRITE_INTERVAL_SECONDS + 1)
        found = await scrape(beside(stage))
        assert found.of("nearzone_events_total", instance="app", outcome="malformed") == 100

    run_scenario(story, fleet())


def test_a_burst_is_written_once_in_a_pause_and_an_idle_app_writes_nothing():
    async def story(stage):
        written = set()

        async def look():
            written.update((tally.instance, tally.at) for tally in await stage.app.catalog.process_counters())

        await stage.app.correct_drift()
        for _ in range(60):
            await stage.app.on_event("{")
            await asyncio.sleep(1)
            await look()
        assert 2 <= len(written) <= 4, "at the beginning, and every 30 s"
        await asyncio.sleep(WRITE_INTERVAL_SECONDS)
        await look()
        before = len(written)
        for _ in range(20):
            assert (await stage.app.drain()).idle
            await asyncio.sleep(WRITE_INTERVAL_SECONDS)
            await look()
        assert len(written) == before

    run_scenario(story, fleet())


def test_what_could_not_be_kept_is_kept_by_the_next_call_though_it_counts_nothing():
    async def story(stage):
        await stage.app.correct_drift()
        await stage.deliver_pending_events(2 * WRITE_INTERVAL_SECONDS)
        stage.down = True
        await stage.app.on_event("{")
        await asyncio.sleep(WRITE_INTERVAL_SECONDS)
        stage.down = False
        found = await scrape(beside(stage))
        assert found.of("nearzone_events_total", instance="app", outcome="malformed") is None
        assert (await stage.app.drain()).idle
        await asyncio.sleep(WRITE_INTERVAL_SECONDS)
        found = await scrape(beside(stage))
        assert found.of("nearzone_events_total", instance="app", outcome="malformed") == 1

    on_table(story)


class Slowly(MemoryCatalog):
    """Takes five seconds to keep what was counted."""

    async def put_tally(self, tally):
        await asyncio.sleep(5)
        await super().put_process_counters(tally)


def test_what_is_counted_while_the_row_is_being_written_is_in_the_next_one():
    async def story(stage):
        await stage.app.on_event("{")
        await asyncio.sleep(2)
        await stage.app.on_event("{")
        await asyncio.sleep(2 * WRITE_INTERVAL_SECONDS)
        found = await scrape(beside(stage))
        assert found.of("nearzone_events_total", instance="app", outcome="malformed") == 2

    run_scenario(story, fleet(), catalog=Slowly())


def test_when_the_storage_account_is_away_a_scrape_fails_instead_of_telling_that_all_is_well():
    async def story(stage):
        await stage.app.correct_drift()
        stage.down = True
        with pytest.raises(Transient, match="ServerBusy"):
            await stage.app.metrics_page()

    on_table(story)


def on_table(story):
    """A story with a catalog on simulated tables, which answer 503 while `stage.down`."""

    async def play(stage):
        stage.down = False
        tables = Tables(stage.clock)
        faults = client(tables, None, lambda _: error(503, "ServerBusy") if stage.down else None)
        stage.restart(TableCatalog(faults))
        await story(stage)

    run_scenario(play, fleet())


async def test_without_an_answer_from_the_loop_the_function_answers_503(monkeypatch):
    for name in ("NEARZONE_ZONES", "NEARZONE_SUBSCRIPTIONS"):
        monkeypatch.delenv(name, raising=False)
    metrics = function_app.metrics._function.get_user_function()  # The app's list of functions may be asked for once.
    answer = await metrics(req=func.HttpRequest("GET", "http://app/api/metrics", body=b""), context=None)
    assert answer.status_code == 503
    assert b"NEARZONE_ZONES" in answer.get_body()


def test_instances_that_are_gone_are_removed_after_a_day_by_the_sweep():
    async def story(stage):
        await beside(stage, "gone").on_event("{")
        await stage.deliver_pending_events(WRITE_INTERVAL_SECONDS)
        for days in range(3):
            await stage.app.correct_drift()
            await stage.deliver_pending_events(WRITE_INTERVAL_SECONDS)
            there = {tally.instance for tally in await stage.app.catalog.process_counters()}
            assert there == ({"app", "gone"} if days < 2 else {"app"})
            await asyncio.sleep(DAY * 0.9)

    run_scenario(story, fleet())


def test_a_name_that_may_not_be_written_is_told_after_the_sweep_that_found_it():
    foreign = {"name": "llama", "type": "A", "ttl": 30, "addresses": ["10.1.9.9"]}

    async def story(stage):
        assert (await scrape(stage.app)).samples["nearzone_blocked"] == {}
        await stage.app.correct_drift()
        assert [(await scrape(stage.app)).of("nearzone_blocked", zone=zone) for zone in REGIONS] == [1, 1, 1]

    run_scenario(story, fleet(records=[foreign]))


RULES = yaml.safe_load((ROOT / "docs" / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]


def test_the_example_rules_ask_only_for_what_is_told():
    told = set()
    for name, metric in METRICS.items():
        told |= {
            format_metric(name) + end for end in (("_bucket", "_sum", "_count") if metric.kind == HISTOGRAM else ("",))
        }
    asked = {name for rule in ALERTS for name in re.findall(r"nearzone_\w+", rule["expr"])}
    assert asked <= told
    assert {"nearzone_sweep_age_seconds", "nearzone_refused_plans_total", "nearzone_blocked"} <= asked
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in ALERTS)


def test_the_example_scrape_asks_the_function_with_its_key_in_a_header_and_keeps_the_instances():
    (job,) = yaml.safe_load((ROOT / "docs" / "prometheus" / "scrape.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert (job["scheme"], job["metrics_path"], job["honor_labels"]) == ("https", "/api/metrics", True)
    assert job["http_headers"] == {"x-functions-key": {"files": ["/etc/prometheus/nearzone-key"]}}


def test_a_stopped_machine_is_a_write_and_a_delivery_that_is_told():
    async def story(stage):
        await stage.app.correct_drift()
        stage.arm("POST", vm_id("e-1") + "/deallocate")
        await stage.deliver_pending_events(60)
        found = await scrape(stage.app)
        assert found.of("nearzone_delivery_to_dns_seconds_count", instance="app", zone=EAST) == 2, "llama and e-1"
        assert found.total("nearzone_failures_total") == 0

    run_scenario(story, fleet())


def test_neither_a_name_nor_an_address_nor_an_id_is_told():
    kept = []

    async def story(stage, figures):
        await eventful(stage, figures)
        kept.append(prometheus_text(*await stage.app.metrics_page()))

    measured_story(story, eventful_fleet())
    for private in (
        "llama",
        "e-1",
        "w-1",
        "old-0",
        "10.1.",
        "10.2.",
        "subscriptions",
        "11111111",
        "gpu",
        "ai.internal",
    ):
        assert private not in kept[0], private
