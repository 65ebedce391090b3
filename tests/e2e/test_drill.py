"""The fire drill beside a real bake: setting off a guard would roll the deployment back."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import ROOT

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

ALARMS = ROOT / "notebooks" / "04_alarms.ipynb"


def test_a_drill_is_refused_while_a_weight_bakes_and_the_weight_stays(rollout: Any) -> None:
    rollout.quiet()
    rollout.dial(10, "06_phase1_10_percent")
    baking = rollout.state().dial_deployment
    assert baking.state == "BAKING"

    planned = rollout.by_hand(ALARMS)
    assert planned.changes == ()
    record = rollout.by_hand(ALARMS, **rollout.apply)
    refused = next(one for one in record.checks if one["id"] == "drill.refused")
    assert (record.decision, refused["verdict"]) == ("HOLD", "FAIL")
    assert f"deployment {baking.number} of the dial is BAKING" in refused["reason"]
    assert not any("fire drill" in change.intent["what"] for change in record.changes)
    after = rollout.state()
    assert (after.weight, after.dial_deployment.number, after.dial_deployment.state) == (10, baking.number, "BAKING")
