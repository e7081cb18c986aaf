"""The values that a state of the model consists of.

Everything is a tuple of numbers, so that states are compared and hashed quickly. A set of names, endpoints or addresses
is a number with one bit for each. An object that is absent is the empty tuple.
"""

from typing import NamedTuple

GONE, STOPPED, RUNNING, UNREAD = range(4)
"""States of an endpoint. UNREAD: a row of the catalog that knows the names and not the state."""
NONE = (GONE, 0, 0)
"""What a 404 says: state, names, address."""
FRESH, OLD = 1, 2
"""Since when a row says that its endpoint is missing: for less than the time to confirm, or for at least that time."""
NOT_YET, LAGGING, OVER = range(3)
"""False 404s of an endpoint (Resource Manager's replicas lag): they may come, they come, they never come again."""
STALE, CURRENT, ABSENT = range(3)
"""What a version that is held is worth. ABSENT: there was no object, and a write succeeds if there still is none."""
FOREIGN = -1
"""A record set that is not ours. Ours is a set of addresses; 0: there is none."""

READ, OBSERVE, OBSERVE_ADDRESS, READ_LATE, WRITE, REREAD, INDEX, MARK, SETTLE, ACKNOWLEDGE, WAIT_READ, WAIT = range(12)
"""Steps of a look. OBSERVE_ADDRESS: only where an observation takes two requests (a VM, then its network interface).

READ_LATE: only where a broken protocol observes before it reads the row. WAIT_READ, WAIT: an endpoint that begins to
serve has to wait; this is written to the vantage row.
"""
DIRTY, RECORD, CLAIMANTS, ROW, MAY_NARROW, CHANGE, CLEAR, MEASURED = range(8)
"""Steps of a drain. MEASURED: the vantage row is read."""
READ_VANTAGE, PROBE, FENCE, NAMES, MARKS, EMPTY, PAGE = range(7)
"""Steps of a round. FENCE: the conditional write that makes every other round of that time fail."""
RECORDS, ROWS, LIST, ENTER, ENTER_INDEX, COMPLETE, FOLLOW, DRIFT, FINISH = range(9)
"""Steps of a sweep."""


VERDICTS_OVER, DISTANCES_OVER = 1, 2
"""What of a vantage row is over: its `until` has passed."""
ENOUGH_RESULTS = 2
"""So many failures in a row take an address away, and so many successes in a row bring it back."""


class Broken(Exception):
    """A promise is broken."""


class Truth(NamedTuple):
    """An endpoint as Azure has it. `deleted`, `changed`: it was, at least once; for the promises only."""

    state: int
    names: int
    address: int
    lag: int = NOT_YET
    deleted: bool = False
    changed: bool = False

    @property
    def seen(self):
        """What an observation shows: state, names, address."""
        return self[:3] if self.state else NONE


class Row(NamedTuple):
    """The catalog's row of an endpoint. `todo`: names that are not marked dirty yet. `missing`: 0, FRESH or OLD.

    `again`: it is the first claim of its endpoint, and is looked at once more.
    """

    state: int
    names: int
    address: int
    todo: int = 0
    missing: int = 0
    again: bool = False

    @property
    def seen(self):
        """What was observed: state, names, address."""
        return self[:3]

    @property
    def due(self):
        """Whether the drain timer looks again: a look was not finished, or has to be confirmed, or was never made."""
        return bool(self.todo or self.missing or self.again or self.state == UNREAD)


class Look(NamedTuple):
    """A look at one endpoint, for some events and delete events; for none: the drain timer or a sweep has begun it.

    `row`: as read until the observation, then as it is to be written. `version`: of the row. `left`: names of the
    present step that are not done. `part`: what the first request of an observation showed. `false`: what was observed
    is not true; for the promises only. `unknown`: the row that it has read claims nothing. `begins`: the endpoint
    begins to serve. `vantage`: the version of the vantage row.
    """

    endpoint: int
    at: int = READ
    events: int = 0
    deletes: int = 0
    version: int = STALE
    row: tuple = ()
    left: int = 0
    part: tuple = ()
    false: bool = False
    unknown: bool = False
    begins: bool = False
    vantage: int = STALE


