"""Phase 3 on the embedded AWS: the shift to 100 %, the migration in its order, and not one request lost."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.steps import infra

from .conftest import PHASE3, ROOT

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

NAME = "08_phase3_100_percent"
ROLE = "product team"
ROLLBACK_1 = ROOT / "notebooks" / "rollback_1_async_failing.ipynb"


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


def test_a_run_that_ended_between_the_move_and_the_dial_is_taken_up_where_it_stopped(phase3: Any) -> None:
    rollout = phase3
    world = rollout.world()
    rollout.dial(100, NAME)
    world.advance_by(minutes=30)
    deploy(rollout.aws, rollout.params, "migrate")
    assert (rollout.state().weight, rollout.state().dial_percent) == (100, 100)

    planned = rollout.by_hand(PHASE3)
    assert (planned.moment, planned.decision, planned.changes) == ("migrating", "PLANNED", ())
    assert "applying brings it to 0" in planned.outcome["reason"]
    lowered = rollout.by_hand(PHASE3, **rollout.apply)
    assert (lowered.decision, rollout.state().dial_percent) == ("SOAK", 0)
    assert all(change.intent["raises"] is False for change in lowered.changes)

    # Too early: clients may still hold the old weight, so the temporary route stays, however often it is run.
    for _ in range(2):
        early = rollout.by_hand(PHASE3, **rollout.apply)
        assert (early.decision, early.changes) == ("SOAK", ())
        assert rollout.state().temporary_route
        world.advance_by(minutes=3)
    back = dt.datetime.fromisoformat(lowered.outcome["come_back_at"])
    world.advance(back)
    planned = rollout.by_hand(PHASE3)
    assert planned.decision == "PLANNED" and "applying removes" in planned.outcome["reason"]
    assert rollout.state().temporary_route
    removed = rollout.by_hand(PHASE3, **rollout.apply)
    assert (removed.decision, rollout.state().temporary_route) == ("SOAK", False)
    assert "previous-template.json" in removed.files
    (deployed,) = [one for one in removed.checks if one["id"] == "infra.deploy"]
    assert any(line.startswith("rollback triggers, for 180 min: arn:") for line in deployed["facts"]["tail"]), deployed
    assert checks(removed)["infra.rollback_triggers"] == "FAIL", "the embedded CloudFormation forgets them"
    world.advance_by(minutes=30)
    assert world.truth.between().refused == 0
    # Nobody has shown the soak at dial 100, so this can never promote.
    assert checks(removed)["migrate.shifted"] == "INCONCLUSIVE"


class _Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


@contextlib.contextmanager
def deploying(how: str) -> Iterator[list[str]]:
    """The command that deploys fails, or the run is killed right before or behind it; gives the steps of those run."""
    real, ran = infra.run_command, list[str]()

    def run(command: Any, **given: Any) -> Any:
        if command.id != "infra.deploy":
            return real(command, **given)
        if how == "fails":
            return real(command.model_copy(update={"run": "python -c 'raise SystemExit(3)'"}), **given)
        if how == "killed before":
            raise _Killed
        ran.append(given["values"]["step"])
        done = real(command, **given)
        if how == "killed behind":
            raise _Killed
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infra, "run_command", run)
        yield ran


def test_a_deployment_that_fails_or_is_killed_is_taken_up_by_the_next_run(phase3: Any) -> None:
    """Both of the migration's deployments, each failed, then killed before and behind its command; then let through."""
    rollout, ran = phase3, list[str]()
    world = rollout.world()
    world.advance_by(minutes=10)
    look = rollout.by_hand(PHASE3, **rollout.apply)
    while look.decision == "SOAK":
        world.advance(dt.datetime.fromisoformat(look.outcome["come_back_at"]) + dt.timedelta(seconds=30))
        look = rollout.by_hand(PHASE3)
    assert look.decision == "PLANNED", look.outcome
    looks = len(rollout.records())

    def state() -> tuple[bool, bool, float]:
        found = rollout.state()
        return found.migrated, found.temporary_route, found.dial_percent

    for step, before, behind in (
        ("migrate", (False, True, 100), (True, True, 100)),
        ("remove_temporary", (True, True, 0), (True, False, 0)),
    ):
        if step == "remove_temporary":
            world.advance(dt.datetime.fromisoformat(look.outcome["come_back_at"]) + dt.timedelta(seconds=30))
        with deploying("fails"):
            failed = rollout.by_hand_or_failed(PHASE3, **rollout.apply)
        assert failed.status == "failed" and "exit status 3" in failed.error.sentence
        assert failed.changes[-1].outcome["read_back"] == {"differs": True}
        assert state() == before
        for how, left in (("killed before", before), ("killed behind", behind)):
            with deploying(how) as steps, pytest.raises(_Killed):
                rollout.by_hand(PHASE3, **rollout.apply)
            ran += steps
            assert state() == left
        with deploying("") as steps:
            look = rollout.by_hand(PHASE3, **rollout.apply)
        assert (steps, look.decision) == ([], "SOAK"), look.outcome
        assert state() == (*behind[:2], 0)
        died = rollout.records()[-2]
        assert [f"deploy step '{step}'" in change.intent["what"] for change in died.open_changes] == [True]
    assert ran == ["migrate", "remove_temporary"], "each was deployed once"
    records = rollout.records()
    assert [one.previous for one in records[1:]] == [one.hash for one in records[:-1]]
    assert len({one.run_id for one in records}) == len(records) == looks + 8
    assert world.truth.between().refused == 0


