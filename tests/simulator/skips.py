"""Why calls on simulated types are not compared, and the calls that are skipped one by one.

Calls of ONE_BY_ONE still take effect. If the answer of one no longer differs, that is reported as a difference.
"""

OTHER_TYPE = "a type or host that the simulator does not support"
OTHER_POLL = "an operation on an unsupported type"
SET_UP = "created by an unsupported type (template deployments, ...); the resource enters the simulator with this GET"
GROUP_DELETED = "in a deleted resource group: ARM answers in several ways, most often in the one that the simulator has"
NOT_SIMULATED = "not simulated"
SKIPPED_POLL = "operation of a call that is skipped itself"

OVERPROVISIONED = "Azure had created more instances than requested and deleted some: not simulated"
STILL_UPDATING = "some instances were still being updated after the creation of their scale set: not simulated"
HALF_REPLACED = "the recorder replaced names in some answers only"
ETAG_BY_ITSELF = "Azure had given a dynamic public address a new etag by itself: not simulated"
DECIDED_ELSEWHERE = "decided by a private link service, an unsupported type"

ONE_BY_ONE = {
    ("test_vmss_create_and_modify", 20): STILL_UPDATING,
    ("test_vmss_nics", 15): OVERPROVISIONED,
    **dict.fromkeys(
        (("Test_Compute_v20220301_CreationAndDeletion", number) for number in (39, 40, 44, 45)), OVERPROVISIONED
    ),
    ("test_vmss_create_and_modify", 16): HALF_REPLACED,
    **dict.fromkeys((("test_vm_list_filter", number) for number in (10, 11, 12)), HALF_REPLACED),
    ("test_network_private_endpoints", 33): DECIDED_ELSEWHERE,
    ("test_vm_create_state_modifications", 35): ETAG_BY_ITSELF,
}
"""(recording, number of the interaction, from 0) -> why it is not compared."""
