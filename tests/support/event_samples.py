"""Events as Event Grid delivers them, in both schemas."""

import json

from shared.edge import event_hints as events
from shared.edge.event_hints import Hint
from tests.support.values import SUB, vm_id

VM = vm_id("gpu-1")


NIC = f"/subscriptions/{SUB}/resourceGroups/gpu/providers/Microsoft.Network/networkInterfaces/gpu-1-nic"


SET = f"/subscriptions/{SUB}/resourceGroups/gpu/providers/Microsoft.Compute/virtualMachineScaleSets/pool"


INSTANCE = f"{SET}/virtualMachines/3"


GATEWAY = f"/subscriptions/{SUB}/resourceGroups/net/providers/Microsoft.Network/applicationGateways/agw"


SERVICE = f"/subscriptions/{SUB}/resourceGroups/api/providers/Microsoft.ApiManagement/service/apim"


TYPES = {
    "microsoft.apimanagement/service",
    "microsoft.apimanagement/service/locations",
    "microsoft.compute/virtualmachines",
    "microsoft.compute/virtualmachinescalesets",
    "microsoft.compute/virtualmachinescalesets/virtualmachines",
    "microsoft.network/applicationgateways",
    "microsoft.network/networkinterfaces",
}


VM_HINT = Hint(VM, "microsoft.compute/virtualmachines")


SET_HINT = Hint(SET, "microsoft.compute/virtualmachinescalesets")


INSTANCE_HINT = Hint(INSTANCE, "microsoft.compute/virtualmachinescalesets/virtualmachines")


NIC_HINT = Hint(NIC, "microsoft.network/networkinterfaces")


GATEWAY_HINT = Hint(GATEWAY, "microsoft.network/applicationgateways")


SERVICE_HINT = Hint(SERVICE, "microsoft.apimanagement/service")


TAGS = "/providers/Microsoft.Resources/tags/default"


def native(kind, subject, **data):
    """An event in the Event Grid schema, as the event-schema-subscriptions page shows it."""
    head = {"topic": "/subscriptions/" + SUB, "eventType": kind, "dataVersion": "2", "metadataVersion": "1"}
    return {"id": "1", "subject": subject, "eventTime": "2026-01-01T00:00:00.1234567Z", "data": data, **head}


def cloud(kind, subject, **data):
    """The same as a CloudEvent 1.0."""
    head = {"specversion": "1.0", "source": "/subscriptions/" + SUB, "type": kind}
    return {"id": "1", "subject": subject, "time": "2026-01-01T00:00:00.1234567Z", "data": data, **head}


def hint(event):
    return events.hint(event if isinstance(event, str | bytes) else json.dumps(event), {SUB}, TYPES)


KINDS = [
    f"Microsoft.Resources.Resource{what}{how}"
    for what in ("Write", "Delete", "Action")
    for how in ("Success", "Failure", "Cancel")
]


LEADS = [
    # subject, operation, hint
    (VM, "Microsoft.Compute/virtualMachines/start/action", VM_HINT),
    (VM + "/start", "Microsoft.Compute/virtualMachines/start/action", VM_HINT),
    (VM + "/extensions/health", "Microsoft.Compute/virtualMachines/extensions/write", VM_HINT),
    (VM + TAGS, "Microsoft.Resources/tags/write", VM_HINT),
    (VM + TAGS.upper(), "Microsoft.Resources/tags/write", VM_HINT),
    (NIC, "Microsoft.Network/networkInterfaces/write", NIC_HINT),
    (NIC + "/ipConfigurations/ipconfig1", "Microsoft.Network/networkInterfaces/write", NIC_HINT),
    (NIC + TAGS, "Microsoft.Resources/tags/write", NIC_HINT),
    (VM.upper(), "x", Hint(VM.upper(), "microsoft.compute/virtualmachines")),
    (VM, "no/such/operation", VM_HINT),
    (SET, "Microsoft.Compute/virtualMachineScaleSets/write", SET_HINT),
    (SET + "/start", "Microsoft.Compute/virtualMachineScaleSets/start/action", SET_HINT),
    (SET + TAGS, "Microsoft.Resources/tags/write", SET_HINT),
    (SET + "/extensions/health", "Microsoft.Compute/virtualMachineScaleSets/extensions/write", SET_HINT),
    (INSTANCE, "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/start/action", INSTANCE_HINT),
    (INSTANCE + "/start", "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/start/action", INSTANCE_HINT),
    (INSTANCE + "/networkInterfaces/nic", "x", INSTANCE_HINT),
    (INSTANCE + "/runCommands/a/b/c", "x", INSTANCE_HINT),
    (GATEWAY, "Microsoft.Network/applicationGateways/stop/action", GATEWAY_HINT),
    (GATEWAY + "/start", "Microsoft.Network/applicationGateways/start/action", GATEWAY_HINT),
    (SERVICE, "Microsoft.ApiManagement/service/write", SERVICE_HINT),
    (SERVICE + TAGS, "Microsoft.Resources/tags/write", SERVICE_HINT),
    (SERVICE + "/apis/chat", "x", SERVICE_HINT),
]
