"""What was measured is kept: merged, not overwritten, whoever writes at the same time."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from runbook_lib.rehearse.play.played import Ended
from tests.benchmarks.kept import Kept, keep, read

KNOWN = ("bad", "well")


def end(scenario: str, seed: int, decision: str = "HOLD") -> Ended:
    return Ended(scenario, seed, decision, "06", "watch", None, 60.0, None, "HOLD: why")


def _write(path: Path, scenario: str, seeds: range) -> None:
    for seed in seeds:
        keep(path, "in_process", [end(scenario, seed)], KNOWN)


@pytest.mark.slow
def test_two_benches_at_a_time_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.json"
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        jobs = [
            pool.submit(_write, path, name, range(low, low + 30)) for name in KNOWN for low in (0, 15)
        ]  # two write the same seeds
        for job in jobs:
            job.result()
    found = read(path)
    assert {(one.scenario, one.seed) for one in found.in_process} == {(name, n) for name in KNOWN for n in range(45)}
    assert len(found.in_process) == 90, "each once"
    assert [one.name for one in tmp_path.iterdir()] == ["scenarios.json"]


def test_the_newest_play_of_a_seed_stands_and_the_other_part_stays(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.json"
    keep(path, "in_process", [end("bad", 1), end("bad", 2)], KNOWN)
    keep(path, "notebooks", [end("bad", 7)], KNOWN)
    merged = keep(path, "in_process", [end("bad", 1, "ROLLBACK")], KNOWN)
    assert [(one.seed, one.decision) for one in merged.in_process] == [(1, "ROLLBACK"), (2, "HOLD")]
    assert merged.through == {"bad": end("bad", 7)}
    assert read(path) == merged
    assert keep(path, "notebooks", [end("bad", 8)], KNOWN).through["bad"].seed == 8, "one a scenario"


def test_a_scenario_that_is_gone_takes_its_plays_along(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.json"
    keep(path, "in_process", [end("bad", 1), end("well", 1)], KNOWN)
    assert [one.scenario for one in keep(path, "in_process", [], ["well"]).in_process] == ["well"]


def test_the_page_is_made_of_what_is_in_the_file_then(tmp_path: Path) -> None:
    path, seen = tmp_path / "scenarios.json", list[Kept]()
    keep(path, "in_process", [end("bad", 1)], KNOWN)
    merged = keep(path, "in_process", [end("bad", 2)], KNOWN, then=seen.append)
    assert seen == [merged] == [read(path)]


def test_one_line_a_play(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing.json") == Kept()
    text = Kept().with_("in_process", [end("well", 2), end("bad", 1)], KNOWN).text()
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0:2] == ["{", '"in_process": [']
    assert lines[2].startswith('{"scenario": "bad", "seed": 1') and lines[3].startswith('{"scenario": "well"')
