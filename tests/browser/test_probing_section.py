"""What the status page shows of probing, in a real browser over a `status` that says anything."""

import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.support.chromium import chromium
from tests.support.fake_status_server import (
    NOW,
    a_listed,
    a_name,
    a_place,
    a_probed_address,
    a_probing,
    a_status,
    an_answer,
    an_effect,
    an_endpoint,
    an_explanation,
    stand_in,
    the_distances,
    vm_id,
)
from tests.support.status_page import next_poll, opened, row

__all__ = ["chromium"]  # a fixture

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARKUP = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>&lt;\''


@pytest_asyncio.fixture(loop_scope="module")
async def status():
    async with stand_in() as found:
        yield found


def shown(mode="observe", **changed):
    """A status with one name and this section."""
    names = [a_name("llama", [an_answer("eastus") | {"probes": None}])]
    return a_status(names, [an_endpoint("vm-1")], ("eastus", "westeurope"), probing=a_probing(mode, **changed))


def in_trouble(state, vm, **changed):
    return a_probed_address(state, **changed) | {"endpoint": vm_id(vm).lower()}


async def test_without_probes_nothing_of_them_is_on_the_page_also_after_they_were_taken_out_of_the_settings(
    chromium, status
):
    status.status = shown()
    async with opened(chromium, status.url, "") as page:
        await expect(page.locator("#probing")).to_be_visible()
        await expect(page.locator("#figures")).to_contain_text("0addresses with trouble")
        del status.status["probing"], status.status["names"][0]["answers"][0]["probes"]
        await next_poll(page)
        await expect(page.locator("#probing")).to_be_hidden()
        await expect(page.locator("#figures")).not_to_contain_text("trouble")
        assert not re.search(r"prob|vantage", await page.locator("body").inner_text(), re.IGNORECASE)


async def test_in_observe_mode_what_would_be_withdrawn_is_told_as_what_is_not_done(chromium, status):
    effect = an_effect()
    status.status = shown(would_change=a_listed([effect], 312), kept=a_listed(["chat.ai.internal"]))
    probes = {key: effect[key] for key in ("from", "to", "why")}
    status.status["names"][0]["answers"][0]["probes"] = probes
    async with opened(chromium, status.url, "") as page:
        await expect(page.locator("#vantage")).to_contain_text("observe: nothing is withdrawn")
        await expect(page.get_by_role("heading", name="Observe: what probes would withdraw or move")).to_be_visible()
        await expect(page.locator("#effects caption")).to_contain_text("Nothing of it is done.")
        await expect(page.locator("#effects caption")).to_contain_text("The first 1 of 312.")
        await expect(row(page, "effects", "llama")).to_contain_text("eastus10.1.0.4+ 10.2.0.4failover: held back by probes")
        await expect(page.locator("#kept")).to_contain_text("Would be kept")
        await expect(row(page, "names", "llama")).to_contain_text("observe: probes would make it 10.2.0.4")


async def test_in_enforce_mode_what_is_withdrawn_is_told_as_done(chromium, status):
    effect, many = an_effect(to=None), [f"n-{i}.ai.internal" for i in range(50)]
    status.status = shown("enforce", changes=a_listed([effect]), kept=a_listed(many, 120))
    status.status["names"][0]["answers"][0]["probes"] = {key: effect[key] for key in ("from", "to", "why")}
    async with opened(chromium, status.url, "") as page:
        await expect(page.locator("#vantage .badge")).to_have_text("enforce")
        await expect(page.get_by_role("heading", name="What probes have withdrawn or moved")).to_be_visible()
        await expect(row(page, "effects", "llama")).to_contain_text("kept as it is")
        await expect(page.locator("#kept")).to_contain_text("n-9.ai.internal and 110 more.")
        await expect(page.locator("#probing")).not_to_contain_text("bserve")
        await expect(row(page, "names", "llama")).to_contain_text("changed by probes: without them 10.1.0.4")


