"""`make fuzz-judge`: worlds drawn at random against the judge; exit 1 unless every rule is shown to hold."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from runbook_lib.params.load import Params, load_file
from tests.benchmarks import fuzz, shrink
from tests.benchmarks.draw import play
from tests.benchmarks.fuzz import Played
from tests.benchmarks.fuzz_report import page
from tests.benchmarks.fuzz_rules import RULES, about, count, table
from tests.benchmarks.many import played

ROOT = Path(__file__).resolve().parents[2]


def one(seed: int, params: Params) -> Played:
    return fuzz.run(play(seed), params)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plays", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1, help="of the first play; the others follow")
    parser.add_argument("--write", action="store_true", help="write docs/fuzz.md")
    parser.add_argument("--out", type=Path, help="folder for the smallest worlds that break a rule")
    parser.add_argument("--kept", type=Path, help="file to go on from, of a run by the same code that was stopped")
    parser.add_argument("--told", default="", help="sentence for the page on how the kept plays came about")
    parser.add_argument("--most", type=int, default=3, help="breaking plays of each rule to make smaller")
    asked = parser.parse_args()
    params = load_file(ROOT / "params" / "prod.yaml", {})
    seeds = range(asked.seed, asked.seed + asked.plays)
    found = played(partial(one, params=params), seeds, at_once=8, told_each=250, kept=asked.kept)
    text = page(found, asked.seed, asked.told)
    print(text)
    if asked.write:
        (ROOT / "docs" / "fuzz.md").write_text(text, encoding="utf-8")
    for rule in RULES if asked.out else ():
        for broken in [one for one in found if about(rule.id, one)][: asked.most]:
            path = shrink.write(shrink.shrink(broken.play, rule.id, params), rule.id, asked.out)
            print(f"{rule.id}, seed {broken.play.seed}: {path}\n  {broken.reason}", file=sys.stderr)
    whole = [count(rule, found) for rule in RULES]
    return 0 if all(row.shown for row in whole) and all(row.holds for row in table(found)) else 1


if __name__ == "__main__":
    sys.exit(main())
