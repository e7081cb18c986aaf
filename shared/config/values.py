"""Single values of the settings: each function converts one value, or raises ValueError."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from urllib.parse import urlsplit

from shared.config.region_names import is_name
from shared.config.settings import GROUP_SCOPE, LABEL, lower_ascii, region_name

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
PATTERN = re.compile(r"(?!-)[a-z0-9*?-]{1,63}(?<!-)")
"""Pattern that can match a DNS label, which does not begin or end with a hyphen."""
_SCOPE = re.compile(r"/subscriptions/(?P<subscription>[^/]+)(/resourceGroups/[-\w.()]{1,90}(?<!\.))?", re.IGNORECASE)
"""A resource group's name has letters, digits, `-_.()`, and no period at its end, and so no wildcard. Source:
https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules, Microsoft.Resources."""
_GROUP = re.compile(
    r"(/providers/Microsoft\.Management/)?managementGroups/(?P<name>[-\w.()]{1,90}(?<!\.))", re.IGNORECASE
)
"""The name of a management group. Source: the same page, Microsoft.Management."""
MAX_DNS_NAME = 253
"""Characters of a DNS name as text. Source: RFC 1035, 2.3.4, less the root's length and the final dot."""
_PATH = re.compile(r"/[!-~]{0,511}")
_RANGE = re.compile(r"([1-5][0-9]{2})-([1-5][0-9]{2})")
_LOOPBACK = re.compile(r"127\.0\.0\.1:(?P<port>[0-9]{1,5})")
_URL = re.compile(r"https?://[a-zA-Z0-9.:[\]-]+(/[a-zA-Z0-9._/-]*)?")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - one exception type for every invalid value
    return value


def network(value: object) -> IPv4Network:
    """Convert a CIDR."""
    return IPv4Network(_text(value))


def address(value: object) -> str:
    """Convert an IPv4 address."""
    try:
        return str(IPv4Address(_text(value)))
    except AddressValueError as error:
        raise ValueError(value) from error


def label(value: object) -> str:
    """Convert a DNS label to lower case."""
    name = lower_ascii(_text(value))
    if not LABEL.fullmatch(name):
        raise ValueError(value)
    return name


def guid(value: object) -> str:
    """Convert a subscription id to lower case."""
    if not GUID.fullmatch(_text(value)):
        raise ValueError(value)
    return _text(value).lower()


def watched(value: object) -> str:
    """Convert a subscription id, or a management group with `GROUP_SCOPE` before its name, to lower case."""
    match = _GROUP.fullmatch(_text(value).rstrip("/"))
    return GROUP_SCOPE + _lower(match["name"]) if match else guid(value)


def region(value: object) -> str:
    """Convert the name of a region, known or not, to the form that ARM writes in ids."""
    name = region_name(_text(value))
    if not is_name(name):
        raise ValueError(value)
    return name


def scope(value: object) -> str:
    """Convert a subscription, resource group or management group to lower case, without a slash at the end."""
    text = _text(value).rstrip("/")
    if _GROUP.fullmatch(text):
        return watched(text)
    if GUID.fullmatch(text):
        return f"/subscriptions/{text}".lower()
    match = _SCOPE.fullmatch(text)
    if not match or not GUID.fullmatch(match["subscription"]):
        raise ValueError(value)
    return _lower(text)


def _lower(name: str) -> str:
    """Return the name of a group in lower case. Raises ValueError if that turns another character into ASCII.

    Letters of all alphabets are allowed, but the Kelvin sign (U+212A) would become a k, and so name another group.
    """
    if any(each.lower().isascii() and not each.isascii() for each in name):
        raise ValueError(name)
    return name.lower()


def http_path(value: object) -> str:
    """Convert the path of a request: printable ASCII without spaces, and so without line breaks."""
    if not _PATH.fullmatch(_text(value)):
        raise ValueError(value)
    return _text(value)


def dns_name(value: object) -> str:
    """Convert a DNS name to lower case. An IPv4 address is none: no top-level domain is a number (RFC 3696, 2)."""
    name = lower_ascii(_text(value))
    labels = name.split(".")
    if len(name) > MAX_DNS_NAME or not all(map(LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise ValueError(value)
    return name


def status_range(value: object) -> tuple[int, int]:
    """Convert a status code of HTTP, or a range of them such as "300-399", to a range with both ends.

    A status below 200 announces an answer and is never the final one.
    """
    if type(value) is int:
        first = last = value
    else:
        match = _RANGE.fullmatch(_text(value))
        if not match:
            raise ValueError(value)
        first, last = int(match[1]), int(match[2])
    if not (100 <= first <= last <= 599 and last >= 200):
        raise ValueError(value)
    return first, last


def loopback(value: object) -> str:
    """Convert HOST:PORT on a loopback address."""
    match = _LOOPBACK.fullmatch(_text(value))
    if not match or not 1 <= int(match["port"]) <= 65535:
        raise ValueError(value)
    return _text(value)


def is_safe_url(value: object) -> bool:
    """Return whether a value is a URL with TLS, or with plain HTTP on a loopback address."""
    if not isinstance(value, str) or not _URL.fullmatch(value):
        return False
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:  # A port above 65535, or an unclosed bracket.
        return False
    loopback = url.hostname in ("127.0.0.1", "localhost", "::1")
    return bool(url.hostname) and port != 0 and (url.scheme == "https" or loopback)
