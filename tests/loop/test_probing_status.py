"""What status, explanation and metrics say of probing, and that they say nothing without it."""

import asyncio
import json

import pytest

from shared.domain.alarms import Alarm
from shared.domain.probes import Better, EvidencePage, ProbeWord, VerdictKind
from shared.edge.prometheus import prometheus_text
from shared.loop.probing_status import LISTED
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, vm_id, zone_id
from tests.support.probed import (
    evidence_of,
    failing_evidence,
    measured_distances,
    probed_settings,
    store_round,
    verdict_of,
)

EAST, WEST, ASIA = REGIONS
IP = {"e-1": "10.1.0.4", "e-2": "10.1.0.5", "w-1": "10.2.0.4"}


def fleet(mode=None, **settings):
    probes = probed_settings(mode) if mode else {}
    vms = (a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4))
    return a_world(*vms, **(probes | settings))


def told(story, mode="observe", **settings):
    """What `story(app)` returns after the first sweep."""

    async def play(stage):
        await stage.app.correct_drift()
        return await story(stage.app)

    return run_scenario(play, fleet(mode, **settings))


def zone_of(app, region):
    return next(zone for zone in app.settings.zones if zone.region == region)


async def east_is_down(app, **changed):
    """A round in which both addresses in the east have failed."""
    down = [verdict_of(app, vm, IP[vm], EAST) for vm in ("e-1", "e-2")]
    evidence = [failing_evidence(app, vm, IP[vm], EAST) for vm in ("e-1", "e-2")]
    await store_round(app, verdicts=down, evidence=[*evidence, evidence_of(app, "w-1", IP["w-1"], WEST)], **changed)


async def probing(app):
    return (await app.status())["probing"]


def about_vantages(shown):
    return [each["what"] for each in shown["alarms"] if "vantage" in each["what"]]


def counted(listed):
    assert listed["count"] >= len(listed["items"])
    return listed["items"]


# Without probes.


def test_without_probes_a_vantage_row_in_the_catalog_changes_no_byte_of_status_and_metrics():
    async def everything(app):
        found = [await app.status(full=True), *[await app.page(name) for name in ("names", "endpoints")]]
        found += [await app.explain(zone, "llama") for zone in app.settings.zones]
        return json.dumps(found), prometheus_text(*await app.metrics_page())

    async def probed(app):
        verdicts, evidence = [verdict_of(app, "e-1", IP["e-1"], EAST)], [evidence_of(app, "e-1", IP["e-1"], EAST)]
        distances = measured_distances(app, order=(WEST, EAST, ASIA))
        await store_round(app, verdicts=verdicts, evidence=evidence, distances=distances, alarms=[Alarm("alarm")])
        return await everything(app)

    status, metrics = told(everything, mode=None)
    assert (status, metrics) == told(probed, mode=None), "virtual time: both runs are equal in all else"
    assert "prob" not in status
    assert "prob" not in metrics


def test_an_app_with_probes_has_the_keys_of_one_without_and_those_of_probing():
    async def keys(app):
        summary, one = await app.status(full=True), await app.explain(zone_of(app, EAST), "llama")
        answer = summary["names"][0]["answers"][0]
        return [set(each) for each in (summary, answer, one, one["claims"][0])]

    more = [with_probes - without for with_probes, without in zip(told(keys), told(keys, None), strict=True)]
    assert more == [{"probing"}, {"probes"}, {"probing"}, {"probes"}]


# The summary.


def test_a_vantage_that_has_not_probed_yet_is_stale_and_an_alarm_after_the_first_sweep():
    async def play(stage):
        before = await stage.app.status()
        await stage.app.correct_drift()
        return before, await stage.app.status()

    before, after = run_scenario(play, fleet("observe"))
    for shown in (before["probing"], after["probing"]):
        assert (shown["stale"], shown["last_round"], shown["distances"]) == (True, None, None)
    assert about_vantages(before) == []
    assert about_vantages(after) == ["vantage eastus has not probed yet"]


