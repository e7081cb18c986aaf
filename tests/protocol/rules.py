"""The rules of the protocol, each of which can be broken, and the bounds of a scenario."""

from dataclasses import dataclass

from tests.protocol.words import EMPTY, FENCE, INDEX, MARK, MARKS, NAMES, RUNNING, SETTLE, Budget


@dataclass(frozen=True)
class Rules:
    """The protocol. The defaults are the plain one; `SHARED` and `CONFIRMED` add to it."""

    row_condition: bool = True
    """A row is written on condition of the version that was read."""
    row_before_observation: bool = True
    always_write: bool = True
    """The row is written even when nothing has changed."""
    tombstones: bool = True
    """A row is written for an endpoint that is gone and was never seen."""
    carry_todo: bool = True
    """A look takes over the todo that it finds."""
    old_names: bool = True
    """The names that an endpoint had before become dirty as well."""
    publish: tuple = (INDEX, MARK, SETTLE)
    """In which order a look goes on whose row is written."""
    settle_condition: bool = True
    mark_changes: bool = True
    """A mark changes the version of a dirty row that is there already."""
    lease: bool = True
    """At most one drain works on a name."""
    dirty_row_first: bool = True
    nothing_on_memory: bool = True
    """A record set that was read before the dirty row is not enough to decide that nothing is to be done."""
    record_condition: bool = True
    foreign_untouched: bool = True
    clear_condition: bool = True
    rows_before_list: bool = True
    sweep_only_marks: bool = True
    join: str = "no"
    """Until when events join a look in flight: "no", "read" (its row read), "observe" (its observation), "reread"
    (the same, and after a conflict until the row is read again), "end"."""
    conflict: str = "observe"
    """What a look does whose row write failed: "observe" again; "rewrite" the row where it says what this look has
    seen, and finish its todo; "keep" such a row as it is; "forget" its todo."""
    confirm: str = "no"
    """Which 404s have to be confirmed: "no", "alive" (where the row is alive), "every"."""
    announced: str = "again"
    """A 404 that a delete event announced counts at once, and is looked at "again" or is "final"."""
    events_confirm: bool = False
    """Whether a look for an event confirms a 404, and not only the drain timer's and the sweep's."""
    late_clock: bool = False
    """Whether the time to confirm is judged after the answer and not before the request."""
    missing_differs: bool = True
    """A look that has seen a 404 observes again after a conflict, whatever the row says."""
    unread_blocks: bool = True
    """A name with an unread claimant is not narrowed."""
    complete_last: bool = True
    """That every claim is known is noted after all endpoints were entered and indexed."""
    index_entered: bool = True
    """A sweep indexes an endpoint, too, whose row it found when it was going to enter it."""
    drop_resets: bool = True
    """With a row that cannot be read and is dropped, the catalog does not count as complete any more."""
    moot: str = "power"
    """Which events about an endpoint that the complete catalog does not know to claim anything are dropped unseen:
    "power" events, which change no claim, or "all". Only where the scenario tells power events apart."""
    first_claim_again: bool = False
    """A row that begins to claim by a look for an event is looked at once more, by the drain timer."""
    deferral_noted: bool = True
    """An event is acknowledged that is left to a sweep after the catalog says that a sweep is due."""
    note_outlasts: bool = True
    """That a sweep is due holds until one has ended that began after it was noted."""
    sweep_rewrites: bool = True
    """A sweep to which events were left writes the rows as well that say what it has listed."""
    marker_asked_late: bool = True
    """A drain that narrows asks after it has read the claims whether every claim is known."""
    fence: tuple = (FENCE, NAMES, MARKS, EMPTY)
    """In which order a round goes on that has probed, and the drain timer at the vantage row."""
    vantage_condition: bool = True
    """The vantage row is written on condition of the version that was read."""
    vantage_todo: bool = True
    """The vantage row keeps what is not marked yet."""
    vantage_carry: bool = True
    """A round takes over the todo that it finds."""
    names_after_fence: bool = True
    """The names of the endpoints in todo are read after the vantage row was written."""
    vantage_late: bool = True
    """A drain reads the vantage row after the dirty row."""
    vantage_last: bool = True
    """A drain reads the vantage row after the claims, and not at any time between them and the record set."""
    watching_only: bool = True
    """Where verdicts are only watched, no decision uses them."""
    fail_open: bool = True
    """Where all candidates of a name are down, all of them count."""
    expiry_ends: bool = True
    """The drain timer ends what is over."""
    expiry_marks: bool = True
    """The drain timer marks the names of what it ends."""
    by_clock: bool = False
    """A drain takes for ended what is over, though it is still in the vantage row."""
    lapsed_marks: bool = False
    """A round that finds verdicts over marks all their names again."""
    wait: str = "before"
    """When a look writes that an endpoint waits that begins to serve: "before" it writes the row, or "after"."""
    wait_unseen: bool = True
    """A round leaves an endpoint waiting whose row does not say yet that it serves."""
    pages_of_round: bool = True
    """Results in a row count only where the evidence is of the last round. An older page lacks what came then."""
    pages_fresh: bool = True
    """Results in a row count only where the last round is not over."""
    verdicts_are_evidence: bool = True
    """An address is down that has a verdict, whatever the evidence says: only successes in a row end it."""
    release_marks: bool = True
    """A name that is released, so that the new order holds for it, is marked."""
    order_marks: bool = True
    """A change of the order marks the names for which it matters and that are not pending: the row is written later
    than the names of `pending` are read."""


