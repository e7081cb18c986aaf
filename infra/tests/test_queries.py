"""The queries as Microsoft's KQL language service reads them: nothing wrong, and the columns that alerts look at."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from infra import queries
from infra.alerts import rules
from infra.decode import decode
from infra.tests.stage import configured
from infra.workbook import SHOWN, SHOWN_WITH_PROBES

PACKAGE = Path(__file__).parents[2] / ".kusto" / "node_modules" / "@kusto" / "language-service-next"
FILES = sorted(queries.FOLDER.glob("*.kql"))
SCHEMA = (
    "(TimeGenerated:datetime, Name:string, ItemCount:int, Sum:real, Min:real, Max:real, Properties:dynamic, "
    "AppRoleName:string, AppRoleInstance:string)"
)
"""Of AppMetrics, as far as it is used (Microsoft Learn, azure-monitor/reference/tables/appmetrics)."""


def read(*files, schema=SCHEMA):
    """What the language service says of these files. Without it the test is skipped, but never under REQUIRE_KUSTO.

    `schema`: of AppMetrics; empty where the workspace has no such table yet.
    """
    node = shutil.which("node")
    if not node or not PACKAGE.is_dir():
        why = "make kusto installs Microsoft's KQL language service; it needs Node.js"
        if os.environ.get("REQUIRE_KUSTO"):
            pytest.fail(why)
        pytest.skip(why)
    script = Path(__file__).with_name("kusto.js")
    told = subprocess.run(
        [node, script, PACKAGE, schema, *files], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def told():
    return read(*FILES)


def test_nothing_is_wrong_with_any_query(told):
    assert {name: each["faults"] for name, each in told.items()} == {each.stem: [] for each in FILES}


def test_every_query_has_the_same_columns_before_the_app_has_ever_reported(told):
    """A new workspace has no table AppMetrics. A query on it would be an error for rules and workbook alike."""
    before = read(*FILES, schema="")
    assert {name: each["columns"] for name, each in before.items()} == {n: each["columns"] for n, each in told.items()}
    errors = {name: [fault for fault in each["faults"] if fault.startswith("Error")] for name, each in before.items()}
    assert errors == {each.stem: [] for each in FILES}


def test_a_query_that_needs_a_table_is_found_to_need_it(tmp_path):
    needy = tmp_path / "needy.kql"
    needy.write_text('AppMetrics | where Name == "x" | summarize Seconds = sum(Sum)\n', encoding="utf-8")
    assert "Error: The name 'AppMetrics'" in str(read(needy, schema="")["needy"]["faults"])


def test_alerts_look_at_a_number_and_split_by_a_text(told):
    with_probes = replace(decode(configured()), settings={"NEARZONE_PROBES": {"*": {"kind": "tcp", "port": 443}}})
    for rule in rules(with_probes):
        columns = told[rule.query]["columns"]
        assert columns[rule.column] == "real"
        assert not rule.by or columns[rule.by] == "string"


def test_what_is_drawn_over_time_has_a_time(told):
    drawn = [name for name, shape in (SHOWN | SHOWN_WITH_PROBES).items() if shape != "table"]
    assert {told[name]["columns"].get("TimeGenerated") for name in drawn} == {"datetime"}


def test_a_wrong_query_is_found_to_be_wrong(tmp_path):
    wrong = tmp_path / "wrong.kql"
    wrong.write_text('AppMetrics | where Nme == "x" | summarize Seconds = sum(Sum)\n', encoding="utf-8")
    assert "Nme" in str(read(wrong)["wrong"]["faults"])