def test_the_last_round_its_verdicts_and_its_alarms_are_told():
    async def story(app):
        await east_is_down(app, blind_since=app.clock() - 30, alarms=[Alarm("llama has no address that answers")])
        return await app.status()

    shown = told(story)
    found = shown["probing"]
    assert (found["mode"], found["vantage"], found["stale"]) == ("observe", EAST, False)
    age = found["last_round"].pop("age_s")
    assert 5 <= age < 6
    assert found["last_round"].pop("at") < shown["now"]
    assert found["last_round"] == {"number": 7, "seconds": 3.21, "addresses": 3, "failing": 1}
    assert found["blind_since"] < shown["now"]
    assert found["verdicts"]["kinds"] == {"down": 2, "waiting": 0, "returning": 0}
    first = counted(found["verdicts"])[0]
    assert first.pop("since") < shown["now"]
    assert first == {
        "kind": "down",
        "endpoint": vm_id("e-1").lower(),
        "ip": IP["e-1"],
        "why": "connect timed out 4 times in a row",
        "everywhere": True,
    }
    assert "llama has no address that answers" in [each["what"] for each in shown["alarms"]]


def test_in_observe_mode_the_answers_stay_and_those_that_would_differ_are_told_for_each_zone():
    async def story(app):
        await east_is_down(app)
        return await app.status(full=True)

    shown = told(story)
    found = shown["probing"]
    assert found["changes"] is None
    (east,) = counted(found["would_change"])
    assert (east["zone"], east["name"]) == (zone_id(EAST), "llama")
    assert (east["from"], east["to"]) == ([IP["e-1"], IP["e-2"]], [IP["w-1"]])
    assert east["why"].startswith("failover: held back by probes in eastus; nearest is westeurope")
    (llama,) = [each for each in shown["names"] if each["name"] == "llama"]
    answers = {answer["zone"]: answer for answer in llama["answers"]}
    assert answers[zone_id(EAST)]["addresses"] == [IP["e-1"], IP["e-2"]]
    assert answers[zone_id(EAST)]["probes"] == {key: east[key] for key in ("from", "to", "why")}
    assert answers[zone_id(WEST)]["probes"] is None


def test_in_enforce_mode_the_answers_are_those_with_probes_and_what_they_change_is_told():
    async def story(app):
        await east_is_down(app)
        return await app.status(full=True)

    shown = told(story, "enforce")
    assert shown["probing"]["would_change"] is None
    (east,) = counted(shown["probing"]["changes"])
    assert (east["from"], east["to"]) == ([IP["e-1"], IP["e-2"]], [IP["w-1"]])
    (llama,) = [each for each in shown["names"] if each["name"] == "llama"]
    answers = {answer["zone"]: answer for answer in llama["answers"]}
    assert answers[zone_id(EAST)]["addresses"] == [IP["w-1"]]
    assert answers[zone_id(EAST)]["probes"]["from"] == [IP["e-1"], IP["e-2"]]


def test_a_stale_vantage_changes_nothing_says_so_with_its_age_and_is_an_alarm():
    async def story(app):
        await east_is_down(app, alarms=[Alarm("old")], kept=["llama.ai.internal"])
        await asyncio.sleep(60)
        return await app.status()

    shown = told(story)
    found = shown["probing"]
    assert found["stale"]
    assert found["last_round"]["age_s"] >= 60
    assert found["verdicts"]["count"] == found["would_change"]["count"] == found["kept"]["count"] == 0
    assert {each["state"] for each in counted(found["trouble"])} == {"stale"}
    since = found["last_round"]["at"]
    assert about_vantages(shown) == [f"vantage eastus has had no probe round since {since}"]
    assert "old" not in [each["what"] for each in shown["alarms"]]


def whats(alarms):
    """The texts of alarms of a report or of a status, without those about events, which these tests do not send."""
    texts = [each["what"] if isinstance(each, dict) else each.what for each in alarms]
    return [what for what in texts if "prob" in what]


