"""The requests that are expected in each part of a soak, and the bounds of what may be asked: by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runbook_lib.judge.model import Gate, Look
from runbook_lib.judge.planning.harm_terms import Traffic, Watch, late

GATE = Gate.model_validate(
    {
        "id": "g",
        "title": "Gate",
        "kind": "rate",
        "measure": "m",
        "unit": "ratio",
        "target": "> 0.99",
        "alert": "< 0.98",
        "why": "test",
    }
)
GIVEN: dict[str, Any] = {
    "gate": GATE,
    "looks": (Look(hours=6, alpha=0.03), Look(hours=10, alpha=0.01)),
    "every_min": 5.0,
    "guards": ((1, 60.0),),
    "alpha_early": 0.01,
    "prior": (1.0, 9.0),
    "confidence": 0.95,
    "settle_s": 300.0,
    "delay_s": 345.0,
    "clear_s": 60.0,
}


def test_a_watch_by_hand() -> None:
    watch = Watch(**GIVEN)
    assert (watch.limit, watch.end_s, late(watch)) == (pytest.approx(0.02), 10 * 3600 + 300, 3)
    lower = GATE.model_copy(update={"target": GATE.alert, "alert": None})
    assert Watch(**{**GIVEN, "gate": lower}).limit == 0.98, "of a rate of failures the limit is the share itself"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"looks": ()}, "a harm forecast expects a gate of kind rate, and at least one declared look"),
        ({"guards": ((1, 60.0), (0, 60.0))}, "least 0"),
        ({"guards": ((1, 0.0),)}, "window_s 0"),
        ({"alpha_early": 0.0}, "alpha_early 0"),
        ({"alpha_early": 1.0}, "alpha_early 1"),
        ({"confidence": 1.0}, "confidence 1"),
        ({"every_min": -1.0}, "every_min -1"),
        ({"settle_s": -1.0}, "settle_s -1"),
        ({"delay_s": float("nan")}, "delay_s nan"),
        ({"clear_s": float("inf")}, "clear_s inf"),
    ],
)
def test_a_watch_that_cannot_be_is_refused(changed: dict[str, Any], why: str) -> None:
    zeros = dict.fromkeys(("every_min", "settle_s", "delay_s", "clear_s"), 0.0)
    assert Watch(**{**GIVEN, **zeros}).every_min == 0
    with pytest.raises(ValueError, match=why):
        Watch(**{**GIVEN, **changed})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"per_s": ()}, "per_s expects 1 or 24 rates, has 0"),
        ({"per_s": (1.0,) * 23}, "per_s expects 1 or 24 rates, has 23"),
        ({"per_s": (1.0,) * 23 + (-1.0,)}, "per_s 23 -1"),
        ({"weight": 1.01}, r"weight 1\.01"),
        ({"failing": -0.01}, r"failing -0\.01"),
        ({"baseline": 1.01}, r"baseline 1\.01"),
        ({"baseline": -0.01}, r"baseline -0\.01"),
        ({"from_hour": -1.0}, "from_hour -1"),
    ],
)
def test_traffic_that_cannot_be_is_refused(changed: dict[str, Any], why: str) -> None:
    ends = Traffic((0.0,), 1.0, failing=1.0, baseline=1.0), Traffic((0.0,) * 24, 0.0, failing=0.0, baseline=0.0)
    assert [one.baseline for one in ends] == [1, 0]
    with pytest.raises(ValueError, match=why):
        Traffic(**{"per_s": (1.0,), "weight": 0.5, **changed})


def test_each_part_expects_the_rate_of_its_hour() -> None:
    """From 22:30: half an hour of the hour 22, then 23, then 0; a part belongs to the hour in which it begins."""
    day = tuple(float(hour + 1) for hour in range(24))
    found, part_s = Traffic(tuple(one / 1e6 for one in day), 0.5, from_hour=22.5).expected(2 * 3600 + 5)
    assert part_s == 10
    by_hand = [23.0] * 180 + [24.0] * 360 + [1.0] * 181
    assert found.tolist() == pytest.approx([one * 0.5 * 10 / 1e6 for one in by_hand])
    alone, _ = Traffic((2.0,), 0.25).expected(30)
    assert alone.tolist() == [5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("seconds", "per_s", "parts", "part_s"),
    [
        (30_000, 100.0, 3000, 10),
        (30_001, 100.0, 501, 60),
        (86_400, 0.03, 8640, 10),  # 8,640 parts, a quarter of them with a request
        (86_400, 0.05, 1440, 60),  # 3,400 of them with a request
    ],
)
def test_with_many_parts_that_have_a_request_they_are_longer(
    seconds: float, per_s: float, parts: int, part_s: float
) -> None:
    found, length = Traffic((per_s,), 1.0).expected(seconds)
    assert (len(found), length) == (parts, part_s)
    assert np.all(found == per_s * part_s)
