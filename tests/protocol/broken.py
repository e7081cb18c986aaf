"""The protocol with one rule broken: each variant has to be caught, and stands with the smallest scenario that does."""

from dataclasses import dataclass, replace

from tests.protocol.scenarios import SCENARIOS
from tests.protocol.words import EMPTY, FENCE, INDEX, MARK, MARKS, NAMES, SETTLE


@dataclass(frozen=True)
class Variant:
    """`breaks`: the rules that are changed. `by`: the scenario that catches it."""

    name: str
    breaks: dict
    by: str

    @property
    def scenario(self):
        """The scenario under the broken rules."""
        found = next(each for each in SCENARIOS if each.name == self.by)
        return replace(found, rules=replace(found.rules, **self.breaks))


VARIANTS = (
    Variant("row: written without a condition", {"row_condition": False}, "a new address"),
    Variant("row: observed before it is read", {"row_before_observation": False}, "a new address"),
    Variant("row: not written when nothing has changed", {"always_write": False}, "a new address"),
    Variant("row: no tombstone for what was never seen", {"tombstones": False}, "a new endpoint"),
    Variant("row: the todo that is found is dropped", {"carry_todo": False}, "two drains"),
    Variant("row: the old names do not become dirty", {"old_names": False}, "an event comes again"),
    Variant(
        "row: marked before the index leads to it", {"publish": (MARK, INDEX, SETTLE)}, "a new endpoint is drained"
    ),
    Variant("row: never indexed", {"publish": (MARK, SETTLE)}, "a new endpoint is drained"),
    Variant("row: todo is emptied before the marks", {"publish": (INDEX, SETTLE, MARK)}, "one look, one drain"),
    Variant("row: todo is emptied without a condition", {"settle_condition": False}, "a new address"),
    Variant("dirty row: a mark does not change it", {"mark_changes": False}, "two drains"),
    Variant("dirty row: read late, after the claims", {"dirty_row_first": False}, "two endpoints"),
    Variant("dirty row: cleared without a condition", {"clear_condition": False}, "two drains"),
    Variant(
        "record set: nothing is done on what was read ahead", {"nothing_on_memory": False}, "a record set read ahead"
    ),
    Variant("record set: written without a condition", {"record_condition": False}, "a foreign record set"),
    Variant("record set: a foreign one is taken for ours", {"foreign_untouched": False}, "a foreign record set"),
    Variant("lease: two drains work on one name", {"lease": False}, "two drains"),
    Variant("sweep: lists before it reads the rows", {"rows_before_list": False}, "a sweep"),
    Variant("sweep: writes record sets itself", {"sweep_only_marks": False}, "a sweep, there and back"),
    Variant("shared look: joined after it has observed", {"join": "end"}, "shared: there and back"),
    Variant(
        "shared look: joined after a conflict, before it has read the row again",
        {"join": "reread"},
        "shared: there and back",
    ),
    Variant(
        "shared look: joined until it observes, and a row that says the same is kept",
        {"join": "observe", "conflict": "keep"},
        "shared: there and back",
    ),
    Variant(
        "conflict: the todo of a row that says the same is dropped",
        {"conflict": "forget"},
        "shared: stop, start, delete, create",
    ),
    Variant("404: never confirmed", {"confirm": "no"}, "404: a new endpoint"),
    Variant("404: confirmed only where the row is alive", {"confirm": "alive"}, "404: a new endpoint"),
    Variant("404: an announced one is final", {"announced": "final"}, "404: delete and create"),
    Variant("404: an event's look confirms", {"events_confirm": True}, "404: delete and create"),
    Variant("404: the time is judged after the answer", {"late_clock": True}, "404: a new endpoint"),
    Variant("404: after a conflict, an older one stands for a newer one", {"missing_differs": False}, "404: no crash"),
    Variant("unread: its names are narrowed", {"unread_blocks": False}, "lost: one sweep"),
    Variant("unread: every claim counts as known before all are entered", {"complete_last": False}, "lost: one sweep"),
    Variant("unread: a row that is found is not indexed", {"index_entered": False}, "lost: an event"),
    Variant(
        "lost catalog: a drain does not ask again whether it is complete", {"marker_asked_late": False}, "lost: again"
    ),
    Variant(
        "stranger: a first claim is not looked at once more",
        {"first_claim_again": False},
        "stranger: a claim and a stop",
    ),
    Variant("stranger: any event is dropped", {"moot": "all"}, "stranger: a claim and a stop"),
    Variant("deferred: acknowledged without a note", {"deferral_noted": False}, "deferred: a claim and a stop"),
    Variant(
        "deferred: a sweep that had begun before counts", {"note_outlasts": False}, "deferred: an event comes again"
    ),
    Variant("deferred: the sweep writes only what differs", {"sweep_rewrites": False}, "deferred: a new address"),
    Variant(
        "deferred: a first claim is not looked at once more",
        {"first_claim_again": False},
        "deferred: made and deleted",
    ),
    Variant("bad row: dropped, and the catalog counts as complete", {"drop_resets": False}, "bad row: a stop"),
    Variant(
        "bad row: a drain does not ask again whether the catalog is complete",
        {"marker_asked_late": False},
        "bad row: a stop",
    ),
    Variant("verdict: its names are not marked", {"fence": (FENCE, EMPTY)}, "probes: one may be down"),
    Variant(
        "verdict: its names are marked before it is written",
        {"fence": (NAMES, MARKS, FENCE, EMPTY)},
        "probes: one may be down",
    ),
    Variant("verdict: its names are read before it is written", {"names_after_fence": False}, "probes: a claim"),
    Variant("verdict: todo is not kept", {"vantage_todo": False}, "probes: one may be down"),
    Variant(
        "verdict: todo is emptied before the marks", {"fence": (FENCE, EMPTY, NAMES, MARKS)}, "probes: one may be down"
    ),
    Variant("verdict: the todo that is found is dropped", {"vantage_carry": False}, "probes: one may be down"),
    Variant(
        "vantage row: two probers write it without a condition", {"vantage_condition": False}, "probes: two probers"
    ),
    Variant(
        "vantage row: prober and drain timer write it without a condition",
        {"vantage_condition": False},
        "probes: what is over",
    ),
    Variant("vantage row: read before the dirty row", {"vantage_late": False}, "probes: one may be down"),
    Variant("vantage row: read before the claims", {"vantage_last": False}, "waiting: two rounds"),
    Variant("vantage row: what is over still counts", {"expiry_ends": False}, "probes: one may be down"),
    Variant("vantage row: ended, and its names are not marked", {"expiry_marks": False}, "probes: one may be down"),
    Variant(
        "vantage row: a drain takes for ended what the drain timer has not ended",
        {"by_clock": True},
        "probes: what is over",
    ),
    Variant(
        "vantage row: the same, and a round that finds verdicts over marks their names again",
        {"by_clock": True, "lapsed_marks": True},
        "probes: what is over",
    ),
    Variant("vantage row: what is only watched counts", {"watching_only": False}, "probes: only watched"),
    Variant("fail open: verdicts take away the last address", {"fail_open": False}, "probes: all may be down"),
    Variant("waiting: written after the row that says that it serves", {"wait": "after"}, "waiting: two rounds"),
    Variant(
        "waiting: ended by a round that does not see the endpoint yet",
        {"wait_unseen": False},
        "waiting: a new endpoint",
    ),
    Variant("evidence: an older page counts", {"pages_of_round": False}, "probes: evidence"),
    Variant("evidence: what is over counts", {"pages_fresh": False}, "probes: evidence"),
    Variant("evidence: a verdict is forgotten with it", {"verdicts_are_evidence": False}, "probes: evidence"),
    Variant("distances: a released name is not marked", {"release_marks": False}, "distances: name by name"),
    Variant("distances: names that are not pending are not marked", {"order_marks": False}, "distances: a claim"),
)
