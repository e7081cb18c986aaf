"""Wiring: what is refused before anything runs, and what importing the app may not do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.arm.client import same_service
from shared.bootstrap import build
from shared.errors import BadSettings
from tests.pure_values import values
from tests.stage import Token

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("mark", ["WEBSITE_INSTANCE_ID", "WEBSITE_SKU", "WEBSITE_POD_NAME"])
def test_the_catalog_in_memory_is_refused_in_azure_whatever_the_plan(mark):
    with pytest.raises(BadSettings, match="durable"):
        build({**values(), mark: "x"}, credential=Token())


def test_a_container_of_somebody_elses_is_not_taken_for_azure():
    assert build({**values(), "CONTAINER_NAME": "laptop"}, credential=Token())


def test_importing_the_app_needs_no_settings_and_opens_no_connection():
    code = """
import socket, sys
def refuse(*_): raise AssertionError("a connection at import")
socket.socket.connect = refuse
import function_app
print(len(function_app.app.get_functions()))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEARZONE_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "5"), done.stderr


@pytest.mark.parametrize(
    ("link", "same"),
    [
        ("https://management.azure.com/x?$skiptoken=1", True),
        ("https://management.azure.com:443/x", True),
        ("https://eastus.management.azure.com/x", True),
        ("https://management.azure.com.evil.example/x", False),
        ("https://evilmanagement.azure.com/x", False),
        ("http://management.azure.com/x", False),
        ("https://management.azure.com:444/x", False),
        ("/x", False),
    ],
)
def test_a_list_is_followed_only_to_the_service_that_was_asked(link, same):
    assert same_service(link, "https://management.azure.com") is same
