"""The status page in a real browser: over the real app on a simulated Azure, and over a `status` that says anything."""

import asyncio
import json
import re
import time
from itertools import pairwise

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import expect

from simulator.demo.processes import Scale, started
from tests.support.chromium import chromium
from tests.support.deployment import REGIONS, a_vm, a_world, vm_id
from tests.support.fake_status_server import (
    COUNTED,
    EARLIER,
    NOW,
    a_blocked_name,
    a_change,
    a_dirty_name,
    a_fact,
    a_name,
    a_status,
    a_sweep,
    an_answer,
    an_endpoint,
    an_explanation,
    stand_in,
)
from tests.support.status_page import next_poll, opened, row, show

__all__ = ["chromium"]  # a fixture

pytestmark = pytest.mark.asyncio(loop_scope="module")

EAST, WEST, ASIA = REGIONS
MARKUP = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>&lt;\''


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def app():
    """The app and its simulated Azure, after the first sweep."""
    world = a_world(
        a_vm("server1", EAST, 4, "llama,chat"),
        a_vm("server2", WEST, 4, "llama"),
        a_vm("server3", WEST, 5, "moving"),
        a_vm("server4", ASIA, 4, f"odd,{MARKUP}"),
    )
    async with started(world, scale=Scale(operations=0.001, latency=0)) as pair:
        found = App(pair)
        await found.resync({})
        yield found


class App:
    """What people outside the browser do."""

    def __init__(self, pair):
        self.url, self.key = pair.app["url"] + "/api/dashboard", pair.app["function_key"]
        self.pair = pair

    async def resync(self, body):
        url, headers = f"{self.pair.app['url']}/api/resync", {"x-functions-key": self.key}
        async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def arm(self, path):
        url, headers = f"{self.pair.simulator['arm']}{path}?api-version=2024-07-01", {"authorization": "Bearer token"}
        async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as answer:
            assert answer.status < 300, await answer.text()


@pytest_asyncio.fixture(loop_scope="module")
async def status():
    """A `status` that says anything."""
    async with stand_in() as found:
        yield found


# What the page is allowed to do.


async def test_anybody_may_have_the_page_and_its_headers_let_nothing_else_run(app):
    async with aiohttp.ClientSession() as session, session.get(app.url) as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))
        text = await answer.text()
    own_hash = re.compile(r"'sha256-[A-Za-z0-9+/]{43}='")
    assert own_hash.fullmatch(policy.pop("script-src"))
    assert own_hash.fullmatch(policy.pop("style-src"))
    assert policy.pop("connect-src") == "'self'"
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert policy == dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
    assert "server1" not in text, "there is no data in it"
    assert app.key not in text


async def test_it_asks_nobody_but_its_own_app_and_the_key_goes_there_as_a_header_alone(chromium, app):
    async with opened(chromium, app.url) as page:
        await expect(page.locator("#main")).to_be_hidden()
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert [request.url for request in page.asked] == [app.url], "nothing is asked without a key"
        await show(page, app.key)
        await expect(row(page, "names", "llama")).to_be_visible()
        await row(page, "names", "llama").get_by_role("button").first.click()
        await expect(page.get_by_role("heading", name="Claims")).to_be_visible()
        first, *questions = page.asked
        assert {request.url.split("?")[0] for request in questions} == {app.url.replace("dashboard", "status")}
        assert {await request.header_value("x-functions-key") for request in questions} == {app.key}
        assert not any(app.key in request.url for request in page.asked)
        assert await first.header_value("x-functions-key") is None
        assert page.url == app.url
        kept = "[localStorage.length, sessionStorage.length, document.cookie, document.querySelector('#key').value]"
        assert await page.evaluate(kept) == [0, 0, "", ""]
        assert app.key not in await page.content()
        assert page.faults == [], "no violation of the policy, no error"


async def test_a_wrong_key_is_asked_for_again_and_forgetting_it_leaves_nothing(chromium, app):
    async with opened(chromium, app.url) as page:
        for key, said in (("wrong", "not accepted"), ("", "asks for a key")):
            await show(page, key)
            await expect(page.get_by_role("alert")).to_contain_text(said)
            await expect(page.locator("#key")).to_be_focused()
        asked = len(page.asked)
        await next_poll(page)
        assert len(page.asked) == asked, "it does not go on with a key that is refused"
        await show(page, app.key)
        await expect(row(page, "names", "llama")).to_be_visible()
        await expect(page.locator("#door")).to_be_hidden()
        await page.get_by_role("button", name="Forget key").click()
        await expect(page.locator("#key")).to_be_visible()
        await expect(page.locator("#main")).to_be_hidden()
        assert "llama" not in await page.content()


async def test_without_a_key_it_shows_what_an_app_tells_that_asks_for_none(chromium, status):
    status.status = a_status([a_name("llama", [an_answer("eastus")])], regions=("eastus",))
    async with opened(chromium, status.url, "") as page:
        await expect(row(page, "names", "llama")).to_contain_text("10.1.0.4")
        assert await page.asked[-1].header_value("x-functions-key") is None


