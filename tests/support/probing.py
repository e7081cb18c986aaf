"""A vantage in virtual time: rounds of results, judged one after the other."""

from dataclasses import dataclass, field, replace

from shared.config.settings import Probing, Settings
from shared.decide.probes.changes import changed_names
from shared.decide.probes.evidence import fold
from shared.decide.probes.judgement import judge
from shared.domain.probes import Probe, ProbeResult, ProbeWord, Target, VantageRow
from shared.domain.zones import Policy
from tests.support.values import MS, WEST, parsed, vm_id

PROBE = Probe("http", 8000, "/health")
OK = ProbeResult(ProbeWord.OK, 200)
DEAD = ProbeResult(ProbeWord.CONNECT_TIMEOUT)
REFUSED = ProbeResult(ProbeWord.REFUSED)
LOCAL = ProbeResult(ProbeWord.LOCAL_FAULT)
INTERVAL = 15.0


def ip_of(word):
    """The address that a test calls `w1`."""
    return f"10.{ord(word[0])}.0.{word[1:]}"


def word_of(ip):
    return chr(int(ip.split(".")[1])) + ip.split(".")[3]


def target(word, region=WEST, *names, place=None, probe=PROBE, endpoint=None):
    asked = frozenset(names or ("llama",))
    return Target(endpoint or vm_id(word).lower(), ip_of(word), region, place or region, probe, asked, asked)


def probed(policies=None, probing=None, **changed) -> Settings:
    plain = parsed(**changed)
    return replace(
        plain,
        probes={"*": PROBE},
        policies={name: Policy(**fields) for name, fields in (policies or {}).items()},
        probing=probing or Probing(enforce=True, vantage=WEST),
    )


def published(region):
    return 0.0 if region == WEST else MS.get((WEST, region))


@dataclass
class Vantage:
    """`results`: by address what its probes find from now on; OK for an address that is not named."""

    targets: list
    settings: Settings = field(default_factory=probed)
    now: float = 1_000_000.0
    row: VantageRow = field(default_factory=lambda: VantageRow(WEST))
    evidence: dict = field(default_factory=dict)
    changed: dict = field(default_factory=dict)

    def round(self, wait=INTERVAL, **results):
        """One round after `wait` seconds. Addresses are the words of `ip_of`."""
        self.now += wait
        found = {t.key: results.get(word_of(t.ip), OK) for t in self.targets}
        found = {key: each for key, each in found.items() if each is not None}
        folded = fold(self.evidence, self.targets, found, self.now, self.settings.probing)
        judged = judge(folded, self.targets, self.row, self.now, self.settings, published)
        self.changed = changed_names(self.row, judged.row, self.targets, self.settings, published)
        self.evidence, self.row = dict(judged.evidence), judged.row
        return self

    def rounds(self, count, wait=INTERVAL, **results):
        for _ in range(count):
            self.round(wait, **results)
        return self

    def said(self, word):
        """The kind of the verdict against an address, and whether it holds everywhere; None for no verdict."""
        found = [v for v in self.row.verdicts if v.ip == ip_of(word)]
        return (found[0].kind.value, found[0].everywhere) if found else None

    @property
    def down(self):
        return {word_of(v.ip) for v in self.row.verdicts if v.kind.value == "down"}
