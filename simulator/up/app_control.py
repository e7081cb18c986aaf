"""HTTP on loopback with which an operator or a test stops one of several apps and starts it again.

`GET /apps`, `POST /apps/REGION/stop`, `POST /apps/REGION/start`. Answers contain no key.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from simulator.demo.processes import LaunchError
from simulator.up.regional_apps import RegionalApp, RegionalApps


@contextlib.asynccontextmanager
async def app_control(apps: RegionalApps) -> AsyncIterator[str]:
    """Serve the control of these apps on a free port until the block ends; gives its base address."""
    control = _Control(apps)
    application = web.Application()
    application.add_routes(
        [web.get("/apps", control.apps), web.post("/apps/{region}/{change:stop|start}", control.change)]
    )
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class _Control:
    def __init__(self, apps: RegionalApps) -> None:
        self._apps = apps

    async def apps(self, _: web.Request) -> web.Response:
        return web.json_response([self._state(app) for app in self._apps.apps.values()])

    async def change(self, request: web.Request) -> web.Response:
        app = self._apps.apps.get(request.match_info["region"])
        if app is None:
            known = ", ".join(self._apps.apps)
            error = f"found {request.match_info['region']!r}, expected a region with an app: {known}"
            return web.json_response({"error": error}, status=404)
        try:
            await (app.stop() if request.match_info["change"] == "stop" else app.start())
        except LaunchError as error:
            return web.json_response({"error": str(error)}, status=503)
        return web.json_response(self._state(app))

    def _state(self, app: RegionalApp) -> dict[str, object]:
        return {"region": app.region, "url": app.ready["url"], "running": app.running}
