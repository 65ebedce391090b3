"""A gate on metrics that nobody here chose, through the notebook of phase 1: judged, drawn, kept and replayed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.world.behaviour import Fault
from runbook_lib.rehearse.world.scenario import load
from runbook_lib.rehearse.world.world import World
from runbook_lib.rollout.explore import Tables
from runbook_lib.rollout.replay import replay
from tests import own_gates

from . import conftest
from .conftest import NOTEBOOK, Rollout

pytestmark = [pytest.mark.emulator, pytest.mark.slow]
OURS = {gate["id"] for gate in own_gates.GATES}


@pytest.fixture
def rollout(stage: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rollout]:
    """Of the project with its own gates, before phase 1; afterwards its traffic, of which 5 workers serve no 100 %, is
    forgotten.
    """
    own_gates.project(tmp_path)
    monkeypatch.setattr(conftest, "ROOT", tmp_path)
    rollout = Rollout(stage, "own-gates", tmp_path / "archive").begin()
    yield rollout
    rollout.forgotten()


def test_a_failing_metric_of_the_teams_own_rolls_back_and_replays(rollout: Rollout) -> None:
    rollout.quiet()
    fault = Fault(name="declines", start=6, measures={"declined": 0.3})
    scenario = load("healthy").model_copy(update={"requests_per_day": 6000.0, "faults": (fault,)})
    world = World(rollout.aws, rollout.params, scenario, 7)
    world.advance_by(hours=1)
    assert rollout.by_hand().decision == "PLANNED"
    assert rollout.by_hand(**rollout.apply).decision == "SOAK"
    set_at = dt.datetime.fromisoformat(rollout.state().since)

    world.advance(set_at + dt.timedelta(hours=4))
    well = rollout.by_hand()
    assert well.decision == "SOAK"
    assert {gate["gate"]["id"] for gate in well.gates if gate["verdict"] == "INCONCLUSIVE"} >= OURS, "none is dark"

    world.advance(set_at + dt.timedelta(hours=12))
    cells: dict[str, Any] = {}
    failed = rollout.by_hand_unchecked(NOTEBOOK, cells)
    assert (failed.decision, (failed.outcome or {})["scenario"]) == ("ROLLBACK", "rollback_1"), failed.told.line
    assert "payments declined" in failed.told.line and "were declined" in failed.told.line
    drawn = cells["phase"].charts()._repr_html_()
    assert all(gate["title"] in drawn for gate in own_gates.GATES)

    ref = max(rollout.refs())
    again = replay(rollout.archive, ref)
    assert (again.identical, again.now) == (True, "ROLLBACK"), again.differences
    assert again.measures == 15 + len(OURS)
    points = Tables.sealed(rollout.archive, ref.run_id).metrics()
    assert {"declined.bad", "shop_searches", "connections.value"} <= set(points["metric"])
    kept = json.loads((ref.folder / "record.json").read_text())
    assert kept["policy"]["measures"].keys() == own_gates.MEASURES.keys()
    assert failed.evidence["declined"]["query"].startswith("CloudWatch Shop/Checkout Sum of Declined {Service=shop-")
