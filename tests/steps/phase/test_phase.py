"""What applying a phase turns off by itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.act.traffic.dial import AppConfigTraffic
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import load_file
from runbook_lib.steps.phase.phase import Phase

PARAMS = load_file(Path(__file__).resolve().parents[3] / "params" / "prod.yaml")


@pytest.mark.parametrize(
    ("decision", "scenario", "on", "migrated", "off"),
    [
        (Decision.ROLLBACK, "rollback_1", True, False, True),
        # Every other gate's response is a mitigation, which is left to people (docs/domain.md, trap 14).
        (Decision.ROLLBACK, "rollback_2", True, False, False),
        (Decision.ROLLBACK, "rollback_3", True, False, False),
        (Decision.HOLD, "rollback_1", True, False, False),
        (Decision.SOAK, None, True, False, False),
        (Decision.ROLLBACK, "rollback_1", False, False, False),
        (Decision.ROLLBACK, "rollback_1", True, True, False),
    ],
)
def test_applying_turns_async_off_by_itself_for_scenario_1_alone(
    monkeypatch: pytest.MonkeyPatch, decision: Decision, scenario: str | None, on: bool, migrated: bool, off: bool
) -> None:
    done: list[str] = []

    def switch_off(_: AppConfigTraffic, description: str, decided_at: object) -> Any:
        done.append(description)
        return SimpleNamespace(sentence="async is off")

    monkeypatch.setattr(AppConfigTraffic, "__init__", lambda *_: None)
    monkeypatch.setattr(AppConfigTraffic, "switch_off", switch_off)
    run: Any = SimpleNamespace(
        applying=True, guard=None, aws=SimpleNamespace(client=lambda _: None), params=PARAMS, notebook="06", run_id="r"
    )
    run.decide = lambda outcome, moment, look, state: outcome if not state.weight else None
    state = TrafficState(dial_percent=10, switch_on=on, weight=10.0 * on, migrated=migrated)
    moment = SimpleNamespace(name="during", look_number=0)
    look: Any = SimpleNamespace(stand=SimpleNamespace(state=state, moment=moment))
    phase = Phase(run, look)
    phase.outcome = Outcome(decision=decision, scenario=scenario, reason="", next="")
    said = phase.apply().next
    assert len(done) == off
    assert ("Async is off" in said) == off, "what this run has done is not what is next"
    assert all("notebook=06" in one for one in done), done
