"""The closed loop on the embedded AWS: what is published is the truth, and what AWS decides changes what comes next."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.act.traffic import flags
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.world.behaviour import Behaviour, Fault
from runbook_lib.rehearse.world.scenario import FOLDER as SCENARIOS
from runbook_lib.rehearse.world.scenario import Scenario, load
from runbook_lib.rehearse.world.world import World, advance_all

pytestmark = pytest.mark.emulator
# Always the same day, so that these tests see the same random numbers for ever.
START = dt.datetime(2025, 6, 16, tzinfo=dt.UTC)
FOLDER = params_dir(Path(__file__).parent)
PARAMS = load_file(FOLDER / "prod.yaml", read_yaml(FOLDER / "rehearsal.yaml"))


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(START) as aws:
        deploy(aws, PARAMS)
        yield aws


class Dial:
    """Sets the dial as an operator with AppConfig's console would, without the runbook."""

    def __init__(self, aws: EmbeddedAws, params: Params = PARAMS) -> None:
        self.client, traffic = aws.client("appconfig"), params.service.traffic
        self.flag = traffic.flag
        application = _id(self.client.list_applications(), traffic.application, params)
        self.place = {
            "ApplicationId": application,
            "EnvironmentId": _id(
                self.client.list_environments(ApplicationId=application), traffic.dial_environment, params
            ),
        }
        profiles = self.client.list_configuration_profiles(ApplicationId=application)
        self.profile = _id(profiles, traffic.dial_profile, params)
        strategies = self.client.list_deployment_strategies()
        self.soak = _id(strategies, traffic.soak_strategy, params)
        self.immediate = _id(strategies, traffic.immediate_strategy, params)

    def set(self, percent: float, bake: bool = True) -> int:
        version = self.client.create_hosted_configuration_version(
            ApplicationId=self.place["ApplicationId"],
            ConfigurationProfileId=self.profile,
            Content=json.dumps(flags.dial_document(self.flag, percent)).encode(),
            ContentType="application/json",
        )["VersionNumber"]
        return int(
            self.client.start_deployment(
                **self.place,
                ConfigurationProfileId=self.profile,
                ConfigurationVersion=str(version),
                DeploymentStrategyId=self.soak if bake else self.immediate,
            )["DeploymentNumber"]
        )

    def deployment(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_deployment(**self.place, DeploymentNumber=number)
        return found


def _id(answer: dict[str, Any], template: str, params: Params) -> str:
    name = template.format(env=params.env)
    return next(str(one["Id"]) for one in answer["Items"] if one["Name"] == name)


def total(aws: EmbeddedAws, namespace: str, name: str, stat: str = "Sum", **dimensions: str) -> float | None:
    answer = aws.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()],
        StartTime=START,
        EndTime=START + dt.timedelta(days=13),
        Period=86400 * 14,
        Statistics=[stat],
    )["Datapoints"]
    return sum(point[stat] for point in answer) if answer else None


def items(aws: EmbeddedAws) -> list[dict[str, Any]]:
    pages = aws.client("dynamodb").get_paginator("scan").paginate(TableName=PARAMS.name("table"))
    return [item for page in pages for item in page["Items"]]


def states(aws: EmbeddedAws) -> dict[str, str]:
    found = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    guards = {alarm.name.format(env="prod") for alarm in PARAMS.policy.alarms if alarm.guard}
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in found if alarm["AlarmName"] in guards}


def test_a_healthy_day_is_published_as_it_was(aws: EmbeddedAws) -> None:
    dial = Dial(aws)
    world = World(aws, PARAMS, seed=3)
    assert (world.knobs.percent, world.knobs.switch_on, world.knobs.workers) == (0, True, 5)
    world.advance_by(hours=1)
    number = dial.set(10)
    steps: list[dt.datetime] = []
    world.advance(START + dt.timedelta(hours=25, seconds=30), lambda w: steps.append(w.now))
    # Moved by the hour: no guard could change.
    assert len(steps) <= 27
    truth = world.truth.between()
    assert truth.split == pytest.approx(0.1, abs=0.03)
    api = {"ApiName": PARAMS.name("api"), "Stage": "prod"}
    submitted = total(aws, "AWS/ApiGateway", "Count", **api, Resource="/api/vpr-async", Method="POST")
    assert submitted == pytest.approx(truth.submitted, abs=1)
    sync = total(aws, "AWS/ApiGateway", "Count", **api, Resource="/api/vpr", Method="POST")
    assert sync == pytest.approx(truth.sync, abs=2)  # some are still waited for
    failing = total(aws, "AWS/ApiGateway", "5XXError", "Average", **api, Resource="/api/vpr", Method="POST")
    assert failing == pytest.approx(1 - truth.sync_ok / truth.sync, abs=0.001)
    assert total(aws, "careervp_kpi", "VPRJobCreated", service="careervp") == truth.created
    done = total(aws, "careervp_kpi", "VPRJobCompleted", service="careervp")
    assert done == truth.completed + truth.late
    assert total(aws, "AWS/Lambda", "Invocations", FunctionName=PARAMS.name("worker")) == done + truth.failed
    # The guards can protect the next shift, and the bake went through by itself.
    assert set(states(aws).values()) == {"OK"}
    assert dial.deployment(number)["State"] == "COMPLETE"
    written = Counter(item["status"]["S"] for item in items(aws))
    assert sum(written.values()) == truth.created
    assert written["COMPLETED"] == truth.completed + truth.late
    assert abs(aws.now() - world.now) < dt.timedelta(seconds=5)


