"""Notebook 04 from its first cell to its sealed record on the embedded AWS; its code against moto too."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from runbook_lib.act import alarms as act
from runbook_lib.act.drill import drill
from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import AwsError, RedVerdict
from runbook_lib.observe.alarms import pager
from runbook_lib.observe.alarms.compared import Known, data_finding, plan
from runbook_lib.observe.alarms.declared import realise
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.alarms import topic_arn
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy

ROOT = params_dir(Path(__file__).parent).parent
FILE = ROOT / "params" / "staging.yaml"
APPLY = {"mode": "apply", "confirm": "staging"}
PAGER, ADDRESS = "/careervp/pager", "https://127.0.0.1:9/key-of-the-pager"
QUIET = TrafficState(dial_percent=0, switch_on=True, weight=0)


def parameters(account: str, archive: Path, **values: Any) -> dict[str, Any]:
    rehearsed = read_yaml(ROOT / "params" / "rehearsal.yaml")
    return {**read_yaml(FILE), **rehearsed, "account_id": account, "archive": str(archive), **values}


def with_pager(params: Params) -> Params:
    notify = params.service.notify.model_copy(update={"pagerduty_ssm": PAGER})
    return params.model_copy(update={"service": params.service.model_copy(update={"notify": notify})})


def guard(aws: Any, params: Params, journal: list[Any] | None = None) -> Guard:
    kept = journal if journal is not None else []

    def append(event: str, **data: Any) -> None:
        kept.append((event, data))

    now = dt.datetime.now(dt.UTC)
    identity = SimpleNamespace(account=params.account_id, arn="arn:aws:iam::000000000000:user/x", now=now)
    return Guard(params, identity, SimpleNamespace(append=append, append_or_stderr=append))  # type: ignore[arg-type]


class Staging:
    """Staging on an embedded AWS, and the notebook run on it."""

    def __init__(self, aws: EmbeddedAws, archive: Path) -> None:
        self.aws, self.folder = aws, archive
        self.params = load_file(FILE, parameters("000000000000", archive))

    def run(self, **values: Any) -> Record:
        """Every cell; the record it leaves."""
        notebook = json.loads((ROOT / "notebooks" / "04_alarms.ipynb").read_text())
        flat = parameters("000000000000", self.folder, **values)
        namespace: dict[str, Any] = {"__name__": "notebook"}
        with contextlib.chdir(ROOT), contextlib.suppress(RedVerdict):
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    exec("".join(cell["source"]), namespace)
                    namespace |= flat if "parameters" in cell["metadata"].get("tags", []) else {}
        archive = Archive(self.folder)
        ref = archive.records()[-1]
        archive.verify(ref)
        return archive.load(ref)


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedAws]:
    """One of this module's own: its alarms are written and set off."""
    with EmbeddedAws() as aws:
        deploy(aws, load_file(FILE, read_yaml(ROOT / "params" / "rehearsal.yaml")))
        aws.move_to(aws.now() + dt.timedelta(minutes=20))
        yield aws


@pytest.fixture
def staging(embedded: EmbeddedAws, tmp_path: Path) -> Iterator[Staging]:
    with only(embedded.env):
        yield Staging(embedded, tmp_path)


def by_id(record: Record) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in record.checks}


def test_a_plan_writes_nothing_and_sets_nothing_off(staging: Staging) -> None:
    before = {one.name: (one.exists, one.state) for one in plan(staging.aws, staging.params)}
    record = staging.run()
    assert record.decision == "PLANNED"
    assert record.changes == ()
    assert {one.name: (one.exists, one.state) for one in plan(staging.aws, staging.params)} == before
    found = by_id(record)
    assert found["alarm.high_queue_depth"]["mends"]
    assert "PASS" not in {one["verdict"] for id, one in found.items() if id.startswith("drill.")}


def test_applied_every_alarm_is_there_and_was_heard(staging: Staging) -> None:
    record = staging.run(**APPLY)
    assert record.decision == "PROMOTE", record.outcome
    found, alarms = by_id(record), [alarm.id for alarm in staging.params.policy.alarms]
    assert {found[f"alarm.{id}"]["verdict"] for id in alarms} == {"PASS"}
    assert {found[f"drill.{id}"]["verdict"] for id in alarms} == {"PASS"}
    assert found["drill.restored"]["verdict"] == "PASS"
    assert "additional" in found["alarm.api_5xx"]["expected"]
    assert found["notify.pager"]["verdict"] != "PASS", "none is configured"
    assert not found["notify.pager"]["required"]


