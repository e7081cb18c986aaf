"""Alerts and workbook: what they ask is written once, in files, and about metrics that the app has."""

import json
import re
from dataclasses import replace

import pytest

from infra import queries
from infra.alerts import ROUND_SECONDS
from infra.alerts import rules as alert_rules
from infra.decode import decode
from infra.tests.stage import EAST, HOME, LAB, ON_CALL, WEST, configured, deployed
from infra.workbook import SHOWN, SHOWN_WITH_PROBES, content
from shared import telemetry
from shared.domain.metrics import METRICS as METRIC_TABLE

METRICS = {telemetry.PREFIX + name for name in METRIC_TABLE}
FILES = sorted(each.stem for each in queries.FOLDER.glob("*.kql"))


@pytest.fixture(scope="module")
def regional():
    return deployed(alerts={"action_groups": [ON_CALL], "latency_seconds": 12})


def rules(program, region):
    prefix = f"nearzone-{region}-"
    return {
        name.removeprefix(prefix): each.inputs
        for name, each in program.all("ScheduledQueryRule").items()
        if name.startswith(prefix)
    }


EXPECTED = {
    "sweep-age": ("sweep_age", "Seconds", "Maximum", 1800, []),
    "refused-plans": ("refused_plans", "Refused", "Total", 0, ["Zone"]),
    "blocked": ("blocked", "Names", "Maximum", 0, ["Zone"]),
    "dirty-oldest": ("dirty_oldest", "Seconds", "Minimum", 3600, ["Zone"]),
    "failing": ("failing", "Spans", "Maximum", 3, ["Zone"]),
    "frozen-for": ("frozen_for", "Hours", "Maximum", 4, ["Zone"]),
    "delivery-latency": ("delivery_latency", "Seconds", "Average", 12, ["Zone"]),
}


WITH_PROBES = {
    "probes-all-down": ("probes_all_down", "Names", "Maximum", 0, ["AppRoleName"], 1),
    "probes-blind": ("probes_blind", "Blind", "Minimum", 0, ["AppRoleName"], 2),
    "probes-round-age": ("probes_round_age", "Seconds", "Maximum", ROUND_SECONDS, ["AppRoleName"], 2),
}


def test_what_probes_say_is_watched_only_where_something_is_probed():
    """The alerts of other apps stay as they are."""
    plain = decode(configured())
    probing = replace(plain, settings={"NEARZONE_PROBES": {"*": {"kind": "tcp", "port": 443}}})
    before, after = alert_rules(plain), alert_rules(probing)
    assert after[: len(before)] == before
    found = {
        rule.query.replace("_", "-"): (
            *(rule.query, rule.column, rule.aggregate, rule.above, [rule.by], rule.severity),
        )
        for rule in after[len(before) :]
    }
    assert found == WITH_PROBES
    for rule in after[len(before) :]:
        assert (rule.every, rule.window in {"PT15M", "PT30M"}) == ("PT5M", True)
        assert re.search(rf"\b{rule.column} = ", queries.read(rule.query).text)
        assert rule.by in queries.read(rule.query).text
        assert rule.means.endswith((".", "?"))


def test_the_age_of_a_round_counts_up_to_the_last_report():
    """Late telemetry and a silent app make no round look old; an app whose first round never ran has an age."""
    text = queries.read("probes_round_age").text
    assert "now()" not in text
    assert "Last - coalesce(Ended, First)" in text


@pytest.mark.parametrize("region", [EAST, WEST])
def test_each_app_is_watched_in_its_own_workspace(regional, region):
    found = rules(regional, region)
    assert set(found) == set(EXPECTED)
    for name, (query, column, aggregate, above, split) in EXPECTED.items():
        rule = found[name]
        (condition,) = rule["criteria"]["allOf"]
        assert rule["scopes"] == [regional.one("Workspace", f"nearzone-{region}-logs").id]
        assert rule["actions"] == {"actionGroups": [ON_CALL]}
        assert (rule["enabled"], rule["location"], rule["kind"]) == (True, region, "LogAlert")
        assert condition["query"] == (queries.FOLDER / f"{query}.kql").read_text(encoding="utf-8")
        assert (condition["metricMeasureColumn"], condition["timeAggregation"]) == (column, aggregate)
        assert (condition["operator"], condition["threshold"]) == ("GreaterThan", above)
        assert [each["name"] for each in condition.get("dimensions", [])] == split
        assert re.search(rf"\b{column} = ", condition["query"]), "the column is one of the query's"
        assert all(re.search(rf"\b{each} = ", condition["query"]) for each in split)


def test_a_rule_can_be_made_before_the_app_has_ever_reported(regional):
    """Azure refuses a rule on a table that is not there, and a new workspace has none; so it is told not to look."""
    for region in (EAST, WEST):
        assert {rule["skipQueryValidation"] for rule in rules(regional, region).values()} == {True}


def test_only_the_sweeps_age_and_a_freeze_are_seen_beyond_the_window_for_as_long_as_azure_allows(regional):
    """A silent app has sent nothing within the window, and a freeze is hours old. Log alerts look back for two days."""
    found = {name: rule.get("overrideQueryTimeRange") for name, rule in rules(regional, EAST).items()}
    assert found == dict.fromkeys(EXPECTED) | {"sweep-age": "P2D", "frozen-for": "P2D"}


