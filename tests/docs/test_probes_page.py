"""docs/probes.md says of every kind what the app asks for, and its examples and figures are the app's."""

import re
from pathlib import Path

from shared.config import parser as settings_parser
from shared.config.probe_kinds import KINDS
from shared.config.settings import Probing
from shared.domain.probes import SAMPLES
from tests.support.values import REGIONS, parsed, values

ROOT = next(each for each in Path(__file__).parents if (each / "pyproject.toml").exists())
TEXT = (ROOT / "docs" / "probes.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r" {4}(NEARZONE_\w+)=(.+)")
MOST_WORDS = 1_500


def table(heading):
    """The rows of the first table below a heading, without its head."""
    lines = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [line for line in lines if line.startswith("| ")][2:]


def request(kind):
    """What a probe of a kind asks for, and the statuses that it accepts if these are not 2xx alone."""
    if not kind.path:
        return "TLS handshake" if kind.tls else "TCP connection"
    codes = " or ".join("2xx" if each == (200, 299) else str(each[0]) for each in kind.expect)
    return f"`GET {kind.path}`{' over TLS' if kind.tls else ''}{'' if codes == '2xx' else f': {codes}'}"


def row(name, kind):
    """A kind's row as the page must have it."""
    cells = (f"`{name}`", str(kind.port or "required"), request(kind), kind.says, kind.does_not_say, kind.notes)
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def test_the_table_of_kinds_is_the_one_that_the_parser_uses():
    assert table("Which kind for which server") == [row(name, kind) for name, kind in KINDS.items()]


def test_the_examples_are_accepted_and_name_three_servers():
    examples = [found.groups() for line in TEXT.splitlines() if (found := EXAMPLE.fullmatch(line))]
    read = [settings_parser.parse(values() | {name: value}, REGIONS) for name, value in examples]
    assert [[probe.kind for probe in each.probes.values()] for each in read] == [["vllm", "sglang", "tei"], ["vllm"]]


def test_the_rules_have_the_figures_of_the_settings():
    rules = {cells[1].strip(): cells[2] for line in table("The rules in short") if (cells := line.split("|"))}
    first, most = Probing().hold
    assert f"{first:.0f} s times the withdrawals of the last hour" in rules["down"]
    assert f"at most {most:.0f} s" in rules["down"]
    assert f"last {SAMPLES} round-trip times" in rules["distance"]
    for field in ("down_after", "up_after"):
        assert f"`{field}`" in rules["down"]
    assert "`stale_after`" in rules["end"]
    assert f"every\n{parsed().probe_schedule.split()[0].removeprefix('*/')} s" in TEXT


def test_the_page_is_short():
    assert len([word for word in TEXT.split() if word.strip("|-")]) <= MOST_WORDS