def test_without_the_approval_of_the_product_team_nothing_is_shifted(rollout: Any) -> None:
    rollout.quiet()
    rollout.passed(NAME)
    rollout.dial(50, "07_phase2_50_percent")
    held = rollout.by_hand(PHASE3, **rollout.apply)
    assert (held.decision, held.changes, rollout.state().weight) == ("HOLD", (), 50)
    assert "the product team has not approved" in held.outcome["reason"]


def test_a_soak_that_fails_after_the_migration_is_answered_by_the_infrastructure_not_by_the_switch(phase3: Any) -> None:
    rollout = phase3
    # Nobody comes for a day, whatever test was here before: the phase's record is the last that saw enough requests.
    rollout.aws.move_to(rollout.aws.now() + dt.timedelta(days=1))
    span = {"start": "2025-06-14T12:00:00Z", "end": "2025-06-15T12:00:00Z", "query": ""}
    seen = {"measure": "baseline_success", "kind": "rate", "bad": 380.0, "n": 400, **span}
    evidence = {"window": ["", ""], "live": {}, "evidence": {"baseline_success": seen}}
    rollout.seal("07_phase2_50_percent", evidence=evidence)
    deploy(rollout.aws, rollout.params, "remove_temporary")
    rollout.dial(0)
    world = rollout.world("async_failing")
    world.advance_by(hours=8)
    failed = rollout.by_hand(PHASE3, **rollout.apply)
    assert (failed.decision, failed.changes) == ("ROLLBACK", ())
    assert failed.outcome["scenario"] == "rollback_1"
    said = failed.outcome["next"]
    assert "The switch has no effect any more" in said and "--step async" in said
    command = failed.outcome["command"]
    assert command.startswith("runbook rollback 1 --params params/prod.yaml ") and f"`{command}`" in said
    assert f"--set release={rollout.release} " in command and command.endswith(" --apply --confirm prod")
    assert rollout.state().switch_on

    answered = rollout.by_hand(ROLLBACK_1, **rollout.apply, reason="decided by the phase")
    state = rollout.state()
    assert (state.migrated, state.weight, state.temporary_route) == (False, 0, True)
    assert any("back to the synchronous route" in change.intent["what"] for change in answered.changes)
    (sync,) = [one for one in answered.checks if one["id"] == "rollback_1.sync_verified"]
    assert "in the hours to 2025-06-15 12:00 UTC, the last that saw enough of them" in sync["reason"]
    assert "5.0 % of 400 users' requests succeeded there" in sync["reason"]
    assert "100.0 %" not in sync["reason"], "what the submit Lambda answered is no success of it"
    assert "it is broken" in sync["reason"]
    world.advance_by(minutes=20)
    since = rollout.aws.now().timestamp() - 900
    assert (world.truth.between(since).submitted, world.truth.between(since).refused) == (0, 0), "the curve turns"
    assert world.truth.between(since).sync > 0
    rollout.on_again()