def test_from_when_on_names_and_freezes_are_too_old_can_be_set():
    found = rules(deployed(alerts={"dirty_minutes": 500, "frozen_hours": 12}), EAST)
    above = {name: each["criteria"]["allOf"][0]["threshold"] for name, each in found.items()}
    assert (above["dirty-oldest"], above["frozen-for"]) == (30_000, 12)


def test_an_app_that_never_reported_has_no_sweep_that_is_too_old():
    """Every row comes from what the app has sent; nothing stands for an app that has sent nothing."""
    text = queries.read("sweep_age").text
    assert "print" not in text
    assert re.search(r"datatable\([^)]*\)\[\]", text), "and the table that is there before any other is empty"
    assert re.search(r"\| summarize .* by AppRoleName\n", text), "without records there is no group, and no row"


def test_the_windows_are_ones_that_azure_allows(regional):
    """Minutes of evaluation and window: 5, 10, 15, 30, 45, 60, ... (rest/api/monitor/scheduled-query-rules)."""
    for rule in (*rules(regional, EAST).values(), *(each.inputs for each in regional.all("MetricAlert").values())):
        assert rule["evaluationFrequency"] == "PT5M"
        assert rule["windowSize"] in {"PT15M", "PT30M"}
        assert 0 <= rule["severity"] <= 4


def test_dead_letters_of_our_own_event_subscriptions_raise_an_alert_beside_their_topic(regional):
    found = regional.all("MetricAlert")
    assert set(found) == {f"nearzone-resources-{each}-dead-letters" for each in (HOME, LAB)}
    for subscription in (HOME, LAB):
        rule = found[f"nearzone-resources-{subscription}-dead-letters"]
        assert rule.subscription == subscription
        assert rule.inputs["scopes"] == [regional.one("SystemTopic", f"nearzone-resources-{subscription}").id]
        (criterion,) = rule.inputs["criteria"]["allOf"]
        assert (criterion["metricNamespace"], criterion["metricName"]) == (
            "Microsoft.EventGrid/systemTopics",
            "DeadLetteredCount",
        )
        assert (criterion["operator"], criterion["threshold"], criterion["timeAggregation"]) == (
            "GreaterThan",
            0,
            "Total",
        )
        assert criterion["dimensions"] == [
            {
                "name": "EventSubscriptionName",
                "operator": "Include",
                "values": ["nearzone-eastus", "nearzone-westeurope"],
            }
        ]
        assert rule.inputs["actions"] == [{"actionGroupId": ON_CALL}]
    ours = {each.inputs["eventSubscriptionName"] for each in regional.all("SystemTopicEventSubscription").values()}
    assert ours == {"nearzone-eastus", "nearzone-westeurope"}


def test_the_workbook_shows_every_query_over_all_workspaces(regional):
    (workbook,) = regional.all("Workbook").values()
    shown = json.loads(workbook.inputs["serializedData"])
    assert shown["version"] == "Notebook/1.0"
    asked = [each["content"] for each in shown["items"] if each["type"] == 3]
    texts = {(queries.FOLDER / f"{name}.kql").read_text(encoding="utf-8") for name in SHOWN}
    assert {each["query"] for each in asked} == texts, "those about probes follow where something is probed"
    workspaces = [regional.one("Workspace", f"nearzone-{region}-logs").id for region in (EAST, WEST)]
    assert all(each["crossComponentResources"] == workspaces for each in asked)
    assert {each["resourceType"] for each in asked} == {"microsoft.operationalinsights/workspaces"}
    (time,) = [each for each in shown["items"] if each["type"] == 9]
    assert {each["timeContextFromParameter"] for each in asked} == {time["content"]["parameters"][0]["name"]}
    assert (workbook.inputs["kind"], workbook.inputs["category"]) == ("shared", "workbook")


def test_every_query_is_shown_and_every_metric_is_asked_for():
    assert set(FILES) == {*SHOWN, *SHOWN_WITH_PROBES}
    shown = content(["workspace"], SHOWN | SHOWN_WITH_PROBES)["items"]
    assert [each["name"] for each in shown[1:]] == [*SHOWN, *SHOWN_WITH_PROBES]
    asked = {name for each in FILES for name in re.findall(r'"(nearzone\.[a-z_.]+)"', queries.read(each).text)}
    assert asked <= METRICS
    assert {each for each in METRICS - asked if not each.startswith("nearzone.probes")} == set()


@pytest.mark.parametrize("name", FILES)
def test_a_query_says_what_it_shows_and_reads_one_table(name):
    query = queries.read(name)
    assert query.text.startswith(f"// {query.title}\n")
    assert set(re.findall(r"\bApp[A-Z]\w+", query.text)) <= {"AppMetrics", "AppRoleName", "AppRoleInstance"}
    code = re.sub(r"//.*|\"[^\"]*\"", "", query.text)
    for opening, closing in ("()", "[]", "{}"):
        assert code.count(opening) == code.count(closing)
    assert query.text.endswith("\n")
    assert "\t" not in query.text