def test_an_alarm_that_a_stack_owns_holds_the_rollout_and_is_not_written(staging: Staging) -> None:
    alarm = next(one for one in staging.params.policy.alarms if one.id == "guard_submit_5xx")
    wanted = realise(alarm, staging.params)
    staging.aws.client("cloudwatch").put_metric_alarm(**{**wanted, "Threshold": 77.0})
    try:
        record = staging.run(**APPLY)
        assert record.decision == "HOLD"
        assert "Threshold is 77.0, declared 7" in by_id(record)["alarm.guard_submit_5xx"]["reason"]
        still = next(one for one in plan(staging.aws, staging.params) if one.alarm.id == "guard_submit_5xx")
        assert not still.same
    finally:
        staging.aws.client("cloudwatch").put_metric_alarm(**wanted)


def test_metric_math_is_evaluated_where_the_emulator_alone_would_not(staging: Staging) -> None:
    """Task 7.1's own alarm: worker error rate over 5 minutes."""
    from runbook_lib.observe.metrics.catalogue import address
    from runbook_lib.params.metrics import metric

    alarm = next(one for one in staging.params.policy.alarms if one.id == "worker_errors")
    name, cloudwatch = realise(alarm, staging.params)["AlarmName"], staging.aws.client("cloudwatch")

    def put(errors: float) -> str:
        for id, value in (("worker_errors", errors), ("worker_invocations", 20.0)):
            where = address(metric(id), staging.params)
            point = {"MetricName": where["MetricName"], "Dimensions": where["Dimensions"], "Value": value}
            cloudwatch.put_metric_data(
                Namespace=where["Namespace"], MetricData=[point | {"Timestamp": staging.aws.now()}]
            )
        staging.aws.move_to(staging.aws.now() + dt.timedelta(minutes=1))
        return str(cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])

    assert put(1.0) == "OK", "5 % is not above 5 %"
    staging.aws.move_to(staging.aws.now() + dt.timedelta(minutes=10))
    assert put(2.0) == "ALARM"
    staging.aws.move_to(staging.aws.now() + dt.timedelta(minutes=10))
    assert put(0.0) == "OK"


