"""The page behind a `status` that answers whatever a test wants: more names than a world has, markup, failures."""

import asyncio
from contextlib import asynccontextmanager

from aiohttp import web

from shared.edge.dashboard import page

NOW = "2026-11-26T12:00:00.000+00:00"
EARLIER = "2026-11-26T11:59:00.000+00:00"
GROUPS = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups"
REGIONS = ("eastus", "northeurope", "southeastasia", "westeurope", "westus")


def zone_id(region):
    return f"{GROUPS}/dns-{region}/providers/Microsoft.Network/privateDnsZones/ai.internal"


def vm_id(name):
    return f"{GROUPS}/gpu/providers/Microsoft.Compute/virtualMachines/{name}"


def an_endpoint(name, region="eastus", **changed):
    return {
        "id": vm_id(name),
        "kind": "microsoft.compute/virtualmachines",
        "region": region,
        "location": "",
        "state": "serving",
        "addresses": ["10.1.0.4"],
        "names": [name],
        "selected": {},
        "doubt": "",
        "not_serving": "",
        "faults": [],
    } | changed


def an_answer(region, addresses=("10.1.0.4",), endpoints=("vm-1",), reason="nearest: eastus 0 ms", held=None):
    shown = None if addresses is None else list(addresses)
    ids = [vm_id(each) for each in endpoints]
    return {"zone": zone_id(region), "addresses": shown, "ttl": 30, "reason": reason, "endpoints": ids, "held": held}


def a_fact(addresses=("10.9.9.9",), why="failing", error="a lock", at=EARLIER):
    """What a zone holds where that is not its answer."""
    return {"addresses": None if addresses is None else list(addresses), "at": at, "why": why, "error": error}


def a_name(name, answers, *, host=False):
    return {"name": name, "host": host, "answers": answers}


def a_change(name="llama", region="eastus", **changed):
    return {
        "at": EARLIER,
        "zone": zone_id(region).lower(),
        "name": name,
        "kind": "update",
        "before": ["10.2.0.4"],
        "after": ["10.1.0.4"],
        "reason": "nearest: eastus 0 ms",
        "cause": "event 1",
        "by": None,
        "reason_given": None,
    } | changed


def a_dirty_name(name="llama", region="eastus", **changed):
    return {
        "zone": zone_id(region).lower(),
        "name": name,
        "urgency": "withdraw",
        "since": EARLIER,
        "attempts": 2,
        "not_before": NOW,
        "last_error": "HTTP 429",
        "cause": "event 1",
        "by": None,
        "reason_given": None,
    } | changed


def a_blocked_name(name="llama", region="eastus", **changed):
    return {
        "zone": zone_id(region),
        "name": name,
        "why": "lost",
        "owner": None,
        "addresses": ["10.9.9.9"],
        "claimed": True,
    } | changed


def a_sweep(**changed):
    counts = {"endpoints": 1, "drift": 0, "changes": 0, "failures": 0, "refused": 0, "failing": 0}
    asked = {"by": None, "reason_given": None}
    return (
        {
            "at": EARLIER,
            "seconds": 1.5,
            "cause": "timer",
            "complete": True,
            "examples": [],
            "error": "",
            "inventory": "lists",
        }
        | asked
        | counts
        | changed
    )


def a_listed(items=(), count=None):
    return {"count": len(items) if count is None else count, "items": list(items)}


def an_effect(name="llama", region="eastus", **changed):
    """An answer that probes change."""
    why = "failover: held back by probes in eastus; nearest is westeurope 83.2 ms (measured, 84 published)"
    return {"zone": zone_id(region), "name": name, "from": ["10.1.0.4"], "to": ["10.2.0.4"], "why": why} | changed


def a_probed_address(state="down", ip="10.1.0.4", **changed):
    """What was seen of an address, as claims have it; with `endpoint` as the list of trouble has it."""
    verdict = {"kind": state, "since": EARLIER, "why": "connect timed out 4 times in a row", "everywhere": True}
    return {
        "ip": ip,
        "kind": "vllm",
        "port": 8000,
        "path": "/health",
        "state": state,
        "since": EARLIER,
        "armed": True,
        "word": "connect timed out",
        "status": None,
        "fails": 4,
        "successes": 0,
        "recent": "." * 16 + "x" * 4,
        "rtt_ms": 0.41,
        "samples": 21,
        "published_ms": 0.0,
        "age_s": 4.2,
        "verdict": verdict if state in ("down", "waiting", "returning") else None,
    } | changed


def a_place(place, ms, published_ms, **changed):
    return {"place": place, "ms": ms, "published_ms": published_ms, "implausible": False} | changed


