"""Sweeping, step by step, as shared/loop/sweep.py does it.

Read the record sets, the rows and the list of what exists, in this order; record what differs; mark the names whose
record sets are not what the rows ask for; note that every claim is known. The sweep writes no record set itself.

Where the catalog is new and the list does not tell states, the sweep first enters every listed endpoint as unread, and
notes that every claim is known before it reads them one by one.
"""

from tests.protocol import looks
from tests.protocol.catalog import add_index, bits, mark, write_record, write_row
from tests.protocol.routing import measured, right
from tests.protocol.words import (
    ABSENT,
    COMPLETE,
    CURRENT,
    DRIFT,
    ENTER,
    ENTER_INDEX,
    FINISH,
    FOLLOW,
    FOREIGN,
    LIST,
    READ,
    RECORDS,
    ROWS,
    STALE,
    UNREAD,
    WRITE,
    Look,
    Row,
    Sweep,
)


def begin(scenario, world):
    """A sweep that has done nothing yet."""
    rewrites = world.due and scenario.rules.sweep_rewrites
    return Sweep(RECORDS if scenario.rules.rows_before_list else LIST, rewrites=rewrites)


def steps(scenario, world, sweep):
    """What a sweep may do next: (what it does, the world with the sweep as it is then)."""
    return STEPS[sweep.at](scenario, world, sweep)


def _then(what, world, sweep, **changes):
    return [(what, world._replace(sweep=sweep._replace(**changes) if changes else ()))]


def records(scenario, world, sweep):
    """Read all record sets."""
    return _then("reads the record sets", world, sweep, at=ROWS, records=world.records)


def rows(scenario, world, sweep):
    """Read all rows and their versions."""
    fresh = sum(1 << endpoint for endpoint, row in enumerate(world.rows) if row)
    at = LIST if scenario.rules.rows_before_list else _first(scenario, world)
    return _then("reads the rows", world, sweep, at=at, rows=world.rows, fresh=fresh)


def list_all(scenario, world, sweep):
    """List what exists."""
    listed = tuple(truth.seen for truth in world.truth)
    at = _first(scenario, world) if scenario.rules.rows_before_list else RECORDS
    return _then("lists what exists", world, sweep, at=at, listed=listed)


def _first(scenario, world):
    """Whether unread rows are entered: where states are not listed and the catalog does not know every claim."""
    if scenario.lists_tell or world.complete:
        return FOLLOW
    return ENTER if scenario.rules.complete_last else COMPLETE


def enter(scenario, world, sweep):
    """Enter one listed endpoint after another as unread, if it has no row. Whoever has written one has read it."""
    endpoint = sweep.endpoint
    if endpoint == len(world.rows):
        at = COMPLETE if scenario.rules.complete_last else FOLLOW
        return _then("has entered all", world, sweep, at=at, endpoint=0)
    state, names, place = sweep.listed[endpoint]
    done = {"at": ENTER, "endpoint": endpoint + 1}
    if not state or not names:
        return _then(f"endpoint {endpoint} claims nothing", world, sweep, **done)
    indexing = {"at": ENTER_INDEX, "left": names}
    if not world.rows[endpoint]:
        world = write_row(world, endpoint, Row(UNREAD, names, place, names))
        return _then(f"enters endpoint {endpoint} as unread", world, world.sweep, **indexing)
    what = f"endpoint {endpoint} has a row"
    return _then(what, world, sweep, **(indexing if scenario.rules.index_entered else done))


def enter_index(scenario, world, sweep):
    """Index the listed names of an endpoint, whoever has written its row: that one may have died before it did."""
    name = bits(sweep.left)[0]
    left = sweep.left & ~(1 << name)
    world = add_index(world, sweep.endpoint, name)
    what = f"indexes name {name} of endpoint {sweep.endpoint}"
    if left:
        return _then(what, world, sweep, left=left)
    return _then(what, world, sweep, at=ENTER, left=0, endpoint=sweep.endpoint + 1)