def test_the_preflight_says_what_is_missing_for_probing_and_the_status_shows_it_once():
    async def play(stage):
        found = [await stage.resync(check=True)]
        await stage.app.correct_drift()
        await store_round(stage.app, alarms=[Alarm("nothing is probed right", "so", "mend it")])
        found.append(await stage.resync(check=True))
        shown = await stage.app.status()
        await asyncio.sleep(60)
        found.append(await stage.resync(check=True))
        return [whats(each.alarms) for each in found], whats(shown["alarms"]), found

    (before, during, after), shown, reports = run_scenario(play, fleet("observe"))
    assert before == ["vantage eastus has not probed yet"]
    assert "AzureWebJobs.probe.Disabled" in reports[0].alarms[-1].do
    assert during == shown == ["nothing is probed right"]
    assert len(after) == 1
    assert after[0].startswith("vantage eastus has had no probe round since")


def test_the_preflight_of_an_app_that_does_not_probe_says_nothing_of_probing():
    async def play(stage):
        await stage.app.correct_drift()
        return whats((await stage.resync(check=True)).alarms)

    assert run_scenario(play, fleet()) == []


@pytest.mark.parametrize("private_ip", ["", "10.9.0.5"])
@pytest.mark.parametrize("answered", [True, False])
def test_where_nothing_has_ever_answered_and_no_network_is_known_vnet_integration_is_to_be_checked(
    private_ip, answered
):
    async def play(stage):
        await stage.app.correct_drift()
        silent = failing_evidence(stage.app, "e-1", IP["e-1"], EAST, armed=False, down_since=0.0)
        other = evidence_of(stage.app, "w-1", IP["w-1"], WEST) if answered else silent
        await store_round(stage.app, evidence=[silent, other])
        report, shown = await stage.resync(check=True), await stage.app.status()
        return [each.do for each in report.alarms], [each["do"] for each in shown["alarms"]]

    for found in run_scenario(play, fleet("observe"), WEBSITE_PRIVATE_IP=private_ip):
        assert sum("VNet integration (`subnet`" in do for do in found) == (not private_ip and not answered)


def test_addresses_in_trouble_come_the_worst_first_and_those_that_never_answered_have_a_list_of_their_own():
    async def story(app):
        now = app.clock()
        never = {"armed": False, "word": ProbeWord.REFUSED, "samples": (), "recent": "xxxx", "down_since": 0.0}
        evidence = [
            evidence_of(app, "e-1", "10.1.0.6", EAST),
            failing_evidence(app, "e-2", "10.1.0.7", EAST, **never),
            failing_evidence(app, "e-2", "10.1.0.8", EAST, down_since=0.0, fails=1, word=ProbeWord.STATUS, status=503),
            failing_evidence(app, "e-1", IP["e-1"], EAST),
            evidence_of(app, "w-1", "10.2.0.5", WEST, up_at=now - 20),
            failing_evidence(app, "e-1", "10.1.0.9", EAST, absent=True, armed=False),
            failing_evidence(app, "e-1", "10.1.0.10", EAST, probe="of other settings"),
        ]
        back = verdict_of(app, "w-1", "10.2.0.5", WEST, VerdictKind.RETURNING)
        await store_round(app, verdicts=[verdict_of(app, "e-1", IP["e-1"], EAST), back], evidence=evidence)
        return await probing(app)

    found = told(story)
    trouble = counted(found["trouble"])
    assert [(each["ip"], each["state"]) for each in trouble] == [
        (IP["e-1"], "down"),
        ("10.1.0.8", "failing"),
        ("10.1.0.7", "not armed"),
        ("10.2.0.5", "returning"),
    ]
    assert trouble[1]["status"] == 503
    assert (trouble[0]["recent"], trouble[0]["word"]) == ("." * 16 + "x" * 4, "connect timed out")
    (never,) = counted(found["never_answered"])
    assert never.pop("since") is not None
    assert never == {
        "endpoint": vm_id("e-2").lower(),
        "ip": "10.1.0.7",
        "kind": "vllm",
        "port": 8000,
        "path": "/health",
        "fails": 4,
        "word": "refused",
        "status": None,
    }


