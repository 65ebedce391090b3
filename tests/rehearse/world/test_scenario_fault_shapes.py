"""A fault's shape says how much of it is in force at each hour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runbook_lib.rehearse.world.behaviour import Fault
from runbook_lib.rehearse.world.scenario import Scenario

SET = {"job_failed": 0.1}


def test_a_ramp_grows_evenly_to_the_whole_and_stays() -> None:
    ramp = Fault(name="f", start=10, shape="ramp", ramp_h=12, set={"job_failed": 0.12})
    levels = [ramp.level(hour + 0.5) for hour in range(9, 24)]
    assert levels[0] == 0
    assert levels[1:13] == pytest.approx([k / 12 for k in range(1, 13)])
    assert levels[13:] == [1, 1]
    world = Scenario(name="s", title="t", faults=(ramp,))
    assert world.at(9).job_failed == 0.002
    assert world.at(15.5).job_failed == pytest.approx((0.002 + 0.12) / 2)
    assert world.at(30).job_failed == 0.12


def test_a_pulse_comes_back_and_a_night_is_over_in_the_morning() -> None:
    pulse = Fault(name="f", start=2, shape="pulse", pulse_min=30, every_h=4, set=SET)
    assert [hour / 4 for hour in range(48) if pulse.on(hour / 4)] == [2, 2.25, 6, 6.25, 10, 10.25]
    night = Fault(name="f", start=3, end=50, shape="nightly", from_hour=1, to_hour=5, set=SET)
    assert [hour for hour in range(96) if night.on(hour)] == [3, 4, 25, 26, 27, 28, 49]


@pytest.mark.parametrize(
    ("shape", "named"),
    [
        ({"shape": "nightly", "from_hour": 6, "to_hour": 5}, "to_hour 5 is not after from_hour 6"),
        ({"shape": "pulse", "pulse_min": 240, "every_h": 4}, "never ends"),
        ({"dropped": {"sync_count": 1.5}}, "expects a share"),
        ({"measures": {"declined": -0.1}}, "sets measure 'declined' to -0.1: expects 0 or more, or null"),
        ({"stuck": ("sync_cuont",)}, "unknown signal 'sync_cuont'"),
        ({"scaled": {"sync_cuont": 2.0}}, "unknown signal 'sync_cuont'"),
    ],
)
def test_a_shape_that_makes_no_sense_is_said(shape: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Fault.model_validate({"name": "f", **shape})


@given(
    shape=st.sampled_from(["step", "ramp", "pulse", "nightly"]),
    start=st.floats(0, 50),
    length=st.floats(0.5, 100),
    hour=st.floats(0, 200),
)
def test_outside_its_life_a_fault_is_off_and_its_edges_are_where_it_changes(
    shape: str, start: float, length: float, hour: float
) -> None:
    fault = Fault.model_validate({"name": "f", "start": start, "end": start + length, "shape": shape, "set": SET})
    if not start <= hour < start + length:
        assert fault.level(hour) == 0
    assert 0 <= fault.level(hour) <= 1
    edges = Scenario(name="s", title="t", faults=(fault,)).edges()
    before = max((edge for edge in edges if edge <= hour), default=None)
    assert fault.level(hour) == (0 if before is None else fault.level(before))
