"""Bench: every scenario, many seeds, world and judge in one process; and one seed each through the notebooks.

    bench_scenarios.py [--seeds 20] [--only NAME ...] [--notebooks] [--write]

What is measured is kept in `docs/scenarios.json`, scenario by scenario; `--write` makes `docs/scenarios.md` of it.
`--seeds 0 --write` makes the page again from what is kept. Ends with 1 if anything did not end as declared.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runbook_lib.rehearse.in_process import InProcess
from runbook_lib.rehearse.matrix import expected_words, found_words, matrix
from runbook_lib.rehearse.played import Ended
from runbook_lib.rehearse.scenario import load, played
from runbook_lib.rehearse.stage import params_of

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
    chosen = [scenario for scenario in every if not given.only or scenario.name in given.only]
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.is_file() else {"in_process": [], "notebooks": []}
    wrong = 0
    with ProcessPoolExecutor(2) as pool:
        jobs = [(s, seed, pool.submit(one, s.name, seed)) for s in chosen for seed in range(1, given.seeds + 1)]
        for scenario, seed, job in jobs:
            end, seconds = job.result()
            wrong += bool(found := end.wrong(scenario))
            assert scenario.expected is not None
            minutes = "" if end.detect_s is None else f"{end.detect_s / 60:6.0f} min"
            mark = "✘ " + "; ".join(found) if found else "✔"
            print(
                f"{scenario.name:20} seed {seed:2} {found_words(end):17} {end.by:9} {minutes:10} "
                f"({expected_words(scenario.expected)}) {seconds:5.1f} s {mark}",
                flush=True,
            )
            _keep(kept["in_process"], end)
            if given.write:
                KEPT.write_text(_text(kept))
    if given.notebooks:
        from runbook_lib.rehearse.play import play

        for scenario in chosen:
            first = min((fault.after or "06" for fault in scenario.faults), default="06")
            end = play(scenario.name, seed=SEED, start_phase=first, quiet=True).ended
            if end is not None:
                wrong += bool(end.wrong(scenario))
                kept["notebooks"] = [old for old in kept["notebooks"] if old["scenario"] != end.scenario]
                _keep(kept["notebooks"], end)
                KEPT.write_text(_text(kept))
    if given.write:
        KEPT.write_text(_text(kept))
        ended = [Ended(**raw) for raw in kept["in_process"]]
        PAGE.write_text(matrix(every, ended, {raw["scenario"]: Ended(**raw) for raw in kept["notebooks"]}))
    return int(wrong > 0)


def _keep(where: list[dict[str, Any]], end: Ended) -> None:
    where[:] = [old for old in where if (old["scenario"], old["seed"]) != (end.scenario, end.seed)] + [asdict(end)]


def _text(kept: dict[str, Any]) -> str:
    """One line for each play, so that a difference can be read."""
    parts = [
        f' "{part}": [\n'
        + ",\n".join(f"  {json.dumps(one)}" for one in sorted(rows, key=lambda r: (r["scenario"], r["seed"])))
        + "\n ]"
        for part, rows in kept.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
