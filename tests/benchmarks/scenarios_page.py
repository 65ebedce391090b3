"""docs/scenarios.md: each scenario, its expected end, and its real end: where, by whom and how soon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from textwrap import fill

from runbook_lib.rehearse.play.played import Ended, expected_words, found_words
from runbook_lib.rehearse.world.scenario import Scenario
from tests.benchmarks.knob_page import section

HEAD = """# Scenarios

What can go wrong in the simulated world, how each should end, and how it did. This page is generated from what was
measured (`docs/scenarios.json`) by `make bench-scenarios`; with `NOTEBOOKS=1` the notebooks are measured, too, and with
`SEEDS=0` the page alone is made again. To see one: `runbook rehearse --scenario NAME`; `--list` explains them.
"""
FULL = "08"
"""The phase with all of the traffic."""
HOW = """
**How it is measured.** World and judge run in one process, for {seeds} seeds each ({plays} plays). The world, the
questions to AWS, the evidence, the moment, the gates and the decision are those of the notebooks. Stood in for, by code
of the rehearsal: CloudWatch and the jobs table (a test compares their answers with those of the embedded AWS),
AppConfig's bake and its own rollback, the guard alarms (by the evaluator that the embedded AWS uses, every five
minutes), SQS's and Lambda's live figures. Of the migration and of the rollback notebooks only the effect is made: the
48 hours after the one are judged like every soak, and the curve is seen to turn after the other. Left out: everything
before phase 1 (and phases before the fault), and the first week{apart}. Somebody looks every hour (*watch*; every 5
minutes where the queue is the matter, never in {unwatched}), and at the hours that the phase declares (*look*).

*As declared*: decision, phase and rollback scenario are among those that the scenario names, and where it says what
turns the curve after a ROLLBACK, it turned. *Caught by*: who was first. *Time to detect*: virtual minutes from the
first moment at which the fault could be felt under a weight to the decision, or to AppConfig's own rollback. At a
weight of 10 % some 20 requests an hour go to async by day, and three at night.
"""


def page(scenarios: Sequence[Scenario], ended: Iterable[Ended], played: Mapping[str, Ended]) -> str:
    """The page.

    Args:
        ended: plays in one process, any number of seeds for each scenario.
        played: plays through the notebooks, by scenario; some scenarios may be missing.
    """
    every = list(ended)
    by_name = {one.name: [end for end in every if end.scenario == one.name] for one in scenarios}
    seeds = max((len({end.seed for end in found}) for found in by_name.values()), default=0)
    apart = _named(one for one in scenarios if one.notebooks_only)
    how = HOW.format(
        seeds=seeds,
        plays=len(every),
        apart=apart and f", so {apart} is played through the notebooks only",
        unwatched=_named(one for one in scenarios if not one.watch_min) or "none",
    )
    lines = [HEAD, _total(scenarios, by_name), "", *(f"{fill(part, 120)}\n" for part in how.strip().split("\n\n"))]
    lines += [
        "| scenario | expected | as declared | found | caught in | caught by | minutes to detect: median, worst |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_row(one, by_name[one.name]) for one in scenarios]
    lines += ["", "## What happens in each", ""]
    lines += [f"- `{one.name}`: {one.explanation or one.title}" for one in scenarios]
    lines += ["", "## Through the notebooks", "", _notebooks(scenarios, played), "", section()]
    return "\n".join(lines)


def _named(scenarios: Iterable[Scenario]) -> str:
    return " and ".join(f"`{one.name}`" for one in scenarios)


def _total(scenarios: Sequence[Scenario], by_name: Mapping[str, Sequence[Ended]]) -> str:
    plays = sum(map(len, by_name.values()))
    odd = [(one, end, end.wrong(one)) for one in scenarios for end in by_name[one.name]]
    wrong = [(one, end, why) for one, end, why in odd if why]
    faulty = [end for one, end, _ in odd if one.expected is not None and one.expected.phases]
    through = sum(end.decision == "PROMOTE" for end in faulty)
    early = [end for one, end, _ in odd if one.expected is not None and one.expected.phases and one.first_phase < FULL]
    reached = sum(end.decision == "PROMOTE" or end.phase >= FULL for end in early)
    good = [end for one, end, _ in odd if one.expected is not None and not one.expected.phases]
    false = [end for end in good if end.decision == "ROLLBACK"]
    by_aws = sum(end.by == "AppConfig" for end in false)
    said = [
        f"**{plays - len(wrong)} of {plays} plays ended as declared.** Of {len(faulty)} faulty ones {through} were "
        f"promoted; of the {len(early)} whose fault begins before 100 % of the traffic, {reached} reached it. Of "
        f"{len(good)} well ones, {len(false)} were taken back ({by_aws} of them by AppConfig's guards)."
    ]
    if wrong:
        said += ["", "Not as declared:", ""]
        said += [f"- `{one.name}`, seed {end.seed}: {'; '.join(why)} ({end.reason})" for one, end, why in wrong]
    return "\n".join(said)


def _row(one: Scenario, found: Sequence[Ended]) -> str:
    wanted = expected_words(one.expected) if one.expected else ""
    if not found:
        why = "through the notebooks only, see below" if one.notebooks_only else "not measured"
        return f"| `{one.name}` | {wanted} | {why} | | | | |"
    well = sum(not end.wrong(one) for end in found)
    cells = [
        f"`{one.name}`",
        wanted,
        f"{well} of {len(found)}",
        _counted(found_words(end).split(" in ")[0] for end in found),
        _counted(end.phase for end in found if end.phase),
        _counted(end.by for end in found if end.by),
        _minutes(found),
    ]
    return f"| {' | '.join(cells)} |"


def _counted(words: Iterable[str]) -> str:
    """`ROLLBACK 1` if all agree, else `HOLD 12, ROLLBACK 1 8`."""
    counts = Counter(words).most_common()
    return counts[0][0] if len(counts) == 1 else ", ".join(f"{word} ({count})" for word, count in counts)


def _minutes(found: Sequence[Ended]) -> str:
    times = [end.detect_s / 60 for end in found if end.detect_s is not None]
    if len(times) == 1:
        return f"{times[0]:.0f}"
    return f"{median(times):.0f}, {max(times):.0f}" if times else ""


def _notebooks(scenarios: Sequence[Scenario], played: Mapping[str, Ended]) -> str:
    if not played:
        return "Not measured."
    rows = [
        "One seed each, by `runbook rehearse --scenario NAME --start-phase 06` (or the fault's own phase), looks "
        "some hours apart (`looks_h`), and the rollback's own notebook after a ROLLBACK.",
        "",
        "| scenario | expected | found | by | minutes to detect | the curve turned | as declared |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in scenarios:
        if (end := played.get(one.name)) is not None and one.expected is not None:
            turned = "" if end.recovered is None else "yes" if end.recovered else "no"
            wrong = "; ".join(end.wrong(one)) or "yes"
            cells = [expected_words(one.expected), found_words(end), end.by, _minutes([end]), turned, wrong]
            rows.append(f"| `{one.name}` | {' | '.join(cells)} |")
    missing = [f"`{one.name}`" for one in scenarios if one.name not in played]
    return "\n".join(rows) + (f"\n\nNot played through the notebooks: {', '.join(missing)}." if missing else "")
