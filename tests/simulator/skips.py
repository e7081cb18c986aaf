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
NEVER_SHOWN = "a scale set that a template deployment made and no answer shows"
HALF_REPLACED = "the recorder replaced the names in some answers and left them in others"
DECIDED_ELSEWHERE = "a private link service, a type that the simulator does not support, had decided"

ONE_BY_ONE = {
    **dict.fromkeys((("test_vmss_create_and_modify", number) for number in (20, 21, 43, 44, 48)), OVERPROVISIONED),
    **dict.fromkeys(
        (("Test_Compute_v20220301_CreationAndDeletion", number) for number in (39, 40, 44, 45)), OVERPROVISIONED
    ),
    **dict.fromkeys((("test_vmss_nics", number) for number in (15, 16, 17, 18)), NEVER_SHOWN),
    ("test_vmss_create_and_modify", 16): HALF_REPLACED,
    **dict.fromkeys((("test_vm_list_filter", number) for number in (10, 11, 12)), HALF_REPLACED),
    ("test_network_private_endpoints", 33): DECIDED_ELSEWHERE,
}
"""(recording, number of the interaction, from 0) -> why it is not compared."""
