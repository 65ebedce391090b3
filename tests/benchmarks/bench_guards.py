"""The guards of each phase: the arithmetic of `04_alarms` beside simulated days (`make bench` runs it).

Days of Poisson failures, counted minute by minute; each minute the alarm looks at the sliding window that ends
there, as CloudWatch does. With `--write` the table goes into `docs/verdicts.md`, section "Guards".
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runbook_lib.judge.planning.alarm_math import EVALUATION_S
from runbook_lib.judge.planning.guard_math import Demands
from runbook_lib.params.load import load_file
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.steps.alarm_odds import AlarmOdds, Submissions

ROOT = Path(__file__).parents[2]
MINUTES = 1440


class Simulated(NamedTuple):
    """As `guard_math.Figures`."""

    at_target: float
    at_limit: float
    minutes: float
    within: float


def simulated(
    least: int, minutes: int, per_s: Sequence[float], demands: Demands, *, days: int, seed: int = 0
) -> Simulated:
    """The figures of `least` failures in `minutes`, over this many simulated days each."""
    rng = np.random.default_rng(seed)
    a_minute = np.repeat(np.broadcast_to(np.asarray(per_s, dtype=float), 24), 60) * 60

    def fires(share: float) -> float:
        # The window reaches back into the day before.
        rate = np.concatenate([a_minute[-minutes:], a_minute]) * share
        return float(np.mean(_first(rng.poisson(rate, (days, len(rate))), least, minutes)[:, minutes:].any(axis=1)))

    first, last = demands.daytime
    begins = rng.uniform(first * 60, last * 60, days).astype(int)
    at = (begins[:, None] + np.arange(MINUTES)) % MINUTES
    seen = _first(rng.poisson(a_minute[at] * demands.bad), least, minutes)
    late = (demands.delay_s + EVALUATION_S) / 60
    took = np.where(seen.any(axis=1), seen.argmax(axis=1) + 0.5, MINUTES) + late
    return Simulated(
        fires(demands.target), fires(demands.limit), float(took.mean()), float(np.mean(took <= demands.within_min))
    )


def _first(counts: NDArray[np.int64], least: int, minutes: int) -> NDArray[np.bool_]:
    """For each day and minute: whether the window that ends there holds `least` failures."""
    total = np.cumsum(counts, axis=1)
    before = np.zeros_like(total)
    before[:, minutes:] = total[:, :-minutes]
    return np.asarray(total - before >= least)


def table(days: int, requests: float) -> tuple[str, list[str]]:
    """The table in markdown, and what of the demands does not hold."""
    params = load_file(ROOT / "params" / "prod.yaml")
    profile = np.array(Scenario.model_fields["profile"].default)
    odds = AlarmOdds.of(params, Submissions(tuple(profile / profile.sum() * requests / 3600), None, known=True))
    alarm = odds.counting()[0]
    rows = [
        "| phase | count | at the target: days | simulated | at the limit: days | simulated | 80 %: noticed after | "
        "simulated | in time | simulated |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    wrong = []
    for (id, phase), found in odds.of_phases().items():
        if id != alarm.id:
            continue
        count = alarm.phases[phase]
        share = [one * params.policy.phases[phase].percent / 100 for one in odds.seen.per_s]
        seen = simulated(int(count.threshold), count.period_s // 60, share, found.demands, days=days)
        rows.append(
            f"| {phase} | {count.words} | {found.at_target:.2%} | {seen.at_target:.2%} | {found.at_limit:.1%} | "
            f"{seen.at_limit:.1%} | {found.minutes:.0f} min | {seen.minutes:.0f} min | {found.within:.0%} | "
            f"{seen.within:.0%} |"
        )
        wrong += [f"{phase}: {one}" for one in found.gives]
    return "\n".join(rows), wrong


def main() -> int:
    """Prints the table; 1 where a declared count does not hold its demands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=20_000)
    parser.add_argument("--requests", type=float, default=3000)
    parser.add_argument("--write", action="store_true", help="into docs/verdicts.md")
    given = parser.parse_args()
    text, wrong = table(given.days, given.requests)
    print(text)
    for one in wrong:
        print("does not hold:", one)
    if given.write:
        page = ROOT / "docs" / "verdicts.md"
        marks = r"(<!-- guards -->\n).*?(<!-- /guards -->)"
        page.write_text(
            re.sub(marks, lambda m: f"{m[1]}{text}\n{m[2]}", page.read_text("utf-8"), flags=re.DOTALL), encoding="utf-8"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