async def test_it_is_served_and_tells_the_faults_where_the_settings_are_wrong(chromium):
    async with started(a_world(a_vm("server1", EAST, 4), TTL="soon")) as pair:
        broken = App(pair)
        async with opened(chromium, broken.url) as page:
            await show(page, broken.key)
            await expect(page.get_by_role("alert")).to_contain_text('NEARZONE_TTL: found "soon"')


# What is shown.


async def test_every_name_is_there_with_each_zones_answer_and_why(chromium, app):
    async with opened(chromium, app.url, app.key) as page:
        east, west, asia = await row(page, "names", "llama").locator("td").all()
        await expect(east).to_contain_text("10.1.0.4nearest: eastus 0 ms")
        await expect(west).to_contain_text("10.2.0.4nearest: westeurope 0 ms")
        await expect(asia).to_contain_text("10.2.0.4nearest: westeurope 169 ms")
        await expect(row(page, "names", "server1")).to_have_count(0)
        await page.get_by_label("Host names too (4)").check()
        await expect(row(page, "names", "server1")).to_be_visible()
        await expect(row(page, "endpoints", "server2")).to_contain_text("westeuropeserving10.2.0.4llama, server2")


async def test_a_change_an_order_and_a_sweep_show_who_has_asked_and_why(chromium, status):
    who = {"by": "a@example.com", "reason_given": "INC-7 <b>"}
    order = a_change("*", kind="drain", before=[], after=[], reason="drain of eastus", **who)
    status.status = a_status(
        changes=[order, a_change("db", kind="adopt", **who)],
        sweeps=[a_sweep(**who)],
        drains=[{"target": "eastus", "until": "2026-11-26T13:30:00.000+00:00", **who}],
    )
    async with opened(chromium, status.url, "") as page:
        await expect(row(page, "changes", "drain")).to_contain_text("event 1 · by a@example.com · INC-7 <b>")
        await expect(row(page, "changes", "drain").get_by_role("button")).to_have_count(0)
        await expect(row(page, "changes", "db")).to_contain_text("adopted: nearest")
        await expect(page.locator("#sweeps")).to_contain_text("by a@example.com")
        await expect(row(page, "drains", "eastus")).to_contain_text("by a@example.com · INC-7 <b>")


async def test_details_tell_every_claim_in_or_out_what_the_zone_holds_and_the_history(chromium, app):
    async with opened(chromium, app.url, app.key) as page:
        await row(page, "names", "llama").get_by_role("button").nth(1).click()
        details = page.get_by_role("dialog", name="llama for clients in westeurope")
        await expect(details).to_contain_text("should be10.2.0.4TTL 30 s")
        await expect(details).to_contain_text("zone holds10.2.0.4TTL 30 swith this deployment's owner tag")
        claims = details.locator("table").first.locator("tbody tr")
        await expect(claims.filter(has_text="server1")).to_contain_text("outfarther: eastus")
        await expect(claims.filter(has_text="server2")).to_contain_text("innearest: westeurope 0 ms")
        await expect(details.locator("table").last.locator("tbody tr")).to_contain_text(["+ 10.2.0.4nearest"])
        await details.get_by_role("button", name=EAST).click()
        await expect(page.get_by_role("dialog", name="llama for clients in eastus")).to_contain_text(
            "zone holds10.1.0.4"
        )


async def test_the_matrix_counts_names_by_the_regions_that_answer_them(chromium, status):
    answers = {
        "near": an_answer("eastus"),
        "far": an_answer("eastus", ["10.2.0.4"], ["vm-2"]),
        "both": an_answer("eastus", ["10.1.0.4", "10.2.0.4", "10.2.0.5"], ["vm-1", "vm-2", "vm-3"]),
        "backup": an_answer("eastus", ["10.9.0.4"], []),
        "frozen": an_answer("eastus", None, []),
        "silent": an_answer("eastus", [], []),
    }
    vms = [an_endpoint("vm-1"), an_endpoint("vm-2", "westeurope"), an_endpoint("vm-3", "westeurope")]
    names = [a_name(name, [answer]) for name, answer in answers.items()]
    status.status = a_status([*names, a_name("vm-1", [an_answer("eastus")], host=True)], vms, regions=("eastus",))
    async with opened(chromium, status.url, "") as page:
        table = page.locator("#matrix")
        heads = ["clients in", "eastus", "westeurope", "fallback", "kept", "no answer"]
        await expect(table.locator("thead th")).to_have_text(heads)
        await expect(table.locator("tbody td")).to_have_text(["2", "2", "1", "1", "1"])
        await page.get_by_label("Host names too (1)").check()
        await expect(table.locator("tbody td")).to_have_text(["3", "2", "1", "1", "1"])


