"""`make up APPS=regional` for tests: three apps in three regions, each of which can be stopped and started again.

The tests use what it prints, as an operator does. Everything is synchronous, for tests that run a command line.
"""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import dns.resolver

ROOT = Path(__file__).parents[2]
READY = 90.0
"""Seconds that the start may take; it takes 15 to 20 on an idle machine."""
CALL = 60.0
FAST = ("--latency", "0.1", "--operations", "0.02")
"""Azure answers ten times as fast as recorded."""
SUB = "5e7a1c00-0000-4000-8000-000000000001"
SERVING = f"/subscriptions/{SUB}/resourceGroups/serving/providers/Microsoft.Compute/virtualMachines"
REGIONS = ("westeurope", "eastus", "southeastasia")


@dataclass(frozen=True)
class Regional:
    """The running apps. `config`: the context file; `control`: of the apps; `azure`: of the simulator, without `/`."""

    config: Path
    control: str
    azure: str
    resolvers: dict
    printed: str

    @property
    def context(self):
        """Each region's `url` and `key`."""
        return tomllib.loads(self.config.read_text())["contexts"]["local"]["apps"]

    def status(self, region, query=""):
        """GET status of one app; raises OSError where it does not run."""
        return self.api(region, f"status{query}")

    def resync(self, region, **body):
        return self.api(region, "resync", body)

    def api(self, region, path, body=None):
        app = self.context[region]
        return call(f"{app['url']}/api/{path}", body, {"x-functions-key": app["key"]})

    def stop(self, region):
        return call(f"{self.control}/apps/{region}/stop", {})

    def start(self, region):
        """Start it again; returns once it answers."""
        return call(f"{self.control}/apps/{region}/start", {})

    def running(self):
        """The regions whose apps run."""
        return [each["region"] for each in call(f"{self.control}/apps") if each["running"]]

    def arm(self, resource, action):
        """POST an action of a resource to Resource Manager; it has begun when this returns."""
        url = f"{self.azure}{resource}/{action}?api-version=2024-07-01"
        return call(url, {}, {"authorization": "Bearer anything"})

    def change(self, route, **body):
        """POST to a route below /_simulator."""
        return call(f"{self.azure}/_simulator/{route}", body)

    def ask(self, region, name):
        """The addresses that a client in a region's VNet gets for a name, sorted; none without an answer."""
        resolver = dns.resolver.Resolver(configure=False)
        host, resolver.port = self.resolvers[region]
        resolver.nameservers = [host]
        try:
            return sorted(map(str, resolver.resolve(f"{name}.ai.internal", "A", lifetime=5)))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []

    def settle(self, region):
        """Wait until no name of an app waits for its write.

        An app that is stopped during a write keeps the lease of its zone for up to a minute, and so does not write in
        the first minute after its start.
        """
        self.until(0, lambda: self.status(region)["dirty_count"])

    def until(self, expected, question, seconds=30.0):
        """Poll until a question has this answer."""
        end = time.monotonic() + seconds
        while (got := question()) != expected:
            assert time.monotonic() < end, f"got {got}, expected {expected}"
            time.sleep(0.1)


def call(url, body=None, headers=None):
    """The JSON that a POST (without a body: a GET) answers with. Raises OSError where the call is refused."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers or {})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=CALL) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@contextlib.contextmanager
def regional(*arguments):
    """Run `python -m simulator.up --apps regional` until the block ends, with these arguments or with `FAST`."""
    command = [sys.executable, "-m", "simulator.up", "--apps", "regional", *(arguments or FAST)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        late = threading.Timer(READY, process.terminate)
        late.start()
        try:
            printed = _printed(process)
            late.cancel()
            yield _read(printed)
        finally:
            late.cancel()
            process.terminate()
            process.communicate()


def _read(printed):
    """The addresses in the output of `up`, which are there for people."""
    (config,) = re.findall(r"(?m)^export NEARZONE_CONFIG=(.+)$", printed)
    (azure,) = re.findall(r"(?m)^export CONTROL=(\S+)/_simulator$", printed)
    (control,) = re.findall(r"(?m)(http://\S+)/apps/\S+/stop$", printed)
    digs = re.findall(r"(?m)^dig @(\S+) -p (\d+) .*# a client in (\w+)$", printed)
    resolvers = {region: (host, int(port)) for host, port, region in digs}
    return Regional(Path(config), control, azure, resolvers, printed)


def _printed(process):
    lines = []
    while not lines or not lines[-1].startswith("Ctrl-C"):
        lines.append(process.stdout.readline())
        assert lines[-1], f"it ended instead of starting: {''.join(lines)}"
    return "".join(lines)
