"""The event filters, as data. A delivered event is still only a hint: the app checks every event itself.

Event Grid allows 25 values in all advanced filters of a subscription together, and ignores the case of strings
(Microsoft Learn, event-filtering). Whole operation names would be too many, so their prefixes are given.
"""

from __future__ import annotations

RESOURCES = "Microsoft.Resources.Subscriptions"
"""Topic type of operations through Azure Resource Manager in a subscription."""

HEALTH = "Microsoft.ResourceNotifications.HealthResources"
"""Topic type of health changes of VMs that no operation causes (preview)."""

GROUPS = "Microsoft.Resources.ResourceGroups"
"""Topic type of operations through Azure Resource Manager in one resource group."""

EVENT_TYPES = {
    RESOURCES: tuple(
        f"Microsoft.Resources.Resource{verb}{ending}"
        for verb in ("Write", "Delete", "Action")
        for ending in ("Success", "Failure", "Cancel")
    ),
    GROUPS: ("Microsoft.Resources.ResourceWriteSuccess", "Microsoft.Resources.ResourceDeleteSuccess"),
    HEALTH: (f"{HEALTH}.AvailabilityStatusChanged", f"{HEALTH}.ResourceAnnotated"),
}

OPERATION = "data.operationName"
OPERATIONS = (
    "Microsoft.Compute/virtualMachines/",
    "Microsoft.Compute/virtualMachineScaleSets/",
    "Microsoft.Network/networkInterfaces/",
    "Microsoft.Network/loadBalancers/",
    "Microsoft.Network/applicationGateways/",
    "Microsoft.Network/privateEndpoints/",
    "Microsoft.ContainerInstance/containerGroups/",
    "Microsoft.App/managedEnvironments/",
    "Microsoft.ApiManagement/service/write",
    "Microsoft.ApiManagement/service/delete",
    "Microsoft.ApiManagement/service/applyNetworkConfigurationUpdates/",
    "Microsoft.ApiManagement/service/managedeployments/",
    "Microsoft.ApiManagement/service/migrateToStv2/",
    "Microsoft.ApiManagement/service/restore/",
    "Microsoft.Resources/tags/",
    "Microsoft.Network/privateDnsZones/A/",
)
"""Prefixes of the operations on endpoints and their dependencies, of changes of any resource's tags, and of edits of A
record sets. Of API Management only the operations that may change a service's locations: its prefix would also deliver
every edit of an API. Source: role-based-access-control/resource-provider-operations."""
EDITS = ("Microsoft.Network/privateDnsZones/A/",)
"""Only the prefix of A record sets, for groups with a zone in a subscription that is not watched."""