async def test_what_needs_somebody_is_told_with_what_to_do(chromium, status):
    status.status = a_status(
        known=[an_endpoint("vm-1"), an_endpoint("vm-2", doubt="forbidden", faults=["no such label"], state="unknown")],
        alarms=[{"what": "no event", "means": "late", "do": "look"}],
        refusals=["would remove 9 of 10"],
        dirty=[a_dirty_name()],
        changes=[a_change()],
        sweeps=[a_sweep(complete=False, failures=7, error="it is away")],
        drains=[{"target": "westus", "until": "2026-11-26T13:30:00.000+00:00"}],
    )
    status.status["zones"][0]["frozen"] = {"until": None}
    async with opened(chromium, status.url, "") as page:
        await expect(page.locator("#alarms li")).to_have_text(["no eventlateDo: look"])
        await expect(page.locator("#refusals li")).to_have_text(["would remove 9 of 10"])
        await expect(row(page, "zones", "eastus")).to_contain_text("until it is unfrozen")
        await expect(row(page, "drains", "westus")).to_contain_text("until 2026-11-26 13:30 UTC, in 1 h")
        await expect(page.locator("#endpoints tbody tr").first).to_contain_text("forbiddenno such label")
        await expect(row(page, "dirty", "llama")).to_contain_text("2 times")
        await expect(row(page, "dirty", "llama")).to_contain_text("HTTP 429event 1")
        await expect(row(page, "changes", "llama")).to_contain_text("10.2.0.4+ 10.1.0.4nearest: eastus 0 msevent 1")
        await expect(page.locator("#sweeps tbody tr")).to_contain_text("1.5 s10070noit is away")
        stamp = row(page, "changes", "llama").locator("time")
        await expect(stamp).to_have_text("1 min ago")
        await expect(stamp).to_have_attribute("title", "2026-11-26T11:59:00.000+00:00")


async def test_an_endpoint_shows_which_addresses_a_name_has_and_why_a_part_does_not_serve(chromium, status):
    parted = an_endpoint("lb", names=["chat", "embed", "gpt"], addresses=["10.1.0.4", "10.1.0.5"])
    parted |= {"selected": {"chat": ["10.1.0.5"], "gpt": []}, "not_serving": "backend pool p is empty"}
    status.status = a_status(known=[parted])
    async with opened(chromium, status.url, "") as page:
        shown = page.locator("#endpoints tbody tr")
        await expect(shown).to_contain_text("chat (10.1.0.5), embed, gpt (no address)")
        await expect(shown).to_contain_text("backend pool p is empty")


async def test_names_that_may_not_be_written_are_shown_with_why_and_what_stands_there(chromium, status):
    status.status = a_status(regions=("eastus", "westus"))
    async with opened(chromium, status.url, "k") as page:
        await expect(page.locator("#not-ours")).to_be_hidden()
        await expect(page.locator("#figures")).not_to_contain_text("may not be written")
        status.status["blocked"] = [
            a_blocked_name(),
            a_blocked_name("chat", why="other owner", owner="team-b", addresses=[]),
            a_blocked_name("old", "westus", why="auto-registered", claimed=False),
        ]
        for zone, count in zip(status.status["zones"], (1_300, 1), strict=True):
            zone["blocked"] = count
        await next_poll(page)
        await expect(row(page, "blocked", "llama")).to_contain_text("eastusit has lost our owner tag10.9.9.9yes")
        await expect(row(page, "blocked", "chat")).to_contain_text("it belongs to owner team-bnothingyes")
        await expect(row(page, "blocked", "old")).to_contain_text("westusAzure registers it10.9.9.9no more")
        await expect(page.locator("#not-ours caption")).to_contain_text("The first 3 of 1,301.")
        await expect(page.locator("#figures")).to_contain_text("1,301may not be written")
        await expect(row(page, "zones", "eastus")).to_contain_text("1,300")
        status.explanation = an_explanation(blocked={"why": "lost", "owner": None})
        status.explanation["record"]["owned"] = False
        await row(page, "blocked", "llama").get_by_role("button").click()
        await expect(page.get_by_role("dialog")).to_contain_text("not ours, and not touched: it has lost our owner tag")


async def test_what_is_gone_or_claims_nothing_does_not_count_as_an_endpoint(chromium, status):
    known = [an_endpoint("vm-1"), an_endpoint("vm-2", state="stopped")]
    known += [an_endpoint(f"gone-{i}", state="gone") for i in range(2_000)]
    known += [an_endpoint("odd", names=[], faults=["no such label"])]
    status.status = a_status(known=known)
    async with opened(chromium, status.url, "k") as page:
        await expect(page.locator("#figures")).to_contain_text("1 of 2endpoints serve")
        shown = page.locator("#endpoints tbody th")
        await expect(shown.nth(0)).to_contain_text("odd")
        await expect(shown.nth(1)).to_contain_text("vm-2")
        await expect(shown.nth(2)).to_contain_text("vm-1")


