"""What Azure did differently before a date: declared here once, and not simulated.

An entry states what answers had at one place until then. A recorded value that is neither the simulator's nor the
entry's is still a difference, and a test reports an entry that explains no difference in any recording.
"""

import fnmatch
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

ABSENT = "absent"
"""The value of a field or header that an answer does not have."""
_2020 = datetime(2020, 1, 1, tzinfo=UTC)
"""The older recordings are of October 2018 to May 2019, the next ones of 2021: Azure changed in between."""


@dataclass(frozen=True)
class Era:
    """Before a date, fields of answers on some types (`labels`) had the value `was`.

    `fields`: as `comparison.Difference` names places; empty for a whole body. `was`: ABSENT, or JSON, in which `*`
    stands for any text.
    """

    before: datetime
    labels: tuple[str, ...]
    fields: tuple[str, ...]
    was: str
    reason: str

    def explains(self, at: float | None, label: str | None, field: str, recorded: Any) -> bool:
        """Whether an answer of this time had this value there in this era."""
        if at is None or at >= self.before.timestamp() or label not in self.labels or not self._fields.fullmatch(field):
            return False
        if recorded is ABSENT or self.was is ABSENT:
            return recorded is self.was
        return fnmatch.fnmatchcase(json.dumps(recorded), self.was)

    def idle(self, explained: set[tuple[str | None, str]]) -> list[tuple[str, str]]:
        """The types and fields of this entry without any difference among those that eras explained."""
        return [
            (label, field)
            for label in self.labels
            for field in self.fields
            if not any(each[0] == label and fnmatch.fnmatchcase(each[1], field) for each in explained)
        ]

    @cached_property
    def _fields(self) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, self.fields)))


_SETS = ("A record sets", "other record sets", "lists of all types")
_LISTED = ("A record sets", "lists of all types", "zones", "links")
_WITH_SOA = ("other record sets", "lists of all types")
_VNETS, _GROUPS = ("VNets",), ("container groups",)
_LIMIT = "/properties/maxNumberOf"
_SOA = "/properties/soaRecord"
_ENTITIES = "header x-ms-ratelimit-remaining-subscription-resource-entities-read"
_VNET_VERSION = "answers to api-version 2017-08-01, which no later recording uses"

ERAS = (
    Era(_2020, ("zones", "links", "operation polls"), ("header retry-after",), '"3"', "polls were more frequent"),
    Era(_2020, ("zones", "links"), ("",), "null", "202 had no body"),
    Era(_2020, ("zones",), (f"{_LIMIT}RecordSets",), "5000", "limits were lower"),
    Era(_2020, ("zones",), (f"{_LIMIT}VirtualNetworkLinks",), "10", "limits were lower"),
    Era(_2020, ("zones",), (f"{_LIMIT}VirtualNetworkLinksWithRegistration",), "1", "limits were lower"),
    Era(_2020, _SETS, ("/properties/isAutoRegistered",), ABSENT, "the field did not exist"),
    Era(_2020, _LISTED, (_ENTITIES,), ABSENT, "entities were not counted"),
    Era(_2020, _WITH_SOA, (f"{_SOA}/host",), '"internal.cloudapp.net"', "zones began with another SOA record"),
    Era(
        _2020,
        _WITH_SOA,
        (f"{_SOA}/email",),
        '"azureprivatedns-hostmaster.microsoft.com"',
        "zones began with another SOA record",
    ),
    Era(
        _2020,
        _WITH_SOA,
        (f"{_SOA}/minimumTTL",),
        "300",
        "zones began with another SOA record, and its field was spelt so",
    ),
    Era(_2020, _WITH_SOA, (f"{_SOA}/minimumTtl",), ABSENT, "the field was spelt differently"),
    Era(_2020, ("zones", "links"), ("/error/message",), '"The Resource * was not found."', "no link to an explanation"),
    Era(_2020, _VNETS, ("/properties/enableVmProtection",), "false", _VNET_VERSION),
    Era(
        _2020,
        _VNETS,
        (
            "/properties/subnets/[*]/properties/delegations",
            "/properties/subnets/[*]/properties/private*NetworkPolicies",
        ),
        ABSENT,
        _VNET_VERSION,
    ),
    Era(
        _2020,
        _VNETS,
        ("header azure-asyncoperation",),
        '"https://*/providers/Microsoft.Network/locations/nrp8/operations/*?api-version=2017-08-01"',
        "operations were below a deployment unit instead of the region",
    ),
    Era(
        _2020,
        _GROUPS,
        (
            "/properties/sku",
            "/properties/initContainers",
            "/properties/isCustomProvisioningTimeout",
            "/properties/provisioningTimeoutInSeconds",
            "/properties/instanceView/events",
        ),
        ABSENT,
        "the fields did not exist",
    ),
    Era(_2020, _GROUPS, ("/properties/ipAddress/ip",), '"*"', "the answer to PUT had the public address"),
)
