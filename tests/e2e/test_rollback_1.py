"""Scenario 1 on the embedded AWS, from every state of the rollout: async off, proven, explained, and never twice."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from runbook_lib.observe.traffic import state as traffic
from runbook_lib.rehearse.sandbox.deploy import deploy
from tests.dial import set_dial

from .conftest import ROOT

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

NOTEBOOK = ROOT / "notebooks" / "rollback_1_async_failing.ipynb"
PHASE1, PHASE2, PHASE3 = "06_phase1_10_percent", "07_phase2_50_percent", "08_phase3_100_percent"


@pytest.fixture
def stage1(rollout: Any) -> Iterator[Any]:
    """A quiet stage with the switch on; afterwards it is on again, at dial 0."""
    deploy(rollout.aws, rollout.params)
    turn(rollout, on=True)
    rollout.quiet()
    yield rollout
    deploy(rollout.aws, rollout.params)
    turn(rollout, on=True)
    rollout.aws.client("sqs").purge_queue(QueueUrl=dlq(rollout))


def turn(rollout: Any, *, on: bool) -> None:
    client = rollout.aws.client("appconfig")
    known = traffic.handles(client, rollout.params)
    client.start_deployment(
        ApplicationId=known.application,
        EnvironmentId=known.switch_environment,
        ConfigurationProfileId=known.switch_profile,
        DeploymentStrategyId=known.immediate_strategy,
        ConfigurationVersion="2" if on else "1",
    )


def dlq(rollout: Any) -> str:
    return str(rollout.aws.client("sqs").get_queue_url(QueueName=rollout.params.name("dlq"))["QueueUrl"])


def roll_back(rollout: Any, **values: Any) -> Any:
    return rollout.by_hand(NOTEBOOK, **{**rollout.apply, "reason": "async fails", **values})


def checks(record: Any) -> dict[str, Any]:
    return {one["id"].removeprefix("rollback_1."): one for one in record.checks}


def verdicts(record: Any) -> dict[str, str]:
    return {id: one["verdict"] for id, one in checks(record).items()}


def switched(record: Any) -> list[str]:
    return [change.intent["what"] for change in record.changes]


def text(record: Any, rollout: Any, name: str) -> str:
    return str((rollout.archive.find(record.run_id).folder / name).read_text())


def test_idle_there_is_little_to_do_and_it_is_done(stage1: Any) -> None:
    planned = stage1.by_hand(NOTEBOOK)
    assert (planned.decision, planned.changes) == ("PLANNED", ())
    assert stage1.state().switch_on
    record = roll_back(stage1)
    assert not stage1.state().switch_on
    assert switched(record)[0] == "switch off"
    assert all(change.intent["raises"] is False and change.outcome["ok"] for change in record.changes)
    assert verdicts(record)["off"] == verdicts(record)["dial_zero"] == verdicts(record)["time_to_effect"] == "PASS"


def test_in_the_middle_of_a_bake_it_is_seen_to_the_end(stage1: Any) -> None:
    rollout = stage1
    world = rollout.world("async_failing")
    rollout.dial(10, PHASE1)
    world.advance_by(hours=3)
    record = roll_back(rollout)
    state = rollout.state()
    assert (state.switch_on, state.dial_percent, state.busy) == (False, 0, False)
    assert (record.decision, record.moment) == ("SOAK", "rollback_1")
    found = checks(record)
    assert found["time_to_effect"]["verdict"] == "PASS"
    assert found["time_to_effect"]["facts"]["seconds_to_effect"] < 300
    assert "the provider refused the key" in json.dumps(found["failures"]["facts"])
    assert found["symptoms"]["verdict"] == "PASS" and not found["symptoms"]["facts"]["overridden"]
    assert "it is broken, whatever a probe says: going back stops the new harm" in found["sync_verified"]["reason"]
    assert found["sync_verified"]["facts"]["answers"] == ["200"] * 3
    back = dt.datetime.fromisoformat(record.outcome["come_back_at"])
    assert dt.timedelta(0) < back - rollout.aws.now() < dt.timedelta(minutes=45)

    # Run again as it says, until it is complete: nothing is done twice, the clock is still the first one's.
    changes = []
    for _ in range(6):
        world.advance(max(back, rollout.aws.now()) + dt.timedelta(seconds=5))
        again = roll_back(rollout)
        changes += switched(again)
        if again.decision != "SOAK":
            break
        back = dt.datetime.fromisoformat(again.outcome["come_back_at"])
    assert again.decision == "PROMOTE", again.outcome
    assert changes == []
    assert again.incident == record.incident
    assert checks(again)["split_zero"]["facts"]["asynchronous"] == 0
    assert checks(again)["split_zero"]["facts"]["synchronous"] > 0
    assert checks(again)["in_flight"]["verdict"] == "PASS"
    told = text(again, rollout, "post-mortem.md")
    assert "401 the provider refused the key" in told and "decided to roll back" in told and "async fails" in told
    assert world.truth.between(rollout.aws.now().timestamp() - 120).submitted == 0


def test_while_a_monitored_alarm_is_in_alarm(stage1: Any) -> None:
    rollout = stage1
    rollout.dial(10, PHASE1)
    cloudwatch = rollout.aws.client("cloudwatch")
    name = "careervp-vpr-failed-jobs-guard-prod"
    try:
        # In ALARM: AppConfig takes the dial's deployment back, and every later one of the dial's.
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
        record = roll_back(rollout)
        state = rollout.state()
        assert (state.switch_on, state.weight) == (False, 0)
        assert verdicts(record)["off"] == verdicts(record)["dial_zero"] == "PASS"
        assert name in checks(record)["symptoms"]["reason"]
    finally:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")


def taken_back_to_10(rollout: Any) -> None:
    """AppConfig's own rollback as it bites without stepping over 0: from 50 % to 10 %."""
    client = rollout.aws.client("appconfig")
    known = traffic.handles(client, rollout.params)
    for percent, strategy in ((10, known.immediate_strategy), (50, known.soak_strategy)):
        set_dial(client, rollout.params, percent, strategy)
    cloudwatch, name = rollout.aws.client("cloudwatch"), "careervp-vpr-failed-jobs-guard-prod"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    rollout.aws.move_to(rollout.aws.now() + dt.timedelta(minutes=1))
    assert (rollout.state().dial_percent, rollout.state().weight) == (10, 10)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")