@pytest.fixture
def moto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Params]]:
    """The same code against the second, independent emulator: clients, and parameters that may apply."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    params = load_file(FILE, {**parameters("123456789012", tmp_path), **APPLY})
    with mock_aws():
        boto3.client("sns", region_name="us-east-1").create_topic(Name=params.name("topic"))
        yield SimpleNamespace(client=lambda service: boto3.client(service, region_name="us-east-1")), params


def stacked(aws: Any, params: Params) -> None:
    """The alarms of the infrastructure code."""
    for alarm in params.policy.alarms:
        if alarm.owner == "stack":
            aws.client("cloudwatch").put_metric_alarm(**realise(alarm, params))


def test_moto_plan_apply_and_again(moto: tuple[Any, Params]) -> None:
    aws, params = moto
    stacked(aws, params)
    planned = plan(aws, params)
    assert {one.alarm.id for one in planned if one.writes} == {
        alarm.id for alarm in params.policy.alarms if alarm.owner == "runbook"
    }
    wrote = act.apply(aws, guard(aws, params), params, planned)
    after = plan(aws, params)
    assert all(one.same for one in after), [one.differences for one in after if not one.same]
    assert set(wrote) == {one.name for one in after if one.alarm.owner == "runbook"}
    assert act.apply(aws, guard(aws, params), params, after) == []


def test_moto_a_changed_alarm_is_told(moto: tuple[Any, Params]) -> None:
    aws, params = moto
    alarm = next(one for one in params.policy.alarms if one.id == "worker_throttles")
    aws.client("cloudwatch").put_metric_alarm(**{**realise(alarm, params), "Period": 60})
    found = next(one for one in plan(aws, params) if one.alarm.id == "worker_throttles")
    assert any("Period is 60" in said for said in found.differences)


def test_moto_an_alarm_with_the_wrong_dimensions_is_found(moto: tuple[Any, Params]) -> None:
    aws, params = moto
    one = next(one for one in plan(aws, params) if one.alarm.id == "worker_throttles")
    source = next(iter(one.sources or ()), None)
    if source is None:  # what is not there yet looks at nothing
        act.apply(aws, guard(aws, params), params, plan(aws, params))
        one = next(one for one in plan(aws, params) if one.alarm.id == "worker_throttles")
        source = one.sources[0]
    wrong = [{"Name": "FunctionName", "Value": params.name("worker")}, {"Name": "Resource", "Value": "x"}]
    aws.client("cloudwatch").put_metric_data(
        Namespace=source.namespace, MetricData=[{"MetricName": source.name, "Dimensions": wrong, "Value": 0.0}]
    )
    ok, said = data_finding(Known(aws.client("cloudwatch")), one, dt.datetime.now(dt.UTC), 6)
    assert ok is False
    assert "wrong dimensions, so this alarm waits for ever" in said


def test_moto_the_drill_puts_back_and_names_the_silent(moto: tuple[Any, Params]) -> None:
    """moto sends no notification when a state is set: every alarm is silent, is said to be, and is put back."""
    aws, params = moto
    stacked(aws, params)
    names = [one.name for one in plan(aws, params) if one.exists]
    before = {one.name: one.state for one in plan(aws, params)}
    done = drill(aws, guard(aws, params), params, names, QUIET, wait_s=0.2)
    assert set(done.silent) == set(names)
    assert {one.name: one.state for one in plan(aws, params)} == before
    assert not aws.client("sqs").list_queues().get("QueueUrls")


@pytest.fixture
def paged(moto: tuple[Any, Params]) -> tuple[Any, Params]:
    """A pager whose address is kept where it belongs."""
    aws, params = moto
    aws.client("ssm").put_parameter(Name=PAGER, Value=ADDRESS, Type="SecureString")
    return aws, with_pager(params)


@pytest.mark.slow
def test_the_pager_is_subscribed_to_its_alarms_and_its_address_is_told_to_nobody(paged: tuple[Any, Params]) -> None:
    aws, params = paged
    journal: list[Any] = []
    assert pager.read(aws, params).writes
    assert act.page(aws, guard(aws, params, journal), params)
    found = pager.read(aws, params)
    assert found.subscription
    assert found.as_declared
    assert not act.page(aws, guard(aws, params), params), "once is enough"
    (one,) = aws.client("sns").list_subscriptions_by_topic(TopicArn=topic_arn(params))["Subscriptions"]
    assert (one["Protocol"], one["Endpoint"]) == ("https", ADDRESS)
    assert journal
    assert "key-of-the-pager" not in repr(journal) + repr(found)
    assert {"careervp-vpr-api-5xx-alarm-staging"} < set(found.wanted)


def test_another_filter_is_mended(paged: tuple[Any, Params]) -> None:
    aws, params = paged
    sns = aws.client("sns")
    given = {"FilterPolicy": json.dumps({"AlarmName": ["one"]}), "FilterPolicyScope": "MessageBody"}
    sns.subscribe(TopicArn=topic_arn(params), Protocol="https", Endpoint=ADDRESS, Attributes=given)
    assert pager.read(aws, params).alarms == ("one",)
    assert act.page(aws, guard(aws, params), params)
    assert pager.read(aws, params).alarms == pager.paged(params)


def test_a_parameter_that_is_missing_or_no_address_is_said_without_its_value(moto: tuple[Any, Params]) -> None:
    aws, params = moto
    with pytest.raises(AwsError, match=PAGER):
        pager.read(aws, with_pager(params))
    aws.client("ssm").put_parameter(Name=PAGER, Value="key-of-the-pager", Type="SecureString")
    with pytest.raises(AwsError, match="no https address") as told:
        pager.read(aws, with_pager(params))
    assert "key-of-the-pager" not in str(told.value)


def test_without_a_parameter_nothing_is_asked() -> None:
    params = load_file(FILE, read_yaml(ROOT / "params" / "rehearsal.yaml"))
    found = pager.read(SimpleNamespace(), params)
    assert (found.writes, found.subscription) == (False, "")


def test_a_year_until_an_alarm_fires_is_not_never() -> None:
    from runbook_lib.steps.alarm_odds import _duration

    assert [_duration(hours) for hours in (1.5, 30, 240, 24 * 400)] == ["90 min", "30.0 h", "10 d", "about 400 days"]
    assert _duration(24 * 365 * 200) == _duration(float("inf")) == "never"
