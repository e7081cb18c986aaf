"""The generated parts of simulator/README.md: between which markers they are, and the tables of limits.

`make fidelity ARGS=--write` writes them; the tests compare the page with what the code and the recordings give.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from simulator.arm import limits as arm_limits
from simulator.compute import limits as compute_limits
from simulator.containers import limits as container_limits
from simulator.network import limits as network_limits
from simulator.private_dns import budgets as dns_budgets

README = Path(__file__).parents[2] / "simulator" / "README.md"


def markers(name: str) -> tuple[str, str]:
    """The lines before and after a generated part."""
    return f"<!-- {name}: begin (written by make fidelity ARGS=--write) -->\n", f"<!-- {name}: end -->\n"


def generated(page: str, name: str) -> list[str]:
    """The lines of a generated part. Raises ValueError where its markers are missing."""
    return _split(page, name)[1].strip("\n").splitlines()


def replaced(page: str, name: str, lines: Iterable[str]) -> str:
    """The page with new lines between the markers of a part. Raises ValueError where they are missing."""
    before, _, after = _split(page, name)
    begin, end = markers(name)
    return "\n".join((f"{before}{begin}", *lines, f"\n{end}{after}"))


def _split(page: str, name: str) -> tuple[str, str, str]:
    begin, end = markers(name)
    before, found, rest = page.partition(begin)
    inside, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"no markers for {name!r} on the page")
    return before, inside, after


def limits() -> Iterator[str]:
    """The tables of published limits: each figure is a constant of the simulator."""
    yield "| limit | counted | refusal | switch | source |"
    yield "| --- | --- | --- | --- | --- |"
    yield from (f"| {' | '.join(row)} |" for row in _rows())
    yield ""
    yield "| bucket of compute | tokens per minute and size, per resource or operation | per subscription |"
    yield "| --- | --- | --- |"
    policies = [each for each in vars(compute_limits).values() if isinstance(each, compute_limits._Policy)]
    for each in policies:
        own = "not counted" if each.resource is None else _bucket(*each.resource)
        yield f"| `{each.name}` | {own} | {_bucket(*each.subscription)} |"


def _bucket(per_minute: int, size: int) -> str:
    return f"{per_minute:,}, {size:,}"


def _listed(figures: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in figures)


def _rows() -> Iterator[tuple[str, ...]]:
    dns = ("`AssumedBehaviour.throttle`", f"429 of the provider, bare, `Retry-After: {dns_budgets.RETRY_AFTER}`")
    switch, source = "`private_dns.limits`", "dns-limits.md"
    sets = _listed(dns_budgets.ZONE_BUDGETS.items())
    yield f"record sets, per zone and minute: {sets}", *dns, switch, f"{source}; external-dns#4839"
    others = _listed(dns_budgets.OTHER_BUDGETS.items())
    scopes = "zones per subscription (get: per zone; list by group: per group), links per zone; per minute"
    yield f"{scopes}: {others}", *dns, switch, source
    requests = _listed(dns_budgets.REQUESTS.items())
    yield (
        f"private DNS requests, per subscription, type and {dns_budgets.FIVE_MINUTES:.0f} s: {requests}",
        "fixed windows",
        "429 of Resource Manager, `ResourceRequestsThrottled`, `Retry-After` to the end of the window",
        "`private_dns.budgets.requests_enforced`",
        "recorded countdown; request-limits-and-throttling.md; terraform-provider-azurerm#14213",
    )
    buckets = ", ".join(f"{kind} {size} and {rate:g} per s" for kind, (size, rate) in arm_limits.BUCKETS.items())
    yield (
        f"Resource Manager, per subscription and principal: {buckets}; all principals: {arm_limits.GLOBAL} times that",
        "token buckets",
        "429 of Resource Manager, `SubscriptionRequestsThrottled`, `Retry-After`",
        "`arm_limits.enforce`",
        "request-limits-and-throttling.md",
    )
    yield (
        "compute: the buckets of the second table",
        "token buckets",
        "429, `OperationNotAllowed`",
        "`compute.limits.enforce`",
        "compute-throttling-limits.md",
    )
    network = _listed(network_limits.REQUESTS.items())
    yield (
        f"network, per subscription and {network_limits.FIVE_MINUTES:.0f} s: {network} (deletes included)",
        "fixed windows (assumed)",
        "429, `TooManyRequests` (assumed)",
        "`network.limits.enforce`",
        "request-limits-and-throttling.md",
    )
    windows = ", ".join(f"{count} in {seconds:.0f} s" for count, seconds in container_limits.WINDOWS.values())
    yield (
        f"container groups, per subscription, creations and deletions each: {windows}",
        "fixed windows (assumed)",
        "429, `TooManyRequests` (assumed)",
        "`container_groups.limits.enforce`",
        "recorded countdown, 2026",
    )
