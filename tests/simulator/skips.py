"""Why calls on simulated types are not compared, which are skipped one by one, and which are known to differ.

Calls of ONE_BY_ONE still take effect. If the answer of one no longer differs, that is reported as a difference.
"""

import fnmatch

OTHER_TYPE = "a type or host that the simulator does not support"
OTHER_POLL = "an operation on an unsupported type"
GROUP_DELETED = "in a deleted resource group: ARM answers in several ways, most often in the one that the simulator has"
NOT_SIMULATED = "not simulated"
SKIPPED_POLL = "operation of a call that is skipped itself"

OVERPROVISIONED = "Azure had created more instances than requested and deleted some: not simulated"
STILL_UPDATING = "some instances were still being updated after the creation of their scale set: not simulated"
HALF_REPLACED = "the recorder replaced names in some answers only"
ETAG_BY_ITSELF = "Azure had given a dynamic public address a new etag by itself: not simulated"
BETWEEN_RESTARTS = "asked between the end of a container and its next restart: not simulated"
OF_OTHERS = "another client has linked its zone"
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

DIFFERENT = {
    ("test_vmss_nics", 16): STILL_UPDATING,
    ("test_vmss_update_instance_disks", 15): STILL_UPDATING,
    ("test_vmss_update_instance_disks", 16): STILL_UPDATING,
    ("test_container_create_msi", 12): BETWEEN_RESTARTS,
    ("ListZonesInSubscription_ListNextPage_ExpectNextZonesRetrieved", 11): OF_OTHERS,
}
"""(recording, number of the interaction, from 0) -> why its answer differs. It is compared, and counts as not equal."""
FIELDS = {
    STILL_UPDATING: ("*/provisioningState",),
    BETWEEN_RESTARTS: ("*/instanceView/*",),
    OF_OTHERS: ("*/numberOfVirtualNetworkLinks",),
}
"""Why calls of DIFFERENT differ -> in which fields. In any other field, they must not differ."""


def known(recording: str, number: int, difference: str) -> bool:
    """Whether a call is known to differ in the field that begins the text of this difference."""
    place = difference.partition(": ")[0]
    fields = FIELDS.get(DIFFERENT.get((recording, number), ""), ())
    return any(fnmatch.fnmatchcase(place, field) for field in fields)
