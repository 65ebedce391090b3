"""One thing is under way, and every command means it: no look judges, or ends, another attempt, phase or release."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.window import iso
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision
from runbook_lib.observe.traffic.state import Deployment, Event, TrafficState
from runbook_lib.params.load import Params, load_file
from runbook_lib.rollout.moment import which
from runbook_lib.rollout.under_way import Shift, attempt_of, newest, not_watched, overtaken
from tests.rollout.test_next_step import Stage

FILE = Path(__file__).resolve().parents[2] / "params" / "prod.yaml"
PARAMS = load_file(FILE)
PHASES = list(PARAMS.policy.phases)[1:]
T0 = dt.datetime(2026, 11, 2, 3, 0, tzinfo=dt.UTC)
OURS, THEIRS = PARAMS.release, "another"
SHIFTS = st.builds(Shift, st.sampled_from((OURS, THEIRS)), st.sampled_from(PHASES), st.integers(1, 3))


def at(shift: Shift) -> Params:
    given = {"release": shift.release, "attempt": shift.attempt}
    return PARAMS.model_copy(update={"flat": PARAMS.flat.model_copy(update=given)})


def state(made: list[tuple[Shift | None, bool]]) -> TrafficState:
    """The traffic after shifts, oldest first, each with whether it was taken back; None: by hand, to 20 %."""
    history: list[Deployment] = []
    for number, (shift, back) in enumerate(made, start=1):
        about = "by hand" if shift is None else f"release={shift.release} notebook={shift.notebook}"
        about += "" if shift is None else f" attempt={shift.attempt} run=r"
        begun = T0 + dt.timedelta(hours=number)
        ended = Event(type="ROLLBACK_COMPLETED", triggered_by="USER", description="", at=iso(begun))
        one = Deployment(
            number=number,
            percent=20 if shift is None else PARAMS.policy.phases[shift.notebook].percent,
            state="ROLLED_BACK" if back else "BAKING",
            started_at=iso(begun),
            description=about,
            events=(ended,) if back else (),
        )
        history.insert(0, one)
    dial = next((one.percent or 0.0 for one in history if one.in_force), 0.0)
    return TrafficState(
        dial_percent=dial,
        switch_on=True,
        weight=dial,
        history=tuple(history),
        dial_deployment=history[0] if history else None,
        switch_since="2026-10-01T00:00:00Z",
    )


def judged(seen: TrafficState, asked: Shift) -> str:
    """The moment that a look judges; empty: it is refused, or there is nothing of it to judge."""
    if overtaken(seen, at(asked), asked.notebook) is not None:
        return ""
    spec = PARAMS.policy.phases[asked.notebook]
    name = which(seen, at(asked), asked.notebook, spec, T0 + dt.timedelta(hours=50)).name
    return "" if name in ("before", "over") else name


def test_what_ended_attempt_1_is_not_said_of_attempt_2() -> None:
    """`watch 06 --auto-rollback` judged attempt 1, which was taken back, and turned a healthy attempt 2 off."""
    first, second = Shift(OURS, PHASES[0], 1), Shift(OURS, PHASES[0], 2)
    seen = state([(first, True), (second, False)])
    found = overtaken(seen, at(first), PHASES[0])
    assert found is not None and found.attempt == 2 and found.exit_code == 2 and found.nothing_changed
    assert "attempt 2 of 06_phase1_10_percent" in str(found) and "--set attempt=2" in str(found)
    assert overtaken(seen, at(second), PHASES[0]) is None and judged(seen, second) == "after"


@pytest.mark.parametrize("other", [Shift(THEIRS, PHASES[0], 1), Shift(OURS, PHASES[0], 2)])
def test_what_ended_one_shift_is_not_said_of_one_of_another_release_or_an_earlier_phase(other: Shift) -> None:
    """Phase 2 was taken back, phase 1 soaks again: the watch of phase 2 must not turn it off."""
    mine = Shift(OURS, PHASES[1], 1)
    found = overtaken(state([(mine, True), (other, False)]), at(mine), PHASES[1])
    assert found is not None and found.attempt == 0
    assert f"{other} has moved the weight" in str(found) and "runbook status --params" in str(found)
    assert ("--set release=another" in str(found)) == (other.release == THEIRS)


def test_an_attempt_that_has_not_begun_and_a_phase_that_is_over_are_none() -> None:
    first, later = Shift(OURS, PHASES[0], 1), Shift(OURS, PHASES[1], 1)
    assert overtaken(state([(first, False)]), at(Shift(OURS, PHASES[0], 2)), PHASES[0]) is None
    assert overtaken(state([(first, False), (later, False)]), at(first), PHASES[0]) is None
    assert overtaken(state([]), PARAMS, PHASES[0]) is None and newest(state([(None, False)])) is None


def test_status_proposes_no_rollback_1_that_would_end_another_release(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.passed(f"{PHASES[0]}@prod")
    stage.shift(PHASES[0])
    stage.taken_back("CLOUDWATCH_ALARM")
    assert stage.next().rollback == 1
    stage.shift(PHASES[0])
    about = f"release={THEIRS} notebook={PHASES[0]} attempt=1 run=r"
    stage.history[0] = stage.history[0].model_copy(update={"description": about})
    found = stage.next()
    assert found.rollback == 0 and found.exit_code == 3
    assert found.command == f"runbook status --params params/prod.yaml --set release={THEIRS}"
    assert f"(release {THEIRS}) is under way" in found.words


def test_a_watch_of_a_release_that_has_not_begun_says_which_one_is_under_way() -> None:
    """It said "nothing to watch" and ended with 0, while another release soaked and nobody watched it."""
    seen = state([(Shift(THEIRS, PHASES[0], 1), False)])
    found = not_watched(seen, PARAMS)
    assert found is not None and "(release another) is under way" in str(found) and found.exit_code == 2
    assert not_watched(seen, at(Shift(THEIRS, PHASES[1], 1))) is None
    assert not_watched(seen.model_copy(update={"weight": 0.0}), PARAMS) is None


def test_a_plan_of_an_attempt_that_cannot_begin_yet_does_not_end_the_soak_in_status(tmp_path: Path) -> None:
    stage, step = Stage(tmp_path), f"{PHASES[0]}@prod"
    stage.passed(step)
    stage.shift(PHASES[0], 2)
    stage.seal(step, Outcome(decision=Decision.SOAK, reason="so it is", next="Go on."), attempt=2)
    before = stage.next().command
    held = Outcome(decision=Decision.HOLD, reason="the weight is 10 %", next="Go on.")
    stage.seal(step, held, attempt=3, mode="plan")
    assert stage.next().command == before and "--set attempt=2" in before and stage.next().exit_code == 0


@given(made=st.lists(st.tuples(st.none() | SHIFTS, st.booleans()), max_size=6), asked=SHIFTS)
def test_a_look_judges_the_newest_shift_alone(made: list[tuple[Shift | None, bool]], asked: Shift) -> None:
    seen = state(made)
    last = next((shift for shift, _ in reversed(made) if shift is not None), None)
    assert newest(seen) == last
    if judged(seen, asked):
        assert asked == last
    default = at(Shift(OURS, asked.notebook, 1))
    found = overtaken(seen, default, asked.notebook)
    if found is not None and found.attempt:  # the watch follows: it must be a newer one, which is not overtaken so
        assert found.attempt == attempt_of(seen, PARAMS, asked.notebook) > 1
        again = overtaken(seen, at(Shift(OURS, asked.notebook, found.attempt)), asked.notebook)
        assert again is None or not again.attempt


@given(
    made=st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=4),
    told=st.lists(st.tuples(st.integers(1, 3), st.sampled_from(("ROLLBACK", "SOAK", "HOLD"))), max_size=3),
)
def test_status_says_what_a_watch_watches(made: list[tuple[int, bool]], told: list[tuple[int, str]]) -> None:
    """Whatever the records of earlier attempts say, or came late to say."""
    phase = PHASES[0]
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        attempts = sorted({attempt for attempt, _ in made})
        for attempt in attempts:
            if attempt != attempts[0]:
                stage.taken_back("USER")
            stage.shift(phase, attempt)
        for attempt, decision in told:
            if attempt < attempts[-1]:
                said = Outcome(decision=Decision(decision), reason="so it is", next="Go on.")
                stage.seal(f"{phase}@prod", said, attempt=attempt)
        line = next(one for one in stage.standing().lines if (one.notebook, one.env) == (phase, "prod"))
        assert line.state == "soaking" and line.moment == "during", line
        tried = f" --set attempt={attempts[-1]}" if attempts[-1] > 1 else ""
        assert line.command == f"runbook run {phase} --params params/prod.yaml{tried}"
        watched: Any = overtaken(stage.state, PARAMS, phase)
        assert (watched.attempt if watched else 1) == attempts[-1]
