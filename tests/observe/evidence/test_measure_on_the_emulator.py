"""What only a running AWS can tell: buckets, percentiles, AppConfig's states, alarms as they come back.

Where the embedded AWS differs from AWS, a test names it (docs/emulator.md), so that an upgrade which mends it is
noticed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from runbook_lib.base.window import Window, iso
from runbook_lib.observe.alarms.declared import guard_findings, realise
from runbook_lib.observe.evidence.measure import asks, asks_bounds
from runbook_lib.observe.evidence.questions import LATENCY
from runbook_lib.observe.jobs.census import take
from runbook_lib.observe.jobs.logs import failures
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.observe.metrics.fetch import Ask, fetch
from runbook_lib.observe.resources import live
from runbook_lib.observe.traffic.state import handles, read_state
from runbook_lib.params.load import Params
from runbook_lib.params.metrics import metric

pytestmark = pytest.mark.emulator
T0 = (dt.datetime.now(dt.UTC) - dt.timedelta(days=5)).replace(hour=9, minute=7, second=0, microsecond=0)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    from runbook_lib.rehearse.emulator.embedded import EmbeddedAws

    with EmbeddedAws(T0) as embedded:
        yield embedded


def publish(cloudwatch: Any, params: Params, id: str, points: list[tuple[dt.datetime, list[float]]]) -> None:
    where = address(metric(id), params)
    data = [
        {"MetricName": where["MetricName"], "Dimensions": where["Dimensions"], "Timestamp": when, "Values": values}
        for when, values in points
    ]
    for place in range(0, len(data), 500):
        cloudwatch.put_metric_data(Namespace=where["Namespace"], MetricData=data[place : place + 500])


@pytest.fixture(scope="module")
def sample(aws: Any, params: Params) -> Any:
    """300 latencies in ms over 20 h, published; beside them two that lie outside the window."""
    cloudwatch = aws.client("cloudwatch")
    aws.move_to(T0 + 25 * HOUR)
    sample = np.random.default_rng(7).lognormal(6.5, 0.6, 300).round(3)
    points = [(T0 + k * dt.timedelta(minutes=4), [float(value)]) for k, value in enumerate(sample)]
    outside = [(T0 - dt.timedelta(minutes=1), [9e6]), (T0 + 24 * HOUR, [9e6])]
    publish(cloudwatch, params, "async_latency", [*points, *outside])
    return sample


def test_a_percentile_of_24_h_is_one_bucket_and_so_are_its_bounds(aws: Any, params: Params, sample: Any) -> None:
    cloudwatch = aws.client("cloudwatch")
    window = Window(T0, T0 + 24 * HOUR)
    now = aws.now()
    first = fetch(cloudwatch, params, asks(params, window, now), now)
    assert first.single(LATENCY.n) == 300
    assert first.single(LATENCY.label) == pytest.approx(np.percentile(sample, 95))
    bounds = fetch(cloudwatch, params, asks_bounds(first, params, window, now), now)
    both = first + bounds
    upper, low, value = (both.single(name) for name in (LATENCY.upper, LATENCY.low, LATENCY.label))
    assert low and upper and value and low < value < upper
    # p97.33 of 300 is the order statistic of rank 292, but for the emulator's interpolation between neighbours.
    assert np.sort(sample)[290] <= upper <= np.sort(sample)[292]


def test_gap_the_emulator_cuts_buckets_at_the_epochs_multiples(aws: Any, params: Params, sample: Any) -> None:
    cloudwatch = aws.client("cloudwatch")
    now = aws.now()
    ask = Ask("async_latency", Window(T0, T0 + 24 * HOUR), "p95", 86400)
    assert len(fetch(cloudwatch, params, [ask], now).points(ask.label)) == 2


def test_gap_the_emulator_answers_unknown_statistics_with_the_average(aws: Any, params: Params) -> None:
    cloudwatch = aws.client("cloudwatch")
    window, now = Window(T0, T0 + 24 * HOUR), aws.now()
    asked = [Ask("async_latency", window, stat, "window") for stat in ("PR(:5000)", "Average")]
    answers = fetch(cloudwatch, params, asked, now)
    assert answers.single(asked[0].label) == answers.single(asked[1].label)


def test_counts_and_absence(aws: Any, params: Params) -> None:
    cloudwatch = aws.client("cloudwatch")
    start = T0 + 2 * HOUR
    publish(cloudwatch, params, "sync_requests", [(start + k * dt.timedelta(minutes=1), [1.0, 1.0]) for k in range(10)])
    window, now = Window(start, start + HOUR), aws.now()
    answers = fetch(cloudwatch, params, [Ask("sync_requests", window), Ask("worker_errors", window)], now)
    assert answers.total("sync_requests:Sum") == 20 and len(answers.points("sync_requests:Sum")) == 10
    assert answers.total("worker_errors:Sum") is None


@pytest.fixture(scope="module")
def flags(aws: Any, params: Params) -> dict[str, str]:
    """Application, profiles, environments and strategies as the parameters name them, and the guards as monitors."""
    cloudwatch, appconfig = aws.client("cloudwatch"), aws.client("appconfig")
    for alarm in params.policy.alarms:
        if alarm.guard:
            cloudwatch.put_metric_alarm(**realise(alarm, params))
    names = [realise(alarm, params)["AlarmName"] for alarm in params.policy.alarms if alarm.guard]
    arns = [one["AlarmArn"] for one in cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]]
    traffic, env = params.service.traffic, params.env
    app = appconfig.create_application(Name=traffic.application.format(env=env))["Id"]
    for profile in (traffic.dial_profile, traffic.switch_profile):
        appconfig.create_configuration_profile(
            ApplicationId=app, Name=profile, LocationUri="hosted", Type="AWS.AppConfig.FeatureFlags"
        )
    monitors = [{"AlarmArn": arn} for arn in arns]
    appconfig.create_environment(ApplicationId=app, Name=traffic.dial_environment.format(env=env), Monitors=monitors)
    appconfig.create_environment(ApplicationId=app, Name=traffic.switch_environment.format(env=env))
    for name, bake in ((traffic.immediate_strategy, 0), (traffic.soak_strategy, 1440)):
        appconfig.create_deployment_strategy(
            Name=name.format(env=env),
            DeploymentDurationInMinutes=0,
            GrowthFactor=100,
            FinalBakeTimeInMinutes=bake,
            ReplicateTo="NONE",
        )
    return {"application": app}


def deploy(aws: Any, params: Params, value: dict[str, Any], *, dial: bool, soak: bool = False) -> None:
    import json

    appconfig = aws.client("appconfig")
    known = handles(appconfig, params)
    profile = known.dial_profile if dial else known.switch_profile
    document = {"version": "1", "flags": {"vpr_async": {"name": "vpr_async"}}, "values": {"vpr_async": value}}
    version = appconfig.create_hosted_configuration_version(
        ApplicationId=known.application,
        ConfigurationProfileId=profile,
        ContentType="application/json",
        Content=json.dumps(document).encode(),
    )["VersionNumber"]
    appconfig.start_deployment(
        ApplicationId=known.application,
        EnvironmentId=known.dial_environment if dial else known.switch_environment,
        DeploymentStrategyId=known.soak_strategy if soak else known.immediate_strategy,
        ConfigurationProfileId=profile,
        ConfigurationVersion=str(version),
        Description="a test",
    )


def test_dial_and_switch_through_a_bake_and_its_rollback(aws: Any, params: Params, flags: dict[str, str]) -> None:
    appconfig = aws.client("appconfig")
    assert read_state(appconfig, params).weight == 0
    deploy(aws, params, {"enabled": True}, dial=False)
    deploy(aws, params, {"enabled": True, "percent": 0}, dial=True)
    deploy(aws, params, {"enabled": True, "percent": 10}, dial=True, soak=True)
    at = aws.now()
    state = read_state(appconfig, params)
    assert (state.dial_percent, state.switch_on, state.weight, state.busy) == (10, True, 10, True)
    assert state.dial_deployment and state.dial_deployment.state == "BAKING"
    assert state.dial_deployment.description == "a test" and state.dial_deployment.bake_minutes == 1440
    assert state.since and abs((dt.datetime.fromisoformat(state.since) - at).total_seconds()) < 5
    assert len(state.monitors) == 5
    aws.move_to(aws.now() + HOUR)
    aws.client("cloudwatch").set_alarm_state(
        AlarmName="careervp-vpr-dlq-alarm-prod", StateValue="ALARM", StateReason="a test"
    )
    back = read_state(appconfig, params)
    assert (back.dial_percent, back.weight, back.busy) == (0, 0, False)
    assert back.dial_deployment and back.dial_deployment.state == "ROLLED_BACK"
    assert back.dial_deployment.taken_back_by == "CLOUDWATCH_ALARM"
    assert back.dial_since == back.dial_deployment.taken_back_at


def test_guards_as_the_emulator_gives_them_back(aws: Any, params: Params, flags: dict[str, str]) -> None:
    cloudwatch = aws.client("cloudwatch")
    names = [realise(alarm, params)["AlarmName"] for alarm in params.policy.alarms if alarm.guard]
    for name in names:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")
    assert [one.sentence for one in guard_findings(aws.client, params) if not one.ok] == []
    cloudwatch.disable_alarm_actions(AlarmNames=names[:1])
    wrong = [one for one in guard_findings(aws.client, params) if not one.ok]
    assert [one.alarm for one in wrong] == names[:1] and "disabled" in wrong[0].sentence


def test_the_census_reads_a_real_table(aws: Any, params: Params) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName=params.name("table"),
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "job_id", "AttributeType": "S"}],
    )
    now = aws.now()
    start = now - 2 * HOUR
    for place in range(7):
        created = start + place * dt.timedelta(minutes=10)
        item = {
            "job_id": {"S": str(place)},
            "created_at": {"S": iso(created)},
            "status": {"S": "FAILED" if place == 3 else "COMPLETED"},
            "completed_at": {"S": iso(created + dt.timedelta(seconds=45))},
            "error": {"S": "boom"},
            "source": {"S": "client"},
            "token_usage": {"M": {"input": {"N": "7500"}, "output": {"N": "2200"}}},
        }
        dynamodb.put_item(TableName=params.name("table"), Item=item)
    policy = params.policy.model_copy(update={"census_page_size": 2})
    paged = params.model_copy(update={"policy": policy})
    segment = take(dynamodb, paged, Window(start, start + HOUR), now, sleep=lambda _: None)
    assert (segment.n, segment.completed, segment.failed, segment.errors) == (6, 5, 1, {"boom": 1})
    assert segment.input_tokens == 6 * 7500
    assert segment.generation_s == (45,) * 5
    assert segment.read_units > 0


def test_live_depths_and_settings(aws: Any, params: Params) -> None:
    import io
    import zipfile

    sqs, functions = aws.client("sqs"), aws.client("lambda")
    for name in ("queue", "dlq"):
        sqs.create_queue(QueueName=params.name(name))
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=params.name("dlq"))["QueueUrl"], MessageBody="lost")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return {}\n")
    for name, memory in (("submit", 256), ("worker", 1024), ("status", 256)):
        functions.create_function(
            FunctionName=params.name(name),
            Runtime="python3.12",
            Handler="index.handler",
            Role="arn:aws:iam::000000000000:role/x",
            Code={"ZipFile": code.getvalue()},
            MemorySize=memory,
            Timeout=10,
        )
    found = live.read(sqs, functions, params)
    assert (found["queue_visible"], found["dlq_visible"], found["max_receives"]) == (0, 1, None)
    assert found["memory_mb"] == {"submit": 256, "worker": 1024, "status": 256}


def test_failures_in_a_real_log(aws: Any, params: Params) -> None:
    logs = aws.client("logs")
    now = aws.now()
    window = Window(now - HOUR, now)
    assert failures(logs, params, window, resource="sync") == []
    group = f"/aws/lambda/{params.name('worker')}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    lines = [
        '{"level": "ERROR", "message": "VPRJobFailed", "job_id": "1", "reason": "LLM quota exhausted"}',
        '{"level": "ERROR", "message": "VPRJobFailed", "job_id": "2", "reason": "LLM quota exhausted"}',
        '{"level": "INFO", "message": "done"}',
        "Task timed out after 300.00 seconds",
    ]
    stamp = int((now - HOUR / 2).timestamp() * 1000)
    events = [{"timestamp": stamp + place, "message": line} for place, line in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    assert [(one.text, one.count) for one in failures(logs, params, window)] == [
        ("VPRJobFailed: LLM quota exhausted", 2),
        ("Task timed out after <n> seconds", 1),
    ]