NOTHING = Budget()
PLAIN = Rules()
SHARED = Rules(join="observe", conflict="rewrite")
"""Events share looks, and a conflict with the same observation costs no new one."""
THRIFTY = Rules(join="read", conflict="keep")
"""Events share looks only until the row is read; then a conflict with the same observation costs no write either."""
CONFIRMED = Rules(join="observe", conflict="rewrite", confirm="every")
"""As `SHARED`, and a 404 is confirmed by a later look."""


@dataclass(frozen=True)
class Scenario:
    """A world at its start, and what may happen in it. `start`: for each endpoint (state, names, address) or None.

    `looks`, `drains`: how many run at the same time. `ahead`: record sets are read before the dirty row. `nearest`: a
    name is answered by its first running claimant, not by all. `announce`: delete events are told from others. `lag`:
    false 404s. `two_requests`: an observation takes two. `lists_tell`: lists show states. `lost`: the catalog is lost
    at the start. `crashes`: a process may die between any two steps. `moot`: power events are told from others, and an
    endpoint that claims nothing has no row at the start. `defers`: which events may be left to a sweep: none (""),
    those about what claims nothing in the complete catalog ("unknown"), "any". `probers`: how many probe at the same
    time; `may_fail`: the addresses that may fail; `enforce`: verdicts take effect; `evidence`: one failure is not
    enough; `distances`: are measured; `waits`: an endpoint that begins to serve waits until it has answered.
    """

    name: str
    rules: Rules = PLAIN
    start: tuple = ((RUNNING, 1, 0),)
    names: int = 1
    looks: int = 2
    drains: int = 0
    kinds: tuple = ("power", "delete", "create")
    may: Budget = NOTHING
    ahead: bool = False
    nearest: bool = True
    announce: bool = False
    lag: bool = False
    two_requests: bool = False
    lists_tell: bool = True
    lost: bool = False
    crashes: bool = True
    moot: bool = False
    defers: str = ""
    probers: int = 0
    may_fail: int = 0
    enforce: bool = True
    evidence: bool = False
    distances: bool = False
    waits: bool = False

    @property
    def loses(self):
        """Whether the catalog may be incomplete: then it matters which endpoints have never changed."""
        return self.lost or self.may.lost_catalogs > 0 or self.may.lost_rows > 0
