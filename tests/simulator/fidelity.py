"""Replays all recordings and prints the table."""

import sys
from collections import Counter
from pathlib import Path


from recordings import LABELS, POLLS, recordings
from replay import Outcome, Replay


def replay_all():
    return [outcome for name, interactions in recordings() for outcome in Replay(name, interactions).outcomes()]


def table(outcomes):
    total, compared, different = Counter(), Counter(), Counter()
    for o in outcomes:
        total[o.label] += 1
        compared[o.label] += o.reason is None
        different[o.label] += bool(o.differences)
    for name in [*dict.fromkeys(LABELS.values()), POLLS, None]:
        yield f"| {name} | {total[name]} | {compared[name]} | {different[name]} |"
    s = sum(total[n] for n in total if n)
    yield f"all {s} {sum(compared.values())} {sum(different.values())}"
    for (l, r), n in Counter((o.label, o.reason) for o in outcomes if o.reason).most_common():
        yield f"skip {n} {l} {r}"
    for o in outcomes:
        for d in o.differences:
            yield f"DIFFERENT {o.label} {o.interaction.method} {d[:300]} @ {o.recording}#{o.number} {o.interaction.path[-60:]}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(table(replay_all())) + "\n")
