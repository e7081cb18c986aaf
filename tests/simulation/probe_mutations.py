"""The variants of probing: what is taken away, where, and how. `old` stands exactly once in its file."""

from functools import partial

from tests.simulation.variant import Variant

probing = partial(Variant, probes=True)

EVIDENCE, VERDICTS = "shared/decide/probes/evidence.py", "shared/decide/probes/verdicts.py"
DISTANCES = "shared/decide/probes/distances.py"

PROBE_VARIANTS = (
    probing(
        "probes: verdicts that were not renewed still count",
        "shared/decide/probes/changes.py",
        """    if row.verdicts and row.until <= now:
""",
        """    if False:
""",
    ),
    probing(
        "probes: failures from before a gap count",
        EVIDENCE,
        """    fails, successes = (known.fails, known.successes) if fresh else (0, 0)
""",
        """    fails, successes = known.fails, known.successes
""",
        also=(
            "shared/loop/probing/evidence_pages.py",
            """    last = row.round if now < row.until else None
""",
            """    last = row.round
""",
        ),
    ),
    probing(
        "probes: an address counts before its first success",
        VERDICTS,
        """    if may_withdraw and known.armed and known.fails >= probing.down_after:
""",
        """    if may_withdraw and known.fails >= probing.down_after:
""",
    ),
    probing(
        "probes: one failure is enough",
        VERDICTS,
        """    if may_withdraw and known.armed and known.fails >= probing.down_after:
""",
        """    if may_withdraw and known.armed and known.fails >= 1:
""",
    ),
    probing(
        "probes: one success is enough",
        VERDICTS,
        """        is_up = known.successes >= probing.up_after and over
""",
        """        is_up = known.successes >= 1 and over
""",
    ),
    probing(
        "probes: verdicts may empty an answer",
        "shared/decide/routing.py",
        """    if not healthy:
        return usable, True
""",
        """    if not healthy:
        return [], True
""",
    ),
    probing(
        "probes: a blind vantage withdraws",
        "shared/decide/probes/sight.py",
        """    if not _fails_everywhere(watched, lambda each: each.fails > 0):
""",
        """    if watched:
""",
    ),
    probing(
        "probes: a dead path withdraws everywhere",
        VERDICTS,
        """        everywhere=reached.another(evidence, steady=was_everywhere),
""",
        """        everywhere=reached is not was_everywhere,
""",
    ),
    probing(
        "probes: the last sample instead of the median",
        DISTANCES,
        """        median(each.samples)
""",
        """        each.samples[-1]
""",
    ),
    probing(
        "probes: a moving average instead of the median",
        DISTANCES,
        """        median(each.samples)
""",
        """        sum(0.2 * 0.8**age * ms for age, ms in enumerate(reversed(each.samples)))
        + 0.8 ** len(each.samples) * each.samples[0]
""",
    ),
    probing(
        "probes: no dwell before the order changes",
        DISTANCES,
        """    ripe = [each for each in found.better if now - each.since >= dwell[0]]
    if not ripe or found.pending or now - found.changed_at < dwell[1]:
""",
        """    ripe = [*found.better]
    if not ripe or found.pending:
""",
    ),
    probing(
        "probes: the names of a verdict are not marked",
        "shared/loop/probing/round.py",
        """        marked = await mark_names(self.vantage, decided.old, row, cause)
""",
        """        marked = 0
""",
    ),
    probing(
        "probes: the row of a vantage is written without a condition",
        "shared/catalog/memory.py",
        """        _require_etag(self._vantages.get(row.vantage), etag, f"the row of vantage {row.vantage}")
""",
        "",
    ),
    probing(
        "probes: a drain does not finish what a dead prober has left",
        "shared/loop/probing/ended.py",
        """    left = (bool(row.todo) or row.reordered) and row.at + MARKING_SECONDS < now
""",
        """    left = False
""",
    ),
    probing(
        "probes: the names of verdicts that have ended are not marked",
        "shared/loop/probing/ended.py",
        """    marked = await mark_names(vantage, row, over, cause_now("end of probing", now))
""",
        """    marked = 0
""",
    ),
    probing(
        "probes: observed verdicts change answers",
        "shared/loop/catalog_queries.py",
        """    if not settings.probes or not settings.probing.enforce:
""",
        """    if not settings.probes:
""",
    ),
)
