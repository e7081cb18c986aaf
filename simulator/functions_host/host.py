"""A replacement for the Azure Functions host: runs the real app where Core Tools are not installed.

It serves the URLs of the real host, checks the same keys and runs the timers. It knows nothing about nearzone: any app
of the Python v2 model with HTTP, timer and Event Grid triggers works.

Sources: Azure/azure-functions-host (keys, header and query rules, webhooks), the Event Grid extension in
Azure/azure-sdk-for-net (`HttpRequestProcessor.cs`), Azure/azure-webjobs-sdk-extensions (timers). Left out: leases
across instances, timer state across starts, `functionTimeout`, `@app.retry`, host.json, cookies, and every other
binding. The real host also formats ISO dates inside an event anew, which this one does not.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import json
import logging
import os
import re
import secrets
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import azure.functions as func
from aiohttp import web
from azure.functions.decorators.function_app import FunctionRegister

from simulator.functions_host.functions import Function, StartError, converter, index, load, next_run, resolve

log = logging.getLogger("simulator.functions_host")

_LARGEST_BODY = 100 * 1024 * 1024  # bytes; the real host's limit for a request
_SHUTDOWN_GRACE = 2.0  # seconds that requests in flight get when the host stops
_ROUTE_PART = re.compile(r"\{(\*?)(\w+)(\??)\}|([^{}]+)")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that callers must send. The master key opens every function, as in Azure."""

    function: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    system: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    master: str = field(default_factory=lambda: secrets.token_urlsafe(24))


def route_pattern(template: str) -> re.Pattern[str]:
    """A route template (`{name}`, `{name?}`, `{*rest}`) as a pattern, in any case. Raises StartError."""
    pattern = ""
    for part in filter(None, template.split("/")):
        found = _ROUTE_PART.fullmatch(part)
        if found is None:
            raise StartError(f"route '{template}': '{part}' is not supported here (known: {{a}}, {{a?}}, {{*a}})")
        rest, name, optional, literal = found.groups()
        if literal is not None:
            pattern += f"/{re.escape(literal)}"
        else:
            one = f"/(?P<{name}>{'.*' if rest else '[^/]+'})"
            pattern += f"(?:{one})?" if rest or optional else one
    return re.compile(pattern + "/?", re.IGNORECASE)


