"""Debian's Chromium, headless, steered by Playwright: once per test module."""

import os
import shutil

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ENOUGH = 30_000  # milliseconds that anything may take to appear on a slow machine

expect.set_options(timeout=ENOUGH)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium():
    """A running browser. Skips where there is none, unless the environment says that it must be there."""
    command = shutil.which("chromium") or shutil.which("chromium-browser")
    if command is None:
        missing = "Chromium is not installed: on Debian, `apt-get install chromium` does"
        pytest.fail(missing) if os.environ.get("REQUIRE_CHROMIUM") else pytest.skip(missing)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=command, args=ARGUMENTS)
        yield browser
        await browser.close()
