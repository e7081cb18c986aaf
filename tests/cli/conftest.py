"""The tool and its three fake apps, for each test anew."""

import pytest

from tests.cli.tool import started, stopped


@pytest.fixture
def tool(tmp_path):
    found = started(tmp_path)
    yield found
    stopped(found)


@pytest.fixture
def apps(tool):
    return tool.apps
