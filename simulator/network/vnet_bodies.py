"""Virtual networks, their subnets and their peerings as the network provider writes them.

Shapes as recorded by azure-cli (test_network_vnet_list_available_ips.yaml, test_network_service_endpoints.yaml,
test_network_subnet_delegation.yaml, and those of peerings: `peering_calls.py`; 2023) and Azure Service Operator (2023
to 2026). How far two sides are synchronised, where they are not, follows the names in the OpenAPI document
virtualNetwork.json 2024-01-01.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

from simulator.arm.collection import Collection
from simulator.network.nic import VNET_TYPE, Nic, Peering, Subnet, Vnet

SUBNET_TYPE = f"{VNET_TYPE}/subnets"
PEERING_TYPE = f"{VNET_TYPE}/virtualNetworkPeerings"


class VnetBodies:
    """Writes bodies; knows which configurations are in a subnet, and which VNets peer. `nic` finds a NIC by its id."""

    def __init__(self, vnets: Collection[Vnet], nic: Callable[[str], Nic | None]) -> None:
        self._vnets = vnets
        self._nic = nic

    def reverse(self, vnet: Vnet, peering: Peering) -> Peering | None:
        """The remote side's peering with this VNet, if it exists."""
        remote = self._vnets.find(peering.remote)
        found = remote.peerings.values() if remote else ()
        return next((each for each in found if each.remote.lower() == vnet.id.lower()), None)

    def vnet(self, vnet: Vnet, version: str) -> dict[str, Any]:
        """A virtual network as served to an api-version."""
        # Recorded with api-version 2024-03-01 and not with 2022-01-01; the first version is unknown.
        policied = version >= "2024"
        return {
            "name": vnet.id.rsplit("/", 1)[1],
            "id": vnet.id,
            "etag": vnet.etag,
            "type": VNET_TYPE,
            "location": vnet.location,
            **({} if vnet.bare and not vnet.tags else {"tags": dict(vnet.tags)}),
            "properties": {
                "provisioningState": vnet.provisioning,
                "resourceGuid": vnet.guid,
                "addressSpace": {"addressPrefixes": list(vnet.prefixes)},
                **({"privateEndpointVNetPolicies": "Disabled"} if policied else {}),
                "subnets": [self.subnet(vnet, subnet) for subnet in vnet.subnets.values()],
                "virtualNetworkPeerings": [self.peering(vnet, each) for each in vnet.peerings.values()],
                "enableDdosProtection": False,
                **vnet.settings,
            },
        }

    def subnet(self, vnet: Vnet, subnet: Subnet) -> dict[str, Any]:
        """A subnet as served, separately or in its network."""
        one = len(subnet.prefixes) == 1
        subnet_id = f"{vnet.id}/subnets/{subnet.name}"
        used = [{"id": each} for each in self.configurations(vnet, subnet)]
        return {
            "name": subnet.name,
            "id": subnet_id,
            "etag": vnet.etag,
            "properties": {
                "provisioningState": "Updating" if subnet.busy else "Succeeded",
                **({"addressPrefix": subnet.prefixes[0]} if one else {"addressPrefixes": list(subnet.prefixes)}),
                **({"ipConfigurations": used} if used else {}),
                **policies(subnet),
                "delegations": [_delegation(subnet_id, vnet.etag, each) for each in policies(subnet)["delegations"]],
                **_service_endpoints(subnet),
            },
            "type": SUBNET_TYPE,
        }

    def configurations(self, vnet: Vnet, subnet: Subnet) -> Iterator[str]:
        """The ids of the address configurations in a subnet."""
        own = set()
        for holder in dict.fromkeys(vnet.taken.values()):
            nic = self._nic(holder)
            for each in nic.configurations if nic else ():
                if (each.vnet.lower(), each.subnet.lower()) == (vnet.id.lower(), subnet.name.lower()):
                    own.add(f"{holder}/ipConfigurations/{each.name}".lower())
                    yield _configuration_id(holder, each.name)
        yield from (
            each for each, name in vnet.others.items() if name == subnet.name.lower() and each.lower() not in own
        )

    def peering(self, vnet: Vnet, peering: Peering) -> dict[str, Any]:
        """One side of a peering as served."""
        remote = self._vnets.find(peering.remote)
        connected = self.reverse(vnet, peering) is not None
        state = "Disconnected" if peering.disconnected else "Connected" if connected else "Initiated"
        current = list(remote.prefixes) if remote else []
        encryption = remote.settings.get("encryption") if remote else None
        gateways = _gateways(remote) if remote and peering.settings.get("useRemoteGateways") else []
        return {
            "name": peering.name,
            "id": f"{vnet.id}/virtualNetworkPeerings/{peering.name}",
            "etag": vnet.etag,
            "properties": {
                "provisioningState": peering.provisioning,
                "resourceGuid": _common_guid(vnet.guid, remote.guid if remote else vnet.guid),
                "peeringState": state,
                "peeringSyncLevel": self._sync_level(vnet, peering, current),
                "remoteVirtualNetwork": {"id": peering.remote},
                "allowVirtualNetworkAccess": True,
                "allowForwardedTraffic": False,
                "allowGatewayTransit": False,
                "useRemoteGateways": False,
                "doNotVerifyRemoteGateways": False,
                "peerCompleteVnets": True,
                **peering.settings,
                **({"remoteGateways": [{"id": each} for each in gateways]} if gateways else {}),
                "remoteAddressSpace": {"addressPrefixes": current if peering.space is None else list(peering.space)},
                "remoteVirtualNetworkAddressSpace": {"addressPrefixes": current},
                **({"remoteVirtualNetworkEncryption": dict(encryption)} if encryption else {}),
                "routeServiceVips": {},
            },
            "type": PEERING_TYPE,
        }

    def _sync_level(self, vnet: Vnet, peering: Peering, current: list[str]) -> str:
        """Which side works with other address ranges than the VNet it peers with has; one that is missing does."""
        other = self.reverse(vnet, peering)
        local = peering.space in (None, current)
        remote = other is not None and other.space in (None, vnet.prefixes)
        if local:
            return "FullyInSync" if remote else "RemoteNotInSync"
        return "LocalNotInSync" if remote else "LocalAndRemoteNotInSync"