def test_a_census_in_the_middle_sees_jobs_under_way(aws: EmbeddedAws) -> None:
    Dial(aws).set(100, bake=False)
    world = World(aws, PARAMS)
    world.advance(START + dt.timedelta(hours=10, minutes=7, seconds=13))
    under_way = {item["job_id"]["S"]: item for item in items(aws) if item["status"]["S"] in ("PENDING", "PROCESSING")}
    assert under_way
    assert all("completed_at" not in item for item in under_way.values())
    assert max(item["created_at"]["S"] for item in items(aws)) <= world.now.isoformat().replace("+00:00", "Z")
    world.advance_by(minutes=10)
    later = {item["job_id"]["S"]: item["status"]["S"] for item in items(aws)}
    assert {later[job_id] for job_id in under_way} <= {"COMPLETED", "FAILED"}


def test_a_silent_failure_fires_the_guard_and_appconfig_takes_the_traffic_back_alone(aws: EmbeddedAws) -> None:
    dial = Dial(aws)
    world = World(aws, PARAMS, str(SCENARIOS / "async_failing.yaml"))  # as a file of one's own is named
    world.advance(START + dt.timedelta(hours=8))
    number = dial.set(50)
    shifted = aws.now().timestamp()
    world.advance_by(hours=4)
    after = dial.deployment(number)
    assert after["State"] == "ROLLED_BACK"
    (begun,) = [e for e in after["EventLog"] if e["EventType"] == "ROLLBACK_STARTED"]
    assert begun["TriggeredBy"] == "CLOUDWATCH_ALARM"
    taken_back = begun["OccurredAt"].timestamp()
    # In the five minutes in which as many jobs had failed as the deployed guard, phase 1's, counts to.
    guard = next(alarm for alarm in PARAMS.policy.alarms if alarm.id == "guard_failed_jobs")
    least = int(guard.phases["06_phase1_10_percent"].threshold)
    last = sorted(job.finished for job in world.truth.jobs.values())[least - 1]
    assert 0 <= taken_back - last <= 300
    poll = PARAMS.service.traffic.client_poll_s
    assert world.truth.between(taken_back - 240, taken_back).submitted > 0
    assert world.truth.between(taken_back + poll + 5).submitted == 0
    assert world.truth.between(taken_back + poll + 5).sync > 100
    tally = world.truth.between(shifted)
    assert tally.completed == 0
    assert tally.failed == tally.created == total(aws, "careervp_kpi", "VPRJobFailed", service="careervp")
    # Lambda saw nothing, the worker's log did, and the guard is OK again.
    assert total(aws, "AWS/Lambda", "Errors", FunctionName=PARAMS.name("worker")) == 0
    said = aws.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{PARAMS.name('worker')}", filterPattern='{ $.message = "VPRJobFailed" }'
    )["events"]
    assert len(said) == tally.failed
    assert set(states(aws).values()) == {"OK"}


def test_without_a_bake_nobody_takes_the_traffic_back(aws: EmbeddedAws) -> None:
    Dial(aws).set(50, bake=False)
    world = World(aws, PARAMS, "async_failing")
    world.advance(START + dt.timedelta(hours=9))
    assert world.knobs.percent == 50
    assert "ALARM" in states(aws).values()


