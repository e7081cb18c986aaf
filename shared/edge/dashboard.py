"""The status page: one file without data, and headers that prevent all other scripts and resources.

The browser requests the data from `status`, with the operator's key.
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
    """The page and its HTTP headers."""

    html: str
    headers: Mapping[str, str]


@functools.cache
def page() -> Page:
    """Return the page; the file is read once, at the first use."""
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
    """Return the Content-Security-Policy: only the page's own script and style run, and requests go to its origin.

    The hashes are of the text between the tags, as https://www.w3.org/TR/CSP3/#match-element-to-source-list defines. If
    a script ever parsed markup as HTML, `require-trusted-types-for` would block it.
    """
    sources = {tag: " ".join(map(_hash, re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL))) for tag in _INLINE}
    return (
        f"default-src 'none'; script-src {sources['script']}; style-src {sources['style']}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


_INLINE = ("script", "style")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