async def test_the_heartbeat_has_its_age_and_a_silent_or_blind_vantage_is_told_in_words(chromium, status):
    status.status = shown()
    status.status["probing"]["last_round"] |= {"at": NOW, "failing": 2}
    async with opened(chromium, status.url, "") as page:
        vantage = page.locator("#vantage")
        await expect(vantage).to_contain_text("from eastus, round 812, 0 s ago, took 3.21 s: 12 addresses, 2 failed")
        status.status["probing"] |= {"blind_since": "2026-11-26T11:50:00.000+00:00"}
        await next_poll(page)
        await expect(vantage).to_contain_text("Presumed blind since 10 min ago")
        status.status["probing"] |= {"stale": True}
        await next_poll(page)
        await expect(vantage).to_contain_text("The vantage is silent")
        await expect(vantage).not_to_contain_text("blind")
        await expect(page.locator("#figures")).to_contain_text("noprobe rounds")
        status.status["probing"] |= {"last_round": None, "distances": None}
        await next_poll(page)
        await expect(vantage).to_contain_text("no round yet")
        await expect(page.locator("#measured")).to_be_hidden()


async def test_addresses_with_trouble_have_state_last_word_and_a_strip_that_is_told_as_text(chromium, status):
    trouble = [
        in_trouble("down", "gpu-1"),
        in_trouble(
            "failing", "gpu-2", ip="10.1.0.5", word="unexpected status", status=503, fails=1, recent="." * 19 + "x"
        ),
        in_trouble("not armed", "gpu-3", ip="10.2.0.9", word="refused", recent="xxx", rtt_ms=None, published_ms=84.0),
        in_trouble("waiting", "gpu-4", word=None, fails=0, recent="", age_s=None, rtt_ms=None),
    ]
    status.status = shown(trouble=a_listed(trouble, 60))
    async with opened(chromium, status.url, "") as page:
        down, failing, never, waiting = (row(page, "trouble", f"gpu-{i}") for i in range(1, 5))
        await expect(down).to_contain_text("downsince 1 min agoconnect timed out 4 times in a row")
        await expect(down).to_contain_text("0.41 ms measured0 ms published")
        strip = down.get_by_role("img", name="Of the last 20 probes 4 failed, the last 4 in a row")
        heights = await strip.locator("i").evaluate_all("all => all.map(each => each.offsetHeight)")
        assert len(heights) == 20
        assert min(heights[16:]) > 2 * max(heights[:16]), "colour is not the only sign"
        await expect(failing).to_contain_text("unexpected status (HTTP 503)1 failed in a row, 4 s ago")
        await expect(never).to_contain_text("not measured84 ms published")
        await expect(never.get_by_role("img")).to_have_attribute("aria-label", "Of the last 3 probes 3 failed")
        await expect(waiting.get_by_role("img")).to_have_count(0)
        await expect(page.locator("#trouble caption")).to_contain_text("The first 4 of 60.")
        await expect(page.locator("#figures")).to_contain_text("60addresses with trouble")


async def test_distances_tell_measured_published_order_and_what_may_change_next(chromium, status):
    found = the_distances(
        order=["eastus", "southeastasia", "westeurope"],
        previous=["eastus", "westeurope", "southeastasia"],
        pending=a_listed(["chat"]),
        better=[{"nearer": "westeurope", "farther": "southeastasia", "since": "2026-11-26T11:57:00.000+00:00"}],
        places=[*the_distances()["places"], a_place("static/proxy", None, None, implausible=True)],
    )
    status.status = shown("enforce", distances=found)
    async with opened(chromium, status.url, "") as page:
        await expect(row(page, "distances", "westeurope")).to_have_text(
            "westeurope383.2 ms84 msnearer than southeastasia since 3 min ago"
        )
        await expect(row(page, "distances", "proxy")).to_have_text(
            "proxynonenot measurednot publishedimplausible, not used"
        )
        note = page.locator("#distances-note")
        await expect(note).to_contain_text("The measured distances decide")
        await expect(note).to_contain_text("1 name still uses the order before: eastus, westeurope, southeastasia.")
        status.status["probing"]["distances"]["in_force"] = False
        await next_poll(page)
        await expect(note).to_contain_text("Measured distances have ended: the published ones decide.")


EXPLAINED = {
    "mode": "observe",
    "vantage": "eastus",
    "stale": False,
    "differs": True,
    "with": {"addresses": ["10.2.0.4"], "ttl": 30, "reason": "failover: held back by probes in eastus"},
    "without": {"addresses": ["10.1.0.4"], "ttl": 30, "reason": "nearest: eastus 0 ms"},
    "distances": ["eastus 83 ms (measured, 85 published)"],
}