class Host:
    """A running host: `url`, `keys`, the functions by name. Created by `start`, ended by `close`."""

    def __init__(self, functions: Sequence[Function], settings: Mapping[str, str], keys: Keys) -> None:
        self.keys = keys
        self.functions = {function.name: function for function in functions}
        self.url = ""
        self._by_name = {function.name.lower(): function for function in functions}
        self._routes = [
            (route_pattern(str(f.trigger.get("route") or f.name)), f) for f in functions if f.kind == "httpTrigger"
        ]
        self._schedules = {f.name: resolve(f, settings) for f in functions if f.kind == "timerTrigger"}
        self._turn = {name: asyncio.Lock() for name in self._schedules}
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None

    @property
    def ready(self) -> dict[str, Any]:
        """The connection data that the host prints in one JSON line when it is ready."""
        listening = [f.name for f in self.functions.values() if f.kind == "eventGridTrigger"]
        return {
            "url": self.url,
            "function_key": self.keys.function,
            "system_key": self.keys.system,
            "master_key": self.keys.master,
            "functions": list(self.functions),
            "event_endpoint": self.event_endpoint(listening[0]) if listening else None,
        }

    def event_endpoint(self, function: str) -> str:
        """The webhook URL of a function, with its key, for Event Grid."""
        return f"{self.url}/runtime/webhooks/EventGrid?functionName={function}&code={quote(self.keys.system)}"

    async def listen(self, port: int) -> None:
        """Open the port (0: any free one) and start the timers. Raises OSError if the port is in use."""
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/api/{route:.*}", self._http)
        app.router.add_route("*", "/runtime/webhooks/{extension}", self._webhook)
        app.router.add_post("/admin/functions/{name}", self._admin)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_GRACE)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        for name in self._schedules:
            self._spawn(self._keep_time(self.functions[name]))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop listening, give requests in flight a short grace period, end the timers."""
        if self._runner is not None:
            await self._runner.cleanup()
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _shows(self, request: web.Request, *keys: str) -> bool:
        shown = (request.headers.get("x-functions-key") or request.query.get("code") or "").encode()
        return any(hmac.compare_digest(shown, key.encode()) for key in (*keys, self.keys.master))

    async def _http(self, request: web.Request) -> web.Response:
        found = self._find(request)
        if found is None:
            return web.Response(status=404)
        function, route = found
        level = str(getattr(function.trigger.get("authLevel"), "value", "function")).lower()
        if level != "anonymous" and not self._shows(request, *([self.keys.function] if level == "function" else [])):
            return web.Response(status=401)
        try:
            handed_over = await _http_request(request, route)
        except web.RequestPayloadError as error:
            return _unreadable(error)
        try:
            answer = await function.run(handed_over)
            return _http_answer(answer)
        except Exception:
            log.exception("function %s failed", function.name)
            return web.Response(status=500)

    def _find(self, request: web.Request) -> tuple[Function, dict[str, str]] | None:
        """A method that the route does not know is a 404 too: Azure/azure-functions-host#10098."""
        for pattern, function in self._routes:
            match = pattern.fullmatch("/" + request.match_info["route"])
            methods = [str(getattr(m, "value", m)).upper() for m in function.trigger.get("methods") or ()]
            if match and (not methods or request.method in methods):
                return function, {name: value for name, value in match.groupdict().items() if value is not None}
        return None

    async def _webhook(self, request: web.Request) -> web.Response:
        if request.match_info["extension"].lower() != "eventgrid":
            return web.Response(status=404)
        if not self._shows(request, self.keys.system):
            return web.Response(status=401)
        name = request.query.get("functionName", "")
        function = self.functions.get(name)
        if function is None or function.kind != "eventGridTrigger":
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        return await self._deliver(function, request)

    async def _deliver(self, function: Function, request: web.Request) -> web.Response:
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "unsubscribe":
            return web.Response(status=202)
        if kind not in {"subscriptionvalidation", "notification"}:
            return web.Response(status=400)
        try:
            content = json.loads(await request.read())
            if kind == "subscriptionvalidation":
                return web.Response(text=json.dumps({"validationResponse": _validation_code(content)}))
            events = content if isinstance(content, list) else [content]
        except (ValueError, LookupError, TypeError, RecursionError, web.RequestPayloadError) as error:
            # The real host's answer is unknown; the fault is the sender's, and no function has run.
            log.warning("an unreadable Event Grid request for %s: %s", function.name, error)
            return _unreadable(error)
        return await self._notify(function, events)

    async def _notify(self, function: Function, events: Sequence[Any]) -> web.Response:
        """Run all events in parallel and answer when all are done: one failure makes Event Grid resend the batch."""
        texts = [json.dumps(event, indent=2, ensure_ascii=False) for event in events]
        for outcome in await asyncio.gather(*map(function.run_on, texts), return_exceptions=True):
            if isinstance(outcome, BaseException):
                log.error("function %s failed", function.name, exc_info=outcome)
                return web.Response(status=500, text=f"Exception while executing function: {function.name}: {outcome}")
        return web.Response(status=202)

    async def _admin(self, request: web.Request) -> web.Response:
        if not self._shows(request):
            return web.Response(status=401)
        function = self._by_name.get(request.match_info["name"].lower())
        if function is None:
            return web.Response(status=404)
        if function.kind != "timerTrigger":
            return web.Response(status=400, text=f"only timers can be run by hand, {function.name} is not one")
        self._spawn(self._tick(function))
        return web.Response(status=202)

    async def _keep_time(self, function: Function) -> None:
        """Run a timer at each occurrence; occurrences that pass during a run are skipped."""
        if function.trigger.get("runOnStartup"):
            await self._tick(function)
        due = None
        while True:
            due = next_run(self._schedules[function.name], datetime.now(UTC), due)
            await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
            await self._tick(function)

    async def _tick(self, function: Function) -> None:
        """One run, after the previous one. Stricter than Azure, where a manual run may overlap a scheduled one."""
        async with self._turn[function.name]:
            try:
                await function.run_on(json.dumps({"IsPastDue": False}))
            except Exception:
                log.exception("function %s failed", function.name)


