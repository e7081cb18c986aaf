"""The protocol between the catalog, Resource Manager and the record sets, as a model that is explored exhaustively.

    python -m tests.protocol [--only WORDS] [--jobs 2] [--trace]      (make model)

A state of the model is a whole world: what exists in Azure, the events that are not acknowledged, the rows of the
catalog, the record sets, and how far every look, drain and sweep has come. A step is one remote operation of one of
them, a change in the world, or a crash. The explorer takes every step that is possible in every state that can be
reached, breadth first, so that the first trace that breaks a promise is a shortest one.

    words.py         the values that a state consists of
    rules.py         the rules of the protocol, each of which can be broken, and the bounds of a scenario
    catalog.py       what a write does to those who hold an older version
    routing.py       what a name is answered with
    looks.py         recording: one look at one endpoint, step by step (shared/loop/recorder.py)
    drains.py        draining: one dirty name, step by step (shared/loop/zone/name_attempt.py)
    sweeps.py        sweeping, step by step (shared/loop/sweep.py)
    rounds.py        probing: a prober's round, and the end of what it measured, step by step
    surroundings.py  what happens outside of the app: changes, events, purges, losses, time
    successors.py    every next step of a world
    promises.py      what must hold whenever the world has come to rest
    explore.py       the explorer
    scenarios.py     the worlds that are explored
    broken.py        the protocol with one rule broken, each with the smallest scenario that catches it

A version (etag) never comes twice. So a holder need not hold its number: it is enough to know whether the object is
still as it was read, and every write takes that from all other holders.

What the model leaves out:

- The lease: at most one drain works on a name, and a crashed one is followed by another. A holder that is paused for
  longer than its lease lasts and writes late is the known gap of the protocol; `broken.py` shows it.
- Budgets, urgency and back-off. They delay steps, and a step may come arbitrarily late here.
- Several zones: a mark in one zone says nothing about another one.
- Routing: a name is answered by all running claimants, or by the first one.
- How probes are judged: a round may find any address down, and any order. Only `evidence` counts results in a row.
- Removal of index rows, and adoption, orders and the guard.
"""
