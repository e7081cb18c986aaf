"""The alert rules: no complete sweep, refused plans, blocked names, failing or late writes, freezes, ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pulumi_azure_native import monitor, resources

from infra import queries
from infra.app import App
from infra.clouds import Clouds
from infra.config import Deployment
from infra.events import Topic
from infra.settings import probes, three_sweeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An alert on a query of the app's workspace: `aggregate` of `column` above `above`, in each window.

    `window`, `every`: ISO 8601 durations. `severity`: 0 is the highest, 4 the lowest. `by`: a column that splits it.
    `above`: the settings decide some (`_thresholds`). `looks_back`: the age of the records that the query reads, if
    it is longer than the window.
    """

    query: str
    column: str
    aggregate: str
    window: str
    every: str
    severity: int
    means: str
    above: float = 0
    by: str = ""
    looks_back: str | None = None


LONGEST_LOOK_BACK = "P2D"
"""No alert on a query reads older records (Microsoft Learn, alerts-types, log alerts). The alert on a silent app fires
for as long as this."""

FAILING_SPANS = 3
"""A write has failed in more than this many of the six spans of 5 minutes in 30 minutes. A name that keeps failing is
retried every 5.5 minutes at the latest (back-off of 5 minutes, timer of 30 s), so it fails in at least five spans. A
burst of failures that ends on its own falls into one or two."""


ROUND_SECONDS = 300
"""Without a round for this long, probes no longer protect answers: the drain timer has ended the verdicts. It is longer
than a deployment of the app takes, and five times `stale_after`."""

_RULES = (
    Rule(
        query="sweep_age",
        column="Seconds",
        aggregate="Maximum",
        window="PT30M",
        every="PT5M",
        severity=1,
        means="No complete sweep for three intervals, or the app is silent: changes without an event stay.",
        looks_back=LONGEST_LOOK_BACK,
    ),
    Rule(
        query="refused_plans",
        column="Refused",
        aggregate="Total",
        window="PT15M",
        every="PT5M",
        severity=2,
        means="The guard has refused a plan: look at `status`, then correct the cause or force the plan.",
        by="Zone",
    ),
    Rule(
        query="blocked",
        column="Names",
        aggregate="Maximum",
        window="PT15M",
        every="PT5M",
        severity=2,
        means="Claimed names cannot be written: look at `status`.",
        by="Zone",
    ),
    Rule(
        query="dirty_oldest",
        column="Seconds",
        aggregate="Minimum",
        window="PT15M",
        every="PT5M",
        severity=1,
        means="A name has waited too long for its write: its old answer is served. `status` says why.",
        by="Zone",
    ),
    Rule(
        query="failing",
        column="Spans",
        aggregate="Maximum",
        above=FAILING_SPANS,
        window="PT30M",
        every="PT5M",
        severity=1,
        means="Writes keep failing (a lock, a lost role, a full zone): old answers are served. Look at `status`.",
        by="Zone",
    ),
    Rule(
        query="frozen_for",
        column="Hours",
        aggregate="Maximum",
        window="PT30M",
        every="PT5M",
        severity=2,
        means="A zone has been frozen for hours: its answers grow old. Was the freeze forgotten?",
        by="Zone",
        looks_back=LONGEST_LOOK_BACK,
    ),
    Rule(
        query="delivery_latency",
        column="Seconds",
        aggregate="Average",
        window="PT15M",
        every="PT5M",
        severity=3,
        means="The mean time from delivery of an event to DNS is too long.",
        by="Zone",
    ),
)

_PROBE_RULES = (
    Rule(
        query="probes_all_down",
        column="Names",
        aggregate="Maximum",
        window="PT15M",
        every="PT5M",
        severity=1,
        means="The probes of all addresses of a name fail, so all are kept: they are down, or the probe is wrong.",
        by="AppRoleName",
    ),
    Rule(
        query="probes_blind",
        column="Blind",
        aggregate="Minimum",
        window="PT15M",
        every="PT5M",
        severity=2,
        means="The app reaches too few addresses in every region, so its probes withdraw nothing: check its network.",
        by="AppRoleName",
    ),
    Rule(
        query="probes_round_age",
        column="Seconds",
        aggregate="Maximum",
        above=ROUND_SECONDS,
        window="PT30M",
        every="PT5M",
        severity=2,
        means="No round of probes for 5 minutes, although probes are set: they withdraw nothing.",
        by="AppRoleName",
    ),
)