class Drain(NamedTuple):
    """A drain of one name.

    `dirty`, `record_version`: what the versions are worth. `sure`: the record set was read after the dirty row.
    `ahead`: claimants whose rows are still to be read. `found`: addresses of running ones. `unread`: one is unread.
    `epoch`: of the catalog that knew every claim when the drain began; ABSENT: it did not. `want`: to be written.
    `measured`: what the vantage row said.
    """

    name: int
    at: int = DIRTY
    dirty: int = STALE
    record: int = 0
    record_version: int = STALE
    sure: bool = False
    ahead: int = 0
    found: int = 0
    unread: bool = False
    epoch: int = STALE
    want: int = 0
    measured: tuple = ()


class Sweep(NamedTuple):
    """A sweep. `fresh`: endpoints whose row is as it was read. `look`: the one that it waits for, at `endpoint`.

    `left`: names of the present step that are not done. `epoch`: the catalog is the one in which the sweep began.
    `rewrites`: events were left to it. `covers`: none was since it began.
    """

    at: int = RECORDS
    records: tuple = ()
    rows: tuple = ()
    fresh: int = 0
    listed: tuple = ()
    endpoint: int = 0
    left: int = 0
    look: tuple = ()
    epoch: bool = True
    rewrites: bool = False
    covers: bool = True


class Vantage(NamedTuple):
    """The row of a vantage. `verdicts`: the addresses that it holds to be down. `waiting`: those that are new and have
    not answered yet. `over`: what of it is over.

    Not marked dirty yet are the names of the endpoints in `todo`, `names`, and where `ordered` all names for which the
    order matters and that are not pending. `order`: in which endpoints are near. `pending`: names that still have the
    previous order. `round`: the number of the last round.
    """

    verdicts: int = 0
    waiting: int = 0
    over: int = 0
    todo: int = 0
    names: int = 0
    ordered: bool = False
    order: int = 0
    pending: int = 0
    round: int = 0


class Page(NamedTuple):
    """The evidence of one address: the last round of it, failures and successes in a row, and whether it is down."""

    round: int = 0
    fails: int = 0
    successes: int = 0
    down: bool = False


class Round(NamedTuple):
    """A round of a prober, or the drain timer's work at the vantage row.

    `version`, `row`: of the vantage row as read, then as it is to be written. `over`: what would be over by now of all
    that the round may find. `left`: names to be marked. `page`: the evidence to be written. `failed`,
    `answered`: addresses.
    """

    at: int = 0
    timer: bool = False
    version: int = STALE
    row: tuple = ()
    over: int = 0
    left: int = 0
    page: tuple = ()
    failed: int = 0
    answered: int = 0


class Probing(NamedTuple):
    """The vantage row, the rounds under way, and the evidence of one address.

    `streak`: its fresh results in a row, successes above 0 and failures below; for the promises only. `answered`: the
    addresses that have ever answered.
    """

    row: tuple = Vantage()
    rounds: tuple = ()
    page: tuple = Page()
    streak: int = 0
    answered: int = 0


class Budget(NamedTuple):
    """How often something may still happen.

    `deletes`: delete events that come again. `timers`: the drain timer. `lost_rows`: rows that cannot be read.
    `rounds`: of probers. `expiries`: the drain timer at the vantage row.
    """

    changes: int = 0
    duplicates: int = 0
    deletes: int = 0
    lost_events: int = 0
    foreign: int = 0
    sweeps: int = 0
    purges: int = 0
    timers: int = 0
    lost_catalogs: int = 0
    lost_rows: int = 0
    rounds: int = 0
    expiries: int = 0


class World(NamedTuple):
    """A state. `events`: for each endpoint, how many events, delete events and power events (where these are told
    apart) wait. `dirty`: a set of names.

    `index`: for each endpoint, the names from which the index leads to it. `complete`: every claim is known. `due`: a
    sweep is, for the sake of events that were left to it. `probing`: absent where nothing is probed.
    """

    truth: tuple
    events: tuple
    may: Budget
    rows: tuple
    index: tuple
    dirty: int
    records: tuple
    complete: bool = True
    looks: tuple = ()
    drains: tuple = ()
    sweep: tuple = ()
    due: bool = False
    probing: tuple = ()