def test_names_that_are_kept_although_all_addresses_fail_are_told():
    async def story(app):
        kept = [verdict_of(app, vm, ip, EAST) for vm, ip in IP.items()]
        await store_round(app, verdicts=kept, kept=["llama.ai.internal"])
        return await probing(app)

    found = told(story, "enforce")
    assert found["kept"] == {"count": 1, "items": ["llama.ai.internal"]}
    assert found["changes"]["count"] == 0


def test_measured_distances_stand_beside_the_published_ones_with_what_may_change_next():
    async def story(app):
        found = measured_distances(
            app,
            order=(EAST, ASIA, WEST),
            previous=REGIONS,
            pending=frozenset({"chat"}),
            better=[Better(WEST, ASIA, app.clock() - 120)],
            implausible=["static/proxy"],
        )
        await store_round(app, distances=found)
        return await app.status()

    shown = told(story, STATIC=[{"name": "proxy", "addresses": ["10.2.0.9"], "region": WEST, "claims": ["chat"]}])
    found = shown["probing"]["distances"]
    assert found["in_force"]
    assert (found["order"], found["previous"]) == ([EAST, ASIA, WEST], list(REGIONS))
    assert found["pending"] == {"count": 1, "items": ["chat"]}
    rows = {each.pop("place"): each for each in found["places"]}
    published = rows[WEST]["published_ms"]
    assert rows[WEST] == {"ms": 83.2, "published_ms": published, "implausible": False}
    assert rows["static/proxy"] == {"ms": None, "published_ms": published, "implausible": True}
    assert published > 50
    (next_change,) = found["better"]
    assert (next_change["nearer"], next_change["farther"]) == (WEST, ASIA)


def test_long_lists_are_cut_and_say_how_many_there_are():
    async def story(app):
        many = range(1, 121)
        verdicts = [verdict_of(app, f"e-{i}", f"10.1.1.{i}", EAST) for i in many]
        evidence = [failing_evidence(app, f"e-{i}", f"10.1.1.{i}", EAST, armed=i % 2 == 0) for i in many]
        await store_round(app, verdicts=verdicts, evidence=evidence, kept=[f"n-{i}.ai.internal" for i in many])
        return await probing(app)

    found = told(story)
    for name, count in (("verdicts", 120), ("trouble", 120), ("never_answered", 60), ("kept", 120)):
        assert (found[name]["count"], len(found[name]["items"])) == (count, LISTED), name


# One answer.


def test_an_explanation_tells_what_was_seen_of_each_address_and_the_answer_with_and_without_probes():
    async def story(app):
        await east_is_down(app, distances=measured_distances(app))
        return await app.explain(zone_of(app, EAST), "llama")

    shown = told(story)
    found = shown["probing"]
    assert (found["mode"], found["vantage"], found["stale"], found["differs"]) == ("observe", EAST, False, True)
    assert found["without"] == shown["answer"]
    assert found["with"]["addresses"] == [IP["w-1"]]
    assert found["distances"][0] == "eastus 0.4 ms (measured, 0 published)"
    assert found["distances"][1].startswith("westeurope 83.2 ms (measured, ")
    east, _, west = shown["claims"]
    (down,) = east["probes"]
    assert down["verdict"].pop("since") == down.pop("since") is not None
    assert 5 <= down.pop("age_s") < 6
    assert down == {
        "ip": IP["e-1"],
        "kind": "vllm",
        "port": 8000,
        "path": "/health",
        "state": "down",
        "armed": True,
        "word": "connect timed out",
        "status": None,
        "fails": 4,
        "successes": 0,
        "recent": "." * 16 + "x" * 4,
        "rtt_ms": 84.0,
        "samples": 3,
        "published_ms": 0.0,
        "verdict": {"kind": "down", "why": "connect timed out 4 times in a row", "everywhere": True},
        "not_probed": None,
    }
    assert [(each["state"], each["verdict"]) for each in west["probes"]] == [("up", None)]


def test_an_address_without_evidence_is_not_probed_and_a_name_without_a_probe_has_none():
    async def story(app):
        await store_round(app)
        return [await app.explain(zone_of(app, EAST), name) for name in ("llama", "e-1")]

    probed, unprobed = told(story)
    (address,) = probed["claims"][0]["probes"]
    assert (address["state"], address["word"], address["age_s"], address["rtt_ms"]) == ("not probed", None, None, None)
    assert [claim["probes"] for claim in unprobed["claims"]] == [[]]
    assert not probed["probing"]["differs"]


