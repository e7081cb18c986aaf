"""The status page in a real Chromium: what it shows, what it never does, and how it is used.

Most tests let it speak to a small server with made-up answers of `status`; one to the real app on the simulator.
"""

import asyncio
import json
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import async_playwright
from playwright.sync_api import expect, sync_playwright

from shared import dashboard
from simulator.launch import Scale, running
from simulator.outside import Outside
from tests.stage import REGIONS, a_vm, a_world, vm_id, zone_id

KEY = "the-key-of-status"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
NOW = "2026-11-26T12:00:00Z"
ENOUGH = 10.0  # seconds
EVERY = 5000  # ms between two looks
MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def chromium():
    """Debian's Chromium, or the test is skipped, or fails where REQUIRE_CHROMIUM is set."""
    found = shutil.which("chromium")
    if found is None:
        missing = "Chromium is not installed: on Debian, `apt-get install chromium`"
        pytest.fail(missing) if os.environ.get("REQUIRE_CHROMIUM") else pytest.skip(missing)
    return found


# --- what `status` answers


def endpoint(region, number, *names, state="serving"):
    return {
        "id": vm_id(f"{region}-{number}"),
        "kind": "microsoft.compute/virtualmachines",
        "region": region,
        "state": state,
        "addresses": [f"10.{list(REGIONS).index(region) + 1}.{number // 250}.{number % 250}"],
        "names": list(names),
        "doubt": "",
        "faults": [],
    }


def name(called, *answers, host=False):
    """`answers`: for each zone the endpoints that are answered."""
    return {
        "name": called,
        "host": host,
        "answers": [
            {
                "zone": zone_id(region),
                "addresses": [ip for each in found for ip in each["addresses"]],
                "ttl": 30,
                "reason": f"nearest: {found[0]['region']} 80 ms" if found else "no endpoint serves",
                "endpoints": [each["id"] for each in found],
            }
            for region, found in zip(REGIONS, answers, strict=True)
        ],
    }


def told(**changed):
    """A `status?full=true` with two names, three zones and two endpoints."""
    east, west = endpoint("eastus", 4, "llama"), endpoint("westeurope", 4, "llama", "chat")
    past = {"at": "2026-11-26T11:59:30.000+00:00", "zone": zone_id("eastus").lower(), "name": "llama", "kind": "update"}
    return {
        "now": "2026-11-26T12:00:00.000+00:00",
        "mode": "apply",
        "owner": "nearzone",
        "zones": [{"id": zone_id(region), "region": region, "dirty": 0, "frozen": None} for region in REGIONS],
        "dirty": [],
        "endpoints": {"serving": 2},
        "last_sweep": {"completed_at": "2026-11-26T11:55:00.000+00:00", "current": True},
        "sweeps": [
            {"at": "2026-11-26T11:55:00.000+00:00", "seconds": 1.5, "cause": "sweep", "endpoints": 2, "drift": 1}
            | {"changes": 1, "failures": 0, "refused": 0, "complete": True}
        ],
        "changes": [
            {**past, "before": ["10.1.0.9"], "after": ["10.1.0.4"], "reason": "nearest", "cause": "event e-17"}
        ],
        "drains": [],
        "refusals": [],
        "alarms": [],
        "events": {},
        "names": [name("chat", [west], [west], [west]), name("llama", [east], [west], [east, west])],
        "known": [east, west],
    } | changed


def explained(zone, called, record):
    west = endpoint("westeurope", 4)
    past = {
        "at": "2026-11-26T11:00:00.000+00:00",
        "zone": zone,
        "name": called,
        "kind": "update",
        "before": ["10.9.9.9"],
    }
    return {
        "zone": zone,
        "name": called,
        "answer": {"addresses": ["10.2.0.4"], "ttl": 30, "reason": "nearest: westeurope 80 ms"},
        "record": {"addresses": [record], "ttl": 30, "owned": True},
        "claims": [
            {"endpoint": west["id"], "region": "westeurope", "state": "serving", "addresses": ["10.2.0.4"]}
            | {"included": True, "reason": "nearest of all"}
        ],
        "dirty": None,
        "frozen": None,
        "history": [{**past, "after": ["10.2.0.4"], "reason": "failover", "cause": "event e-42"}],
    }


