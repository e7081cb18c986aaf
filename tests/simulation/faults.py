"""How often which fault of `simulator.faults.source` happens, and lists that look complete and are not."""

import asyncio
from dataclasses import replace

from simulator.faults.source import Rates

KINDS = (
    *("throttled_by_dns", "throttled_by_gateway", "internal_error", "unavailable", "broken_page", "forbidden"),
    *("pending", "locked", "cname", "quota", "exists", "lost_before", "lost_after", "slow", "outage"),
)
FEW = 4


def rates(kinds, level):
    """Rates for these kinds, so that about `level` of all requests go wrong."""
    each = level / min(len(kinds), FEW)
    chances = {kind: {"*": each} if kind == "forbidden" else each for kind in kinds}
    if "outage" in chances:
        chances["outage"] = each / 20  # It makes everything in a region fail for a while.
    return Rates(no_retry_after=0.5, longest_outage=40.0, **chances)


async def storms(faults, calm, stormy, times):
    """Let faults happen as often as the time is calm or stormy. `times`: seconds from now, in order."""
    loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    faults.rates = calm
    for begin, end in times:
        await asyncio.sleep(max(0.0, began + begin - loop.time()))
        faults.rates = stormy
        await asyncio.sleep(max(0.0, began + end - loop.time()))
        faults.rates = calm


class ShortLists:
    """Lists of VMs that look complete and are not: all lists of one errand lack the same VMs.

    Only such as had rows that claim something when the errand began: nobody can miss what they do not know of.
    """

    def __init__(self, rng, chance, ledger, trace):
        self.rng, self.chance, self.ledger, self.trace = rng, chance, ledger, trace

    def cut(self, request, response, errand):
        """The answer, without those that are missing this time."""
        if not self.chance or response.status != 200 or not request.path.lower().endswith("/virtualmachines"):
            return response
        if errand.unlisted is None:
            known = [key for key, known in self.ledger.rows.items() if known.put < errand.began and known.claims]
            short = known and self.rng.random() < self.chance
            errand.unlisted = set(self.rng.sample(known, min(2, len(known)))) if short else set()
            self.trace("azure", "does not list", [key.rsplit("/", 1)[-1] for key in sorted(errand.unlisted)])
        kept = [each for each in response.content["value"] if each["id"].lower() not in errand.unlisted]
        return replace(response, content={**response.content, "value": kept})
