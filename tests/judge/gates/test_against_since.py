"""The worse time of a comparison; what it fails is in `test_against.py`."""

from __future__ import annotations

import pytest

from runbook_lib.judge.gates.against_since import _failing, rows_of
from tests.judge.gates.test_against import LATENCY, RATE, hours


def test_the_share_of_failures_of_hours_and_of_none() -> None:
    assert _failing(()) == 0.0
    assert _failing((*hours(3, 30, 0, 1, count=1), *hours(0, 10, 0, 1, count=2))) == pytest.approx(3 / 50)


def test_rows_are_by_the_hour_and_against_the_phase_before_by_the_hour_of_the_day() -> None:
    day = hours(1, 10, 2, 20, count=3)
    next_day = tuple(one.model_copy(update={"at": one.at.replace("-05T", "-06T")}) for one in day)
    assert rows_of(RATE, (*day, *next_day)) == ((1, 10, 2, 20),) * 6
    assert rows_of(LATENCY, (*day, *next_day)) == ((2, 20, 4, 40),) * 3
