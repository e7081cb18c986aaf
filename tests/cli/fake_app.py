"""An app for the tests of the command line tool: a server on this machine with the recorded answers of the real app.

It keeps what an order sets, so that a test can look at the state of all apps: drains with their ends, and the freeze.
It can be stopped, and started again with what it has kept.
"""

from __future__ import annotations

import json
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

RECORDED = Path(__file__).parent / "recorded"
REGIONS = ("westeurope", "eastus", "southeastasia")


@cache
def recordings(region):
    return json.loads((RECORDED / f"{region}.json").read_text(encoding="utf-8"))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class FakeApp:
    """The app of one region. `clock`: seconds since 1970, from which the ends of overrides are computed."""

    def __init__(self, region, clock):
        self.region, self.clock, self.key = region, clock, f"key-of-{region}-c0ffee"
        self.drains, self.frozen, self.orders, self.tokens, self.queries = {}, None, [], [], []
        self.trouble = None  # (status, content type, text) of every answer
        self.location = None  # where a redirect leads
        self.silent = threading.Event()  # set: no answer comes
        self.lost = threading.Event()  # set: requests are carried out, and no answer comes
        self._over = threading.Event()
        self._server, self._port = None, 0
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}"

    def start(self):
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer(None)

            def do_POST(self):
                self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def _answer(self, body):
                if app.silent.is_set():
                    app._over.wait(30)
                    return
                app.tokens.append(self.headers.get("authorization"))
                status, kind, text = app.trouble or app.answer(self.path, body, self.headers.get("x-functions-key"))
                content = text.encode()
                if app.lost.is_set():
                    self.close_connection = True
                    return
                self.send_response(status)
                if app.location:
                    self.send_header("location", app.location)
                self.send_header("content-type", kind or "text/plain")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self):
        """Nothing listens any more; what the app has kept stays."""
        self._over.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path, body, key):
        parts = urlsplit(path)
        query = dict(parse_qsl(parts.query)) or None
        if key != self.key:
            return self._recorded("status", wrong_key=True)
        if body is None:
            self.queries.append(query or {})
            return self._status(query)
        return self._resync(body)

    def _status(self, query):
        if query and "since" in query:
            return self._recorded("status", query=lambda found: found and "since" in found)
        if query and "limit" in query:
            query["limit"] = 1000
        place = 2 if self.frozen and not query else 1 if self.drains else 0
        return self._recorded("status", query=lambda found: found == query, place=place)

    def _resync(self, body):
        self.orders.append(body)
        wanted = {key: _known(value) for key, value in body.items() if key != "reason"}
        place = 0
        match body:
            case {"undrain": target}:
                place = 0 if self.drains.pop(*target.values(), None) else 1
            case {"unfreeze": _}:
                place, self.frozen = (0 if self.frozen else 1), None
        found = self._recorded("resync", body=wanted, place=place)
        if found[0] == 200 and "dry_run" not in body:
            match body:
                case {"drain": {"minutes": minutes, **target}}:
                    self.drains[next(iter(target.values()))] = self.clock() + 60 * minutes
                case {"freeze": {"minutes": minutes}}:
                    self.frozen = self.clock() + 60 * minutes
                case {"freeze": _}:
                    self.frozen = float("inf")
        return found

    def _recorded(self, function, query=lambda found: found is None, body=None, place=0, wrong_key=False):
        found = [
            each
            for each in recordings(self.region)
            if each["path"] == function
            and each["wrong_key"] is wrong_key
            and (wrong_key or query(each["query"]))
            and (wrong_key or _without_reason(each["body"]) == body)
        ]
        if not found:
            return 400, "application/json", json.dumps({"error": f"not recorded: {function} {body}"})
        each = found[min(place, len(found) - 1)]
        return each["status"], each["type"], each["text"]


def _known(value):
    """The field of a request without its duration."""
    return {key: each for key, each in value.items() if key != "minutes"} if isinstance(value, dict) else value


def _without_reason(body):
    return None if body is None else {key: _known(value) for key, value in body.items() if key != "reason"}
