"""The script of the rehearsal, on a stage without AWS: what is done again, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.rehearse.play import rollout
from runbook_lib.rehearse.play.director import Scene
from runbook_lib.rehearse.play.rollout import PATIENCE_S, Rollout, Stopped
from runbook_lib.run.launch import Finished

SLOW = check("load.submit_p95", "p95 of the submission", False, "p95 of 100 submissions is 6.85 s, target < 3 s")
LOST = check("load.none_lost", "No job lost", False, "2 of 100 jobs were lost")
REFUSED = check(
    "load.accepted", "Every submission accepted", False, "97 of 100 submissions were answered 202 (3 x 503)"
)
UNKNOWN = check("load.drained", "Drained", None, "table and bucket do not tell when the jobs began and ended")
FINE = check("load.accepted", "Every submission accepted", True, "100 of 100 submissions were answered 202")


class Stage:
    """Runs of 05 whose checks are given, one list a run; a run without an unmet check goes on to PROMOTE."""

    def __init__(self, tries: list[list[Check]]) -> None:
        self.tries, self.runs, self.paused, self.said = tries, list[Scene](), list[float](), list[str]()
        self.root, self.archive, self.aws = Path(), "archive", None
        self.board = SimpleNamespace(say=self.said.append)

    def run(self, scene: Scene, **_: Any) -> Finished:
        self.runs.append(scene)
        wrong = [one for one in self.tries[len(self.runs) - 1] if not one.ok]
        decision = "HOLD" if wrong else "PROMOTE"
        reason = f"{decision}: {wrong[0].reason if wrong else 'well'}"
        return Finished(str(len(self.runs)), scene.notebook, "completed", decision, reason, "", "", None, 0)

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stage]:
    def make(*tries: list[Check]) -> Stage:
        stage = Stage(list(tries))

        def load(run_id: str) -> Any:
            return SimpleNamespace(checks=[one.model_dump(mode="json") for one in tries[int(run_id) - 1]])

        monkeypatch.setattr(rollout, "Archive", lambda _: SimpleNamespace(find=lambda run_id: run_id, load=load))
        return stage

    return make


def test_a_machine_too_slow_for_the_load_is_said_and_asked_again(staged: Callable[..., Stage]) -> None:
    stage = staged([SLOW, FINE], [SLOW], [FINE])
    assert Rollout(stage).staging().decision == "PROMOTE"  # type: ignore[arg-type]
    assert len(stage.runs) == 3, "each try is a run of its own, with its own record"
    assert stage.paused == [PATIENCE_S, PATIENCE_S]
    assert "too slow for the load just now (p95 of 100 submissions is 6.85 s, target < 3 s)" in stage.said[0]


def test_three_times_too_slow_is_what_the_record_says(staged: Callable[..., Stage]) -> None:
    stage = staged([SLOW], [SLOW], [SLOW])
    with pytest.raises(Stopped, match=r"6\.85 s"):
        Rollout(stage).staging()  # type: ignore[arg-type]
    assert len(stage.runs) == 3


@pytest.mark.parametrize("wrong", [[LOST], [REFUSED], [SLOW, LOST], [SLOW, REFUSED], [UNKNOWN]])
def test_a_real_failure_is_not_tried_away(staged: Callable[..., Stage], wrong: list[Check]) -> None:
    stage = staged(wrong, [FINE])
    with pytest.raises(Stopped):
        Rollout(stage).staging()  # type: ignore[arg-type]
    assert (len(stage.runs), stage.paused, stage.said) == (1, [], [])


def test_the_clock_s_checks_are_those_of_the_load_test() -> None:
    from runbook_lib.steps.phase.staging import LOAD

    assert {name.removeprefix("load.") for name in rollout.BY_THE_CLOCK} <= set(LOAD)
