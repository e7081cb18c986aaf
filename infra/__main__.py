"""Deploys nearzone to Azure: the configuration becomes resources. README.md describes its use."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi

# Pulumi runs this folder as a program. Imports of its modules and of the app's settings parser start at the root.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from infra.alerts import watch_app, watch_topic
from infra.app import make_app
from infra.clouds import Clouds
from infra.context import cli_context
from infra.decode import decode
from infra.events import subscribe, topics, zone_topics
from infra.names import zone_id
from infra.roles import define
from infra.workbook import workbook
from infra.zones import make_zone

deployment = decode(pulumi.Config("nearzone").get_object("deployment"))
clouds = Clouds(deployment)
roles = define(deployment, clouds)
places = {region.name: make_zone(deployment, region, clouds) for region in deployment.regions}
apps = [make_app(deployment, [places[region.name] for region in regions], roles, clouds) for regions in deployment.apps]
for app in apps:
    watch_app(deployment, app, clouds)
for topic, group in [*topics(deployment, clouds), *zone_topics(deployment, list(places.values()), clouds)]:
    for app in apps:
        subscribe(deployment, topic, app, clouds)
    watch_topic(deployment, topic, group, apps, clouds)
workbook(deployment, apps, clouds)

pulumi.export("zones", {region.name: zone_id(deployment, region) for region in deployment.regions})
pulumi.export("functions", {app.name: app.urls for app in apps})
pulumi.export("sites", {app.name: app.site.name for app in apps})
pulumi.export("cli_context", cli_context(deployment, apps, pulumi.get_stack()))
