"""Which events are delivered, as data. What gets through is still only a hint: the app judges every event itself.

Event Grid allows 25 values in all advanced filters of a subscription together, and compares strings without regard to
case (Microsoft Learn, event-filtering). Whole operation names would be too many, so their beginnings are given.
"""

from __future__ import annotations

RESOURCES = "Microsoft.Resources.Subscriptions"
"""Topic type of what is done through Azure Resource Manager in a subscription."""

HEALTH = "Microsoft.ResourceNotifications.HealthResources"
"""Topic type of what happens to VMs by themselves (preview)."""

GROUPS = "Microsoft.Resources.ResourceGroups"
"""Topic type of what is done through Azure Resource Manager in one resource group."""

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
    "Microsoft.Network/privateEndpoints/",
    "Microsoft.ContainerInstance/containerGroups/",
    "Microsoft.Resources/tags/",
    "Microsoft.Network/privateDnsZones/A/",
)
"""Beginnings of the operations on endpoints and on what they depend on, of changes of any resource's tags, and of edits
of A record sets."""
EDITS = ("Microsoft.Network/privateDnsZones/A/",)
"""The last of these alone, for groups with a zone in a subscription that is not watched."""
