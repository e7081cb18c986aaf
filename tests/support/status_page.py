"""The status page in a browser's window."""

import re
from contextlib import asynccontextmanager

from playwright.async_api import expect

FAILED_LOAD = "Failed to load resource"
"""What Chromium itself writes to the console for an answer such as 401."""


@asynccontextmanager
async def opened(browser, url, key=None, **options):
    """The page in a fresh window; with a key, also what it shows then. At the end nothing may have gone wrong."""
    context = await browser.new_context(**options)
    page = await context.new_page()
    page.faults, page.asked = [], []
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("request", lambda request: page.asked.append(request))  # noqa: PLW0108 - Playwright marks what it is given
    page.set_default_timeout(30_000)
    try:
        await page.clock.install()
        await page.goto(url)
        if key is not None:
            await show(page, key)
            await expect(page.locator("#main")).to_be_visible()
        yield page
        assert [each for each in page.faults if not each.startswith(FAILED_LOAD)] == []
    finally:
        await context.close()


async def show(page, key):
    await page.locator("#key").fill(key)
    await page.get_by_role("button", name="Show status").click()


async def next_poll(page):
    """Lets the page's clock go on to the next question."""
    await page.clock.fast_forward(5_001)


def row(page, table, heading):
    return page.locator(f"#{table} tbody tr").filter(has=page.locator("th", has_text=re.compile(f"^{heading}")))