def rules(deployment: Deployment) -> tuple[Rule, ...]:
    """Return the rules of one app. Those about probes exist only where something is probed."""
    wanted, thresholds = (*_RULES, *(_PROBE_RULES if probes(deployment) else ())), _thresholds(deployment)
    return tuple(replace(rule, above=thresholds.get(rule.query, rule.above)) for rule in wanted)


def _thresholds(deployment: Deployment) -> dict[str, float]:
    """Return the thresholds that the settings decide, by query."""
    alerts = deployment.alerts
    return {
        "sweep_age": three_sweeps(deployment),
        "dirty_oldest": 60 * alerts.dirty_minutes,
        "frozen_for": alerts.frozen_hours,
        "delivery_latency": alerts.latency_seconds,
    }


def watch_app(deployment: Deployment, app: App, clouds: Clouds) -> None:
    """Create the alerts on an app's telemetry, in its own region.

    Azure does not validate the queries first: a new workspace has no table AppMetrics until the app has reported, and
    Azure refuses a rule on a missing table (mspnp/aks-baseline#422).
    """
    for rule in rules(deployment):
        monitor.ScheduledQueryRule(
            f"{app.name}-{rule.query.replace('_', '-')}",
            resource_group_name=app.home.group.name,
            rule_name=f"{app.name}-{rule.query.replace('_', '-')}",
            location=app.home.region.name,
            kind="LogAlert",
            display_name=f"{app.name}: {queries.read(rule.query).title}",
            description=rule.means,
            severity=rule.severity,
            enabled=True,
            auto_mitigate=True,
            scopes=[app.telemetry.workspace.id],
            evaluation_frequency=rule.every,
            window_size=rule.window,
            override_query_time_range=rule.looks_back,
            skip_query_validation=True,
            criteria=monitor.ScheduledQueryRuleCriteriaArgs(all_of=[_condition(rule)]),
            actions=monitor.ActionsArgs(action_groups=list(deployment.alerts.action_groups)),
            opts=clouds.at(deployment.subscription),
        )


def _condition(rule: Rule) -> monitor.ConditionArgs:
    split = [monitor.DimensionArgs(name=rule.by, operator="Include", values=["*"])] if rule.by else []
    return monitor.ConditionArgs(
        query=queries.read(rule.query).text,
        metric_measure_column=rule.column,
        time_aggregation=rule.aggregate,
        operator="GreaterThan",
        threshold=rule.above,
        dimensions=split,
        failing_periods=monitor.ConditionFailingPeriodsArgs(
            number_of_evaluation_periods=1, min_failing_periods_to_alert=1
        ),
    )


def watch_topic(
    deployment: Deployment, topic: Topic, group: resources.ResourceGroup, apps: Sequence[App], clouds: Clouds
) -> None:
    """Create the alert on a topic's dead letters, of our own event subscriptions only: a topic may have others."""
    ours = monitor.MetricDimensionArgs(
        name="EventSubscriptionName", operator="Include", values=[app.name for app in apps]
    )
    criterion = monitor.MetricCriteriaArgs(
        name="dead-letters",
        criterion_type="StaticThresholdCriterion",
        metric_namespace="Microsoft.EventGrid/systemTopics",
        metric_name="DeadLetteredCount",
        time_aggregation="Total",
        operator="GreaterThan",
        threshold=0,
        dimensions=[ours],
    )
    monitor.MetricAlert(
        f"{topic.label}-dead-letters",
        resource_group_name=group.name,
        rule_name=f"{topic.label}-dead-letters",
        location="global",
        description="Events could not be delivered. The sweep finds the changes; the dead letters have the reason.",
        severity=2,
        enabled=True,
        auto_mitigate=True,
        scopes=[topic.id],
        evaluation_frequency="PT5M",
        window_size="PT15M",
        criteria=monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
            odata_type="Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", all_of=[criterion]
        ),
        actions=[monitor.MetricAlertActionArgs(action_group_id=each) for each in deployment.alerts.action_groups],
        opts=clouds.at(topic.subscription),
    )
