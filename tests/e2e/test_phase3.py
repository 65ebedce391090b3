"""Phase 3 on the embedded AWS: the shift to 100 %, the migration in its order, and not one request lost."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from runbook_lib.rehearse.sandbox import deploy

from .conftest import PHASE3

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

NAME = "08_phase3_100_percent"
ROLE = "product team"


@pytest.fixture
def phase3(rollout: Any) -> Any:
    """A rollout at 50 %, phase 2 passed and phase 3 approved; afterwards the stage is as it was."""
    rollout.quiet()
    rollout.passed(NAME)
    rollout.approve(NAME, ROLE)
    rollout.dial(50, "07_phase2_50_percent")
    yield rollout
    deploy(rollout.aws, rollout.params)


def checks(record: Any) -> dict[str, str]:
    return {one["id"]: one["verdict"] for one in record.checks}


def test_the_migration_goes_through_its_order_and_no_request_is_lost(phase3: Any) -> None:
    rollout = phase3
    world = rollout.world()
    world.advance_by(minutes=10)
    seen: list[tuple[str, str]] = []
    record = None
    for _ in range(15):
        record = rollout.by_hand(PHASE3, **rollout.apply)
        seen.append((record.moment, record.decision))
        state = rollout.state()
        # The order: never a weight above 0 once /api/vpr is asynchronous, never a route taken away too early.
        assert not (state.migrated and state.dial_percent)
        if record.decision != "SOAK":
            break
        # Plan changes nothing, wherever it stands.
        world.advance(dt.datetime.fromisoformat(record.outcome["come_back_at"]) + dt.timedelta(seconds=30))
    assert record is not None
    assert (record.moment, record.decision) == ("after", "PROMOTE"), (seen, record.outcome)
    found = checks(record)
    steps = ("shifted", "moved", "dial_zero", "silent", "removed", "all_async")
    assert {f"migrate.{step}": "PASS" for step in steps}.items() <= found.items()
    truth = world.truth.between()
    assert (truth.refused, truth.submit_5xx) == (0, 0)
    assert truth.created == truth.submitted
    assert state.migrated and not state.temporary_route
    assert ("migrating", "SOAK") in seen