def complete(scenario, world, sweep):
    """Note that every claim is known, if the catalog is still the one in which the sweep began."""
    at = FOLLOW if scenario.rules.complete_last else ENTER
    what, known = ("notes that every claim is known", True) if sweep.epoch else ("finds the catalog lost", False)
    return _then(what, world._replace(complete=world.complete or known), sweep, at=at)


def follow(scenario, world, sweep):
    """Record one endpoint after another where it differs from what was listed; look at those that are missing."""
    if sweep.look:
        return _go_on(scenario, world, sweep)
    endpoint = sweep.endpoint
    if endpoint == len(world.rows):
        return _then("has recorded all", world, sweep, **_drifted(scenario, world, sweep))
    look = _wanted(scenario, sweep)
    if look is None:
        return _then(f"endpoint {endpoint} is as it was", world, sweep, endpoint=endpoint + 1)
    return _go_on(scenario, world, sweep._replace(look=look))


def _wanted(scenario, sweep):
    """The look that an endpoint needs; None: it does not need one."""
    endpoint = sweep.endpoint
    seen, row = sweep.listed[endpoint], sweep.rows[endpoint]
    told = scenario.lists_tell and seen[0]
    known = row and row.state != UNREAD
    if scenario.moot and not (row and (row.names or row.todo)) and not seen[1] and not (row and seen[0]):
        return None  # The lists are not asked about what claims nothing.
    again = sweep.rewrites and told
    if known and not again and not row.todo and not row.missing and (seen == row.seen or (not told and seen[0])):
        return None
    if not row and not seen[0]:
        return None
    if not told:
        return Look(endpoint, READ, events=int(sweep.rewrites))
    version = ABSENT if not row else CURRENT if sweep.fresh >> endpoint & 1 else STALE
    todo = row.todo if row else 0
    if not row or seen != row.seen:
        todo |= seen[1] | (row.names if row else 0)
    first = sweep.rewrites and scenario.rules.first_claim_again and not (row and row.names)  # As by an event.
    row = Row(*seen, todo, again=bool(first and seen[1]))
    return Look(endpoint, WRITE, events=int(sweep.rewrites), version=version, row=row, unknown=bool(first))


def _go_on(scenario, world, sweep):
    """One step of the look that the sweep waits for."""
    found = []
    world = world._replace(sweep=sweep._replace(look=()))
    for what, after, look in looks.steps(scenario, world, sweep.look):
        changes = {"look": look} if look else {"endpoint": sweep.endpoint + 1}
        found += _then(f"look at endpoint {sweep.endpoint} {what}", after, after.sweep, **changes)
    return found


def _drifted(scenario, world, sweep):
    """Names whose record set, as read, is not what the rows and the vantage row, read again, ask for."""
    by = measured(scenario, world)
    wanted = tuple(right(scenario, world.rows, name, by) for name in range(len(world.records)))
    left = sum(
        1 << name
        for name, (record, want) in enumerate(zip(sweep.records, wanted, strict=True))
        if record not in (FOREIGN, want)
    )
    records = () if scenario.rules.sweep_only_marks else wanted
    return {"at": DRIFT, "left": left, "records": records, "rows": (), "fresh": 0, "listed": ()}


def drift(scenario, world, sweep):
    """Mark the names that have drifted, one after another."""
    if not sweep.left:
        return _then("has marked all", world, sweep, at=FINISH, records=())
    name = bits(sweep.left)[0]
    left = sweep.left & ~(1 << name)
    if not scenario.rules.sweep_only_marks:
        world = write_record(world, name, sweep.records[name])
        return _then(f"writes the record set of name {name} itself", world, sweep, left=left)
    world = mark(world, name, changes=scenario.rules.mark_changes)
    return _then(f"marks name {name} dirty", world, sweep, left=left)


def finish(scenario, world, sweep):
    """Note that every claim is known, if the catalog is still the one in which the sweep began."""
    due = world.due and not sweep.covers and scenario.rules.note_outlasts
    return _then("ends", world._replace(complete=world.complete or sweep.epoch, due=due), sweep)


STEPS = (records, rows, list_all, enter, enter_index, complete, follow, drift, finish)