class App:
    """Answers as the app does. `status`: what it says; `code`: with which HTTP status. Keeps what it was asked."""

    def __init__(self):
        self.status, self.code, self.key, self.asked = told(), 200, KEY, []
        self.record = "10.9.9.9"
        self.url = ""

    def answer(self, path, key):
        """HTTP status, content type, more headers and body."""
        parts = urlsplit(path)
        if parts.path == "/api/dashboard":
            return 200, "text/html; charset=utf-8", dashboard.headers(), dashboard.page()
        self.asked.append((path, key))
        if key != self.key:
            return 401, "text/plain", {}, b""
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        content = explained(query["zone"], query["name"], self.record) if "zone" in query else self.status
        return self.code, "application/json", {}, json.dumps(content).encode()


@contextmanager
def served(app):
    class Door(BaseHTTPRequestHandler):
        def do_GET(self):
            code, kind, headers, body = app.answer(self.path, self.headers.get("x-functions-key"))
            self.send_response(code)
            for header, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    app.url = f"http://127.0.0.1:{server.server_port}/api/dashboard"
    yield app
    server.shutdown()
    server.server_close()


@pytest.fixture
def app():
    with served(App()) as running_app:
        yield running_app


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


class Tab:
    """A page in a fresh browser context, with its clock in the test's hand. Keeps requests and complaints."""

    def __init__(self, browser, app, **options):
        self.app, self.requests, self.complaints = app, [], []
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.page = self.context.new_page()
        self.page.clock.install(time="2026-11-26T11:00:00Z")
        self.page.clock.pause_at(NOW)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(app.url)

    def enter(self, key=KEY):
        self.page.fill("#key", key)
        self.page.keyboard.press("Enter")
        return self

    def seen(self):
        """Wait until the first answer is shown."""
        expect(self.page.locator("#told")).to_be_visible()
        return self

    def look(self):
        """Let the time until the next look go by."""
        before = len(self.app.asked)
        self.page.clock.run_for(EVERY + 100)
        end = time.monotonic() + ENOUGH
        while len(self.app.asked) == before:
            assert time.monotonic() < end, "it did not look again"
            self.page.wait_for_timeout(10)

    def rows(self, table):
        return self.page.locator(f"#{table} tbody tr").count()

    def texts(self, selector):
        return [" ".join(text.split()) for text in self.page.locator(selector).all_inner_texts()]


@pytest.fixture
def tab(browser, app):
    opened = []

    def open_tab(**options):
        opened.append(Tab(browser, app, **options))
        return opened[-1]

    yield open_tab
    for each in opened:
        each.context.close()


# --- what it never does


def test_it_asks_nobody_but_its_own_app_and_nothing_on_it_breaks_its_own_policy(tab, app):
    page = tab().enter().seen()
    page.page.click("#names button.answer")
    expect(page.page.locator("#details-body dl")).to_be_visible()
    origin = app.url.removesuffix("/api/dashboard")
    assert {urlsplit(url).path for url in page.requests if url.startswith(origin)} == {"/api/dashboard", "/api/status"}
    assert [url for url in page.requests if not url.startswith((origin, "data:"))] == []
    assert page.complaints == []


