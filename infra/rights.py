"""What the app's identity may do in Azure, as data. A test has the real app run, and compares.

Every action is one that Azure's providers publish (role-based-access-control/resource-provider-operations); a role
with another one would be refused.
"""

from __future__ import annotations

READ_ENDPOINTS = (
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachineScaleSets/read",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
    "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces/read",
    "Microsoft.Network/networkInterfaces/read",
    "Microsoft.Network/loadBalancers/read",
    "Microsoft.Network/privateEndpoints/read",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read",
    "Microsoft.ContainerInstance/containerGroups/read",
    # Power states come with `$expand=instanceView` of the reads above. Whether Azure asks for these as well is not
    # documented; they read the same.
    "Microsoft.Compute/virtualMachines/instanceView/read",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read",
)
"""At every watched subscription: endpoints and what they depend on."""

WRITE_RECORDS = (
    "Microsoft.Network/privateDnsZones/A/read",
    "Microsoft.Network/privateDnsZones/A/write",
    "Microsoft.Network/privateDnsZones/A/delete",
)
"""At the zones that the app writes, and nowhere else: A record sets, and nothing but these."""

READ_SURROUNDINGS = (
    "Microsoft.Network/privateDnsZones/read",
    "Microsoft.Network/privateDnsZones/SOA/read",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",
    "Microsoft.Network/virtualNetworks/read",  # Its peerings are part of it.
    "Microsoft.Authorization/permissions/read",
)
"""At the app's zones and the VNets that are linked here: only the preflight reads these. Without them answers are as
right, and the preflight says what it could not read."""

READ_LOCKS = ("Microsoft.Authorization/locks/read",)
"""At the subscriptions of the zones: a lock above a zone holds for it, too. Only the preflight reads these."""

STORAGE_BLOB_DATA_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
STORAGE_BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
STORAGE_TABLE_DATA_CONTRIBUTOR = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"
MONITORING_METRICS_PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"
"""Built-in roles by id. Source: role-based-access-control/built-in-roles."""

OWN_ACCOUNT = (STORAGE_BLOB_DATA_OWNER, STORAGE_TABLE_DATA_CONTRIBUTOR)
"""At the app's own storage account: the host's leases, keys and timers, the deployed package; the catalog, a table for
each deployment (the role may also list and delete tables, to purge abandoned ones)."""