async def test_a_time_ahead_is_told_as_such_and_what_is_due_as_due(chromium, status):
    ahead, soon = "2026-11-26T12:10:30.000+00:00", "2026-11-26T12:00:00.900+00:00"
    status.status = a_status(
        regions=("eastus",),
        changes=[a_change(at=ahead), a_change("now", at=soon)],
        sweeps=[a_sweep(at=ahead)],
        dirty=[a_dirty_name(since=ahead, not_before=ahead)],
        drains=[{"target": "westus", "until": ahead}],
    )
    status.explanation = an_explanation(history=[a_change(at=ahead)])
    said = "10 min ahead: the writer's clock runs ahead"
    async with opened(chromium, status.url, "k") as page:
        await expect(row(page, "changes", "llama").locator("time")).to_have_text(said)
        await expect(row(page, "changes", "now").locator("time")).to_have_text("0 s ago")
        await expect(page.locator("#sweeps tbody time")).to_have_text(said)
        await expect(row(page, "dirty", "llama").locator("time")).to_have_text([said, "in 10 min"])
        await expect(row(page, "drains", "westus").locator("time")).to_have_text("in 10 min")
        await row(page, "changes", "llama").get_by_role("button").click()
        await expect(page.get_by_role("dialog").locator("table").last.locator("time")).to_have_text(said)


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        ({"read": 2644, "of": 3004, "seconds_left": 40}, "2,644 of 3,004 endpoints read, about 40 s to go"),
        ({"read": 12, "of": 30_000, "seconds_left": 185.4}, "12 of 30,000 endpoints read, about 3 min to go"),
        ({"read": 0, "of": 1, "seconds_left": None}, "0 of 1 endpoint read"),
    ],
)
async def test_the_progress_of_a_first_sweep_is_shown_until_it_is_over(chromium, status, progress, said):
    status.status = crowd(3)
    status.status["last_sweep"] = {"completed_at": None, "current": False, "progress": progress}
    async with opened(chromium, status.url, "k") as page:
        await expect(page.locator("#progress")).to_have_text(said)
        asked = len([request for request in page.asked if "list=names" in request.url])
        status.status["last_sweep"]["progress"] = progress | {"read": progress["of"], "seconds_left": 0}
        await next_poll(page)
        await expect(page.locator("#progress")).to_have_text(
            re.compile(f"^{progress['of']:,} of {progress['of']:,} endpoints? read one by one by the last sweep$")
        )
        assert len([request for request in page.asked if "list=names" in request.url]) == asked, (
            "nothing else has changed"
        )
        status.status["last_sweep"] = {"completed_at": status.status["now"], "current": True, "progress": None}
        await next_poll(page)
        await expect(page.locator("#progress")).to_be_hidden()
        status.status["last_sweep"] = {"completed_at": status.status["now"], "current": True}
        await next_poll(page)
        await expect(page.locator("#progress")).to_be_hidden()


WORDS = {
    "failing": "not as it should bewriting fails: a lock; it holds10.9.9.9as of 1 min ago",
    "frozen": "not as it should bethe zone is frozen; it holds10.9.9.9as of 1 min ago",
    "blocked": "not as it should beit is not ours to write: lost; it holds10.9.9.9as of 1 min ago",
    "refused": "not as it should bethe guard refused the plan; it holdsnothingas of 1 min ago",
    "unwritten": "not as it should benot written yet; what it holds is not known",
    "kept": "not confirmedkept for a claimant that cannot be read; it holds10.2.0.4as of 1 min ago",
}


async def test_a_cell_that_is_not_known_to_hold_its_answer_says_so_in_words_and_the_counts_use_the_facts(
    chromium, status
):
    facts = {
        "failing": a_fact(),
        "frozen": a_fact(why="frozen", error=""),
        "blocked": a_fact(why="blocked", error="lost"),
        "refused": a_fact([], "refused", ""),
        "unwritten": a_fact(None, "unwritten", "", None),
        "kept": a_fact(["10.2.0.4"], "kept", ""),
    }
    names = [a_name(why, [an_answer("eastus", held=fact)]) for why, fact in facts.items()]
    names.append(a_name("right", [an_answer("eastus")]))
    vms = [an_endpoint("vm-1"), an_endpoint("vm-2", "westeurope", addresses=["10.2.0.4"])]
    status.status = a_status(names, vms, regions=("eastus",))
    async with opened(chromium, status.url, "") as page:
        for why, said in WORDS.items():
            cell = row(page, "names", why).locator("button")
            await expect(cell).to_contain_text(said)
            await expect(cell).to_contain_text("should be:10.1.0.4nearest: eastus 0 ms")
            border = await cell.evaluate(
                "each => getComputedStyle(each).borderStyle + getComputedStyle(each).borderColor"
            )
            assert border.startswith("dashedrgb(")
        right = row(page, "names", "right").locator("button")
        await expect(right).not_to_contain_text("should be")
        await expect(page.locator("#figures")).to_contain_text("1without an answer somewhere")
        await expect(page.locator("#figures")).to_contain_text("6answers not as they should be")
        heads = ["clients in", "eastus", "unknown", "westeurope", "not known", "no answer"]
        await expect(page.locator("#matrix thead th")).to_have_text(heads)
        await expect(page.locator("#matrix tbody td")).to_have_text(["1", "3", "1", "1", "1"])
        await page.get_by_label("Filter").first.fill("10.9.9.9")
        await expect(page.locator("#names tbody tr")).to_have_count(3)


