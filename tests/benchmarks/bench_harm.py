"""`make bench-harm`: the harm forecast against the world; exit 1 where fewer plays are within it than was said."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from runbook_lib.params.load import load_file
from tests.benchmarks.harm_truth import page, run
from tests.benchmarks.many import played

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plays", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of the first play; the others follow")
    parser.add_argument("--per-day", type=float, help="requests a day of every play; without it they are drawn")
    parser.add_argument("--write", action="store_true", help="write docs/harm.md")
    asked = parser.parse_args()
    params = load_file(ROOT / "params" / "prod.yaml", {})
    confidence = params.policy.harm.confidence
    seeds = range(asked.seed, asked.seed + asked.plays)
    found = played(partial(run, params=params, per_day=asked.per_day), seeds, at_once=4, told_each=100)
    text = page(found, asked.seed, confidence)
    print(text)
    if asked.write and asked.per_day is None:
        (ROOT / "docs" / "harm.md").write_text(text, encoding="utf-8")
    return 0 if sum(one.within for one in found) >= confidence * len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
