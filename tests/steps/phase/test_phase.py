"""What a phase takes from earlier looks, and what applying it turns off by itself."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.act.traffic.dial import AppConfigTraffic
from runbook_lib.base.errors import ArchiveError
from runbook_lib.judge.model import Decision
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.record.archive import Archive
from runbook_lib.steps.phase.phase import Phase

T0 = dt.datetime(2026, 11, 2, 3, tzinfo=dt.UTC)


def segment(completed: int) -> dict[str, Any]:
    end = T0 + dt.timedelta(hours=1)
    return Segment(start=T0, end=end, end_settled=end, completed=completed).model_dump(mode="json")


class Three(Archive):
    """Three records: one in order, one altered, one of another attempt."""

    def __init__(self) -> None:
        pass

    def records(self, **_: Any) -> Any:
        return ["in order", "altered", "other attempt"]

    def verify(self, ref: Any) -> Any:
        if ref == "altered":
            raise ArchiveError("20261102-abc: its hash is not that of its content")

    def verifier(self) -> Any:
        return self.verify

    def load(self, ref: Any) -> Any:
        return SimpleNamespace(attempt=2 if ref == "other attempt" else 1, census=(segment(len(ref)),))


def test_an_altered_record_or_another_attempt_counts_nothing_and_is_named() -> None:
    said: list[str] = []
    phase = Phase.__new__(Phase)
    phase.run = SimpleNamespace(  # type: ignore[assignment]
        archive=Three(), notebook="06", warn=said.append
    )
    phase.params = SimpleNamespace(flat=SimpleNamespace(env="prod", release="r", attempt=1))  # type: ignore[assignment]
    assert [each.completed for each in phase._counted_before()] == [len("in order")]
    assert said == ["an earlier look is not used: 20261102-abc: its hash is not that of its content"]


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

    def switch_off(_: AppConfigTraffic, description: str) -> Any:
        done.append(description)
        return SimpleNamespace(sentence="async is off")

    monkeypatch.setattr(AppConfigTraffic, "__init__", lambda *_: None)
    monkeypatch.setattr(AppConfigTraffic, "switch_off", switch_off)
    phase = Phase.__new__(Phase)
    outcome = SimpleNamespace(decision=decision, scenario=scenario)
    phase.run = SimpleNamespace(applying=True, guard=None, aws=SimpleNamespace(client=lambda _: None))  # type: ignore[assignment]
    phase.state = SimpleNamespace(switch_on=on, migrated=migrated)  # type: ignore[assignment]
    phase.params, phase.planned = None, None  # type: ignore[assignment]
    for name, value in {"decided": lambda: outcome, "_describe": lambda: "by 06"}.items():
        monkeypatch.setattr(phase, name, value, raising=False)
    phase.outcome = outcome  # type: ignore[assignment]
    phase.apply()
    assert done == (["by 06"] if off else [])
