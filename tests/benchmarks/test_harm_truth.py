"""What the harm forecast says, held against the world: the same plays everywhere. `make bench-harm` plays more."""

from __future__ import annotations

import math

import pytest

from runbook_lib.base.project import params_dir
from runbook_lib.params.load import load_file
from tests.benchmarks.harm_truth import FIGURES, Held, drawn, page, run

PARAMS = load_file(params_dir() / "prod.yaml")
CHEAP = (1, 2, 4, 6, 7, 10, 11, 12, 14, 16)
QUIET = (2, 7, 11, 18, 20, 30, 31, 48, 50, 56)


def held(**more: object) -> Held:
    given = {
        "seed": 1,
        "where": "06",
        "kind": "caught",
        "share": 0.5,
        "late": False,
        "requests_per_day": 3000.0,
        "watch_min": 15.0,
        "said": 10.0,
        "true": 4.0,
        "by": "watch",
    }
    return Held(**{**given, **more})  # type: ignore[arg-type]


@pytest.mark.slow
def test_users_harmed_are_within_what_was_said() -> None:
    found = [run(seed, PARAMS) for seed in CHEAP]
    assert all(one.within for one in found), [one for one in found if not one.within]
    assert all(one.said is not None and one.true > 0 for one in found), "there was something to be wrong about"
    assert all(one.true >= 0.05 * (one.said or 0) for one in found), "and it is no empty promise"


@pytest.mark.slow
def test_so_they_are_where_300_requests_a_day_come() -> None:
    """At 10 % that is one an hour: a few users, whatever fails."""
    found = [run(seed, PARAMS, 300.0) for seed in QUIET]
    assert {one.requests_per_day for one in found} == {300.0} and {one.kind for one in found} == set(FIGURES)
    assert all(one.within for one in found), [one for one in found if not one.within]
    assert all(one.said is not None and one.true > 0 for one in found), "there was something to be wrong about"


def test_the_draw_has_every_kind_and_share_and_both_beginnings() -> None:
    plays = [drawn(seed, 0.02) for seed in range(300)]
    assert {one.faults[0].kind for one in plays} == set(FIGURES)
    assert {one.faults[0].size for one in plays} == {0.05, 0.1, 0.2, 0.5, 1.0}
    assert {one.faults[0].start for one in plays} == {0.0, 1.0}
    assert drawn(7, 0.02) == drawn(7, 0.02)


@pytest.mark.parametrize(
    ("said", "true", "within"),
    [(10.0, 10.0, True), (10.0, 11.0, False), (10.0, math.inf, False), (None, math.inf, True)],
)
def test_within(said: float | None, true: float, within: bool) -> None:
    assert held(said=said, true=true).within is within


def test_the_page_counts_and_names_what_is_beyond() -> None:
    text = page([held(), held(seed=2, true=40.0, late=True)], 1, 0.95)
    assert "**1 of 2 plays within what was said: 50.0%" in text
    assert "| late: yes | 1 | 0 |" in text and "| 2 | 06 | caught | 50% | yes | 10 | 40 | watch |" in text