def _common_guid(one: str, other: str) -> str:
    """The GUID of a peering, on both sides: bit by bit the exclusive or of the VNets' GUIDs, as recorded."""
    return str(UUID(int=UUID(one).int ^ UUID(other).int))


def _gateways(vnet: Vnet) -> list[str]:
    """The gateways in a VNet."""
    found = (each.partition("/ipConfigurations/")[0] for each in vnet.others)
    return [each for each in dict.fromkeys(found) if "/virtualnetworkgateways/" in each.lower()]


def _configuration_id(nic: str, name: str) -> str:
    """The id of an address configuration as a subnet has it.

    Those of scale sets' instances are in capitals: Azure Service Operator, Test_Compute_v20220301_CreationAndDeletion,
    39, 2026.
    """
    scope, found, path = nic.partition("/resourceGroups/")
    if "/virtualmachinescalesets/" in nic.lower():
        return f"{scope}{found}{path.upper()}/ipConfigurations/{name.upper()}"
    return f"{nic}/ipConfigurations/{name}"


def policies(subnet: Subnet) -> dict[str, Any]:
    """What a client wrote about a subnet's policies, with Azure's defaults for the rest."""
    defaults = {
        "delegations": [],
        "privateEndpointNetworkPolicies": "Disabled",
        "privateLinkServiceNetworkPolicies": "Enabled",
    }
    return defaults | subnet.settings


_NETWORK_POLICIES = ("join", "prepareNetworkPolicies", "unprepareNetworkPolicies")
_ACTIONS = {"microsoft.sql/managedinstances": [f"{SUBNET_TYPE}/{each}/action" for each in _NETWORK_POLICIES]}
"""The actions of a delegation by its service; all others have one, as recorded for container groups and App Service."""


def _delegation(subnet_id: str, etag: str, written: Mapping[str, Any]) -> dict[str, Any]:
    """A delegation as served."""
    service = written.get("properties", {}).get("serviceName")
    return {
        "name": written["name"],
        "id": f"{subnet_id}/delegations/{written['name']}",
        "etag": etag,
        "properties": {
            "provisioningState": "Succeeded",
            "serviceName": service,
            "actions": _ACTIONS.get(str(service).lower(), [f"{SUBNET_TYPE}/action"]),
        },
        "type": f"{SUBNET_TYPE}/delegations",
    }


def _service_endpoints(subnet: Subnet) -> dict[str, Any]:
    """The service endpoints as served; as recorded for Microsoft.Storage, for all locations unless some are written."""
    written = subnet.settings.get("serviceEndpoints")
    state = {"provisioningState": "Updating" if subnet.busy else "Succeeded"}
    return {"serviceEndpoints": [{"locations": ["*"], **each, **state} for each in written]} if written else {}
