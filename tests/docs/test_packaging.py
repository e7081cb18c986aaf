"""What is deployed is the app and nothing else, with pinned requirements and settings that are accepted."""

import ast
import json
import re
import sys
from fnmatch import fnmatchcase
from importlib.metadata import packages_distributions
from pathlib import Path
from random import Random
from runpy import run_path

import pytest

from shared.config import parser as settings_parser
from tests.support.values import REGIONS

ROOT = Path(__file__).parents[2]
APP = {"function_app.py", "host.json", "requirements.txt", "shared"}
SOURCES = [ROOT / "function_app.py", *sorted((ROOT / "shared").rglob("*.py"))]
SETTINGS = {"ZONES", "SUBSCRIPTIONS", "CLAIMS", "OWNER", "MODE", "HOST_NAMES", "TTL", "HOST_TTL", "POLICIES"} | {
    "LATENCY",
    "SWEEP_SCHEDULE",
    "DRAIN_SCHEDULE",
    "PROBES",
    "PROBING",
    "PROBE_SCHEDULE",
    "CLOUD",
}


def example():
    return json.loads((ROOT / "local.settings.json.example").read_text())["Values"]


def test_the_example_settings_are_flat_text_and_accepted_as_they_are():
    values = example()
    assert all(isinstance(value, str) for value in values.values())
    assert values["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert values["AzureWebJobsStorage"]
    read = settings_parser.parse(values, REGIONS)
    assert read.apply
    assert read.cloud.arm.startswith("http://127.0.0.1:")


def test_the_example_shows_every_setting_that_there_is():
    assert {name for name in example() if name.startswith("NEARZONE_")} == {f"NEARZONE_{name}" for name in SETTINGS}


def test_the_example_is_about_the_demo_world_and_speaks_to_a_simulator_with_its_default_seed():
    world, read = (
        json.loads((ROOT / "simulator" / "worlds" / "demo.json").read_text()),
        settings_parser.parse(example(), REGIONS),
    )
    assert {zone.key for zone in read.zones} == {zone["id"].lower() for zone in world["zones"]}
    assert {vm["id"].split("/")[2] for vm in world["vms"]} <= read.subscriptions
    assert example()["IDENTITY_HEADER"] == Random("0 identity").randbytes(16).hex()
    assert example()["IDENTITY_ENDPOINT"] == read.cloud.arm + "/msi/token"


def test_the_host_gets_the_extensions_for_event_grid_and_a_time_limit_below_every_plans():
    host = json.loads((ROOT / "host.json").read_text())
    assert host["version"] == "2.0"
    assert host["extensionBundle"] == {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}
    hours, minutes, seconds = map(int, host["functionTimeout"].split(":"))
    assert 230 < hours * 3600 + minutes * 60 + seconds <= 600


def core_tools(patterns, path):
    """Whether Core Tools leave a path out: each line is the beginning of a path, and a `!` line always wins."""

    def hit(pattern):
        escaped = re.escape(pattern).replace(r"\*\*", "(.+)", 1).replace(r"\*", "([^/]+)", 1)
        return re.match(escaped, path)

    kept = any(hit(p[1:]) for p in patterns if p.startswith("!"))
    return not kept and any(hit(p) for p in patterns if not p.startswith("!"))


def like_git(patterns, path):
    """Whether git's rules (as azd's) leave a path out; of the last line that fits any folder above. Small: no `/x`."""
    ignored = False
    for pattern in patterns:
        name = pattern.removeprefix("!").removeprefix("**/")
        if any(fnmatchcase(part, name) for part in path.split("/")):
            ignored = not pattern.startswith("!")
    return ignored


@pytest.mark.parametrize("ignores", [core_tools, like_git])
def test_only_the_app_is_deployed_and_all_of_it(ignores):
    lines = (ROOT / ".funcignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    deployed = set()
    for folder, folders, files in ROOT.walk() if sys.version_info >= (3, 12) else _walk(ROOT):
        here = "" if folder == ROOT else folder.relative_to(ROOT).as_posix() + "/"
        folders[:] = [name for name in folders if not ignores(patterns, here + name)]
        deployed |= {here + name for name in files if not ignores(patterns, here + name)}
    assert {path.split("/")[0] for path in deployed} == APP, "something else would be deployed, or part of the app not"
    assert {path for path in deployed if path.endswith(".py")} == {p.relative_to(ROOT).as_posix() for p in SOURCES}
    assert {path.rsplit(".", 1)[-1] for path in deployed if path.startswith("shared/")} == {"py", "csv", "html"}
    assert not ignores(patterns, ".python_packages/lib/site-packages/msgspec/__init__.py"), (
        "built dependencies go along"
    )


def _walk(top):
    import os  # noqa: PLC0415 - only where Path has no walk yet

    return ((Path(folder), folders, files) for folder, folders, files in os.walk(top))


LOCKS = ["requirements", "requirements-dev", "infra/requirements", "requirements-bench", "cli/requirements"]


def requirements(name):
    """Lines of a requirements file as (distribution, version, marker); comments, hashes and `-r` are left out."""
    lines = (ROOT / name).read_text().splitlines()
    found = [re.match(r"([A-Za-z0-9._-]+)(?:\[.*?\])?==([\w.]+) *;? *([^\\]*)", line) for line in lines]
    found = [(line, match) for line, match in zip(lines, found, strict=True) if line and line[0] not in "#- "]
    assert all(match for _, match in found), f"not pinned with ==: {[line for line, match in found if not match]}"
    return [(match[1].lower().replace("_", "-"), match[2], match[3].strip()) for _, match in found]


def pins(name):
    return {(distribution, version) for distribution, version, _ in requirements(name)}


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_and_so_is_all_that_it_requires_with_hashes(name):
    assert pins(f"{name}.in") <= pins(f"{name}.txt"), "make lock was not run after a change"
    blocks = re.split(
        r"\n(?=[a-z0-9])", re.sub(r"^ *#.*\n", "", (ROOT / f"{name}.txt").read_text(), flags=re.MULTILINE).strip()
    )
    assert len(blocks) == len(requirements(f"{name}.txt"))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)


def test_what_is_tested_is_what_is_deployed():
    assert pins("requirements.txt") <= pins("requirements-dev.txt") <= pins("infra/requirements.txt")
    assert pins("cli/requirements.txt") <= pins("infra/requirements.txt"), "what is audited"


def test_the_audit_fails_for_a_known_vulnerability_and_does_not_pass_where_nothing_was_asked():
    judge = run_path(str(ROOT / "script" / "audit"))["judge"]
    fine = {"name": "a", "version": "1", "vulns": []}
    bad = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
    skipped = {"name": "c", "version": "4", "skip_reason": "not found"}

    def judged(*packages, required=True):
        return judge(json.dumps({"dependencies": packages}), required)

    assert judged(fine) == (0, ["Audit: none of 1 packages has a known vulnerability"])
    assert judged(fine, skipped, bad, required=False) == (1, ["b 2: CVE-1, fixed in 3"])
    assert [judged(fine, skipped)[0], judged()[0], judge("no network", True)[0]] == [1, 1, 1]
    assert judged(fine, skipped, required=False) == (
        0,
        ["AUDIT NOT DONE: the advisory database has no data about 1 of 2 packages"],
    )


def imported(paths):
    """The full names of all modules that are imported."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield path, node.module


def test_the_app_requires_what_it_imports_and_nothing_else():
    owners = packages_distributions()
    own = {"shared", "function_app"}
    names = {name for _, name in imported(SOURCES) if name.split(".")[0] not in own | set(sys.stdlib_module_names)}
    needed = set()
    for name in names:
        # Those of the azure namespace are told apart by name: azure.mgmt.privatedns.aio is azure-mgmt-privatedns.
        candidates = {d.lower() for d in owners.get(name.split(".")[0], [])}
        dashed = name.replace(".", "-") + "-"
        needed |= {d for d in candidates if dashed.startswith(d + "-") or len(candidates) == 1}
    # azure-core comes with the Azure SDKs; its async pipeline needs aiohttp, which it does not require by itself.
    assert needed - {"azure-core"} | {"aiohttp"} == {name for name, *_ in requirements("requirements.in")}


def test_only_the_triggers_know_of_azure_functions():
    knowing = {path.name for path, name in imported(SOURCES) if name.startswith("azure.functions")}
    assert knowing == {"function_app.py"}