def test_addresses_that_never_has_are_an_alarm_and_explained_and_a_probe_by_hand_names_them():
    """Otherwise one network too wide would switch probing off unseen."""

    async def play(stage):
        await stage.app.correct_drift()
        explained = await stage.app.explain(zone_of(stage.app, EAST), "llama")
        report = await stage.resync(probe={"name": "llama"})
        shown, checked = await stage.app.status(), await stage.resync(check=True)
        return explained, report, whats(shown["alarms"]), whats(checked.alarms)

    never = {"PROBING": {"mode": "observe", "vantage": EAST, "never": ["10.1.0.0/16", "10.2.0.0/16"]}}
    explained, report, shown, checked = run_scenario(play, fleet("observe", **never))
    ips = ", ".join(sorted(IP.values()))
    alarm = f"3 serving addresses are not probed, because NEARZONE_PROBING.never has them ({ips})"
    assert alarm in shown
    assert alarm in checked
    told = [each["not_probed"] for claim in explained["claims"] for each in claim["probes"]]
    assert told == ["NEARZONE_PROBING.never has it"] * 3
    assert report.probed == []
    assert report.notes == [f"name llama: not probed: {ips} (NEARZONE_PROBING.never has it)"]


def test_a_vantage_without_a_zone_in_its_region_is_an_alarm_of_status_and_preflight():
    async def play(stage):
        await stage.app.correct_drift()
        return whats((await stage.app.status())["alarms"]), whats((await stage.resync(check=True)).alarms)

    probing = {"PROBING": {"mode": "enforce", "vantage": "northeurope"}}
    for found in run_scenario(play, fleet("observe", **probing)):
        assert any("no zone of this app is in" in each for each in found)


def test_evidence_that_is_in_two_pages_counts_as_of_the_later_result():
    async def story(app):
        old = failing_evidence(app, "e-1", IP["e-1"], EAST, at=app.clock() - 40)
        await store_round(app, evidence=[evidence_of(app, "e-1", IP["e-1"], EAST)])
        await app.catalog.put_evidence(EvidencePage(EAST, 1, (old,)))
        return await probing(app)

    assert told(story)["trouble"]["count"] == 0


# Metrics.


async def gauges(app):
    found, _ = await app.metrics_page()
    return {
        (each.name, *(value for key, value in each.labels.items() if key != "vantage")): each.value
        for each in found
        if each.name.startswith("probes.")
    }


@pytest.mark.parametrize("mode", ["observe", "enforce"])
def test_the_gauges_tell_the_round_its_verdicts_and_the_measured_distances(mode):
    async def story(app):
        kept, ms = ["llama.ai.internal"], {EAST: 0.4, WEST: 83.2, "static/proxy": 90.0}
        await east_is_down(app, kept=kept, distances=measured_distances(app, ms=ms))
        return await gauges(app)

    found = told(story, mode)
    assert 5 <= found.pop(("probes.round_age",)) < 6
    would_change = {("probes.would_change",): 1} if mode == "observe" else {}
    assert found == would_change | {
        ("probes.all_down",): 1,
        ("probes.blind",): 0,
        ("probes.failing",): 1,
        ("probes.verdicts", "down"): 2,
        ("probes.verdicts", "waiting"): 0,
        ("probes.verdicts", "returning"): 0,
        ("probes.rtt", EAST): 0.4,
        ("probes.rtt", WEST): 83.2,
    }


def test_a_blind_vantage_is_one_and_a_stale_one_tells_its_age_alone():
    async def story(app):
        none = await gauges(app)
        await east_is_down(app, blind_since=app.clock() - 30)
        blind = await gauges(app)
        await asyncio.sleep(120)
        return none, blind[("probes.blind",)], await gauges(app)

    none, blind, stale = told(story)
    assert none == {}
    assert blind == 1
    ((name, age),) = stale.items()
    assert name == ("probes.round_age",)
    assert age >= 120
