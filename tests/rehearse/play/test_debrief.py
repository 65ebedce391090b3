"""What is said at the end of an exercise follows from records and traffic, whatever was done."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.observe.traffic.state import Deployment, Event, TrafficState
from runbook_lib.record.record import Change, Record
from runbook_lib.rehearse.play.debrief import Line, debrief, lasted
from runbook_lib.rehearse.play.practice import practised
from runbook_lib.rehearse.world.scenario import load

T0 = dt.datetime(2026, 11, 9, 4, tzinfo=dt.UTC)
ON = TrafficState(dial_percent=10, switch_on=True, weight=10)
CHANGED = (Change(intent={"what": "x"}, outcome={"ok": True}),)


def at(seconds: float) -> str:
    return (T0 + dt.timedelta(seconds=seconds)).isoformat()


def off(seconds: float) -> TrafficState:
    switch = Deployment(number=4, state="COMPLETE", enabled=False, started_at=at(seconds))
    return TrafficState(dial_percent=10, switch_on=False, weight=0, switch_deployment=switch)


def taken_back(seconds: float) -> TrafficState:
    event = Event(type="ROLLBACK_COMPLETED", triggered_by="CLOUDWATCH_ALARM", description="", at=at(seconds))
    dial = Deployment(number=3, state="ROLLED_BACK", percent=10, started_at=at(-3600), events=(event,))
    return TrafficState(dial_percent=0, switch_on=True, weight=0, history=(dial,))


def ran(notebook: str, decision: str = "SOAK", said: str | None = None, **more: Any) -> Record:
    outcome = {"decision": decision, "said": said, "reason": "why", "come_back_at": at(600)}
    given = {"run_id": "4f1c9a7be210", "status": "completed", **more}
    return Record(notebook=notebook, decision=decision, outcome=outcome, **given)


ROLLED_BACK = ran("rollback_1_async_failing", said="ASYNC IS OFF", mode="apply", changes=CHANGED)
MITIGATED = ran("rollback_2_queue_backlog", said="MITIGATED", mode="apply", changes=CHANGED)
LOOKED = ran("06_phase1_10_percent", "HOLD")


def told(name: str, state: TrafficState, *records: Record) -> list[Line]:
    return debrief(load(name), T0, T0 + dt.timedelta(minutes=12), state, records)


def test_async_off_by_the_right_rollback_says_how_long_it_took_and_that_it_is_known() -> None:
    took, answer, known, *_ = told("async_failing", off(192), LOOKED, ROLLED_BACK)
    assert took == Line(None, "async was off 3 min 12 s after the call, by the switch")
    assert answer == Line(True, "rollback 1: the right answer")
    assert known.ok and "ASYNC IS OFF (run 4f1c9a7be210); it is to be run again at 2026-11-09 04:10 UTC" in known.text


def test_doing_everything_is_not_the_right_answer_and_what_came_back_is_said() -> None:
    """All three rollbacks were always right, and the time was that at which a second attempt turned async on."""
    clock = {"set_at": at(107), "decided_at": at(100)}
    first = ROLLED_BACK.model_copy(update={"incident": clock})
    again = Deployment(number=5, state="ROLLED_BACK", percent=10, started_at=at(266))
    state = off(420).model_copy(update={"history": (again,)})
    took, answer, *_ = told("async_failing", state, first, MITIGATED, ROLLED_BACK)
    assert took.text == "async was off 1 min 47 s after the call, by the switch; it was on again later"
    assert answer == Line(False, "rollback 1 and 2: rollback 1 was called for, and no other")


@pytest.mark.parametrize(
    ("name", "state", "records", "first", "ok"),
    [
        ("async_failing", ON, (), "async is on at 10 %, 12 min 0 s after the call", False),
        ("async_failing", ON, (LOOKED,), "async is on at 10 %", False),
        ("async_failing", taken_back(60), (), "async was off 1 min 0 s after the call, by AppConfig", False),
        ("async_failing", taken_back(-60), (ROLLED_BACK,), "async was off before the call", True),
        ("async_failing", ON, (MITIGATED,), "async is on at 10 %", False),
        ("backlog_by_spike", ON, (MITIGATED,), "async is on at 10 %", True),
        ("slow_generation", ON, (LOOKED,), "async is on at 10 %", True),
        ("slow_generation", off(30), (ROLLED_BACK,), "async was off 30 s after the call", False),
        ("failing_slowly", ON, (LOOKED,), "async is on at 10 %", True),
        ("failing_slowly", ON, (ran("06_phase1_10_percent"),), "async is on at 10 %", False),
        ("slow_generation", ON, (ran("06_phase1_10_percent", mode="apply", changes=CHANGED),), "async is on", False),
    ],
)
def test_what_was_right_is_what_the_scenario_declares(
    name: str, state: TrafficState, records: tuple[Record, ...], first: str, ok: bool
) -> None:
    took, answer, *_ = told(name, state, *records)
    assert took.text.startswith(first) and answer.ok is ok, answer


def test_a_rollback_that_broke_is_not_taken_for_known() -> None:
    broke = Record(run_id="4f1c9a7be210", notebook="rollback_1_async_failing", mode="apply", status="died")
    known = told("async_failing", ON, broke)[2]
    assert known.ok is False and "says died: no decision; nothing was changed" in known.text


@given(
    st.sampled_from(practised()),
    st.sampled_from([ON, off(30), off(-30), taken_back(30), taken_back(-30)]),
    st.lists(st.sampled_from([ROLLED_BACK, MITIGATED, LOOKED]), max_size=4),
)
def test_every_exercise_ends_with_whole_sentences(scenario: Any, state: TrafficState, records: list[Record]) -> None:
    lines = debrief(scenario, T0, T0 + dt.timedelta(minutes=12), state, records)
    text = "\n".join(one.text for one in lines)
    assert scenario.explanation in text and "None" not in text and "rollback  " not in text
    assert lines[1].ok is not None
    acted = {one.notebook for one in records} & {ROLLED_BACK.notebook, MITIGATED.notebook}
    assert any("known by its record" in one.text for one in lines) == bool(acted)


@pytest.mark.parametrize(("seconds", "said"), [(-3, "0 s"), (45.4, "45 s"), (192, "3 min 12 s"), (7500, "2 h 5 min")])
def test_a_duration_reads_as_people_say_it(seconds: float, said: str) -> None:
    assert lasted(seconds) == said
