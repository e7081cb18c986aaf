"""Interactions that are not compared although their type is simulated, one by one, each for its reason.

Those of ONE_BY_ONE take effect nevertheless; if the answer of one does not differ (any more), that is a difference.
"""

OTHER_TYPE = "a type or host that the simulator does not support"
OTHER_POLL = "an operation on such a type"
SET_UP = "made by what the simulator does not support (template deployments, ...): enters with this GET"
GROUP_DELETED = "what is in a deleted group: ARM answers in several ways, most often as the simulator always does"
NOT_SIMULATED = "not simulated"
SKIPPED_POLL = "an operation that a call began which is itself skipped"

OVERPROVISIONED = "Azure had made more instances than asked for, and deleted some: not simulated"
STILL_UPDATING = "some instances were still being updated after their scale set's creation: not simulated"
HALF_REPLACED = "the recorder replaced the names in some answers and left them in others"
DECIDED_ELSEWHERE = "a private link service, a type that the simulator does not support, had decided"

ONE_BY_ONE = {
    ("test_vmss_create_and_modify", 20): STILL_UPDATING,
    ("test_vmss_nics", 15): OVERPROVISIONED,
    **dict.fromkeys(
        (("Test_Compute_v20220301_CreationAndDeletion", number) for number in (39, 40, 44, 45)), OVERPROVISIONED
    ),
    ("test_vmss_create_and_modify", 16): HALF_REPLACED,
    **dict.fromkeys((("test_vm_list_filter", number) for number in (10, 11, 12)), HALF_REPLACED),
    ("test_network_private_endpoints", 33): DECIDED_ELSEWHERE,
}
"""(recording, number of the interaction, from 0) -> why it is not compared."""