async def test_an_alarm_says_when_it_was_seen_and_a_later_look_asks_for_nothing_else(chromium, status):
    alarm = {"what": "no link", "means": "m", "do": "d", "at": EARLIER}
    status.status = a_status([a_name("llama", [an_answer("eastus")])], alarms=[alarm])
    async with opened(chromium, status.url, "") as page:
        await expect(page.locator("#alarms li")).to_contain_text("no link seen 1 min ago")
        asked = len([request for request in page.asked if "list=" in request.url])
        alarm["at"] = NOW
        await next_poll(page)
        await expect(page.locator("#alarms li")).to_contain_text("seen 0 s ago")
        assert len([request for request in page.asked if "list=" in request.url]) == asked


async def test_lists_that_the_summary_cuts_are_asked_for_page_by_page(chromium, status):
    status.status = crowd(1_100)
    async with opened(chromium, status.url, "") as page:
        await expect(page.locator("#figures")).to_contain_text("1,100dirty")
        await expect(page.locator("#figures")).to_contain_text("1,100alarms")
        for part in ("names", "dirty"):
            pager = page.locator("section", has=page.locator(f"#{part}")).locator(".pager")
            await expect(pager).to_contain_text("of 1,100")
        assert not [request for request in page.asked if "full" in request.url]
        assert len([request for request in page.asked if "list=names" in request.url]) == 3


# Nothing that is shown is markup.


def poisoned(value, spared=()):
    """The same with markup in every text but those under these keys."""
    if isinstance(value, dict):
        return {key: each if key in spared else poisoned(each, spared) for key, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each, spared) for each in value]
    return value + MARKUP if isinstance(value, str) else value


async def inert(page):
    """Whether markup has stayed text: no element came of it and nothing of it ran."""
    made = "[...document.querySelectorAll('img, script, iframe')].map(each => each.outerHTML.slice(0, 30))"
    assert await page.evaluate(made) == ['<script>\n"use strict";\n// Ever']
    assert await page.evaluate("window.hit") is None


async def test_markup_in_anything_that_the_app_tells_is_text(chromium, status):
    times = {"now", "at", "until", "since", "not_before", "completed_at"}
    status.status = poisoned(
        a_status(
            [a_name("llama", [an_answer("eastus")])],
            [an_endpoint("vm-1", doubt="d", faults=["f"])],
            regions=("eastus",),
            alarms=[{"what": "w", "means": "m", "do": "d"}],
            refusals=["r"],
            blocked=[a_blocked_name(owner="o")],
            dirty=[a_dirty_name()],
            changes=[a_change()],
            drains=[{"target": "t", "until": None}],
        ),
        times,
    )
    status.status["zones"][0]["blocked"] = 1
    status.explanation = poisoned(an_explanation(dirty=a_dirty_name()), times)
    async with opened(chromium, status.url, "") as page:
        for table in ("names", "endpoints", "blocked", "dirty", "changes", "sweeps", "zones", "drains"):
            await expect(page.locator(f"#{table} tbody")).to_contain_text(MARKUP)
        for place in ("#who", "#alarms li", "#refusals li", "#matrix"):
            await expect(page.locator(place)).to_contain_text(MARKUP)
        await page.locator("#names tbody button").first.click()
        await expect(page.get_by_role("heading", name="Claims")).to_be_visible()
        await expect(page.get_by_role("dialog").locator("table").first).to_contain_text(MARKUP)
        await expect(page.get_by_role("dialog").locator("table").last).to_contain_text(MARKUP)
        await inert(page)
        await page.get_by_role("button", name="Close").click()
        status.failure = 503, json.dumps({"error": MARKUP})
        await next_poll(page)
        await expect(page.get_by_role("alert")).to_contain_text(MARKUP)
        await inert(page)


async def test_markup_in_a_tag_of_a_real_endpoint_is_text(chromium, app):
    async with opened(chromium, app.url, app.key) as page:
        await expect(row(page, "endpoints", "server4")).to_contain_text("<img src=x")
        await expect(page.locator("#alarms")).to_contain_text("<img src=x")
        await inert(page)


# Many names, small screens, darkness, no mouse.


def crowd(names=1_000):
    """So many names in five zones, as many endpoints, dirty names and alarms."""
    regions = ("eastus", "northeurope", "southeastasia", "westeurope", "westus")
    labels = [f"model-{number:04}" for number in range(names)]
    return a_status(
        [a_name(each, [an_answer(region, endpoints=[each]) for region in regions]) for each in labels],
        [an_endpoint(each) for each in labels],
        regions,
        dirty=[a_dirty_name(each) for each in labels],
        alarms=[{"what": f"{each} failed", "means": "m", "do": "d"} for each in labels],
    )


