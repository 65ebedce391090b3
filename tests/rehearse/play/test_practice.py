"""An exercise begins at the moment at which somebody would be called: by users, by an alarm, or by a look."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.params.load import load_file, params_dir, read_yaml
from runbook_lib.rehearse.play import practice
from runbook_lib.rehearse.play.practice import called, practised, scenario_for
from runbook_lib.rehearse.world.scenario import FOLDER, played

T0 = dt.datetime(2026, 11, 9, 3, tzinfo=dt.UTC)
PHASES = ("06_phase1_10_percent", "07_phase2_50_percent")
PARAMS = load_file(params_dir() / "prod.yaml", read_yaml(params_dir() / "rehearsal.yaml"))


AFTER_THE_SOAKS = {
    *("fails_after_migration", "fails_in_the_first_week", "refused_5xx_after_migration"),
    *("late_5_percent", "late_10_percent", "late_20_percent"),
}


class Stage:
    """A rollout of which only the looks are told: what each decides, and from when on what is wrong."""

    def __init__(self, decisions: list[str], fires_h: float = 999, fails_h: float = 999, users: int = 30) -> None:
        self.now, self.decisions, self.runs = T0, decisions, 0
        self.fires, self.fails = (T0 + dt.timedelta(hours=hours) for hours in (fires_h, fails_h))
        self.users = users
        self.seed, self.params, self.aws, self.board = 7, {"prod": PARAMS}, self, self
        self.shift_at: dt.datetime | None = None
        service = SimpleNamespace(
            origin=T0.timestamp(), scenario=SimpleNamespace(faults=[SimpleNamespace(after=None, start=0.0)])
        )
        self.worlds = {"prod": SimpleNamespace(service=service, truth=SimpleNamespace(users=self._users))}

    def _users(self, since: float, until: float) -> tuple[int, int]:
        return (self.users, 0) if self.now >= self.fails else (self.users, self.users)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        yield []

    def traffic(self) -> str:
        return ""

    def client(self, _: str) -> Any:
        firing = [{"AlarmName": "x"}] if self.now >= self.fires else []
        return SimpleNamespace(describe_alarms=lambda **_: {"MetricAlarms": firing})

    def advance(self, until: dt.datetime) -> None:
        self.now = max(self.now, until)
        self.worlds["prod"].service.now = self.now.timestamp()

    def run(self, _: Any) -> Any:
        self.runs += 1
        decision = self.decisions.pop(0)
        due = (self.now + dt.timedelta(hours=24)).isoformat() if decision == "SOAK" else None
        return SimpleNamespace(decision=decision, status="completed", come_back_at=due)


def play(stage: Stage) -> Any:
    def shift(notebook: str) -> Any:
        stage.shift_at = stage.shift_at or stage.now
        return stage.run(notebook)

    told = SimpleNamespace(name="x")
    made = SimpleNamespace(stage=stage, from_start=lambda: list(PHASES), shift=shift, shift_at=T0, scenario=told)
    stage.aws = SimpleNamespace(now=lambda: stage.now, client=stage.client)
    return made


def test_users_without_a_report_call_somebody_within_minutes() -> None:
    call = called(play(Stage(["SOAK"], fails_h=2)))
    assert call.notebook == PHASES[0] and dt.timedelta(hours=2) <= call.at - T0 <= dt.timedelta(hours=2, minutes=10)
    assert call.said == "30 of the last 30 users of the async route got no report in time"


def test_two_unlucky_users_call_nobody() -> None:
    stage = Stage(["SOAK", "HOLD"], fails_h=2, users=practice.FEW - 1)
    assert "a look at 06_phase1_10_percent ended with HOLD" in called(play(stage)).said


def test_a_guard_alarm_calls_somebody() -> None:
    call = called(play(Stage(["SOAK"], fires_h=3)))
    assert call.said == "alarm x fires" and call.at - T0 <= dt.timedelta(hours=3, minutes=10)


def test_what_no_alarm_shows_is_found_by_a_look_in_whatever_phase() -> None:
    call = called(play(Stage(["SOAK", "SOAK", "PROMOTE", "SOAK", "ROLLBACK"])))
    assert (call.notebook, call.said) == (PHASES[1], f"a look at {PHASES[1]} ended with ROLLBACK")


def test_a_rollout_that_goes_through_is_no_exercise() -> None:
    with pytest.raises(UsageError, match="with seed 7 nothing goes wrong in 'x': take another --seed"):
        called(play(Stage(["SOAK", "PROMOTE", "SOAK", "PROMOTE"])))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("async_fialing", "did you mean 'async_failing'"),
        ("zzz", "`runbook lab --list` names them"),
        ("staging", "no scenario of that name to practise"),
        ("fails_after_migration", "goes wrong after the soaks"),
        ("no_such.yaml", "there is no file 'no_such.yaml'"),
    ],
)
def test_what_cannot_be_practised_is_said_before_anything_starts(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        scenario_for(name)


def test_every_scenario_that_is_found_in_a_soak_can_be_practised_and_a_file_too() -> None:
    wrong = {one.name for one in played() if one.expected is not None and one.expected.phases}
    assert {one.name for one in practised()} == wrong - AFTER_THE_SOAKS
    assert scenario_for(str(FOLDER / "async_failing.yaml")).name == "async_failing"
    assert scenario_for("healthy").name == "healthy"
