"""Cases of drawn worlds with the outcomes that the judge gave them, kept to the last digit and letter.

`python -m tests.golden_cases` plays the fuzzer's worlds again and keeps each case whose gates ended in a way that none
before it had. A change of the judge that changes one of them is to be seen in the difference, and in the changelog.
"""

from __future__ import annotations

import functools
import json
import lzma
import sys
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.judge.case import Case
from runbook_lib.judge.model import Outcome
from runbook_lib.params.load import load_file
from runbook_lib.rehearse.quick import player
from tests.benchmarks import fuzz
from tests.benchmarks.draw import play

FILE = Path(__file__).parent / "fixtures" / "cases.json.xz"
PARAMS = Path(__file__).parents[1] / "params" / "prod.yaml"
SEEDS = range(1, 301)


@functools.cache
def rows() -> list[dict[str, Any]]:
    """Each with `seed`, `case` and `outcome`."""
    found: list[dict[str, Any]] = json.loads(lzma.decompress(FILE.read_bytes()))
    return found


def written(outcome: Outcome) -> Any:
    """The outcome as JSON has it."""
    return json.loads(outcome.model_dump_json())


def same(kept: Any, found: Any, at: str = "") -> Iterator[str]:
    """Where two written outcomes differ; numbers may in the tenth digit, by the machine's own arithmetic."""
    if isinstance(kept, dict) and isinstance(found, dict) and kept.keys() == found.keys():
        for name in kept:
            yield from same(kept[name], found[name], f"{at}.{name}")
    elif isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        for place, (one, other) in enumerate(zip(kept, found, strict=True)):
            yield from same(one, other, f"{at}[{place}]")
    elif kept != found and not (isinstance(kept, float) and found == pytest.approx(kept, rel=1e-10)):
        yield f"{at}: {kept!r} was kept, {found!r} found"


def _drawn() -> Iterator[dict[str, Any]]:
    params, judged, seen = load_file(PARAMS, {}), list[Case](), set[Hashable]()
    plain = player.case_of

    def noted(*args: Any, **named: Any) -> Case:
        judged.append(plain(*args, **named))
        return judged[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(player, "case_of", noted)
        for seed in SEEDS:
            judged.clear()
            fuzz.run(play(seed), params)
            for case in judged:
                outcome = case.verdict()
                gates = frozenset((one.gate.id, one.verdict, one.since is None) for one in outcome.results)
                if (kind := (gates, outcome.decision, outcome.scenario)) not in seen:
                    seen.add(kind)
                    yield {"seed": seed, "case": json.loads(case.model_dump_json()), "outcome": written(outcome)}


if __name__ == "__main__":
    kept = list(_drawn())
    FILE.write_bytes(lzma.compress(json.dumps(kept).encode(), preset=9))
    print(f"{len(kept)} cases of {len(SEEDS)} plays", file=sys.stderr)