async def test_a_thousand_names_are_a_bounded_page_and_the_last_one_is_found(chromium, status):
    status.status = crowd()
    async with opened(chromium, status.url, "") as page:
        names = page.locator("#names tbody tr")
        await expect(names).to_have_count(25)
        assert await page.evaluate("document.querySelectorAll('*').length") < 3_000
        pager = page.locator("section", has=page.locator("#names")).locator(".pager")
        await expect(pager).to_contain_text("1\u201325 of 1,000")
        await pager.get_by_role("button", name="Next").click()
        await expect(names.first).to_contain_text("model-0025")
        await pager.get_by_role("button", name="Previous").click()
        await expect(names.first).to_contain_text("model-0000")
        await page.keyboard.press("Enter")  # There is nothing before the first page, and the button keeps the focus.
        await expect(pager.get_by_role("button", name="Previous")).to_be_focused()
        await expect(names.first).to_contain_text("model-0000")
        await pager.get_by_role("button", name="Next").click()
        await page.get_by_label("Filter").first.fill("model")
        await expect(names.first).to_contain_text("model-0000")
        await page.get_by_label("Filter").first.fill("MODEL-0999")
        await expect(names).to_have_count(1)
        await expect(names).to_contain_text("model-0999")
        await page.get_by_label("Filter").first.fill("no such thing")
        await expect(names).to_have_text(["no name fits"])
        await page.get_by_label("Filter").last.fill("virtualmachines/model-0998")
        await expect(page.locator("#endpoints tbody tr")).to_have_count(1)
        await expect(page.locator("#endpoints tbody tr")).to_contain_text("model-0998")


TOO_WIDE = """all => all.filter(each => each.scrollWidth > each.clientWidth).map(
    each => each.querySelector('table').id)"""