def test_right_after_appconfig_rolled_back_from_50_to_10_it_finishes_the_job(stage1: Any) -> None:
    rollout = stage1
    taken_back_to_10(rollout)
    record = roll_back(rollout)
    state = rollout.state()
    assert (state.switch_on, state.dial_percent, state.weight) == (False, 0, 0)
    assert record.traffic_before["weight"] == 0  # read after the effect
    told = checks(record)["off"]["reason"]
    assert "AppConfig took the weight back by itself" in told and "failed-jobs-guard" in told


def test_at_100_percent_before_the_migration(stage1: Any) -> None:
    rollout = stage1
    rollout.dial(100, PHASE3)
    cells: dict[str, Any] = {}
    record = rollout.by_hand_unchecked(NOTEBOOK, cells, **rollout.apply)
    assert "Requests (requests / 5 min)" in str(cells["rollback"].charts()), "a minute has one request or none"
    state = rollout.state()
    assert (state.switch_on, state.dial_percent, state.weight) == (False, 0, 0)
    assert switched(record)[0] == "switch off"


def test_after_the_migration_the_way_back_is_the_infrastructure_and_timed(stage1: Any) -> None:
    rollout = stage1
    kept = rollout.aws.client("cloudformation").get_template(StackName=rollout.params.name("stack"))["TemplateBody"]
    attach_template(rollout, kept)
    deploy(rollout.aws, rollout.params, "migrate")
    planned = rollout.by_hand(NOTEBOOK)
    assert (planned.decision, planned.changes) == ("PLANNED", ())
    assert "--step async" in planned.outcome["reason"]
    assert rollout.state().migrated

    record = roll_back(rollout)
    state = rollout.state()
    assert (state.migrated, state.weight, state.switch_on) == (False, 0, False)
    assert any("back to the synchronous route" in what for what in switched(record))
    found = checks(record)
    assert found["template"]["verdict"] == "PASS", found["template"]["reason"]
    assert found["time_to_effect"]["verdict"] == "PASS"
    assert found["time_to_effect"]["facts"]["seconds_to_effect"] > 0
    again = roll_back(rollout)
    assert again.changes == ()
    assert again.incident == record.incident


