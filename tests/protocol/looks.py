"""Recording: one look at one endpoint, step by step, as shared/loop/recorder.py does it.

Read the row, observe the endpoint, write the row on condition, index the names of todo, mark them dirty, empty todo on
condition, acknowledge the events. A conflict means again.
"""

from tests.protocol.catalog import add_index, bits, holds, mark, put, write_row, write_vantage
from tests.protocol.routing import address
from tests.protocol.words import (
    ABSENT,
    ACKNOWLEDGE,
    CURRENT,
    FRESH,
    GONE,
    INDEX,
    LAGGING,
    MARK,
    NONE,
    NOT_YET,
    OBSERVE,
    OBSERVE_ADDRESS,
    OLD,
    OVER,
    READ,
    READ_LATE,
    REREAD,
    RUNNING,
    SETTLE,
    STALE,
    WAIT,
    WAIT_READ,
    WRITE,
    Broken,
    Row,
)


def steps(scenario, world, look):
    """What a look may do next: (what it does, the world, the look or None when it has ended).

    `world` is without this look.
    """
    return STEPS[look.at](scenario, world, look)


def read(scenario, world, look):
    """Read the row and its version, or that there is none."""
    if not scenario.rules.row_before_observation:
        seen = world.truth[look.endpoint].seen
        return [("observes before it reads", world, look._replace(at=READ_LATE, row=Row(*seen)))]
    return [("reads the row", world, _has_read(scenario.rules, look, world.rows[look.endpoint]))]


def read_late(scenario, world, look):
    """Broken on purpose: the version is read after the observation."""
    seen, look = look.row.seen, _has_read(scenario.rules, look, world.rows[look.endpoint])
    return [("reads the row late", world, _decide(scenario.rules, look, seen))]


def _has_read(rules, look, row):
    unknown = rules.first_claim_again and not (row and row.names)
    return look._replace(at=OBSERVE, version=CURRENT if row else ABSENT, row=row, false=False, unknown=unknown)


def observe(scenario, world, look):
    """Ask Resource Manager. A lagging replica may answer 404 for what exists."""
    rules, truth = scenario.rules, world.truth[look.endpoint]
    if scenario.two_requests and truth.state:
        return [("observes all but the address", world, look._replace(at=OBSERVE_ADDRESS, part=truth.seen[:2]))]
    found = [("observes", world, _waiting(scenario, look, _decide(rules, look, truth.seen)))]
    if scenario.lag and truth.state and truth.lag != OVER:
        lagging = world
        if truth.lag == NOT_YET:
            lagging = world._replace(truth=put(world.truth, look.endpoint, truth._replace(lag=LAGGING)))
        found.append(("gets a false 404", lagging, _decide(rules, look, NONE)._replace(false=True)))
    return found


def observe_address(scenario, world, look):
    """The second request of an observation. Where the network interface is gone, the endpoint counts as gone."""
    truth = world.truth[look.endpoint]
    seen = (*look.part, truth.address) if truth.state else NONE
    return [("observes the address", world, _decide(scenario.rules, look._replace(part=()), seen))]


def _decide(rules, look, seen):
    """What is to be written, by the row as it was read and what was seen."""
    known = look.row
    missing = 0
    if seen == NONE and rules.confirm != "no":
        seen, missing = _missing(rules, look)
    old = known.seen if known else NONE
    todo = known.todo if known and rules.carry_todo else 0
    if seen != old:
        todo |= seen[1] | (old[1] if rules.old_names else 0)
    row = Row(*seen, todo, missing, _again(look, seen[1]))
    unchanged = row == known or (not known and seen == NONE and not missing)
    if unchanged and not todo and not (rules.always_write if known else rules.tombstones):
        return _ended(look)
    return look._replace(at=WRITE, row=row)


def _waiting(scenario, before, look):
    """Let an endpoint wait that begins to serve, or whose last look was not finished."""
    known, row = before.row, look.row
    if not scenario.waits or look.at != WRITE or row.state != RUNNING:
        return look._replace(begins=False)
    begins = not known or known.todo > 0 or (known.state, known.address) != (row.state, row.address)
    first = begins and scenario.rules.wait == "before"
    return look._replace(begins=begins, at=WAIT_READ if first else WRITE)


def wait_read(scenario, world, look):
    """Read the vantage row: an address that has answered before need not wait."""
    bit = address(look.endpoint, look.row.address)
    if (world.probing.answered | world.probing.row.waiting) & bit:
        return [("need not wait", world, _waited(scenario, look))]
    return [("reads the vantage row", world, look._replace(at=WAIT, vantage=CURRENT))]


def wait(scenario, world, look):
    """Write to the vantage row that the endpoint waits, on condition."""
    if look.vantage != CURRENT:
        return [("finds that the vantage row has changed", world, look._replace(at=WAIT_READ))]
    row = world.probing.row
    row = row._replace(waiting=row.waiting | address(look.endpoint, look.row.address))
    return [("writes that the endpoint waits", write_vantage(world, row), _waited(scenario, look))]


