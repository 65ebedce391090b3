"""`make bench-healthy`: soaks of a service that is well; exit 1 unless none is taken back and 95 % promote in 36 h."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from runbook_lib.params.load import Params, load_file
from runbook_lib.rehearse.world.scenario import Scenario
from tests.benchmarks import fuzz
from tests.benchmarks.draw import play
from tests.benchmarks.fuzz import Played
from tests.benchmarks.many import played

ROOT = Path(__file__).resolve().parents[2]
PHASES = ("06", "07", "08")
WITHIN_H = 36.0
SETTLING_H = 0.5
"""The last look comes when its hours have settled."""
LEAST = 0.95
PROFILE = Scenario(name="well", title="a day").profile


def one(seed: int, params: Params, per_day: float) -> Played:
    """A soak of the phase that the seed says, without faults, looked at once an hour."""
    well = {
        "seed": seed,
        "where": PHASES[seed % 3],
        "requests_per_day": per_day,
        "quick": 0.04,
        "caller": 0.0,
        "access_log": False,
        "late_h": 0.0,
        "watch_min": 60.0,
        "profile": PROFILE,
        "bursts": (),
        "faults": (),
    }
    return fuzz.run(play(seed).model_copy(update=well), params)


def page(found: list[Played], per_day: float) -> str:
    """What was found, as markdown."""
    rows = ["| phase | plays | promoted | within 36 h | held | taken back | longest |", "|---|---|---|---|---|---|---|"]
    for phase in (*PHASES, "all"):
        mine = [one for one in found if phase in ("all", one.play.where)]
        by, soon = Counter(one.decision for one in mine), sum(map(_soon, mine))
        longest = max((one.hours for one in mine), default=0.0)
        rows.append(
            f"| {phase} | {len(mine)} | {by['PROMOTE']} | {soon / max(1, len(mine)):.1%} | {by['HOLD']} | "
            f"{by['ROLLBACK']} | {longest:.1f} h |"
        )
    told = [f"- Seed {one.play.seed}: {one.reason}" for one in found if one.decision != "PROMOTE"]
    return "\n".join(
        [
            "# A service that is well",
            "",
            f"Made by `make bench-healthy`; do not edit. Soaks at {per_day:,.0f} requests a day of a service that",
            "fails 2 jobs in 1,000, one phase each, looked at once an hour. None may be taken back, and 95 % must",
            "promote within 36 hours.",
            "",
            *rows,
            *(["", *told] if told else []),
            "",
        ]
    )


def _soon(one: Played) -> bool:
    return one.decision == "PROMOTE" and one.hours <= WITHIN_H + SETTLING_H


def main() -> int:
    """Plays, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plays", type=int, default=300)
    parser.add_argument("--per-day", type=float, default=3000.0)
    parser.add_argument("--write", action="store_true", help="write docs/healthy.md")
    asked = parser.parse_args()
    params = load_file(ROOT / "params" / "prod.yaml", {})
    work = partial(one, params=params, per_day=asked.per_day)
    found = played(work, range(1, asked.plays + 1), at_once=4, told_each=100)
    text = page(found, asked.per_day)
    print(text)
    if asked.write:
        (ROOT / "docs" / "healthy.md").write_text(text, encoding="utf-8")
    back = sum(one.decision == "ROLLBACK" for one in found)
    return 0 if not back and sum(map(_soon, found)) >= LEAST * len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