def attach_template(rollout: Any, body: Any) -> None:
    """What notebook 08 keeps before it migrates."""
    from runbook_lib.record.archive import seal_staged
    from runbook_lib.record.journal import Journal

    run_id = uuid.uuid4().hex[:12]
    staging = rollout.archive.stage("prod", rollout.release, PHASE3, run_id, "test")
    journal = Journal(staging)
    flat = {**rollout.params.flat.model_dump(mode="json"), "mode": "apply"}
    journal.append("opened", run_id=run_id, notebook=PHASE3, origin="test", params=flat)
    journal.attach("previous-template.json", json.dumps({"template": body}, default=str))
    journal.append("closed", decision="SOAK", said=None, reason="test", next="")
    seal_staged(rollout.archive, staging, status="completed")


def test_after_the_deprecation_there_is_no_way_back_and_it_says_what_can_be_done(stage1: Any) -> None:
    rollout = stage1
    deploy(rollout.aws, rollout.params, "remove_sync")
    for values in ({}, {**rollout.apply}):
        record = rollout.by_hand(NOTEBOOK, **values)
        assert record.decision == "HOLD"
        assert "there is no way back" in record.outcome["reason"]
        assert "archived function" in record.outcome["next"]
        assert rollout.state().migrated


def test_dead_letters_are_listed_and_stay(stage1: Any) -> None:
    rollout = stage1
    sqs, url = rollout.aws.client("sqs"), dlq(rollout)
    jobs = [str(uuid.uuid4()) for _ in range(12)]
    for job in jobs:
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"job_id": job, "payload": {"api_key": "k" * 20}}))
    record = roll_back(rollout)
    assert sorted(checks(record)["dlq"]["facts"]["jobs"]) == sorted(jobs)
    depth = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert depth["ApproximateNumberOfMessages"] == "12"
    assert "12 messages in the dead-letter queue" in checks(record)["symptoms"]["reason"]


def test_people_are_told_once(stage1: Any) -> None:
    rollout = stage1
    rollout.dial(10, PHASE1)
    first = roll_back(rollout)
    assert "notify people by the SNS topic" in switched(first)
    assert verdicts(first)["notified"] == "PASS"
    assert "notify people by the SNS topic" not in switched(roll_back(rollout))


@pytest.mark.kernel
def test_the_command_takes_effect_and_then_runs_the_notebook(stage1: Any, command: Any) -> None:
    rollout = stage1
    rollout.dial(10, PHASE1)
    arguments = ["runbook_lib.cli.entry", "rollback", "1", *rollout.settings(), "--apply", "--confirm", "prod"]
    done = command([*arguments, "--reason", "drill"], rollout.aws.environ())
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("async is off")
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = rollout.records()
    assert (first.origin, second.origin) == ("command", "papermill")
    assert second.previous == first.hash
    assert first.incident == second.incident
    assert [change.intent["what"] for change in first.changes] == ["switch off", "notify people by the SNS topic"]
    assert "switch off" not in switched(second)
    assert (second.decision, second.reason) == ("SOAK", "drill")
    assert verdicts(second)["off"] == verdicts(second)["dial_zero"] == "PASS"
    assert "\nASYNC IS OFF: " in done.stdout or "\nDONE: " in done.stdout


def test_appconfigs_own_rollback_is_a_fail_of_the_phase_even_if_the_metrics_are_well(stage1: Any) -> None:
    rollout = stage1
    world = rollout.world("healthy")
    world.advance_by(hours=1)
    assert rollout.by_hand(**rollout.apply).decision == "SOAK"
    world.advance_by(hours=2)
    cloudwatch, name = rollout.aws.client("cloudwatch"), "careervp-vpr-failed-jobs-guard-prod"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a guard that fires for a moment")
    world.advance_by(hours=3)
    record = rollout.by_hand()
    reason = record.outcome["reason"]
    assert (record.moment, record.decision, record.outcome["scenario"]) == ("taken_back", "ROLLBACK", "rollback_1")
    assert "AppConfig took the weight back to 0 % by itself" in reason and name in reason
    assert not any(gate["verdict"] == "FAIL" for gate in record.gates), "the metrics are well"
    taken = rollout.state().dial_deployment.taken_back_at
    assert taken[:16].replace("T", " ") in reason
    # The rollback finishes what AppConfig began, and says who began it.
    finished = roll_back(rollout)
    assert not rollout.state().switch_on
    assert "AppConfig took the weight back by itself" in checks(finished)["off"]["reason"]
    assert "taken back by AppConfig by itself" in text(finished, rollout, "post-mortem.md")
    assert rollout.by_hand().decision == "ROLLBACK"