def _waited(scenario, look):
    if scenario.rules.wait == "before":
        return look._replace(at=WRITE, vantage=STALE)
    return look._replace(at=MARK, left=look.row.todo, vantage=STALE)


def _again(look, names):
    """Whether a row with these names is a first claim that an event has led to."""
    return bool(look.unknown and names and (look.events or look.deletes))


def _missing(rules, look):
    """What is written for a 404: what the row says was seen, and since when the endpoint is missing."""
    known = look.row
    asked = look.events or look.deletes
    old = known.seen if known else NONE
    if rules.confirm == "alive" and old[0] == GONE:
        return NONE, 0
    if look.deletes:
        return NONE, 0 if rules.announced == "final" else FRESH
    if known and known.missing == OLD and (rules.events_confirm or not asked):
        return NONE, 0
    return old, known.missing if known and known.missing and not asked else FRESH


def write(scenario, world, look):
    """Write the row on condition of the version that was read."""
    rules, endpoint, row = scenario.rules, look.endpoint, look.row
    now = world.rows[endpoint]
    if rules.row_condition and not holds(look.version, now):
        return [("finds that the row has changed", world, _in_conflict(rules, look))]
    if rules.late_clock and row.missing and now and now.missing == OLD:
        row = Row(*NONE, now.todo | now.names)
    _check_gone(world, look, row)
    look = look._replace(version=CURRENT, row=row)
    written = _next(rules, look, -1) if row.todo else _ended(look)
    return [(f"writes the row {tuple(row)}", write_row(world, endpoint, row), written)]


def _in_conflict(rules, look):
    look = look._replace(version=STALE)
    if rules.conflict == "observe":
        return look._replace(at=READ, row=(), false=False)
    return look._replace(at=REREAD)


def _check_gone(world, look, row):
    """A false 404 makes nothing gone that was never deleted, unless a delete event announced it."""
    now, truth = world.rows[look.endpoint], world.truth[look.endpoint]
    withdraws = row.state == GONE and now and now.state
    if withdraws and look.false and not look.deletes and not truth.deleted:
        raise Broken(f"a false 404 makes endpoint {look.endpoint} gone, and no delete event announced it")


def _next(rules, look, done):
    """The step of publishing that follows the one that is done (-1: none is)."""
    if done + 1 == len(rules.publish):
        return _ended(look)
    at = rules.publish[done + 1]
    if look.begins and rules.wait == "after" and at == MARK:
        return look._replace(at=WAIT_READ, left=0)
    return look._replace(at=at, left=0 if at == SETTLE else look.row.todo)


def _ended(look):
    """All is durable: nothing but the events matters any more."""
    return look._replace(at=ACKNOWLEDGE, version=STALE, row=(), left=0, false=False, unknown=False, begins=False)


def reread(scenario, world, look):
    """After a conflict: where the row says what this look has seen, it is written again, unobserved."""
    row, rules = world.rows[look.endpoint], scenario.rules
    same = row and row.seen == look.row.seen and bool(row.missing) == bool(look.row.missing)
    if not same or (row.missing and rules.missing_differs):
        return [("reads the row again: it says something else", world, _has_read(rules, look, row))]
    if rules.conflict == "keep":
        return [("reads the row again: it says the same, and stays", world, _ended(look))]
    if rules.conflict == "forget":
        row = row._replace(todo=0)
    row = row._replace(again=row.again or _again(look, row.names))
    return [("reads the row again: it says the same", world, look._replace(at=WRITE, version=CURRENT, row=row))]


def publish(scenario, world, look):
    """Let the index lead to the endpoint, or mark dirty: one name of todo after another."""
    rules = scenario.rules
    name = bits(look.left)[0]
    if look.at == INDEX:
        what, world = f"indexes name {name}", add_index(world, look.endpoint, name)
    else:
        what, world = f"marks name {name} dirty", mark(world, name, changes=rules.mark_changes)
    left = look.left & ~(1 << name)
    done = look._replace(left=left) if left else _next(rules, look, rules.publish.index(look.at))
    return [(what, world, done)]


def settle(scenario, world, look):
    """Write the row with an empty todo, on condition of the version just written. A conflict is somebody newer's."""
    rules, what = scenario.rules, "leaves todo to somebody newer"
    if holds(look.version, world.rows[look.endpoint]) or not rules.settle_condition:
        what, world = "empties todo", write_row(world, look.endpoint, look.row._replace(todo=0))
    return [(what, world, _next(rules, look, rules.publish.index(SETTLE)))]


def acknowledge(scenario, world, look):
    """The events are done with."""
    return [("ends", world, None)]


STEPS = (
    read,
    observe,
    observe_address,
    read_late,
    write,
    reread,
    publish,
    publish,
    settle,
    acknowledge,
    wait_read,
    wait,
)
