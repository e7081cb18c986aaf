"""Where Application Insights would take telemetry in, on loopback, and the real app in a process that sends there."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from tests.support.functions_app import ROOT, WORLD, app_settings, simulated_azure

KEY = "11111111-1111-4111-8111-111111111111"
QUIET = {"APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true", "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true"}
"""No test may send anything to Microsoft."""


class Ingestion:
    """`came`: every item that has arrived. `connection`: the connection string that leads here."""

    def __init__(self, port, came):
        self.came = came
        self.connection = f"InstrumentationKey={KEY};IngestionEndpoint=http://127.0.0.1:{port}/"

    @classmethod
    @contextmanager
    def open(cls):
        came = []

        class Endpoint(BaseHTTPRequestHandler):
            def do_POST(self):
                items = _items(self)
                came.extend(items)
                answer = json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield cls(server.server_port, came)
            server.shutdown()


def _items(request):
    body = request.rfile.read(int(request.headers["Content-Length"]))
    text = (gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body).decode().strip()
    return json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]


class ConnectedApp:
    """The app in its own process (`telemetry_app.py`)."""

    def __init__(self, process, ingestion):
        self._process = process
        self._ingestion = ingestion

    def calls(self, *functions):
        """Call these functions, one after the other, and let everything be sent; gives what has arrived for it."""
        self._ingestion.came.clear()
        for each in (*functions, "flush"):
            self._process.stdin.write(f"{each}\n")
            self._process.stdin.flush()
            assert self._process.stdout.readline() == "done\n", each
        return list(self._ingestion.came)


@contextmanager
def connected_app(**settings):
    """The app beside the simulated Azure, with one zone and one VM, and connected to an ingestion endpoint."""
    with tempfile.TemporaryDirectory() as folder, Ingestion.open() as ingestion:
        world = Path(folder) / "world.json"
        world.write_text(json.dumps(WORLD), encoding="utf-8")
        with simulated_azure(world) as azure:
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": "/nonexistent",
                "OTEL_SERVICE_NAME": "nearzone-westeurope-0a1b2c",
                "APPLICATIONINSIGHTS_CONNECTION_STRING": ingestion.connection,
                "OTEL_TRACES_SAMPLER": "always_on",
                **(QUIET | app_settings(azure) | settings),
            }
            with subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("telemetry_app.py"))],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as process:
                yield ConnectedApp(process, ingestion)
                process.stdin.close()
