"""How close the simulator is to the recordings: `make fidelity [ARGS=--write]`.

Prints the tables of simulator/README.md: how many calls of each corpus and type were recorded and compared, which are
skipped or differ and why, which fields are not compared, what was different in former years, and how long operations
took; then every difference that is not known. `--write [PAGE]` also writes all generated parts of the page. Exit code
1: there is such a difference, or there are no recordings.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import skips
from comparison import BEYOND, VARY
from durations import OUTSIDE, ranges
from eras import ABSENT, ERAS
from readme import README, limits, replaced
from recordings import AT_HAND, CORPORA, LABELS, MISSING, POLLS, recordings
from replay import Outcome, Replay


def replay_all() -> list[Outcome]:
    """What became of every interaction of every recording."""
    return [outcome for recording in recordings() for outcome in Replay(recording).outcomes()]


def supported(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The outcomes on types that the simulator supports."""
    return [each for each in outcomes if each.label is not None]


def share(outcomes: Iterable[Outcome]) -> float:
    """How much of what was recorded on supported types is compared, from 0 to 1."""
    found = supported(outcomes)
    return sum(each.reason is None for each in found) / len(found)


def equal(outcomes: Iterable[Outcome]) -> float:
    """How much of what is compared is equal, from 0 to 1."""
    compared = [each for each in supported(outcomes) if each.reason is None]
    return sum(not each.differences for each in compared) / len(compared)


def corpora(outcomes: list[Outcome]) -> Iterator[str]:
    """A line for each corpus."""
    yield "| recordings of | recorded | compared | equal | share compared | share equal |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for corpus in CORPORA:
        found = [each for each in supported(outcomes) if each.corpus == corpus]
        compared = [each for each in found if each.reason is None]
        counts = f"{len(found)} | {len(compared)} | {sum(not each.differences for each in compared)}"
        yield f"| {corpus} | {counts} | {share(found):.1%} | {equal(found):.1%} |"


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """A line for each type."""
    found = supported(outcomes)
    yield "| calls on | recorded | compared | skipped | different |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for label in [*dict.fromkeys(filter(None, LABELS.values())), POLLS]:
        yield _line(label, [each for each in found if each.label == label])
    yield _line("all", found)


def _line(label: str, outcomes: list[Outcome]) -> str:
    compared = sum(each.reason is None for each in outcomes)
    different = sum(bool(each.differences) for each in outcomes)
    return f"| {label} | {len(outcomes)} | {compared} | {len(outcomes) - compared} | {different} |"


def reasons(outcomes: list[Outcome]) -> Iterator[str]:
    """A line for each reason for which calls on supported types are skipped."""
    skipped = [each for each in supported(outcomes) if each.reason is not None]
    yield "| skipped because | calls | on |"
    yield "| --- | ---: | --- |"
    for reason, count in Counter(each.reason for each in skipped).most_common():
        labels = dict.fromkeys(each.label for each in skipped if each.reason == reason)
        yield f"| {reason} | {count} | {', '.join(filter(None, labels))} |"


def known(outcomes: list[Outcome]) -> Iterator[str]:
    """A line for each reason for which calls are known to differ."""
    numbers = {(each.recording, each.number) for each in outcomes}
    found = Counter(reason for number, reason in skips.DIFFERENT.items() if number in numbers)
    yield "| known to differ because | calls |"
    yield "| --- | ---: |"
    yield from (f"| {reason} | {count} |" for reason, count in found.most_common())


def eras() -> Iterator[str]:
    """A line for each thing that Azure did differently before a date."""
    yield "| before | answers on | had | because |"
    yield "| --- | --- | --- | --- |"
    for each in ERAS:
        names = ", ".join(f"`{field}`" if field else "body" for field in each.fields)
        value = "absent" if each.was is ABSENT else f"`{each.was}`"
        yield f"| {each.before:%Y-%m-%d} | {', '.join(each.labels)} | {names}: {value} | {each.reason} |"


def durations(outcomes: list[Outcome]) -> Iterator[str]:
    """A line for each kind of operation."""
    yield "| operations | recorded | ended after (s) | in the simulator |"
    yield "| --- | ---: | --- | --- |"
    for each in ranges(outcome.span for outcome in outcomes if outcome.span):
        ours = OUTSIDE.get(each.kind, "outside") if each.outside else "within"
        yield f"| {each.kind} | {each.count} | {each.least:.3g} to {each.most:.3g} | {ours} |"


def fields() -> Iterator[str]:
    """A line for each reason for which fields are not compared."""
    yield "| field not compared because | fields |"
    yield "| --- | --- |"
    for reason, patterns in BEYOND.items():
        yield f"| {reason} | {', '.join(f'`{each}`' for each in patterns)} |"
    for (label, method, header), reason in VARY.items():
        yield f"| {reason} | presence of `{header}` in answers to {method} of {label} |"


def differences(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """A line for each thing that differs and is not known to."""
    for each in outcomes:
        unknown = (what for what in each.differences if not skips.known(each.recording, each.number, what))
        for what in unknown:
            yield f"{each.recording} #{each.number}, {each.interaction.method} {each.interaction.path}: {what:.300}"


def tables(outcomes: list[Outcome]) -> list[str]:
    """All tables, and the share of calls that is compared."""
    others = len(outcomes) - len(supported(outcomes))
    steps = sum(each.steps for each in outcomes)
    summary = (
        f"{share(outcomes):.1%} of the calls on supported types are compared. {others} calls are on other types. "
        f"{steps} steps of countdown headers are compared."
    )
    return [
        *corpora(outcomes),
        "",
        *table(outcomes),
        "",
        summary,
        *_blocks(reasons(outcomes), known(outcomes), fields(), eras(), durations(outcomes)),
    ]


def _blocks(*parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        yield ""
        yield from part


def main() -> int:
    """Print everything; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", nargs="?", type=Path, const=README, metavar="PAGE", help="write the page's tables")
    page: Path | None = parser.parse_args().write
    if not AT_HAND:
        sys.stderr.write(f"{MISSING}\n")
        return 1
    outcomes = replay_all()
    differing = list(differences(outcomes))
    sys.stdout.write("\n".join([*tables(outcomes), "", *differing, f"{len(differing)} differences."]) + "\n")
    if page is not None:
        text = replaced(page.read_text(encoding="utf-8"), "recordings", tables(outcomes))
        page.write_text(replaced(text, "limits", limits()), encoding="utf-8")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