async def test_the_details_of_an_answer_tell_each_address_and_the_answer_with_or_without_probes(chromium, status):
    status.status, status.explanation = shown(), an_explanation(probing=EXPLAINED)
    up = a_probed_address("up", "10.1.0.5", word="ok", fails=0, recent="." * 20)
    status.explanation["claims"][0]["probes"] = [a_probed_address(), up]
    async with opened(chromium, status.url, "") as page:
        await row(page, "names", "llama").get_by_role("button").click()
        details = page.get_by_role("dialog")
        await expect(details).to_contain_text(
            "observe: would be 10.2.0.4TTL 30 sfailover: held back by probes in eastus"
        )
        await expect(details).to_contain_text("eastus 83 ms (measured, 85 published)")
        await expect(details.get_by_role("heading", name="Probes (2)")).to_be_visible()
        await expect(details.locator("table").nth(1).locator("tbody tr").last).to_contain_text("10.1.0.5vllm")
        status.explanation["probing"] = EXPLAINED | {"mode": "enforce"}
        await next_poll(page)
        await expect(details).to_contain_text("without probes: 10.1.0.4TTL 30 snearest: eastus 0 ms")
        status.explanation["probing"] = EXPLAINED | {"differs": False, "stale": True}
        await next_poll(page)
        await expect(details).to_contain_text("observe, from eastus, stale: it withdraws nothingwould change nothing")


async def test_markup_in_what_probing_tells_is_text(chromium, status):
    status.status = shown(
        vantage=MARKUP,
        would_change=a_listed([an_effect(why=MARKUP, to=[MARKUP])]),
        kept=a_listed([MARKUP]),
        trouble=a_listed([in_trouble("down", "gpu-1", ip=MARKUP, kind=MARKUP, path=MARKUP, word=MARKUP)]),
        distances=the_distances(order=[MARKUP], places=[a_place(MARKUP, 1.0, 1.0)]),
    )
    async with opened(chromium, status.url, "") as page:
        for place in ("#vantage", "#kept", "#effects tbody", "#trouble tbody", "#distances tbody"):
            await expect(page.locator(place)).to_contain_text(MARKUP)
        assert await page.locator("img").count() == 0
        assert await page.evaluate("window.hit") is None


async def test_only_what_probes_change_makes_the_page_ask_for_the_long_lists_again(chromium, status):
    status.status = shown()
    async with opened(chromium, status.url, "") as page:
        await expect(page.locator("#vantage")).to_contain_text("round 812")
        asked = len([request for request in page.asked if "list=names" in request.url])
        status.status["probing"]["last_round"] |= {"number": 813, "age_s": 1.0}
        status.status["probing"]["trouble"] = a_listed([in_trouble("failing", "gpu-1")])
        await next_poll(page)
        await expect(page.locator("#vantage")).to_contain_text("round 813")
        assert len([request for request in page.asked if "list=names" in request.url]) == asked
        status.status["probing"]["would_change"] = a_listed([an_effect()])
        await next_poll(page)
        await expect(page.locator("#effects tbody")).to_contain_text("llama")
        assert len([request for request in page.asked if "list=names" in request.url]) == asked + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_shows_long_lists_without_scrolling_sideways(chromium, status, scheme):
    trouble = [in_trouble("down", f"gpu-{i}-{'x' * 60}", ip=f"10.1.0.{i}") for i in range(30)]
    effects = [an_effect(f"{'n' * 60}-{i}", why="w" * 200) for i in range(30)]
    status.status = shown(trouble=a_listed(trouble), would_change=a_listed(effects))
    async with opened(chromium, status.url, "", viewport={"width": 360, "height": 740}, color_scheme=scheme) as page:
        await expect(page.locator("#trouble tbody tr")).to_have_count(10)
        pager = page.locator("#h-effects + .tools")
        await pager.get_by_role("button", name="Next").click()
        await expect(pager).to_contain_text("11\u201320 of 30")
        await expect(row(page, "effects", "n+-10")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        wide = "all => all.filter(each => each.scrollWidth > each.clientWidth).length"
        assert await page.locator("#probing .scroll").evaluate_all(wide) == 0
        assert (await page.locator("#trouble caption").bounding_box())["width"] > 250