def the_distances(**changed):
    regions = ("eastus", "westeurope", "southeastasia")
    places = [a_place(*each) for each in zip(regions, (0.41, 83.24, 231.0), (0.0, 84.0, 228.0), strict=True)]
    return {
        "in_force": True,
        "until": NOW,
        "changed_at": EARLIER,
        "order": list(regions),
        "places": places,
        "pending": a_listed(),
        "previous": None,
        "better": [],
    } | changed


def a_probing(mode="observe", **changed):
    """The section `probing` of a status: all is well."""
    last = {"number": 812, "at": EARLIER, "age_s": 4.2, "seconds": 3.21, "addresses": 12, "failing": 0}
    effects = a_listed()
    return {
        "mode": mode,
        "vantage": "eastus",
        "stale": False,
        "last_round": last,
        "blind_since": None,
        "suspected_since": None,
        "verdicts": a_listed() | {"kinds": {"down": 0, "waiting": 0, "returning": 0}},
        "would_change": effects if mode == "observe" else None,
        "changes": effects if mode == "enforce" else None,
        "kept": a_listed(),
        "never_answered": a_listed(),
        "trouble": a_listed(),
        "distances": the_distances(),
    } | changed


def a_status(names=(), known=(), regions=REGIONS, **changed):
    """What `status?full=true` answers."""
    told = {
        "now": NOW,
        "catalog": {"kind": "table", "account": "nearzoneeastus", "table": "nearzone0123456789ab"},
        "mode": "apply",
        "owner": "nearzone",
        "zones": [
            {"id": zone_id(region), "region": region, "dirty": 0, "blocked": 0, "frozen": None} for region in regions
        ],
        "dirty": [],
        "blocked": [],
        "endpoints": {"serving": len(known)},
        "last_sweep": {"completed_at": EARLIER, "current": True, "progress": None, "deferred": None},
        "sweeps": [a_sweep()],
        "changes": [],
        "drains": [],
        "refusals": [],
        "refused": [],
        "alarms": [],
        "events": {},
        "names": list(names),
        "known": list(known),
    } | changed
    for zone in told["zones"]:
        zone["dirty"] = sum(row["zone"] == zone["id"].lower() for row in told["dirty"])
    return told


LISTS = {"names": "names", "endpoints": "known", "dirty": "dirty", "alarms": "alarms", "changes": "changes"}
COUNTED = ("dirty", "blocked", "changes", "drains", "refusals", "alarms")


def an_explanation(region="eastus", name="llama", **changed):
    """What `status?zone=...&name=...` answers."""
    claim = {"endpoint": vm_id("vm-1"), "region": "eastus", "state": "serving", "addresses": ["10.1.0.4"]}
    return {
        "zone": zone_id(region),
        "name": name,
        "answer": {"addresses": ["10.1.0.4"], "ttl": 30, "reason": "nearest: eastus 0 ms"},
        "record": {"addresses": ["10.1.0.4"], "ttl": 30, "owned": True},
        "claims": [claim | {"included": True, "reason": "nearest: eastus 0 ms"}],
        "blocked": None,
        "dirty": None,
        "frozen": None,
        "history": [a_change(name, region)],
    } | changed


class FakeStatusServer:
    """Answers as told. `failure`: status and body instead of an answer; `gate`: answers wait until it is set."""

    def __init__(self):
        self.url = ""
        self.status = a_status()
        self.explanation = an_explanation()
        self.failure = None
        self.answered = self.under_way = self.at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def answer(self, request):
        self.under_way += 1
        self.at_once = max(self.at_once, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        self.answered += 1
        if self.failure:
            code, body = self.failure
            return web.Response(status=code, text=body)
        if "name" in request.query:
            return web.json_response(self.explanation)
        if wanted := request.query.get("list"):
            items, limit = self.status[LISTS[wanted]], int(request.query["limit"])
            begin = int(request.query.get("after", "0"))
            more = str(begin + limit) if begin + limit < len(items) else None
            shown = items[begin : begin + limit]
            return web.json_response({"list": wanted, "items": shown, "count": len(items), "next": more})
        told = {key: value for key, value in self.status.items() if key not in ("names", "known")}
        counts = {f"{name}_count": len(told[name]) for name in COUNTED}
        return web.json_response(told | {name: told[name][:20] for name in COUNTED} | counts)

    async def shown(self, _request):
        found = page()
        return web.Response(text=found.html, content_type="text/html", charset="utf-8", headers=found.headers)


@asynccontextmanager
async def stand_in():
    """One that is listening on a free port."""
    found, app = FakeStatusServer(), web.Application()
    app.router.add_get("/api/dashboard", found.shown)
    app.router.add_get("/api/status", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/dashboard"
        yield found
    finally:
        found.gate.set()
        await runner.cleanup()