async def _http_request(request: web.Request, route: Mapping[str, str]) -> func.HttpRequest:
    """The request as the host passes it: values joined by commas, empty query values dropped (names: lower case)."""
    headers = {name: ",".join(request.headers.getall(name)) for name in request.headers}
    query = {name: ",".join(request.query.getall(name)) for name in request.query}
    return func.HttpRequest(
        method=request.method,
        url=str(request.url),
        headers=headers,
        params={name: value for name, value in query.items() if value},
        route_params=dict(route),
        body=await request.read(),
    )


def _unreadable(error: Exception) -> web.Response:
    """The answer to a body that is not encoded as its headers say, or is not JSON; the connection is not reused."""
    answer = web.Response(status=400, text=f"the body cannot be read: {error}")
    answer.force_close()
    return answer


def _http_answer(answer: object) -> web.Response:
    datum = converter("http").encode(answer, expected_type=None)
    if datum.type == "string":
        return web.Response(text=datum.value)
    headers = {name: value.value for name, value in datum.value["headers"].items()}
    return web.Response(status=int(datum.value["status_code"].value), headers=headers, body=datum.value["body"].value)


def _validation_code(content: list[Any] | dict[str, Any]) -> str:
    """Event Grid schema: an array; CloudEvents: an object whose `data` is JSON in a string."""
    data = (content[0] if isinstance(content, list) else content)["data"]
    return str((json.loads(data) if isinstance(data, str) else data)["validationCode"])


async def start(
    app: FunctionRegister, settings: Mapping[str, str] | None = None, *, port: int = 0, keys: Keys | None = None
) -> Host:
    """Serve an app on 127.0.0.1 (`port` 0: any free one) in the running loop. Raises StartError, OSError.

    `settings` (default: the environment) resolves `%SETTING%` in schedules; the app itself reads its environment.
    """
    host = Host(index(app), os.environ if settings is None else settings, keys or Keys())
    try:
        await host.listen(port)
    except OSError:
        await host.close()
        raise
    return host


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.functions_host", description="Run a function app on localhost."
    )
    parser.add_argument("--http", type=int, default=0, metavar="PORT", help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument(
        "--app", type=Path, default=Path(), metavar="DIR", help="folder of function_app.py (default: .)"
    )
    for name in ("function", "system", "master"):
        parser.add_argument(
            f"--{name}-key",
            metavar="KEY",
            default=os.environ.get(f"SIMULATOR_{name.upper()}_KEY") or secrets.token_urlsafe(24),
            help=f"default: SIMULATOR_{name.upper()}_KEY of the environment, else a random one",
        )
    parser.add_argument("--log-level", default="WARNING", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return parser.parse_args(argv)


async def _run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = load(arguments.app.resolve())
    keys = Keys(arguments.function_key, arguments.system_key, arguments.master_key)
    host = await start(app, port=arguments.http, keys=keys)
    try:
        print(json.dumps(host.ready), flush=True)
        await stop.wait()
    finally:
        await host.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or Ctrl-C (0); 1 and a message on stderr if the app cannot be started."""
    arguments = _arguments(argv)
    logging.basicConfig(stream=sys.stderr, level=arguments.log_level)
    try:
        asyncio.run(_run(arguments))
    except (StartError, OSError) as error:
        print(f"simulator.functions_host: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0
