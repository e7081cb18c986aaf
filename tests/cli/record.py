"""Records the answers of the real app for `fake_app.py`: `.venv/bin/python tests/cli/record.py`, in some minutes.

It starts `simulator.up` once for each region of the demo's world, with the zone of that region alone, as the default
deployment is. Run it anew after a change of the API; the recordings hold no keys.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).parents[2]
RECORDED = Path(__file__).parent / "recorded"
REGIONS = ("eastus", "southeastasia", "westeurope")
GROUP = "/subscriptions/5e7a1c00-0000-4000-8000-000000000001/resourceGroups/serving"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/llama-eus-1"
REASON = {"reason": "INC-4711"}
STARTED = "2020-01-01T00:00:00Z"
CURL = re.compile(r"curl -s -H 'x-functions-key: (\S+)' (http://\S+)/api/status \|")


def world(region: str) -> dict:
    """The demo's world, with one app for one region."""
    found = json.loads((ROOT / "simulator/worlds/demo.json").read_text())
    settings = found["settings"]
    settings["NEARZONE_ZONES"] = [each for each in settings["NEARZONE_ZONES"] if each["region"] == region]
    if "NEARZONE_PROBING" in settings:
        settings["NEARZONE_PROBING"]["vantage"] = region
    return found


class App:
    """The app under the printed address; keeps what it answers."""

    def __init__(self, key: str, url: str) -> None:
        self.key, self.url, self.kept = key, url, []

    def call(self, query: dict | None = None, body: dict | None = None, key: str | None = None) -> dict:
        """Send one request and keep its answer."""
        path = "resync" if body is not None else "status"
        address = f"{self.url}/api/{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"x-functions-key": key or self.key}
        request = urllib.request.Request(address, None if body is None else json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=230) as answer:
                status, text, kind = answer.status, answer.read().decode(), answer.headers["content-type"]
        except urllib.error.HTTPError as error:
            status, text, kind = error.code, error.read().decode(), error.headers["content-type"]
        asked = {"path": path, "query": query, "body": body, "wrong_key": key is not None}
        self.kept.append({**asked, "status": status, "type": kind, "text": text})
        return json.loads(text) if (kind or "").startswith("application/json") and text else {}


def calls(app: App, region: str) -> None:
    """Everything that the tests ask."""
    zone = app.call()["zones"][0]["id"]
    app.call(key="wrong")
    for query in ({"list": "names", "limit": 1000}, {"list": "endpoints", "limit": 1000}):
        app.call(query)
    app.call({"zone": zone, "name": "llama-70b"})
    app.call({"zone": zone, "name": "no-such-name"})
    for body in (
        {"dry_run": True},
        {},
        {"check": True},
        {"probe": {"name": "llama-70b"}},
        {"adopt": ["db"], "dry_run": True},
    ):
        app.call(body=body)
    app.call(body={"dry_run": True, "name": "no-such-name"})
    for target in ({"region": "eastus"}, {"endpoint": VM}):
        for more in ({"dry_run": True}, REASON):
            app.call(body={"drain": {**target, "minutes": 60}, **more})
        if "region" in target:
            app.call()
            app.call({"zone": zone, "name": "llama-70b"})
        app.call(body={"undrain": target, **REASON})
        app.call(body={"undrain": target, **REASON})
    app.call(body={"drain": {"region": "eastu", "minutes": 60}})
    for body in ({"freeze": {"zone": zone, "minutes": 60}, **REASON}, {"freeze": {"zone": zone}, **REASON}):
        app.call(body=body)
    app.call()
    for _ in range(2):
        app.call(body={"unfreeze": {"zone": zone}, **REASON})
    app.call({"zone": zone, "name": "llama-70b"})
    app.call({"since": STARTED})


def record(region: str) -> None:
    """Start the app of one region, ask it, and keep its answers."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(world(region), file)
        file.flush()
        command = [sys.executable, "-u", "-m", "simulator.up", "--world", file.name]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                lines = []
                for line in process.stdout:
                    lines.append(line)
                    if "Ctrl-C stops it" in line:
                        break
                key, url = CURL.search("".join(lines)).groups()
                app = App(key, url)
                while app.call()["dirty_count"] or not json.loads(app.kept[-1]["text"])["last_sweep"]["current"]:
                    time.sleep(2)
                time.sleep(40)  # Some rounds of probes.
                app.kept.clear()
                calls(app, region)
            finally:
                process.terminate()
    text = json.dumps(app.kept, indent=1)
    assert key not in text
    (RECORDED / f"{region}.json").write_text(text + "\n")
    print(region, [(each["status"]) for each in app.kept], flush=True)


if __name__ == "__main__":
    for each in sys.argv[1:] or REGIONS:
        record(each)
