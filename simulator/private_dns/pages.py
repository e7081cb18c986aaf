"""How lists go on: the continuation tokens and next links of record sets, zones and links, each in its recorded form.

Recorded by azure-sdk-for-net (2019). Record sets: a full page has a next link even when nothing follows
(ListRecordSetsByType_ListNextPageWithoutSuffix_ExpectNextRecordSetsRetrieved). Zones and links: the last page has none
(ListZonesInResourceGroup_ListNextPage_ExpectNextZonesRetrieved, ListLinks_ListNextPage_ExpectNextLinksRetrieved).
"""

from __future__ import annotations

import base64
import re
from urllib.parse import urlencode

from simulator.arm.front_door import Call
from simulator.private_dns.record_sets import RecordSet, refused

CONTINUATION = "$skipToken"
TYPE_NUMBERS = {"A": 1, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}
"""Record type -> its number in DNS (RFC 1035, 2782, 3596), which the token of a list of record sets has."""
_TYPES = {str(number): record_type for record_type, number in TYPE_NUMBERS.items()}
_NEXT_LINK_NAME = re.compile("#RTD:([^#]+)#")


def next_link(call: Call, token: str) -> str:
    """The URL of the next page: api-version, `$top`, token and the rest, in this order.

    Of zones in a subscription, the type is in lower case (ListZonesInSubscription_WithTopParameter).
    """
    query = call.request.query
    first = {name: query[name] for name in ("api-version", "$top") if name in query}
    whole = {
        **first,
        CONTINUATION: token,
        **{name: value for name, value in query.items() if name not in {*first, CONTINUATION}},
    }
    path = call.id if call.group else call.id.replace("/privateDnsZones", "/privatednszones")
    return f"{call.request.base}{path}?{urlencode(whole, safe='$')}"


def after_record_set(last: RecordSet, suffix: str) -> str:
    """The token of the page after this record set: its name without the suffix of the list, and its type's number."""
    name = last.name.removesuffix(f".{suffix}") if suffix else last.name
    return _encoded(f"{name}/{TYPE_NUMBERS[last.type]}")


def last_record_set(call: Call, suffix: str) -> tuple[str, str] | None:
    """Type and name of the last record set of the page before, or None for the first page. Raises ArmError 400."""
    text = _decoded(call)
    if text is None:
        return None
    name, _, number = text.rpartition("/")
    if not name or number not in _TYPES:
        raise _invalid()
    return _TYPES[number], f"{name}.{suffix}" if suffix else name


def after_zone(call: Call, zone_id: str) -> str:
    """The token of the page after this zone: its name, and in a list of a subscription its group too."""
    parts = zone_id.split("/")
    return _encoded("/".join([*([] if call.group else [parts[4]]), "zones", parts[-1]]))


def last_zone(call: Call) -> str:
    """The id of the last zone of the page before, in lower case; empty for the first page. Raises ArmError 400."""
    text = _decoded(call)
    if text is None:
        return ""
    group, found, name = text.rpartition("zones/")
    if not found:
        raise _invalid()
    scope = f"/subscriptions/{call.subscription}/resourceGroups/{call.group or group.rstrip('/')}"
    return f"{scope}/providers/Microsoft.Network/privateDnsZones/{name}".lower()


def before_link(name: str, shown: int) -> str:
    """The token of the page that begins with this link: Cosmos DB's own, with signs that a URL has to escape.

    Of its fields, only the next name (behind two bytes) is understood; `shown`: how many links the page before has.
    """
    row = base64.b64encode(bytes(16)).decode()
    key = base64.b64encode(f"Dp{name}".encode()).decode()
    return f"+RID:{row}#RT:1#TRC:{shown}#RTD:{key}#FPC:{row}"


def first_link(call: Call) -> str:
    """The name with which a page of links begins; empty for the first page. Raises ArmError 400."""
    token = call.request.query.get(CONTINUATION)
    if token is None:
        return ""
    found = _NEXT_LINK_NAME.search(token)
    try:
        return base64.b64decode(found[1] if found else "?", validate=True).decode()[2:]
    except ValueError as error:
        raise _invalid() from error


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(call: Call) -> str | None:
    token = call.request.query.get(CONTINUATION)
    try:
        return None if token is None else base64.b64decode(token, validate=True).decode()
    except ValueError as error:
        raise _invalid() from error


def _invalid() -> Exception:
    return refused("The value of $skipToken is invalid.")
