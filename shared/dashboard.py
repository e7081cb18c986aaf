"""The status page: one file without any data in it, and the headers with which a browser runs nothing else.

What it shows it asks of `status`, with the key that a person pastes into it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).with_suffix(".html")


@functools.cache
def page() -> bytes:
    """The page, UTF-8."""
    return PAGE.read_bytes()


@functools.cache
def headers() -> Mapping[str, str]:
    """The headers it is answered with: its own script and style run, it speaks to its own app, and no markup from data.

    Source: Content Security Policy Level 3, and Trusted Types (W3C).
    """
    policy = {
        "default-src": "'none'",
        "script-src": _hash("script"),
        "style-src": _hash("style"),
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


def _hash(tag: str) -> str:
    """The hash of the one element of this kind. Raises ValueError where there is not exactly one."""
    (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page().decode(), re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
