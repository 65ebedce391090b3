"""The script of a play, on a stage without AWS: who shifts, when looks are due, where it ends."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.rehearse.play.director import Scene
from runbook_lib.rehearse.play.play import Play
from runbook_lib.rehearse.play.rollout import DEPRECATE, PHASE3, WEEK, Stopped
from runbook_lib.rehearse.play.stage import params_of
from runbook_lib.rehearse.world.scenario import load
from runbook_lib.run.launch import Finished

PHASE1, PHASE2 = "06_phase1_10_percent", "07_phase2_50_percent"
NOW = dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)


class Stage:
    """Runs that end as they are told: a notebook's decisions in their order, then PROMOTE."""

    def __init__(self, decisions: dict[str, list[str]]) -> None:
        self.decisions, self.done, self.begun, self.times = decisions, list[str](), list[str](), list[dt.datetime]()
        self.now = NOW
        self.aws = SimpleNamespace(now=lambda: self.now)
        self.params = {"prod": params_of("prod", "test")}
        self.worlds = {"prod": SimpleNamespace(begin=self.begun.append)}

    def run(self, scene: Scene, **_: Any) -> Finished:
        self.done.append(scene.notebook)
        self.times.append(self.now)
        decision = (self.decisions.get(scene.notebook) or ["PROMOTE"]).pop(0)
        back = (self.now + dt.timedelta(hours=24)).isoformat() if decision == "SOAK" else None
        return Finished("1", scene.notebook, "completed", decision, "", "", "", None, 0, come_back_at=back)

    def soak(self, until: dt.datetime, why: str = "") -> None:
        self.now = until


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Any:
    def play(name: str, start: str, decisions: dict[str, list[str]]) -> tuple[Stage, Finished, list[tuple[float, str]]]:
        stage, by_hand = Stage(decisions), list[tuple[float, str]]()
        monkeypatch.setattr(Play, "approve", lambda self, notebook: None)
        monkeypatch.setattr(Play, "sign", lambda self, after=None: None)
        monkeypatch.setattr(Play, "_dial", lambda self, percent, notebook="": by_hand.append((percent, notebook)))
        one = Play(stage, load(name), start)  # type: ignore[arg-type]
        try:
            last = one._phases()
        except Stopped as stopped:
            last = stopped.last
        return stage, last, by_hand

    return play


def test_the_first_week_is_played_only_where_something_is_found_in_it(played: Any) -> None:
    stage, last, _ = played("healthy", "08", {})
    assert (stage.done, last.decision) == ([PHASE3], "PROMOTE")
    stage, last, _ = played("fails_in_the_first_week", "08", {WEEK: ["SOAK", "SOAK", "HOLD"]})
    assert (stage.done, last.notebook, last.decision) == ([PHASE3, DEPRECATE, WEEK, WEEK, WEEK], WEEK, "HOLD")
    assert stage.begun == [DEPRECATE], "its faults have their time from then on"
    assert [at - NOW for at in stage.times[2:]] == [dt.timedelta(hours=hours) for hours in (4, 8, 12)]


def test_what_is_shifted_by_hand_is_shifted_once_in_the_phases_name(played: Any) -> None:
    _, _, by_hand = played("taken_back_to_10", "06", {PHASE2: ["SOAK", "ROLLBACK"]})
    assert by_hand == [(50, PHASE2)]
    _, _, by_hand = played("taken_back_at_night", "06", {PHASE1: ["SOAK", "ROLLBACK"]})
    assert by_hand == []


def test_looks_are_those_of_the_scenario_and_the_declared_ones(played: Any) -> None:
    stage, last, _ = played("fails_after_migration", "08", {PHASE3: ["SOAK"] * 9 + ["ROLLBACK"]})
    hours = [(at - NOW).total_seconds() / 3600 for at in stage.times]
    assert hours[:9] == [0, 1, 3, 8, 13, 18, 27, 32, 36]
    assert (stage.begun, last.decision) == ([PHASE3], "ROLLBACK")
