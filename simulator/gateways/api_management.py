"""An API Management service as data, and its body as its provider writes it. Calls: `api_managements.py`.

Shapes as recorded by azure-cli (test_apim_core_service.yaml, 2023, api-version 2022-08-01), of a service without a
network. Inferred from the example ApiManagementServiceGetMultiRegionInternalVnet.json of that version: addresses in
internal mode, and additional locations.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from simulator.arm.front_door import TENANT
from simulator.gateways.regions import display_name
from simulator.network.changes import name_of, region
from simulator.network.nic import IpConfiguration

APIM_TYPE = "Microsoft.ApiManagement/service"

Mode = Literal["Internal", "External", "None"]
ServiceState = Literal[
    "Created",
    "Activating",
    "Succeeded",
    "Updating",
    "Failed",
    "Stopped",
    "Terminating",
    "TerminationFailed",
    "Deleting",
]
_SECURITY = "Microsoft.WindowsAzure.ApiManagement.Gateway"
_CUSTOM = (
    "Security.Protocols.Tls10",
    "Security.Protocols.Tls11",
    "Security.Protocols.Ssl30",
    "Security.Ciphers.TripleDes168",
    "Security.Backend.Protocols.Tls10",
    "Security.Backend.Protocols.Tls11",
    "Security.Backend.Protocols.Ssl30",
    "Protocols.Server.Http2",
)
_WRITTEN = ("publisherEmail", "publisherName", "notificationSenderEmail")
_HOSTNAME = (
    "encodedCertificate",
    "keyVaultId",
    "certificatePassword",
    "certificate",
    "identityClientId",
    "certificateStatus",
)
"""Fields of a host name that are null unless written."""


@dataclass(slots=True)
class Place:
    """A location of a service. `address`: in internal mode. `sku`: of an additional location."""

    location: str
    subnet: str | None
    address: IpConfiguration | None
    public_ip: str
    disabled: bool = False
    sku: dict[str, Any] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """The name of its region without spaces."""
        return region(self.location)


def place_id(service_id: str, place: Place) -> str:
    """The id of a location, which holds its address; no resource in Azure has this id."""
    return f"{service_id}/locations/{place.region}"


@dataclass(slots=True)
class Service:
    """A service. `location`: the name of its primary region without spaces. `written`: its properties as written.

    `places`: its locations, the primary one first. `created`, `written_at`: seconds since the
    epoch. `number`: of its last write, for its etag.
    """

    id: str
    location: str
    tags: dict[str, str]
    sku: dict[str, Any]
    written: dict[str, Any]
    places: list[Place]
    created: float
    written_at: float
    number: int
    provisioning: ServiceState = "Succeeded"
    target: str = ""
    principal: str | None = None

    @property
    def mode(self) -> str:
        """Its virtual network mode."""
        return str(self.written.get("virtualNetworkType") or "None")

    @property
    def etag(self) -> str:
        """Eight bytes in base64, as recorded."""
        return base64.b64encode(self.number.to_bytes(8, "big")).decode()

    @property
    def addresses(self) -> list[IpConfiguration]:
        """Its private addresses."""
        return [each.address for each in self.places if each.address]

    def place(self, holder: str) -> Place | None:
        """The location with this id, or None."""
        return next((each for each in self.places if place_id(self.id, each).lower() == holder.lower()), None)

    @property
    def up(self) -> bool:
        """Whether its gateways serve; so they do, as documented, while it is updated."""
        return self.provisioning in {"Succeeded", "Updating"}

    @property
    def deployed(self) -> bool:
        """Whether it has addresses and host names."""
        return self.provisioning not in {"Created", "Activating"}

    def body(self) -> dict[str, Any]:
        """The service as served; a list shows the same."""
        identity = {"principalId": self.principal, "tenantId": TENANT}
        return {
            "id": self.id,
            "name": name_of(self),
            "type": APIM_TYPE,
            "tags": dict(self.tags),
            "location": display_name(self.places[0].location),
            "etag": self.etag,
            "properties": self._properties(),
            "sku": dict(self.sku),
            **({"identity": {"type": "SystemAssigned", **identity}} if self.principal else {}),
            "zones": None,
            "systemData": {
                "createdBy": "user@example.com",
                "createdByType": "User",
                "createdAt": _time(self.created),
                "lastModifiedBy": "user@example.com",
                "lastModifiedByType": "User",
                "lastModifiedAt": _time(self.written_at),
            },
        }

    def _properties(self) -> dict[str, Any]:
        name, first, written = name_of(self), self.places[0], self.written
        custom = {f"{_SECURITY}.{each}": "False" for each in _CUSTOM}
        return {
            **{each: written.get(each) for each in _WRITTEN},
            "provisioningState": self.provisioning,
            "targetProvisioningState": self.target,
            "createdAtUtc": _time(self.created),
            "gatewayUrl": f"https://{name}.azure-api.net",
            "portalUrl": self._url("portal"),
            "developerPortalUrl": self._url("developer"),
            "managementApiUrl": self._url("management"),
            "scmUrl": self._url("scm"),
            "hostnameConfigurations": self._hostnames(),
            **self._place(first),
            "additionalLocations": [self._additional(each) for each in self.places[1:]] or None,
            "customProperties": {**custom, **written.get("customProperties", {})} if self.deployed else None,
            "virtualNetworkType": self.mode,
            "certificates": None,
            "apiVersionConstraint": {"minApiVersion": None, **(written.get("apiVersionConstraint") or {})},
            "publicNetworkAccess": "Enabled",
            "privateEndpointConnections": None,
        }

    def _url(self, part: str) -> str | None:
        return f"https://{name_of(self)}.{part}.azure-api.net" if self.deployed else None

    def _hostnames(self) -> list[dict[str, Any]]:
        own = {"type": "Proxy", "hostName": f"{name_of(self)}.azure-api.net"}
        default = own | {"negotiateClientCertificate": False, "defaultSslBinding": True, "certificateSource": "BuiltIn"}
        return [
            dict.fromkeys(_HOSTNAME) | dict(each) for each in self.written.get("hostnameConfigurations") or [default]
        ]

    def _place(self, place: Place) -> dict[str, Any]:
        """The fields that describe a location, of the primary one in the service itself."""
        public = [place.public_ip] if self.deployed else None
        private = [place.address.address] if place.address and self.deployed else None
        network = {"subnetResourceId": place.subnet} if place.subnet else None
        short = "".join(word if word.isdigit() else word[0] for word in display_name(place.location).lower().split())
        url = f"https://{name_of(self)}-{short}-01.regional.azure-api.net"
        return {
            "gatewayRegionalUrl": url if self.deployed else None,
            "publicIPAddresses": public,
            "privateIPAddresses": private,
            "virtualNetworkConfiguration": network,
            "disableGateway": place.disabled,
            "natGatewayState": "Disabled",
            "outboundPublicIPAddresses": public,
            "publicIpAddressId": None,
            "platformVersion": "stv2" if self.deployed else "undetermined",
        }

    def _additional(self, place: Place) -> dict[str, Any]:
        sku: Mapping[str, Any] = place.sku or self.sku
        return {"location": display_name(place.location), "sku": dict(sku), "zones": None, **self._place(place)}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
