"""Azure Resource Health of machines, for Event Grid: annotations (the reason) and availability.

Names, contexts and categories: docs, service-health/resource-health-vm-annotation.md (2025-06-06). Reasons and
summaries are the simulator's, except for those of a deallocation (OpenAPI examples of Microsoft.ResourceNotifications
2018-01-01). Which of them come together, and when within an operation, is inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.arm.front_door import ArmFrontDoor

_CUSTOMER = "Customer Initiated"
_PLATFORM = "Platform Initiated"


@dataclass(frozen=True, slots=True)
class _Annotation:
    reason: str
    summary: str
    context: str = _CUSTOMER
    category: str = "Not Applicable"


ANNOTATIONS: Mapping[str, _Annotation] = {
    "VirtualMachineAllocated": _Annotation("Allocated", "This virtual machine is being set up as requested."),
    "VirtualMachineStartInitiatedByControlPlane": _Annotation(
        "Starting", "This virtual machine is starting as requested."
    ),
    "VirtualMachineStopInitiatedByControlPlane": _Annotation(
        "Stopping", "This virtual machine is stopping as requested."
    ),
    "VirtualMachineDeallocationInitiated": _Annotation(
        "Stopping and deallocating",
        "This virtual machine is stopped and deallocated as requested by an authorized user or process.",
    ),
    "VirtualMachineRebootInitiatedByControlPlane": _Annotation(
        "Rebooting", "This virtual machine is rebooting as requested."
    ),
    "VirtualMachineRedeployInitiatedByControlPlane": _Annotation(
        "Redeploying", "This virtual machine is being moved to another host as requested."
    ),
    "VirtualMachineStoppedInternally": _Annotation("Stopped from within", "This virtual machine has shut itself down."),
    "VirtualMachinePreempted": _Annotation(
        "Preempted", "This Spot virtual machine has lost its capacity.", _PLATFORM, "Unplanned"
    ),
    "VirtualMachineHostCrashed": _Annotation(
        "Host crashed", "The host of this virtual machine has failed.", _PLATFORM, "Unplanned"
    ),
}


def annotate(azure: ArmFrontDoor, machine_id: str, name: str) -> None:
    """Report why something happens to a machine; `name` is one of ANNOTATIONS."""
    found = ANNOTATIONS[name]
    details = {"annotationName": name, "reason": found.reason, "summary": found.summary}
    azure.signal(machine_id, "ResourceAnnotated", {**details, "context": found.context, "category": found.category})


def tell_availability(azure: ArmFrontDoor, machine_id: str, *, available: bool) -> None:
    """Report that a machine has become available or unavailable."""
    states = ("Unavailable", "Available")
    details = {"previousAvailabilityState": states[not available], "availabilityState": states[available]}
    azure.signal(machine_id, "AvailabilityStatusChanged", details)
