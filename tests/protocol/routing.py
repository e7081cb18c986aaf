"""What a name is answered with, and what a write of a record set must not do."""

from tests.protocol.words import DISTANCES_OVER, FOREIGN, RUNNING, VERDICTS_OVER, Broken

NOTHING_MEASURED = (0, 0, 0, 0)
"""What decisions use where nothing is probed, or where probes are only watched."""


def address(endpoint, place):
    """The bit of an endpoint's address."""
    return 1 << 2 * endpoint + place


def running(endpoints, name):
    """The addresses of running claimants, among truths or rows; some may be absent."""
    found = 0
    for endpoint, each in enumerate(endpoints):
        if each and each.state == RUNNING and each.names >> name & 1:
            found |= address(endpoint, each.address)
    return found


def measured(scenario, world):
    """What decisions use of the vantage row: who is down, who waits, the order, the names with the previous order."""
    if not world.probing or (scenario.rules.watching_only and not scenario.enforce):
        return NOTHING_MEASURED
    row = world.probing.row
    over = row.over if scenario.rules.by_clock else 0
    verdicts, waiting = (0, 0) if over & VERDICTS_OVER else (row.verdicts, row.waiting)
    return (verdicts, waiting, 0, 0) if over & DISTANCES_OVER else (verdicts, waiting, row.order, row.pending)


def answer(scenario, found, name, by=NOTHING_MEASURED):
    """The record set for the addresses of running claimants: all that are not down, or the nearest of them."""
    verdicts, waiting, order, pending = by
    healthy = found & ~(verdicts | waiting) or found & ~verdicts
    if not healthy and scenario.rules.fail_open:
        healthy = found
    if not scenario.nearest:
        return healthy
    reversed_order = order ^ pending >> name & 1
    return 1 << healthy.bit_length() - 1 if reversed_order and healthy else healthy & -healthy


def right(scenario, truth, name, by=NOTHING_MEASURED):
    """The record set that a name should have."""
    return answer(scenario, running(truth, name), name, by)


def check_answer(scenario, world, found, by, want):
    """Probes only take away, and never the last address. A new endpoint waits while there is another."""
    if want & ~found:
        raise Broken("an answer has an address that is no candidate")
    if found and not want:
        raise Broken("an answer is empty though there are candidates")
    answered, row = world.probing.answered, world.probing.row
    waits = scenario.waits and not row.over
    if waits and want & ~answered and found & answered & ~by[0]:
        raise Broken("an answer has an address that has not answered yet, though another one has")


def check_change(scenario, world, name, want):
    """A foreign record set stays, and so does the address of an endpoint that has never changed."""
    now = world.records[name]
    if now == FOREIGN:
        raise Broken(f"the foreign record set of name {name} is overwritten")
    if not scenario.loses:
        return
    steady = [None if each.changed else each for each in world.truth]
    if not scenario.nearest:
        taken = now & running(steady, name) & ~want
    else:
        taken = now if None not in steady and now == right(scenario, steady, name) != want else 0
    if taken:
        raise Broken(f"right addresses of name {name} are taken away though their endpoints have not changed")
