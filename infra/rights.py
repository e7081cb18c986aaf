"""The permissions of the app's identity in Azure, as data. A test runs the real app and compares.

Every action is published by Azure's providers (role-based-access-control/resource-provider-operations); Azure would
refuse a role with any other one.
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
    "Microsoft.Network/applicationGateways/read",
    "Microsoft.Network/privateEndpoints/read",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read",
    "Microsoft.ContainerInstance/containerGroups/read",
    # Where the service behind a private endpoint is: its place in the list of its resource group. It is not documented
    # whether the list leaves out resources that the caller may not read, so these are the usual services.
    "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
    "Microsoft.CognitiveServices/accounts/read",
    "Microsoft.MachineLearningServices/workspaces/read",
    "Microsoft.Search/searchServices/read",
    "Microsoft.Network/privateLinkServices/read",
    "Microsoft.ApiManagement/service/read",
    "Microsoft.App/managedEnvironments/read",
    # Power states come with `$expand=instanceView` of the reads above. It is not documented whether Azure requires
    # these actions for it; they read the same data.
    "Microsoft.Compute/virtualMachines/instanceView/read",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read",
)
"""At every watched subscription: endpoints and their dependencies."""

READ_SUBSCRIPTION = ("Microsoft.Resources/subscriptions/read",)
"""At every watched subscription if sweeps find endpoints by Azure Resource Graph: it shows a subscription only to an
identity that may read it. Without this, the sweep lists the subscription."""

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
"""The built-in role, at a management group: a custom role can be assigned at one group only."""

WRITE_RECORDS = (
    "Microsoft.Network/privateDnsZones/A/read",
    "Microsoft.Network/privateDnsZones/A/write",
    "Microsoft.Network/privateDnsZones/A/delete",
)
"""At the zones that the app writes, and nowhere else: A record sets only."""

READ_SURROUNDINGS = (
    "Microsoft.Network/privateDnsZones/read",
    "Microsoft.Network/privateDnsZones/SOA/read",
    "Microsoft.Network/privateDnsZones/AAAA/read",  # Only the record set `*`, as with CNAME.
    "Microsoft.Network/privateDnsZones/CNAME/read",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",
    "Microsoft.Network/virtualNetworks/read",  # Includes its peerings.
    "Microsoft.Authorization/permissions/read",
)
"""At the app's zones and the VNets linked here: only the preflight reads these. Without them answers stay correct, and
the preflight reports what it could not read."""

READ_LOCKS = ("Microsoft.Authorization/locks/read",)
"""At the subscriptions of the zones: a lock above a zone applies to the zone. Only the preflight reads these."""

STORAGE_BLOB_DATA_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
STORAGE_BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
STORAGE_TABLE_DATA_CONTRIBUTOR = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"
MONITORING_METRICS_PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"
"""Built-in roles by id. Source: role-based-access-control/built-in-roles."""

OWN_ACCOUNT = (STORAGE_BLOB_DATA_OWNER, STORAGE_TABLE_DATA_CONTRIBUTOR)
"""At the app's own storage account: the host's leases, keys and timers, the deployed package; the catalog, a table for
each deployment (the role may also list and delete tables, to purge abandoned ones)."""