def test_submissions_answered_5xx_fire_their_own_guard(aws: EmbeddedAws) -> None:
    dial = Dial(aws)
    world = World(aws, PARAMS, "submit_5xx")
    world.advance(START + dt.timedelta(hours=8))
    number = dial.set(50)
    world.advance_by(hours=3)
    assert dial.deployment(number)["State"] == "ROLLED_BACK"
    history = aws.client("cloudwatch").describe_alarm_history(HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    fired = {entry["AlarmName"] for entry in history if entry["HistorySummary"].endswith("to ALARM")}
    assert fired == {"careervp-vpr-submit-5xx-guard-prod"}


def test_messages_in_the_dlq_and_crashed_workers_fire_guards_too(aws: EmbeddedAws) -> None:
    scenario = Scenario(name="crash", title="t", behaviour=Behaviour(job_crash=1.0))
    Dial(aws).set(50, bake=False)
    World(aws, PARAMS, scenario).advance(START + dt.timedelta(hours=3))
    fired = {name for name, state in states(aws).items() if state == "ALARM"}
    assert fired == {"careervp-vpr-dlq-alarm-prod", "careervp-vpr-worker-crashes-guard-prod"}


def test_a_dial_set_between_two_looks_counts_from_then_on(aws: EmbeddedAws) -> None:
    world = World(aws, PARAMS)
    world.advance(START + dt.timedelta(hours=9))
    # The clock goes on without the world, as it does while a notebook runs: half an hour with the old dial.
    aws.move_to(START + dt.timedelta(hours=9, minutes=30))
    Dial(aws).set(100, bake=False)
    changed = aws.now().timestamp()
    world.advance_by(hours=1)
    assert world.truth.between(end=changed).submitted == 0
    poll = PARAMS.service.traffic.client_poll_s
    late = world.truth.between(changed + poll + 5)
    assert (late.sync, late.submitted > 50) == (0, True)


def test_the_switch_the_workers_and_the_billing_mode_are_knobs_too(aws: EmbeddedAws) -> None:
    world = World(aws, PARAMS, "low_traffic")
    aws.client("lambda").put_function_concurrency(FunctionName=PARAMS.name("worker"), ReservedConcurrentExecutions=9)
    Dial(aws).set(40, bake=False)
    world.advance_by(minutes=2)
    assert world.knobs.share == 0.4
    assert (world.knobs.workers, world.service.workers, world.knobs.billing_mode) == (9, 9, "PAY_PER_REQUEST")
    assert (world.knobs.table_units, world.knobs.index_units) == (None, None)
    given = {"ReadCapacityUnits": 100, "WriteCapacityUnits": 120}
    aws.client("dynamodb").update_table(
        TableName=PARAMS.name("table"),
        BillingMode="PROVISIONED",
        ProvisionedThroughput=given,
        GlobalSecondaryIndexUpdates=[
            {"Update": {"IndexName": PARAMS.name("gsi"), "ProvisionedThroughput": {**given, "WriteCapacityUnits": 90}}}
        ],
    )
    world.advance_by(minutes=2)
    assert (world.knobs.billing_mode, world.knobs.table_units, world.knobs.index_units) == ("PROVISIONED", 120, 90)
    # The switch off: one deployment on the environment beside.
    traffic, client = PARAMS.service.traffic, aws.client("appconfig")
    application = _id(client.list_applications(), traffic.application, PARAMS)
    environments = client.list_environments(ApplicationId=application)
    client.start_deployment(
        ApplicationId=application,
        EnvironmentId=_id(environments, traffic.switch_environment, PARAMS),
        ConfigurationProfileId=_id(
            client.list_configuration_profiles(ApplicationId=application), traffic.switch_profile, PARAMS
        ),
        ConfigurationVersion="1",
        DeploymentStrategyId=_id(client.list_deployment_strategies(), traffic.immediate_strategy, PARAMS),
    )
    world.advance_by(minutes=2)
    assert (world.knobs.percent, world.knobs.switch_on, world.knobs.share) == (40, False, 0.0)


def test_time_that_has_passed_is_no_step(aws: EmbeddedAws) -> None:
    world = World(aws, PARAMS)
    world.advance(START - dt.timedelta(hours=1))
    assert world.truth.between().sync == 0
    assert math.isnan(world.truth.between().success)


def test_a_fault_of_some_hours_comes_and_goes(aws: EmbeddedAws) -> None:
    fault = Fault(name="f", start=9, end=10, set={"submit_5xx": 1.0})
    scenario = load("healthy").model_copy(update={"faults": (fault,)})
    Dial(aws).set(100, bake=False)
    world = World(aws, PARAMS, scenario)
    world.advance(START + dt.timedelta(hours=12))
    by_hour = [
        world.truth.between(START.timestamp() + h * 3600, START.timestamp() + (h + 1) * 3600) for h in (8, 9, 11)
    ]
    assert [hour.submit_5xx == hour.submitted for hour in by_hour] == [False, True, False]
    assert set(states(aws).values()) == {"OK"}


def test_before_the_new_resources_are_deployed_only_the_old_endpoint_tells_anything(aws: EmbeddedAws) -> None:
    staging = load_file(FOLDER / "staging.yaml", read_yaml(FOLDER / "rehearsal.yaml"))
    deploy(aws, staging, "baseline")
    world = World(aws, staging)
    assert (world.knobs.deployed, world.knobs.share) == (False, 0.0)
    world.advance(START + dt.timedelta(hours=10))
    api = {"ApiName": staging.name("api"), "Stage": "prod"}
    seen = total(aws, "AWS/ApiGateway", "Count", **api, Resource="/api/vpr", Method="POST")
    assert seen == pytest.approx(world.truth.between().sync, abs=3)
    visible = "ApproximateNumberOfMessagesVisible"
    assert total(aws, "AWS/SQS", visible, "Maximum", QueueName=staging.name("queue")) is None
    # Once they are deployed they tell, and still nothing goes to async.
    deploy(aws, staging)
    world.advance_by(hours=1)
    assert (world.knobs.deployed, world.knobs.temporary, world.knobs.share) == (True, True, 0.0)
    assert total(aws, "AWS/SQS", visible, "Maximum", QueueName=staging.name("queue")) == 0
    assert world.truth.between().submitted == 0


def test_two_worlds_live_in_step_on_one_aws(aws: EmbeddedAws) -> None:
    staging = load_file(FOLDER / "staging.yaml", read_yaml(FOLDER / "rehearsal.yaml"))
    deploy(aws, staging)
    Dial(aws, staging).set(100, bake=False)
    prod = World(aws, PARAMS, seed=3)
    prod.advance_by(hours=1)
    other = World(aws, staging, "staging", seed=3)
    times: list[dt.datetime] = []
    end = START + dt.timedelta(hours=13)
    advance_all([prod, other], end, times.append)
    assert times == sorted(times) and times[-1] == end == prod.now == other.now
    assert abs(aws.now() - end) < dt.timedelta(seconds=5)
    there, here = other.truth.between(), prod.truth.between()
    assert (there.sync, here.submitted) == (0, 0)
    assert there.submitted > 100 and here.sync > 500
    for params, tally, path in ((PARAMS, here.sync, "/api/vpr"), (staging, there.submitted, "/api/vpr-async")):
        api = {"ApiName": params.name("api"), "Stage": "prod"}
        assert total(aws, "AWS/ApiGateway", "Count", **api, Resource=path, Method="POST") == pytest.approx(tally, abs=3)
    # Whoever goes home stays behind, and the other one lives on.
    prod.advance_by(hours=1)
    assert prod.now > other.now


def test_the_migration_in_its_order_refuses_nobody_and_a_hasty_one_does(aws: EmbeddedAws) -> None:
    dial = Dial(aws)
    dial.set(100, bake=False)
    world = World(aws, PARAMS)
    world.advance(START + dt.timedelta(hours=9))
    deploy(aws, PARAMS, "migrate")
    dial.set(0, bake=False)
    world.advance_by(minutes=10)
    assert (world.knobs.migrated, world.knobs.temporary, world.knobs.share) == (True, True, 0.0)
    deploy(aws, PARAMS, "remove_temporary")
    moved = aws.now().timestamp()
    world.advance_by(hours=1)
    late = world.truth.between(moved + 1)
    assert (late.refused, late.sync, late.submitted > 50) == (0, 0, True)
    api = {"ApiName": PARAMS.name("api"), "Stage": "prod"}
    assert total(aws, "AWS/ApiGateway", "Count", **api, Resource="/api/vpr", Method="POST") == pytest.approx(
        world.truth.between(START.timestamp() + 9 * 3600 + 60).submitted, abs=8
    )
    # Without waiting: the same clients find nothing where they call.
    deploy(aws, PARAMS, "migrate")
    dial.set(100, bake=False)
    world.advance_by(minutes=10)
    deploy(aws, PARAMS, "remove_temporary")
    world.advance_by(minutes=10)
    refused = world.truth.between().refused
    assert refused > 0
    assert total(aws, "AWS/ApiGateway", "4XXError", **api) == refused
    # The old Lambda may go, too.
    deploy(aws, PARAMS, "remove_sync")
    dial.set(0, bake=False)
    world.advance_by(minutes=30)
    assert world.truth.between(aws.now().timestamp() - 900).refused == 0


def test_a_fault_that_waits_for_the_migration_begins_with_it(aws: EmbeddedAws) -> None:
    fault = Fault(name="late", after="migration", start=1, set={"job_failed": 1.0})
    world = World(aws, PARAMS, Scenario(name="s", title="t", faults=(fault,)), seed=2)
    world.advance_by(minutes=30)
    assert world.service.scenario.waits_for("migration")
    deploy(aws, PARAMS, "migrate")
    world.advance_by(minutes=10)
    (known,) = world.service.scenario.faults
    assert known.after is None
    assert known.start == pytest.approx(1.5, abs=0.1), "an hour after /api/vpr was moved"