def test_a_browser_runs_no_script_but_its_own_and_sends_nothing_elsewhere():
    policy = dict(each.split(" ", 1) for each in dashboard.headers()["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].startswith("'sha256-")
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in json.dumps(policy)


def test_the_key_is_sent_as_a_header_and_is_nowhere_else(tab, app):
    page = tab().enter().seen()
    assert app.asked[0] == ("/api/status?full=true", KEY)
    held = page.page.evaluate(
        "[location.href, document.cookie, document.documentElement.outerHTML, JSON.stringify({...localStorage}),"
        " JSON.stringify({...sessionStorage}), document.getElementById('key').value]"
    )
    assert not [each for each in held if KEY in each]
    assert not [url for url in page.requests if KEY in url]


def test_a_forgotten_key_is_forgotten_with_all_that_was_shown(tab, app):
    page = tab().enter().seen()
    page.page.click("#forget")
    expect(page.page.locator("#told")).to_be_hidden()
    expect(page.page.locator("#key")).to_be_focused()
    assert page.page.evaluate("[key, data]") == [None, None]
    before = len(app.asked)
    page.page.clock.run_for(10 * EVERY)
    assert len(app.asked) == before


def test_markup_in_what_others_have_written_is_shown_as_text(tab, app):
    hostile = {**endpoint("eastus", 4, "llama"), "id": vm_id(MARKUP), "faults": [MARKUP], "doubt": MARKUP}
    hostile |= {"region": MARKUP, "names": [MARKUP], "kind": MARKUP, "state": MARKUP, "addresses": [MARKUP]}
    row = {"zone": MARKUP, "name": MARKUP, "urgency": MARKUP, "since": None, "attempts": 1, "not_before": None}
    app.status = told(
        owner=MARKUP,
        known=[hostile],
        names=[name(MARKUP, [hostile], [], [hostile])],
        alarms=[{"what": MARKUP, "means": MARKUP, "do": MARKUP}],
        dirty=[{**row, "last_error": MARKUP, "cause": MARKUP}],
        refusals=[MARKUP],
        drains=[{"target": MARKUP, "until": "2026-11-26T13:00:00.000+00:00"}],
        changes=[{**told()["changes"][0], "reason": MARKUP, "cause": MARKUP, "name": MARKUP, "zone": MARKUP}],
        endpoints={MARKUP: 1},
    )
    page = tab().enter().seen()
    page.page.check("#host-names")
    shown = page.page.inner_text("body")
    assert shown.count(MARKUP) >= 12
    assert page.page.locator("main img, main script").count() == 0
    assert page.page.title() == "nearzone"
    assert page.complaints == []


# --- what it shows


def test_each_name_has_each_zones_answer_with_its_reason(tab):
    page = tab().enter().seen()
    assert page.texts("#names thead th") == ["name", *REGIONS]
    assert page.texts("#names tbody tr:nth-child(2) :is(th, td)") == [
        "llama",
        "10.1.0.4 nearest: eastus 80 ms",
        "10.2.0.4 nearest: westeurope 80 ms",
        "10.1.0.4 10.2.0.4 nearest: eastus 80 ms",
    ]


def test_the_matrix_counts_for_every_region_where_its_names_are_answered_from(tab, app):
    app.status["names"].append(name("lost", [], [], []))
    page = tab().enter().seen()
    assert page.texts("#matrix thead th") == ["clients in", *REGIONS, "no answer"]
    assert page.texts("#matrix tbody tr") == ["eastus 1 1 1", "westeurope 2 1", "southeastasia 1 2 1"]


def test_own_names_of_endpoints_are_shown_when_they_are_wanted(tab, app):
    app.status["names"].append(name("eastus-4", [app.status["known"][0]], [], [], host=True))
    page = tab().enter().seen()
    assert page.rows("names") == 2
    page.page.check("#host-names")
    assert page.rows("names") == 3
    assert page.texts("#matrix tbody tr")[0] == "eastus 2 1"


def test_trouble_is_told_alarms_dirty_names_orders_refusals_sweeps_and_changes(tab, app):
    app.status |= {
        "alarms": [{"what": "the zone is locked", "means": "answers grow old", "do": "remove the lock"}],
        "dirty": [
            {"zone": zone_id("westeurope").lower(), "name": "chat", "urgency": "withdraw", "attempts": 3}
            | {"since": "2026-11-26T11:58:00.000+00:00", "not_before": "2026-11-26T12:01:00.000+00:00"}
            | {"last_error": "ScopeLocked", "cause": "event e-9"}
        ],
        "drains": [{"target": "eastus", "until": "2026-11-26T13:00:00.000+00:00"}],
        "refusals": ["would remove 10 of 10 owned record sets"],
    }
    app.status["zones"][2] |= {"frozen": {"until": None}}
    page = tab().enter().seen()
    assert page.texts("#alarms li") == ["the zone is locked answers grow old What to do: remove the lock"]
    assert page.texts("#dirty tbody tr") == ["chat westeurope 2 min ago event e-9 3 in 60 s ScopeLocked"]
    assert page.texts("#orders li") == [
        "frozen southeastasia, until it is taken back",
        "drained eastus, ends in 60 min",
        "refused would remove 10 of 10 owned record sets",
    ]
    assert page.texts("#matrix tbody th")[2] == "southeastasia frozen"
    assert page.texts("#changes tbody tr") == ["llama eastus 30 s ago 10.1.0.9 10.1.0.4 nearest event e-17"]
    assert page.texts("#sweeps tbody tr") == ["5 min ago 1.5 s sweep 2 1 1 0 complete"]


def test_an_answer_is_explained_with_its_claims_and_its_history(tab, app):
    page = tab().enter().seen()
    page.page.click("#names tbody tr:nth-child(2) td:nth-child(2) button")
    expect(page.page.locator("#details-title")).to_have_text("llama for clients in eastus")
    expect(page.page.locator("#details-body dl")).to_be_visible()
    assert app.asked[-1][0].startswith("/api/status?zone=%2Fsubscriptions")
    (shown,) = page.texts("#details-body")
    for part in ("10.9.9.9", "westeurope-4", "nearest of all", "60 min ago 10.9.9.9 10.2.0.4 failover event e-42"):
        assert part in shown


# --- how it is used


def test_what_changes_is_shown_without_a_reload_and_filter_focus_and_details_stay(tab, app):
    page = tab().enter().seen()
    page.page.fill("#name-filter", "llama")
    page.page.focus("#names tbody button.answer")
    east, west = app.status["known"]
    app.status = told(
        names=[name("chat", [west], [west], [west]), name("llama", [west], [west], [west])], known=[east, west]
    )
    page.look()
    expect(page.page.locator("#names tbody")).not_to_contain_text("10.1.0.4")
    assert page.rows("names") == 1
    assert page.page.input_value("#name-filter") == "llama"
    assert page.page.evaluate("document.activeElement.dataset.key") == f"{zone_id('eastus')} llama"
    page.page.keyboard.press("Enter")
    expect(page.page.locator("#details-body dl")).to_contain_text("10.9.9.9")
    app.record = "10.2.0.4"
    app.status = told()
    page.look()
    expect(page.page.locator("#details-body dl")).not_to_contain_text("10.9.9.9")
    expect(page.page.locator("#names tbody")).to_contain_text("10.1.0.4")
    page.page.keyboard.press("Escape")
    expect(page.page.locator(f"[data-key='{zone_id('eastus')} llama']")).to_be_focused()


def test_a_failure_is_said_old_data_stay_with_their_age_and_it_recovers_by_itself(tab, app):
    page = tab().enter().seen()
    app.code, fine = 503, app.status
    app.status = {"error": "catalog: the table cannot be reached"}
    page.look()
    expect(page.page.locator("#notice")).to_contain_text("nearzone says: catalog: the table cannot be reached")
    expect(page.page.locator("#notice")).to_contain_text("What is shown is as of")
    assert page.rows("names") == 2
    app.code, app.status = 200, fine
    page.look()
    expect(page.page.locator("#notice")).to_have_text("")


def test_a_wrong_key_is_asked_for_again(tab, app):
    page = tab().enter("wrong")
    expect(page.page.locator("#notice")).to_contain_text("The key was not accepted")
    expect(page.page.locator("#key")).to_be_focused()
    page.enter().seen()
    app.key = "renewed"
    page.look()
    expect(page.page.locator("#door")).to_be_visible()
    expect(page.page.locator("#told")).to_be_hidden()


def test_no_key_is_sent_where_none_is_needed(tab, app):
    app.key = None
    tab().enter("").seen()
    assert app.asked[0] == ("/api/status?full=true", None)


def test_it_can_be_used_with_the_keyboard_alone(tab):
    page = tab()
    expect(page.page.locator("#key")).to_be_focused()
    page.page.keyboard.type(KEY)
    page.page.keyboard.press("Enter")
    page.seen()
    for _ in range(40):
        page.page.keyboard.press("Tab")
        if page.page.evaluate("document.activeElement.id") == "name-filter":
            break
    page.page.keyboard.type("llama")
    for _ in range(2):  # Over the box for own names.
        page.page.keyboard.press("Tab")
    focused = page.page.evaluate("document.activeElement.dataset.key")
    assert focused == f"{zone_id('eastus')} llama"
    page.page.keyboard.press("Enter")
    expect(page.page.locator("#details")).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(page.page.locator("#details")).to_be_hidden()
    expect(page.page.locator(f"[data-key='{focused}']")).to_be_focused()
    outline = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is seen"


def test_on_a_phone_nothing_is_wider_than_the_screen(tab, app):
    app.status["refusals"] = ["x" * 400]
    app.status["alarms"] = [{"what": "w" * 300, "means": "", "do": ""}]
    page = tab(viewport={"width": 360, "height": 740}).enter().seen()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 360
    page.page.click("#names button.answer")
    expect(page.page.locator("#details-body dl")).to_be_visible()
    box = page.page.locator("#details").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


CONTRAST = """element => {
  const parts = color => color.match(/[\\d.]+/g).map(Number);
  let ground = element;
  while (parts(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
  const light = color => parts(color).slice(0, 3).map(each => each / 255)
    .map(each => each <= .04045 ? each / 12.92 : ((each + .055) / 1.055) ** 2.4)
    .reduce((sum, each, at) => sum + each * [.2126, .7152, .0722][at], 0);
  const [a, b] = [light(getComputedStyle(element).color), light(getComputedStyle(ground).backgroundColor)];
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}"""
"""The contrast of an element's text with its ground, by WCAG 2.2."""


def test_text_is_readable_in_light_and_in_dark(tab, app):
    app.status["zones"][2] |= {"frozen": {"until": None}}
    app.status["refusals"] = ["refused"]
    grounds = []
    for scheme in ("light", "dark"):
        page = tab(color_scheme=scheme).enter().seen()
        grounds.append(page.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        for what in ("h1", "td small", "td .chip", "#orders .chip", "#names tbody th", ".soft", "#fresh"):
            for element in page.page.locator(what).all()[:3]:
                assert element.evaluate(CONTRAST) >= 4.5, (scheme, what)
    assert grounds[0] != grounds[1]


def test_a_thousand_names_in_five_zones_stay_a_page_of_few_elements_and_each_is_found(tab, app):
    known = [endpoint(list(REGIONS)[n % 3], n, f"model-{n:04}") for n in range(1000)]
    app.status = told(names=[name(f"model-{n:04}", *[[known[n]]] * 3) for n in range(1000)], known=known)
    page = tab().enter().seen()
    assert (page.rows("names"), page.rows("endpoints")) == (25, 25)
    assert page.page.evaluate("document.querySelectorAll('*').length") < 1500
    expect(page.page.locator("#name-count")).to_have_text("(1000)")
    page.page.get_by_role("button", name="On", exact=True).first.click()
    assert page.texts("#names tbody th")[0] == "model-0025"
    page.page.fill("#name-filter", "model-0999")
    assert page.texts("#names tbody th") == ["model-0999"]
    page.page.fill("#name-filter", "no such thing")
    assert page.texts("#names tbody tr") == ["No name is like that."]


# --- with the real app


def test_a_vm_that_stops_is_seen_to_be_gone_from_the_answers_of_the_real_app():
    path = chromium()
    world = a_world(a_vm("e-1", "eastus", 4), a_vm("w-1", "westeurope", 4))

    async def story():
        async with (
            running(world, scale=Scale(operations=0.001, latency=0.0)) as pair,
            Outside(pair) as outside,
            async_playwright() as playwright,
        ):
            await outside.subscribe()
            await outside.resync({})
            browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
            page = await browser.new_page()
            complaints = []
            page.on("console", lambda message: complaints.append(message.text))
            answer = await page.goto(f"{pair.app['url']}/api/dashboard")
            assert answer.headers["content-type"].startswith("text/html")
            assert answer.headers["content-security-policy"] == dashboard.headers()["Content-Security-Policy"]
            await page.fill("#key", pair.app["function_key"])
            await page.keyboard.press("Enter")
            row = page.locator("#names tbody tr")
            await row.filter(has_text="llama").locator("td").first.get_by_text("10.1.0.4").wait_for()
            await outside.arm("POST", f"{vm_id('e-1')}/deallocate")
            await row.filter(has_text="llama").locator("td").first.get_by_text("10.2.0.4").wait_for()
            await page.locator("#changes tbody tr").filter(has_text="event ").first.wait_for()
            assert complaints == []
            await browser.close()

    with ThreadPoolExecutor(1) as elsewhere:  # This thread may still have Playwright's own loop.
        elsewhere.submit(asyncio.run, story()).result()
