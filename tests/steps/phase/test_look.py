"""What a phase takes from its earlier looks."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from runbook_lib.base.window import Window
from runbook_lib.observe.evidence import measure
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.record.record import Record
from runbook_lib.rollout.look import Seen
from runbook_lib.rollout.moment import Moment, Name
from runbook_lib.steps.phase.look import PhaseLook, Stand, censuses

T0 = dt.datetime(2026, 11, 2, 3, tzinfo=dt.UTC)


def segment(completed: int, hour: int) -> Segment:
    start, end = (T0 + dt.timedelta(hours=one) for one in (hour, hour + 1))
    return Segment(start=start, end=end, end_settled=end, completed=completed)


def test_the_jobs_that_earlier_looks_counted_are_taken_from_their_records_in_order() -> None:
    looks = [[segment(8, 0)], [], [segment(5, 1), segment(2, 2)]]
    facts: dict[str, Any] = {"notebook": "06", "status": "completed"}
    records = [
        Record.model_validate({**facts, "census": [one.model_dump(mode="json") for one in look]}) for look in looks
    ]
    assert censuses(records) == [one for look in looks for one in look]


@pytest.mark.slow
@pytest.mark.parametrize("name", get_args(Name))
@pytest.mark.parametrize("in_effect", [True, False])
def test_at_every_moment_there_are_charts_and_of_every_gate_once_a_weight_is_in_force(
    name: Name, in_effect: bool
) -> None:
    params, now = load_file(params_dir() / "prod.yaml"), T0 + dt.timedelta(hours=6)
    notebook = "06_phase1_10_percent"
    state = TrafficState(dial_percent=10, switch_on=True, weight=10)
    moment = Moment(name=name, words="", percent=10, effective_at=T0 if in_effect else None)
    window = Window(T0, now)
    seen = measure.measure(Answers([], {}), segment(8, 0), {}, state, params, window, now)
    look: Any = PhaseLook.__new__(PhaseLook)
    look.run, look.params = SimpleNamespace(now=now), params
    look.earlier = []
    look.seen = Seen(window, now, None, Answers([], {}), segment(8, 0), {}, state, seen)
    look.stand = Stand(params, params.policy.phases[notebook], now, state, True, moment)
    shown = str(look.charts())
    assert [f"{gate.title} (" in shown for gate in params.policy.gates] == [in_effect] * len(params.policy.gates)
    assert "The traffic around it" in shown