async def test_a_phone_shows_it_without_scrolling_sideways(chromium, status):
    status.status = crowd(30)
    status.status["alarms"][0]["what"] = "x" * 300
    status.status["known"][0]["faults"] = ["y" * 300]
    async with opened(chromium, status.url, "", viewport={"width": 360, "height": 740}) as page:
        await expect(page.locator("#names tbody tr").first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        assert await page.locator("main .scroll").evaluate_all(TOO_WIDE) == ["matrix"], "the other tables are stacked"
        await page.locator("#names tbody button").first.click()
        await expect(page.get_by_role("heading", name="Claims")).to_be_visible()
        wide = "[document.documentElement.scrollWidth, document.querySelector('dialog').scrollWidth]"
        assert max(await page.evaluate(wide)) <= 360


def luminance(colour):
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance of a colour as a browser tells it: `rgb(1, 2, 3)`."""
    parts = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first, second):
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


COLOURS = """() => {
  const of = (selector, what) => getComputedStyle(document.querySelector(selector))[what];
  return [of('body', 'backgroundColor'), of('section', 'backgroundColor'), of('#alarms li', 'backgroundColor'),
    ...['body', '#who .quiet', '#sweeps .good', '#endpoints .warn', '#endpoints .bad', 'a'].map(
      each => of(each, 'color'))];
}"""


async def test_light_and_dark_differ_and_all_text_can_be_read(chromium, status):
    status.status = crowd(1) | {"known": [an_endpoint("vm-1", state="unknown", faults=["f"])]}
    seen = {}
    for scheme in ("light", "dark"):
        async with opened(chromium, status.url, "", color_scheme=scheme) as page:
            await expect(page.locator("#endpoints .bad")).to_be_visible()
            body, card, alarm, *texts = seen[scheme] = await page.evaluate(COLOURS)
            for text in texts:
                assert contrast(text, card) >= 4.5
                assert contrast(text, body) >= 4.5
            assert contrast(texts[0], alarm) >= 4.5
    assert luminance(seen["light"][0]) > 0.8
    assert luminance(seen["dark"][0]) < 0.05


async def focused(page):
    return await page.evaluate("document.activeElement.matches('#main *') && document.activeElement.outerHTML")


async def tab_to(page, selector, limit=60):
    for _ in range(limit):
        await page.keyboard.press("Tab")
        if await page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"the keyboard does not reach {selector}")


async def test_everything_can_be_done_with_the_keyboard_alone(chromium, app):
    async with opened(chromium, app.url) as page:
        await expect(page.locator("#key")).to_be_focused()  # the browser moves the focus there after it has loaded
        await page.keyboard.type(app.key)
        await page.keyboard.press("Enter")
        await expect(row(page, "names", "llama")).to_be_visible()
        await tab_to(page, "[data-filter=names]")
        await page.keyboard.type("llama")
        await expect(page.locator("#names tbody tr")).to_have_count(1)
        await tab_to(page, "#names button")
        opener = await focused(page)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_contain_text("Claims (2)")
        await tab_to(page, "dialog [aria-pressed=false]")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog", name="llama for clients in westeurope")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        assert await focused(page) == opener
        await tab_to(page, "[data-filter=endpoints]")


async def test_tables_and_landmarks_are_told_to_those_who_cannot_see_them(chromium, app):
    async with opened(chromium, app.url, app.key) as page:
        await expect(page.get_by_role("main")).to_be_visible()
        await expect(page.get_by_role("link", name="To the content")).to_have_attribute("href", "#main")
        assert await page.locator("thead th:not([scope=col]), tbody th:not([scope=row])").count() == 0
        levels = await page.locator("h1, h2, h3").evaluate_all("all => all.map(each => Number(each.tagName[1]))")
        assert all(after <= before + 1 for before, after in pairwise(levels))
        for region in ("Alarms", "Names", "Endpoints", "Last changes"):
            await expect(page.get_by_role("region", name=region).first).to_be_visible()
        nameless = "all => all.filter(each => !each.labels?.length && !each.textContent.trim()).length"
        assert await page.locator("button, input").evaluate_all(nameless) == 0


# It goes on by itself.


async def test_a_change_of_the_world_appears_without_a_reload(chromium, app):
    async with opened(chromium, app.url, app.key) as page:
        await expect(row(page, "names", "moving")).to_contain_text("10.2.0.5")
        await app.arm(vm_id("server3") + "/deallocate")
        await app.resync({"endpoint": vm_id("server3")})
        await next_poll(page)
        await expect(row(page, "names", "moving").locator("td").first).to_contain_text("no answer")
        await expect(row(page, "endpoints", "server3")).to_contain_text("stopped")
        await expect(row(page, "changes", "moving").first).to_contain_text("10.2.0.5no endpoint serves")


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ((503, '{"error": "Transient: the catalog is away"}'), "Transient: the catalog is away"),
        ((500, ""), "HTTP 500"),
        ((200, "<html>"), "HTTP 200 without JSON"),
    ],
)
async def test_a_failure_is_told_what_is_old_is_marked_and_it_recovers(chromium, status, failure, said):
    status.status = a_status([a_name("llama", [an_answer("eastus")])], regions=("eastus",))
    async with opened(chromium, status.url, "k") as page:
        status.failure = failure
        await next_poll(page)
        await expect(page.get_by_role("alert")).to_contain_text(said)
        await expect(page.get_by_role("alert")).to_contain_text("it is from 2026-11-26 12:00:00 UTC")
        await expect(page.locator("#main")).to_have_class("old")
        await expect(row(page, "names", "llama")).to_be_visible()
        await expect(page.locator("#live")).to_contain_text("Old: the app's answer of 5 s ago")
        status.failure = None
        await next_poll(page)
        await expect(page.locator("#failure")).to_be_hidden()
        await expect(page.locator("#live")).to_contain_text("Live")


async def test_an_answer_that_is_old_says_of_when_it_is_and_why(chromium, status):
    """The app cannot read its catalog, and tells what it last knew."""
    status.status = a_status([a_name("llama", [an_answer("eastus")])], regions=("eastus",))
    async with opened(chromium, status.url, "k") as page:
        stale = {"as_of": "2026-11-26T12:00:00.000+00:00", "age_s": 7200.0, "error": "HTTP 403 " + MARKUP}
        status.status = status.status | {"stale": stale}
        await next_poll(page)
        await expect(page.get_by_role("alert")).to_contain_text("The app cannot read its catalog: HTTP 403")
        await expect(page.get_by_role("alert")).to_contain_text("it is from 2026-11-26 12:00:00 UTC")
        await expect(page.locator("#main")).to_have_class("old")
        await expect(page.locator("#live")).to_contain_text("Old: the app's answer of 2 h")
        await expect(row(page, "names", "llama")).to_be_visible()
        del status.status["stale"]
        await next_poll(page)
        await expect(page.locator("#failure")).to_be_hidden()
        await expect(page.locator("#live")).to_contain_text("Live")


async def test_an_app_that_is_gone_is_told_and_found_again(chromium, status):
    async with opened(chromium, status.url, "k") as page:
        await page.context.set_offline(True)
        await next_poll(page)
        await expect(page.get_by_role("alert")).to_contain_text("the app cannot be reached")
        await page.context.set_offline(False)
        await next_poll(page)
        await expect(page.locator("#failure")).to_be_hidden()


async def test_focus_filter_scroll_and_details_survive_news(chromium, status):
    status.status = crowd(40)
    async with opened(chromium, status.url, "k") as page:
        await page.get_by_label("Filter").first.fill("model-00")
        await row(page, "names", "model-0003").get_by_role("button").nth(2).focus()
        place = "[scrollY, document.activeElement.dataset.name, document.querySelector('[data-filter]').value]"
        before = await page.evaluate(place)
        status.status["names"].insert(0, a_name("model-00-new", [an_answer("eastus")] * 5))
        status.status["names"].pop(3)
        status.status["changes"] = [a_change("model-00-new")]
        await next_poll(page)
        await expect(page.locator("#names tbody tr").first).to_contain_text("model-00-new")
        assert (await page.evaluate(place))[1:] == before[1:] == ["model-0003", "model-00"]
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_contain_text("zone holds10.1.0.4")
        status.explanation = an_explanation(record=None)
        await next_poll(page)
        await expect(page.get_by_role("dialog")).to_contain_text("zone holdsnothingnot what it should be")
        await page.keyboard.press("Escape")
        await expect(row(page, "names", "model-0003").get_by_role("button").nth(2)).to_be_focused()


async def test_names_and_endpoints_are_asked_for_again_only_when_something_has_changed(chromium, status):
    status.status = crowd(3)
    async with opened(chromium, status.url, "k") as page:
        for _ in range(3):
            answered = status.answered
            await next_poll(page)
            await until(lambda before=answered: status.answered > before)
        await expect(page.locator("#live")).to_contain_text("Live")
        assert [request.url for request in page.asked if "list=names" in request.url] == [page.asked[2].url]
        status.status["alarms"], status.status["names"][0]["name"] = [], "renamed"
        await next_poll(page)
        await expect(row(page, "names", "renamed")).to_be_visible()
        status.status["names"][0]["name"] = "renamed-unnoticed"
        await page.clock.fast_forward(30_001)
        await expect(row(page, "names", "renamed-unnoticed")).to_be_visible()


async def test_a_key_that_is_taken_away_is_asked_for_whatever_is_open(chromium, status):
    status.status = crowd(3)
    async with opened(chromium, status.url, "k") as page:
        await page.locator("#names tbody button").first.click()
        await expect(page.get_by_role("dialog")).to_contain_text("Claims (1)")
        status.failure = 401, ""
        await next_poll(page)
        await expect(page.get_by_role("dialog")).to_be_hidden()
        await expect(page.locator("#key")).to_be_focused()
        await expect(page.locator("#main")).to_have_class("old")
        status.failure = None
        await show(page, "another")
        await expect(page.locator("#door")).to_be_hidden()


async def until(true):
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_it_never_asks_twice_at_once(chromium, status):
    status.status = crowd(3)
    async with opened(chromium, status.url, "k") as page:
        status.gate.clear()
        await next_poll(page)
        await until(lambda: status.under_way == 1)
        for button in range(3):
            await page.locator("#names tbody button").nth(button).click()
            await expect(page.get_by_role("dialog")).to_contain_text("Asking")
            await page.keyboard.press("Escape")
        await page.locator("#names tbody button").first.click()
        await page.clock.fast_forward(20_000)
        await page.clock.pause_at(await page.evaluate("Date.now() / 1000 + 1"))  # No later poll answers for this one.
        answered = status.answered
        status.gate.set()
        await expect(page.get_by_role("dialog")).to_contain_text("Claims (1)")
        await until(lambda: status.answered >= answered + 2)
        assert status.at_once == 1


async def test_it_does_not_ask_while_nobody_looks(chromium, status):
    hide = """hidden => {
        Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    async with opened(chromium, status.url, "k") as page:
        await page.evaluate(hide, True)
        asked = len(page.asked)
        for _ in range(3):
            await next_poll(page)
        assert len(page.asked) == asked
        await page.evaluate(hide, False)
        await until(lambda: len(page.asked) > asked)


async def test_the_stand_in_tells_what_the_app_tells(app):
    """So that what is shown of the one is shown of the other."""
    headers, url = {"x-functions-key": app.key}, app.url.replace("dashboard", "status")
    async with aiohttp.ClientSession() as session:
        async with session.get(url, params={"full": "true"}, headers=headers) as answer:
            told = await answer.json()
        async with session.get(url, params={"zone": EAST, "name": "llama"}, headers=headers) as answer:
            why = await answer.json()
        async with session.get(url, headers=headers) as answer:
            short = await answer.json()
        async with session.get(url, params={"list": "names", "limit": 2}, headers=headers) as answer:
            paged = await answer.json()
    made = a_status([a_name("llama", [an_answer("eastus")])], [an_endpoint("vm-1")], changes=[a_change()])
    counts = {f"{name}_count" for name in COUNTED}
    assert short.keys() == (made.keys() | counts) - {"names", "known"}
    more = {"names_count", "names_next", "known_count", "known_next"}
    assert told.keys() == made.keys() | counts | more
    assert paged.keys() == {"now", "list", "items", "count", "next"}
    assert paged["items"] == told["names"][:2]
    for part in ("zones", "names", "known", "changes", "sweeps"):
        assert told[part][0].keys() == made[part][0].keys()
    assert told["names"][0]["answers"][0].keys() == made["names"][0]["answers"][0].keys()
    assert why.keys() == an_explanation().keys()
    for part in ("claims", "history"):
        assert why[part][0].keys() == an_explanation()[part][0].keys()
