"""Finds the smallest world that still breaks a rule, and writes it as a scenario's YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from runbook_lib.params.load import Params
from tests.benchmarks import fuzz
from tests.benchmarks.draw import Play
from tests.benchmarks.fuzz_rules import about

MOST = 40
"""Most plays of one shrinking."""


def simpler(drawn: Play) -> Iterator[Play]:
    """Worlds that are one step simpler: a fault less, no lateness, round numbers, a flat day; largest gain first."""
    for place in range(len(drawn.faults)):
        yield drawn.model_copy(update={"faults": drawn.faults[:place] + drawn.faults[place + 1 :]})
    plain = {"late_h": 0.0, "caller": 0.0, "bursts": (), "profile": (1.0,) * 24, "watch_min": 0.0}
    for name, usual in plain.items():
        if getattr(drawn, name) != usual:
            yield drawn.model_copy(update={name: usual})
    for place, one in enumerate(drawn.faults):
        for change in ({"shape": "step"}, {"length": None}, {"start": 0.0}, {"size": float(f"{one.size:.1g}")}):
            name, value = next(iter(change.items()))
            if getattr(one, name) != value:
                faults = list(drawn.faults)
                faults[place] = one.model_copy(update=change)
                yield drawn.model_copy(update={"faults": tuple(faults)})


def shrink(drawn: Play, rule: str, params: Params) -> Play:
    """The simplest world found that breaks `rule` as `drawn` does; greedy and deterministic."""
    left, best = MOST, drawn
    again = True
    while again and left:
        again = False
        for other in simpler(best):
            left -= 1
            if about(rule, fuzz.run(other, params)):
                best, again = other, True
                break
            if not left:
                break
    return best


def write(drawn: Play, rule: str, folder: Path) -> Path:
    """Writes the world as a scenario file; its name has rule and seed."""
    folder.mkdir(parents=True, exist_ok=True)
    scenario = drawn.scenario().model_copy(update={"name": f"{rule}-{drawn.seed}", "title": f"Breaks {rule}"})
    path = folder / f"{rule}-{drawn.seed}.yaml"
    said = scenario.model_dump(mode="json", exclude_defaults=True)
    path.write_text(yaml.safe_dump(said, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path
