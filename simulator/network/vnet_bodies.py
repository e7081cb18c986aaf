"""Virtual networks, their subnets and their peerings as the network provider writes them.

Shapes of VNets and subnets as recorded by azure-cli (test_network_vnet_list_available_ips.yaml, 2023) and Azure Service
Operator (2023 to 2026). Peerings are in no recording: they follow the OpenAPI document virtualNetwork.json 2024-01-01.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

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
            },
            "type": SUBNET_TYPE,
        }

    def configurations(self, vnet: Vnet, subnet: Subnet) -> Iterator[str]:
        """The ids of the address configurations in a subnet."""
        for holder in dict.fromkeys(vnet.taken.values()):
            nic = self._nic(holder)
            for each in nic.configurations if nic else ():
                if (each.vnet.lower(), each.subnet.lower()) == (vnet.id.lower(), subnet.name.lower()):
                    yield _configuration_id(holder, each.name)

    def peering(self, vnet: Vnet, peering: Peering) -> dict[str, Any]:
        """One side of a peering as served."""
        remote = self._vnets.find(peering.remote)
        connected = self.reverse(vnet, peering) is not None
        state = "Disconnected" if peering.disconnected else "Connected" if connected else "Initiated"
        return {
            "name": peering.name,
            "id": f"{vnet.id}/virtualNetworkPeerings/{peering.name}",
            "etag": vnet.etag,
            "properties": {
                "provisioningState": "Succeeded",
                "peeringState": state,
                "remoteVirtualNetwork": {"id": peering.remote},
                "allowVirtualNetworkAccess": True,
                "allowForwardedTraffic": False,
                "allowGatewayTransit": False,
                "useRemoteGateways": False,
                **peering.settings,
                "remoteAddressSpace": {"addressPrefixes": list(remote.prefixes) if remote else []},
            },
            "type": PEERING_TYPE,
        }


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


def _delegation(subnet_id: str, etag: str, stated: Mapping[str, Any]) -> dict[str, Any]:
    """A delegation as served; the action is the one recorded for Microsoft.ContainerInstance/containerGroups."""
    return {
        "name": stated["name"],
        "id": f"{subnet_id}/delegations/{stated['name']}",
        "etag": etag,
        "properties": {
            "provisioningState": "Succeeded",
            "serviceName": stated.get("properties", {}).get("serviceName"),
            "actions": ["Microsoft.Network/virtualNetworks/subnets/action"],
        },
        "type": f"{SUBNET_TYPE}/delegations",
    }
