"""Draining: one dirty name, step by step, as shared/loop/zone/name_attempt.py does it.

Read the dirty row, read the record set, read the claims and then the vantage row, write on condition, clear the dirty
row on condition. A failed condition leaves the name dirty, for another drain.
"""

from tests.protocol.catalog import bits, clear, holds, write_record
from tests.protocol.routing import NOTHING_MEASURED, address, answer, check_answer, check_change, measured
from tests.protocol.words import (
    ABSENT,
    CHANGE,
    CLAIMANTS,
    CLEAR,
    CURRENT,
    DIRTY,
    FOREIGN,
    MAY_NARROW,
    MEASURED,
    RECORD,
    ROW,
    RUNNING,
    STALE,
    UNREAD,
    Drain,
)


def begin(scenario, world):
    """The drains that may begin, each with its first step; a record set may be read while its name is not dirty."""
    found = []
    for name in range(len(world.records)):
        if world.dirty >> name & 1:
            found += dirty(scenario, world, Drain(name))
        if not scenario.rules.vantage_late:
            drain = Drain(name, measured=measured(scenario, world))
            found.append(("reads the vantage row ahead", world, drain))
        if scenario.ahead:
            found.append(("reads the record set ahead", world, _with_record(world, Drain(name))))
    return found


def steps(scenario, world, drain):
    """What a drain may do next: (what it does, the world, the drain or None when it has ended).

    `world` is without this drain.
    """
    return STEPS[drain.at](scenario, world, drain)


def dirty(scenario, world, drain):
    """Read the dirty row and its version, if no other drain holds the name."""
    if scenario.rules.lease and any(each.name == drain.name and each.at != DIRTY for each in world.drains):
        return []
    if not world.dirty >> drain.name & 1:
        return [("finds the name not dirty", world, None)]
    at = CLAIMANTS if drain.record or drain.record_version else RECORD
    drain = drain._replace(at=at, dirty=CURRENT, epoch=CURRENT if world.complete else ABSENT)
    return [("reads the dirty row", world, drain)]


def _with_record(world, drain):
    found = world.records[drain.name]
    return drain._replace(record=found, record_version=CURRENT if found else ABSENT)


def record(scenario, world, drain):
    """Read the record set and its version, or that there is none."""
    drain = _with_record(world, drain)._replace(sure=True)
    return [("reads the record set", world, drain._replace(at=CLAIMANTS))]


def claimants(scenario, world, drain):
    """Read from the index which endpoints are claimants."""
    found = []
    if world.probing and not drain.measured and not scenario.rules.vantage_last:
        found += [("reads the vantage row", world, drain._replace(measured=measured(scenario, world)))]
    led = sum(1 << endpoint for endpoint, names in enumerate(world.index) if names >> drain.name & 1)
    drain = drain._replace(at=ROW, ahead=led)
    return found + ([("reads the index", world, drain)] if led else _decide(scenario, world, drain, "reads the index"))


def row(scenario, world, drain):
    """Read one claimant's row after another."""
    endpoint = bits(drain.ahead)[0]
    found = world.rows[endpoint]
    drain = drain._replace(ahead=drain.ahead & ~(1 << endpoint))
    if found and found.names >> drain.name & 1:
        serves = address(endpoint, found.address) if found.state == RUNNING else 0
        drain = drain._replace(found=drain.found | serves, unread=drain.unread or found.state == UNREAD)
    what = f"reads the row of endpoint {endpoint}"
    return [(what, world, drain)] if drain.ahead else _decide(scenario, world, drain, what)


def _decide(scenario, world, drain, what):
    """Nothing, a change, or neither while the claims are not known."""
    if world.probing and not drain.measured:
        return [(what, world, drain._replace(at=MEASURED))]
    rules, before = scenario.rules, drain.record
    want = answer(scenario, drain.found, drain.name, drain.measured or NOTHING_MEASURED)
    if world.probing:
        check_answer(scenario, world, drain.found, drain.measured, want)
    unread, drain = drain.unread, drain._replace(found=0, unread=False, want=want, measured=())
    if not rules.dirty_row_first:
        drain = drain._replace(dirty=CURRENT if world.dirty >> drain.name & 1 else STALE)
    if before == want or (before == FOREIGN and rules.foreign_untouched):
        if drain.sure or not rules.nothing_on_memory:
            return [(f"{what}: nothing to do", world, _clearing(drain))]
        return [(f"{what}: nothing to do, by a record set read ahead", world, drain._replace(at=RECORD, want=0))]
    narrows = before > 0 and before & ~want
    if narrows and unread and rules.unread_blocks:
        return [(f"{what}: does not narrow, a claimant is unread", world, None)]
    asks = narrows and scenario.loses
    return [(f"{what}: wants {want}", world, drain._replace(at=MAY_NARROW if asks else CHANGE))]


def read_measured(scenario, world, drain):
    """Read the vantage row after the claims."""
    return _decide(scenario, world, drain._replace(measured=measured(scenario, world)), "reads the vantage row")


def may_narrow(scenario, world, drain):
    """Ask after the claims were read whether the catalog knows every claim and is the one in which the drain began."""
    late = scenario.rules.marker_asked_late
    if (drain.epoch == CURRENT and world.complete) if late else drain.epoch != ABSENT:
        return [("may narrow", world, drain._replace(at=CHANGE))]
    return [("may not narrow: not every claim is known", world, None)]


def change(scenario, world, drain):
    """Write or remove the record set on condition of the version that was read."""
    now = world.records[drain.name]
    if scenario.rules.record_condition and not holds(drain.record_version, now):
        return [("finds that the record set has changed", world, None)]
    check_change(scenario, world, drain.name, drain.want)
    return [(f"writes {drain.want}", write_record(world, drain.name, drain.want), _clearing(drain))]


def _clearing(drain):
    return Drain(drain.name, CLEAR, drain.dirty)


def clear_dirty(scenario, world, drain):
    """Remove the dirty row on condition of the version that was read first."""
    if drain.dirty == CURRENT or not scenario.rules.clear_condition:
        return [("clears the dirty row", clear(world, drain.name), None)]
    return [("leaves the dirty row: it was marked again", world, None)]


STEPS = (dirty, record, claimants, row, may_narrow, change, clear_dirty, read_measured)
