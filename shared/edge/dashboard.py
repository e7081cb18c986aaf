"""The status page as it is served: one file without data, and headers that let nothing else run or be loaded.

What it shows it asks of `status`, from the browser, with the key of the person in front of it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).with_name("dashboard.html")


@dataclass(frozen=True, slots=True)
class Page:
    """The page and the headers that go with it."""

    html: str
    headers: Mapping[str, str]


@functools.cache
def page() -> Page:
    """Read once, at the first use."""
    html = PAGE.read_text(encoding="utf-8")
    return Page(
        html,
        {
            "Content-Security-Policy": policy(html),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        },
    )


def policy(html: str) -> str:
    """The Content-Security-Policy under which the page's own script and style run, and it can ask its own origin.

    The hashes are of the text between the tags, as https://www.w3.org/TR/CSP3/#match-element-to-source-list has it.
    Where markup were ever parsed as HTML by a script, `require-trusted-types-for` would stop it.
    """
    sources = {tag: " ".join(map(_hash, re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL))) for tag in _INLINE}
    return (
        f"default-src 'none'; script-src {sources['script']}; style-src {sources['style']}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


_INLINE = ("script", "style")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
