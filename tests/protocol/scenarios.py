"""The worlds that are explored."""

from dataclasses import replace

from tests.protocol.rules import CONFIRMED, SHARED, THRIFTY, Scenario
from tests.protocol.words import RUNNING, STOPPED, Budget

ONE, BOTH, MUTE = (RUNNING, 1, 0), (RUNNING, 3, 0), (RUNNING, 0, 0)
POWER, LIFE, NAMES = ("power",), ("delete", "create"), ("names",)

RECORDING = (
    Scenario("stop, start, delete, create", may=Budget(changes=3)),
    Scenario("a new endpoint", start=(None,), may=Budget(changes=3)),
    Scenario("there and back", kinds=POWER, may=Budget(changes=4)),
    Scenario("a new address", kinds=("address",), may=Budget(changes=2)),
    Scenario("two requests", two_requests=True, kinds=("power", "address"), may=Budget(changes=2, duplicates=1)),
    Scenario("names join and leave", names=2, kinds=("names", "power"), may=Budget(changes=2)),
    Scenario("three looks", looks=3, may=Budget(changes=2, duplicates=1)),
    Scenario("the drain timer", may=Budget(changes=2, duplicates=1, timers=1)),
    Scenario("a purge", start=(None,), may=Budget(changes=3, purges=1)),
)
DRAINING = (
    Scenario("one look, one drain", looks=1, drains=1, may=Budget(changes=3)),
    Scenario("two looks, one drain", drains=1, may=Budget(changes=2)),
    Scenario("a new endpoint is drained", drains=1, start=(None,), may=Budget(changes=2, purges=1)),
    Scenario("a new address is drained", drains=1, kinds=("address",), may=Budget(changes=2)),
    Scenario("two endpoints", start=(ONE, ONE), looks=1, drains=1, kinds=POWER, may=Budget(changes=2)),
    Scenario("two names, two drains", names=2, start=(BOTH,), looks=1, drains=2, kinds=NAMES, may=Budget(changes=2)),
    Scenario("an event comes again", drains=1, may=Budget(changes=1, duplicates=1)),
    Scenario("a record set read ahead", looks=1, drains=2, ahead=True, kinds=POWER, may=Budget(changes=2)),
    Scenario("a foreign record set", looks=1, drains=1, may=Budget(changes=2, foreign=1)),
    Scenario("two drains", looks=1, drains=2, kinds=POWER, may=Budget(changes=2)),
)
SWEEPING = (
    Scenario("a sweep", looks=1, may=Budget(changes=2, sweeps=1)),
    Scenario("a sweep, a drain", looks=1, drains=1, may=Budget(changes=1, sweeps=1)),
    Scenario("a sweep, there and back", looks=1, drains=1, kinds=POWER, may=Budget(changes=2, sweeps=1), crashes=False),
    Scenario("a sweep, a lost event", looks=1, drains=1, may=Budget(changes=1, sweeps=1, lost_events=1)),
    Scenario("a lost catalog", looks=1, drains=1, may=Budget(changes=1, sweeps=1, lost_catalogs=1)),
)
LAG = Scenario("", rules=CONFIRMED, kinds=LIFE, lag=True, announce=True)
CONFIRMING = (
    replace(LAG, name="404: a new endpoint", start=(None,), may=Budget(changes=1, timers=1)),
    replace(LAG, name="404: stop and start", kinds=POWER, may=Budget(changes=2, timers=1)),
    replace(LAG, name="404: delete and create", may=Budget(changes=2)),
    replace(LAG, name="404: the drain timer", may=Budget(changes=2, timers=1)),
    replace(LAG, name="404: no crash", may=Budget(changes=2, timers=1), crashes=False),
    replace(LAG, name="404: a delete event comes again", may=Budget(changes=2, deletes=1)),
    replace(LAG, name="404: unannounced", announce=False, may=Budget(changes=3)),
    replace(LAG, name="404: a drain", looks=1, drains=1, may=Budget(changes=2, timers=1)),
    replace(LAG, name="404: a purge", looks=1, may=Budget(changes=2, purges=1, timers=1)),
    replace(LAG, name="404: a sweep", looks=1, may=Budget(changes=2, sweeps=1)),
)
LOST = Scenario("", start=(ONE, ONE), looks=1, drains=1, lists_tell=False, lost=True, nearest=False)
ENTERING = (
    replace(LOST, name="lost: one sweep", may=Budget(sweeps=1)),
    replace(LOST, name="lost: an event", may=Budget(sweeps=1, duplicates=1)),
    replace(LOST, name="lost: the nearest answers", nearest=True, may=Budget(sweeps=1, duplicates=1)),
    replace(LOST, name="lost: a stop", kinds=POWER, may=Budget(sweeps=1, changes=1)),
    replace(LOST, name="lost: a deletion", kinds=LIFE, may=Budget(sweeps=1, changes=1)),
    replace(LOST, name="lost: two names", names=2, start=(ONE, (RUNNING, 2, 0)), may=Budget(sweeps=1, duplicates=1)),
    replace(
        LOST,
        name="lost: a name is left",
        names=2,
        start=(BOTH, ONE),
        looks=0,
        kinds=NAMES,
        may=Budget(sweeps=1, changes=1),
    ),
    replace(LOST, name="lost: one was stopped", start=(ONE, (STOPPED, 1, 0)), may=Budget(sweeps=1, duplicates=1)),
    replace(LOST, name="lost: again", looks=0, may=Budget(sweeps=2, lost_catalogs=1)),
    replace(LOST, name="lost: later", lost=False, may=Budget(sweeps=1, lost_catalogs=1, duplicates=1)),
    replace(LOST, name="lost: a false 404", rules=CONFIRMED, lag=True, looks=0, may=Budget(sweeps=1)),
)
BAD = replace(LOST, lost=False)
UNREADABLE = (
    replace(BAD, name="bad row: an event", may=Budget(lost_rows=1, duplicates=1, sweeps=1)),
    replace(BAD, name="bad row: a stop", kinds=POWER, may=Budget(lost_rows=1, changes=1)),
    replace(BAD, name="bad row: lists tell", lists_tell=True, kinds=POWER, may=Budget(lost_rows=1, changes=1)),
    replace(BAD, name="bad row: the nearest answers", nearest=True, may=Budget(lost_rows=1, duplicates=1, sweeps=1)),
    replace(BAD, name="bad row: a name is left", names=2, kinds=NAMES, may=Budget(lost_rows=1, changes=1)),
)
MOOT = Scenario(
    "", rules=replace(SHARED, first_claim_again=True), start=((RUNNING, 0, 0),), kinds=("names", "power"), moot=True
)
STRANGERS = (
    replace(MOOT, name="stranger: a claim and a stop", may=Budget(changes=2)),
    replace(MOOT, name="stranger: the drain timer", may=Budget(changes=2, timers=1)),
    replace(MOOT, name="stranger: comes, stops, goes", may=Budget(changes=3)),
    replace(MOOT, name="stranger: an event comes again", may=Budget(changes=2, duplicates=1)),
    replace(MOOT, name="stranger: a drain", looks=1, drains=1, may=Budget(changes=2)),
    replace(MOOT, name="stranger: a sweep", looks=1, may=Budget(changes=2, sweeps=1)),
    replace(MOOT, name="stranger: made and deleted", kinds=("names", "power", *LIFE), may=Budget(changes=2)),
)
DEFERRED = (
    replace(MOOT, name="deferred: a claim and a stop", defers="unknown", may=Budget(changes=2)),
    replace(
        MOOT, name="deferred: an event comes again", defers="unknown", looks=1, may=Budget(changes=2, duplicates=1)
    ),
    replace(
        MOOT,
        name="deferred: made and deleted",
        defers="unknown",
        kinds=("names", "power", *LIFE),
        may=Budget(changes=2),
    ),
    replace(MOOT, name="deferred: a drain", defers="unknown", looks=1, drains=1, may=Budget(changes=2)),
    replace(MOOT, name="deferred: a sweep", defers="unknown", looks=1, may=Budget(changes=2, sweeps=1)),
    Scenario("deferred: there and back", rules=SHARED, defers="any", looks=1, kinds=POWER, may=Budget(changes=2)),
    Scenario("deferred: a new address", rules=SHARED, defers="any", kinds=("address",), may=Budget(changes=2)),
    Scenario("deferred: the names change", rules=SHARED, defers="any", names=2, kinds=NAMES, may=Budget(changes=2)),
)
PROBED = Scenario("", start=(ONE, ONE), looks=0, drains=1, probers=1, may_fail=1)
MEASURED = replace(PROBED, names=2, start=(BOTH, BOTH), may_fail=0, distances=True)
WAITING = replace(PROBED, start=(None, ONE), looks=1, kinds=("create",), may_fail=6, waits=True)
PROBING = (
    replace(PROBED, name="probes: one may be down", may=Budget(rounds=2)),
    replace(PROBED, name="probes: all may be down", may_fail=5, may=Budget(rounds=2)),
    replace(PROBED, name="probes: two probers", probers=2, may=Budget(rounds=3)),
    replace(PROBED, name="probes: what is over", may=Budget(rounds=2, expiries=1)),
    replace(PROBED, name="probes: two probers, what is over", probers=2, may=Budget(rounds=2, expiries=1)),
    replace(PROBED, name="probes: only watched", enforce=False, may=Budget(rounds=2, expiries=1)),
    replace(PROBED, name="probes: a stop", looks=1, kinds=POWER, may_fail=5, may=Budget(rounds=1, changes=1)),
    replace(
        PROBED,
        name="probes: a new address",
        start=(ONE,),
        may_fail=3,
        looks=1,
        kinds=("address",),
        may=Budget(rounds=1, changes=1),
    ),
    replace(PROBED, name="probes: a claim", start=(MUTE, ONE), looks=1, kinds=NAMES, may=Budget(rounds=1, changes=1)),
    replace(
        PROBED,
        name="probes: a claim, what is over",
        start=(MUTE, ONE),
        looks=1,
        kinds=NAMES,
        may=Budget(rounds=1, changes=1, expiries=1),
    ),
    replace(PROBED, name="probes: a sweep", may=Budget(rounds=1, sweeps=1)),
    replace(WAITING, name="waiting: a new endpoint", may=Budget(rounds=1, changes=1)),
    replace(WAITING, name="waiting: two rounds", crashes=False, may=Budget(rounds=2, changes=1)),
    replace(PROBED, name="probes: evidence", drains=0, start=(ONE,), evidence=True, may=Budget(rounds=5, expiries=1)),
    replace(
        PROBED,
        name="probes: evidence, two probers",
        drains=0,
        start=(ONE,),
        evidence=True,
        probers=2,
        may=Budget(rounds=4),
    ),
    replace(MEASURED, name="distances: name by name", may=Budget(rounds=3)),
    replace(MEASURED, name="distances: what is over", may=Budget(rounds=2, expiries=1)),
    replace(
        MEASURED,
        name="distances: a claim",
        names=1,
        start=(MUTE, ONE),
        looks=1,
        kinds=NAMES,
        may=Budget(rounds=1, changes=1),
    ),
)


def under(rules, title, scenarios):
    """The same scenarios under other rules."""
    return tuple(replace(each, name=f"{title}: {each.name}", rules=rules) for each in scenarios)


SCENARIOS = (
    *RECORDING,
    *DRAINING,
    *SWEEPING,
    *under(SHARED, "shared", (*RECORDING, DRAINING[1], SWEEPING[0])),
    *under(THRIFTY, "thrifty", RECORDING),
    *CONFIRMING,
    *ENTERING,
    *UNREADABLE,
    *STRANGERS,
    *DEFERRED,
    *PROBING,
)
