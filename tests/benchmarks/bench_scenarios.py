"""Bench: every scenario, many seeds, world and judge in one process; and one seed each through the notebooks.

    bench_scenarios.py [--seeds 20] [--only NAME ...] [--notebooks] [--write]

`--write` keeps what is measured in `docs/scenarios.json`, play by play and beside what others write at the same time,
and makes `docs/scenarios.md` of it. Through the notebooks a play begins at the phase in which its fault does.
`--seeds 0 --write` makes the page again from what is kept. Ends with 1 if anything did not end as declared.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from runbook_lib.rehearse.play.played import Ended, expected_words, found_words
from runbook_lib.rehearse.play.stage import params_of
from runbook_lib.rehearse.quick.player import InProcess
from runbook_lib.rehearse.world.scenario import Scenario, load, played
from tests.benchmarks.kept import keep
from tests.benchmarks.scenarios_page import page

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEPT, PAGE = DOCS / "scenarios.json", DOCS / "scenarios.md"
SEED = 7


def one(name: str, seed: int) -> tuple[Ended, float]:
    """One play in this process, and its seconds."""
    begun = time.monotonic()
    return InProcess(params_of("prod", "bench"), load(name), seed).play(), time.monotonic() - begun


def main() -> int:
    """Plays, prints, keeps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--notebooks", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    every = played()
    known = [scenario.name for scenario in every]
    chosen = [scenario for scenario in every if not given.only or scenario.name in given.only]
    wrong = 0
    with ProcessPoolExecutor(2) as pool:
        jobs = [
            (scenario, seed, pool.submit(one, scenario.name, seed))
            for scenario in chosen
            if not scenario.notebooks_only
            for seed in range(1, given.seeds + 1)
        ]
        for scenario, _seed, job in jobs:
            end, seconds = job.result()
            wrong += _said(scenario, end, seconds)
            if given.write:
                keep(KEPT, "in_process", [end], known)
    if given.notebooks:
        from runbook_lib.rehearse.play.play import play

        for scenario in chosen:
            begun = time.monotonic()
            end = play(scenario.name, seed=SEED, start_phase=scenario.first_phase, quiet=True).ended
            assert end is not None
            wrong += _said(scenario, end, time.monotonic() - begun)
            if given.write:
                keep(KEPT, "notebooks", [end], known)
    if given.write:
        keep(
            KEPT,
            "in_process",
            [],
            known,
            then=lambda kept: PAGE.write_text(page(every, kept.in_process, kept.through)),
        )
    return int(wrong > 0)


def _said(scenario: Scenario, end: Ended, seconds: float) -> bool:
    """Prints one play; whether it did not end as declared."""
    assert scenario.expected is not None
    found = end.wrong(scenario)
    minutes = "" if end.detect_s is None else f"{end.detect_s / 60:6.0f} min"
    mark = "✘ " + "; ".join(found) if found else "✔"
    print(
        f"{end.scenario:23} seed {end.seed:2} {found_words(end):17} {end.by:9} {minutes:10} "
        f"({expected_words(scenario.expected)}) {seconds:5.1f} s {mark}",
        flush=True,
    )
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
