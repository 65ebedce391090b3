"""The sandbox as deployed: settings read back, what the emulator lacks, the pipeline through time, guards at work."""

from __future__ import annotations

import datetime as dt
import json
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runbook_lib.act.requests.smoke import smoke
from runbook_lib.act.traffic import flags
from runbook_lib.base.errors import AwsError
from runbook_lib.observe.alarms.declared import realise
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.alarms import alarm_name
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.params.metrics import metric
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox import deploy as room
from runbook_lib.rehearse.sandbox.deploy import Sandbox, deploy, deploy_all, rollback_triggers
from runbook_lib.rehearse.sandbox.template import alarm_id, build

pytestmark = pytest.mark.emulator
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


def _params(env: str) -> Params:
    folder = params_dir()
    return load_file(folder / f"{env}.yaml", read_yaml(folder / "rehearsal.yaml"))


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS of this module's own: its alarms go off and its clock is moved by days."""
    with EmbeddedAws() as one:
        yield one


@pytest.fixture(scope="module")
def prod(aws: EmbeddedAws) -> Sandbox:
    return deploy(aws, _params("prod"))


def _eventually(value: Callable[[], Any], wanted: Any, seconds: float = 10.0) -> Any:
    until = time.monotonic() + seconds
    while (found := value()) != wanted and time.monotonic() < until:
        time.sleep(0.05)
    return found


def test_settings_read_back(aws: EmbeddedAws, prod: Sandbox) -> None:
    name, sqs = prod.params.name, aws.client("sqs")
    queue = sqs.get_queue_attributes(QueueUrl=prod.outputs["QueueUrl"], AttributeNames=["All"])["Attributes"]
    dlq = sqs.get_queue_attributes(QueueUrl=prod.outputs["DlqUrl"], AttributeNames=["All"])["Attributes"]
    assert (queue["VisibilityTimeout"], queue["MessageRetentionPeriod"]) == ("660", "14400")
    assert (queue["ReceiveMessageWaitTimeSeconds"], queue["SqsManagedSseEnabled"].lower()) == ("20", "true")
    redrive = json.loads(queue["RedrivePolicy"])
    assert (int(redrive["maxReceiveCount"]), redrive["deadLetterTargetArn"]) == (3, dlq["QueueArn"])
    assert (dlq["MessageRetentionPeriod"], dlq["SqsManagedSseEnabled"].lower()) == ("1209600", "true")

    dynamodb = aws.client("dynamodb")
    table = dynamodb.describe_table(TableName=name("table"))["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert [(one["IndexName"], one["Projection"]["ProjectionType"]) for one in table["GlobalSecondaryIndexes"]] == [
        (name("gsi"), "ALL")
    ]
    ttl = dynamodb.describe_time_to_live(TableName=name("table"))["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "ttl")

    s3, bucket = aws.client("s3"), prod.outputs["BucketName"]
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    assert len(block) == 4
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["Expiration"]["Days"], rule["Status"]) == (7, "Enabled")
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


@pytest.mark.parametrize(
    ("function", "memory", "timeout"),
    [("submit", 256, 10), ("worker", 1024, 300), ("status", 256, 10), ("sync", 512, 60)],
)
def test_functions_read_back(aws: EmbeddedAws, prod: Sandbox, function: str, memory: int, timeout: int) -> None:
    found = aws.client("lambda").get_function_configuration(FunctionName=prod.params.name(function))
    assert (found["MemorySize"], found["Timeout"]) == (memory, timeout)


def test_worker_reads_back_with_its_concurrency(aws: EmbeddedAws, prod: Sandbox) -> None:
    worker, client = prod.params.name("worker"), aws.client("lambda")
    assert client.get_function_concurrency(FunctionName=worker)["ReservedConcurrentExecutions"] == 5
    (source,) = client.list_event_source_mappings(FunctionName=worker)["EventSourceMappings"]
    assert (source["BatchSize"], source["ScalingConfig"]["MaximumConcurrency"]) == (1, 5)


def test_stage_has_detailed_metrics(aws: EmbeddedAws, prod: Sandbox) -> None:
    stage = aws.client("apigateway").get_stage(restApiId=prod.outputs["ApiId"], stageName="prod")
    assert stage["methodSettings"]["*/*"]["metricsEnabled"] is True


def test_alarms_exist_with_actions_and_the_guards_are_ok(aws: EmbeddedAws, prod: Sandbox) -> None:
    alarms = [alarm for alarm in prod.params.policy.alarms if alarm.owner == "stack"]
    names = [alarm_name(alarm, prod.params) for alarm in alarms]
    found = {
        one["AlarmName"]: one for one in aws.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    }
    assert set(found) == set(names)
    for alarm, name in zip(alarms, names, strict=True):
        assert found[name]["AlarmActions"] == [prod.outputs["TopicArn"]]
        assert found[name]["ActionsEnabled"]
        assert not alarm.guard or found[name]["StateValue"] == "OK"


def _environment(aws: EmbeddedAws, prod: Sandbox, name: str) -> dict[str, Any]:
    items = aws.client("appconfig").list_environments(ApplicationId=prod.outputs["ApplicationId"])["Items"]
    found: dict[str, Any] = next(one for one in items if one["Name"] == name)
    return found


def test_guards_watch_the_dial_and_nothing_watches_the_switch(aws: EmbeddedAws, prod: Sandbox) -> None:
    guards = {alarm_name(alarm, prod.params) for alarm in prod.params.policy.alarms if alarm.guard}
    monitors = _environment(aws, prod, "prod")["Monitors"]
    assert {one["AlarmArn"].rsplit(":", 1)[1] for one in monitors} == guards
    assert all(one["AlarmRoleArn"] for one in monitors)
    assert not _environment(aws, prod, "prod-switch").get("Monitors")


def _flag(aws: EmbeddedAws, prod: Sandbox, environment: str, profile: str) -> dict[str, Any]:
    """What a client reads now."""
    client = aws.client("appconfigdata")
    session = client.start_configuration_session(
        ApplicationIdentifier=prod.outputs["ApplicationId"],
        EnvironmentIdentifier=environment,
        ConfigurationProfileIdentifier=profile,
    )
    content = client.get_latest_configuration(ConfigurationToken=session["InitialConfigurationToken"])["Configuration"]
    flag: dict[str, Any] = json.loads(content.read())["vpr_async"]
    return flag


def test_clients_read_dial_0_and_switch_on(aws: EmbeddedAws, prod: Sandbox) -> None:
    assert _flag(aws, prod, "prod", "vpr-async-dial")["percent"] == 0
    assert _flag(aws, prod, "prod-switch", "vpr-async-switch")["enabled"] is True


def test_three_environments_side_by_side_and_again(aws: EmbeddedAws, prod: Sandbox) -> None:
    """The second deployment of the same is no error and moves nothing."""
    every = deploy_all(aws, [_params(env) for env in ("dev", "staging", "prod")])
    assert [one.params.env for one in every] == ["dev", "staging", "prod"]
    assert len({one.api_url for one in every}) == len({one.outputs["BucketName"] for one in every}) == 3
    assert every[2].outputs == prod.outputs
    assert every[2].api_url == f"{aws.endpoint}/restapis/{prod.outputs['ApiId']}/prod/_user_request_"


def test_an_update_reaches_the_stack(aws: EmbeddedAws, prod: Sandbox) -> None:
    service = prod.params.service.model_copy(update={"visibility_timeout_s": 720})
    deploy(aws, prod.params.model_copy(update={"service": service}))
    ask = {"QueueUrl": prod.outputs["QueueUrl"], "AttributeNames": ["VisibilityTimeout"]}
    assert aws.client("sqs").get_queue_attributes(**ask)["Attributes"]["VisibilityTimeout"] == "720"
    deploy(aws, prod.params)
    assert aws.client("sqs").get_queue_attributes(**ask)["Attributes"]["VisibilityTimeout"] == "660"


def _template(*resources: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    return {"Resources": {id: {"Type": kind, "Properties": properties} for id, kind, properties in resources}}


def _deploy_template(aws: EmbeddedAws, params: Params, stack: str, template: dict[str, Any]) -> Sandbox:
    names = {**params.service.names, "stack": stack}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "embedded_template", lambda *_: template)
        return deploy(aws, params.model_copy(update={"service": params.service.model_copy(update={"names": names})}))


def test_a_failed_stack_names_the_resource_and_the_reason(aws: EmbeddedAws, prod: Sandbox) -> None:
    broken = _template(("Alarm", "AWS::CloudWatch::Alarm", {"AlarmName": "without a metric"}))
    with pytest.raises(AwsError, match="stack careervp-broken-stack: Alarm: MetricName"):
        _deploy_template(aws, prod.params, "careervp-broken-stack", broken)


def test_a_refused_stack_names_the_resource_and_the_reason(aws: EmbeddedAws, prod: Sandbox) -> None:
    """CloudFormation refuses it before anything is made; the stack's events only point to DescribeEvents."""
    taken = _template(("Bucket", "AWS::S3::Bucket", {"BucketName": prod.outputs["BucketName"]}))
    with pytest.raises(AwsError, match=r"stack careervp-taken-stack: Bucket: .*exists"):
        _deploy_template(aws, prod.params, "careervp-taken-stack", taken)


def test_gap_cloudformation_refuses_metric_math_alarms(aws: EmbeddedAws) -> None:
    """ministack 1.5.33. When this fails, `sandbox.embedded_template` and `_fill_gaps` can forget about alarms."""
    params = _params("prod")
    alarm = next(alarm for alarm in params.policy.alarms if alarm.metric is None)
    resource = {**build(params)["Resources"][alarm_id(alarm.id)]}
    resource["Properties"] = {**realise(alarm, params), "AlarmName": "gap"}
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName="gap-math", TemplateBody=json.dumps({"Resources": {"Alarm": resource}}))
    events = _eventually(
        lambda: "CREATE_FAILED" in str(cloudformation.describe_stack_events(StackName="gap-math")), True
    )
    assert events


def _made(aws: EmbeddedAws, stack: str, kind: str, properties: dict[str, Any]) -> None:
    """A stack with one resource, made."""
    _deploy_raw(aws, stack, _template(("Gap", kind, properties)))


def _deploy_raw(aws: EmbeddedAws, stack: str, template: dict[str, Any]) -> None:
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.05})


def test_gap_cloudformation_drops_reserved_concurrency(aws: EmbeddedAws) -> None:
    """ministack 1.5.33. When this fails, `sandbox._fill_gaps` can forget about concurrency."""
    properties = {
        "FunctionName": "gap",
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/gap",
        "Code": {"ZipFile": "def handler(event, context): pass"},
        "ReservedConcurrentExecutions": 5,
    }
    _made(aws, "gap-concurrency", "AWS::Lambda::Function", properties)
    assert "ReservedConcurrentExecutions" not in aws.client("lambda").get_function_concurrency(FunctionName="gap")


def test_gap_cloudformation_drops_a_tables_ttl(aws: EmbeddedAws) -> None:
    """ministack 1.5.33. When this fails, `sandbox._fill_gaps` can forget about the TTL."""
    properties = {
        "TableName": "gap",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
    }
    _made(aws, "gap-ttl", "AWS::DynamoDB::Table", properties)
    ttl = aws.client("dynamodb").describe_time_to_live(TableName="gap")["TimeToLiveDescription"]
    assert ttl["TimeToLiveStatus"] == "DISABLED"


def test_gap_cloudformation_drops_a_buckets_lifecycle(aws: EmbeddedAws) -> None:
    """ministack 1.5.33. When this fails, `sandbox._fill_gaps` can forget about the lifecycle."""
    rules = {"Rules": [{"Id": "gap", "Status": "Enabled", "ExpirationInDays": 7}]}
    _made(aws, "gap-lifecycle", "AWS::S3::Bucket", {"BucketName": "gap", "LifecycleConfiguration": rules})
    with pytest.raises(aws.client("s3").exceptions.ClientError, match="NoSuchLifecycleConfiguration"):
        aws.client("s3").get_bucket_lifecycle_configuration(Bucket="gap")


def test_gap_cloudformation_drops_a_stages_access_logs(aws: EmbeddedAws) -> None:
    """ministack 1.5.33. When this fails, `sandbox._log_access` can go."""
    made = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "gap"}},
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}},
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "DeploymentId": {"Ref": "Deployment"},
                "StageName": "gap",
                "AccessLogSetting": {"DestinationArn": "arn:aws:logs:us-east-1:1:log-group:gap", "Format": "{}"},
            },
        },
    }
    _deploy_raw(aws, "gap-access-logs", {"Resources": made})
    gateway = aws.client("apigateway")
    api = next(one["id"] for one in gateway.get_rest_apis()["items"] if one["name"] == "gap")
    assert not gateway.get_stage(restApiId=api, stageName="gap").get("accessLogSettings")


def test_gap_cloudformation_forgets_rollback_triggers(aws: EmbeddedAws) -> None:
    """ministack 1.5.33. When this fails, the rehearsal's record can show them as found (`Infra.watched`)."""
    stack = "gap-triggers"
    _made(aws, stack, "AWS::SQS::Queue", {"QueueName": "gap-triggers"})
    cloudformation = aws.client("cloudformation")
    cloudformation.update_stack(
        StackName=stack,
        TemplateBody=json.dumps(_template(("Gap", "AWS::SQS::Queue", {"QueueName": "gap-watched"}))),
        RollbackConfiguration=rollback_triggers(["arn:aws:cloudwatch:us-east-1:000000000000:alarm:gap"]),
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.05})
    assert "RollbackConfiguration" not in cloudformation.describe_stacks(StackName=stack)["Stacks"][0]


def test_gap_a_parameter_of_type_number_stays_a_string(aws: EmbeddedAws) -> None:
    """ministack 1.5.33: MaximumConcurrency by `Ref` stops the poller of the queue, hence the literal in template.py."""
    template = _template(("Gap", "AWS::SQS::Queue", {"QueueName": "gap-number"}))
    template["Parameters"] = {"N": {"Type": "Number", "Default": "5"}}
    source = {
        "FunctionName": "gap",
        "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:gap-number",
        "Enabled": False,
        "BatchSize": 1,
        "ScalingConfig": {"MaximumConcurrency": {"Ref": "N"}},
    }
    kind = "AWS::Lambda::EventSourceMapping"
    template["Resources"]["Source"] = {"Type": kind, "Properties": source, "DependsOn": "Gap"}
    _deploy_raw(aws, "gap-number", template)
    try:
        raw = aws.client("lambda").meta.endpoint_url + "/2015-03-31/event-source-mappings/"
        with urllib.request.urlopen(raw) as answer:
            mappings = json.loads(answer.read())["EventSourceMappings"]
        (found,) = [one for one in mappings if one["EventSourceArn"].endswith("gap-number")]
        assert found["ScalingConfig"]["MaximumConcurrency"] == "5"
    finally:
        aws.client("cloudformation").delete_stack(StackName="gap-number")


def test_gap_the_gateways_and_queues_invocations_publish_no_metrics(aws: EmbeddedAws, prod: Sandbox) -> None:
    """ministack 1.5.33: of Lambda only a direct Invoke is measured, of API Gateway, SQS, DynamoDB nothing.

    So the world publishes it all, and smoke requests do not count twice.
    """
    smoke(prod.api_url, routes=prod.params.service.api.routes, probe_id="unseen")
    for namespace in ("AWS/Lambda", "AWS/ApiGateway", "AWS/SQS", "AWS/DynamoDB"):
        found = aws.client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]
        assert not [one for one in found if "prod" in str(one["Dimensions"])], namespace


def test_a_line_that_matches_the_filter_makes_a_point(aws: EmbeddedAws, prod: Sandbox) -> None:
    """By the rehearsal's own shim (`metric_filters`): ministack 1.5.33 keeps filters and counts nothing."""
    logs, group = aws.client("logs"), f"/aws/lambda/{prod.params.name('worker')}"
    (made,) = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    assert made["filterPattern"] == '{ $.message = "VPRJobFailed" }'
    logs.create_log_stream(logGroupName=group, logStreamName="gap")
    line = {"message": "VPRJobFailed", "service": prod.params.service.kpi_service}
    event = {"timestamp": int(aws.now().timestamp() * 1000), "message": json.dumps(line)}
    logs.put_log_events(logGroupName=group, logStreamName="gap", logEvents=[event])
    names = aws.client("cloudwatch").list_metrics(Namespace=prod.params.service.kpi_namespace)["Metrics"]
    assert "VPRJobFailed" in {one["MetricName"] for one in names}


def test_the_pipeline_works_before_and_after_the_clock_was_moved(aws: EmbeddedAws, prod: Sandbox) -> None:
    created: list[dt.datetime] = []
    for day in range(3):
        failed = [
            step
            for step in smoke(prod.api_url, routes=prod.params.service.api.routes, probe_id=f"day-{day}")
            if not step.ok
        ]
        assert not failed
        jobs = aws.client("dynamodb").scan(TableName=prod.params.name("table"))["Items"]
        created += [dt.datetime.fromisoformat(job["created_at"]["S"]) for job in jobs]
        aws.move_to(aws.now() + 24 * HOUR)
    assert max(created) - min(created) > 47 * HOUR, "jobs are dated by AWS's clock"


def _calm(aws: EmbeddedAws, prod: Sandbox) -> None:
    """Lets the guards that an earlier test has raised go back to OK: a dial under an alarm is rolled back at once.

    Whether the DLQ's guard is raised at all depends on when the gauge of real queues looks, five times a second.
    """
    names = [alarm_name(alarm, prod.params) for alarm in prod.params.policy.alarms if alarm.guard]

    def raised() -> list[str]:
        aws.move_to(aws.now() + HOUR)
        found = aws.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
        return [one["AlarmName"] for one in found if one["StateValue"] == "ALARM"]

    assert _eventually(raised, []) == []


def test_a_poison_message_reaches_the_dlq_after_three_receives(aws: EmbeddedAws, prod: Sandbox) -> None:
    sqs = aws.client("sqs")

    def depth() -> int:
        ask = {"QueueUrl": prod.outputs["DlqUrl"], "AttributeNames": ["ApproximateNumberOfMessages"]}
        return int(sqs.get_queue_attributes(**ask)["Attributes"]["ApproximateNumberOfMessages"])

    def invocations() -> int:
        group = f"/aws/lambda/{prod.params.name('worker')}"
        return len(aws.client("logs").filter_log_events(logGroupName=group, filterPattern="START")["events"])

    before = invocations()
    sqs.send_message(QueueUrl=prod.outputs["QueueUrl"], MessageBody="not json")
    for n in (1, 2, 3):
        assert _eventually(invocations, before + n) == before + n
        aws.move_to(aws.now() + 661 * dt.timedelta(seconds=1))
    assert _eventually(depth, 1) == 1
    sqs.purge_queue(QueueUrl=prod.outputs["DlqUrl"])
    assert _eventually(depth, 0) == 0
    _calm(aws, prod)


class Dial:
    """Deploys the dial as the runbook does: by AppConfig's API."""

    def __init__(self, aws: EmbeddedAws, prod: Sandbox) -> None:
        self.client, self.application = aws.client("appconfig"), prod.outputs["ApplicationId"]
        self.environment = _environment(aws, prod, "prod")["Id"]
        profiles = self.client.list_configuration_profiles(ApplicationId=self.application)["Items"]
        self.profile = next(one["Id"] for one in profiles if one["Name"] == "vpr-async-dial")
        strategies = self.client.list_deployment_strategies()["Items"]
        self.soak = next(one["Id"] for one in strategies if one["Name"] == "careervp-vpr-soak-strategy-prod")

    def shift(self, percent: float) -> int:
        version = self.client.create_hosted_configuration_version(
            ApplicationId=self.application,
            ConfigurationProfileId=self.profile,
            Content=flags.encode(flags.dial_document("vpr_async", percent)),
            ContentType=flags.CONTENT_TYPE,
        )["VersionNumber"]
        started = self.client.start_deployment(
            ApplicationId=self.application,
            EnvironmentId=self.environment,
            ConfigurationProfileId=self.profile,
            ConfigurationVersion=str(version),
            DeploymentStrategyId=self.soak,
        )
        return int(started["DeploymentNumber"])

    def look(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_deployment(
            ApplicationId=self.application, EnvironmentId=self.environment, DeploymentNumber=number
        )
        return found


def _fail(aws: EmbeddedAws, prod: Sandbox, at: list[dt.datetime]) -> None:
    where = address(prod.params.metric("jobs_failed"), prod.params)
    data = [
        {"MetricName": where["MetricName"], "Dimensions": where["Dimensions"], "Timestamp": t, "Value": 1} for t in at
    ]
    aws.client("cloudwatch").put_metric_data(Namespace=where["Namespace"], MetricData=data)


def test_a_guard_that_fires_during_the_bake_takes_the_dial_back(aws: EmbeddedAws, prod: Sandbox) -> None:
    """By AppConfig alone, at the minute of the alarm, to the version before: 0 %. And the topic says so."""
    _calm(aws, prod)
    dial = Dial(aws, prod)
    number = dial.shift(10)
    assert dial.look(number)["State"] == "BAKING"
    assert _flag(aws, prod, "prod", "vpr-async-dial")["percent"] == 10

    aws.move_to(aws.now() + 3 * HOUR)
    fired = aws.now()
    _fail(aws, prod, [fired - i * 10 * MINUTE for i in range(5)])
    aws.move_to(aws.now() + HOUR)

    after = dial.look(number)
    assert after["State"] == "ROLLED_BACK"
    rollback = next(one for one in after["EventLog"] if one["EventType"] == "ROLLBACK_STARTED")
    assert rollback["TriggeredBy"] == "CLOUDWATCH_ALARM"
    assert "careervp-vpr-failed-jobs-guard-prod" in rollback["Description"]
    assert abs(rollback["OccurredAt"] - fired) < MINUTE
    assert _flag(aws, prod, "prod", "vpr-async-dial")["percent"] == 0

    inbox = aws.client("sqs").receive_message(QueueUrl=prod.outputs["InboxUrl"], MaxNumberOfMessages=10)["Messages"]
    told = [json.loads(json.loads(one["Body"])["Message"]) for one in inbox]
    assert ("careervp-vpr-failed-jobs-guard-prod", "ALARM") in [
        (one["AlarmName"], one["NewStateValue"]) for one in told
    ]


def test_a_quiet_bake_is_complete_after_24_hours(aws: EmbeddedAws, prod: Sandbox) -> None:
    _calm(aws, prod)  # the alarm of the test before is over
    dial = Dial(aws, prod)
    number = dial.shift(10)
    begun = aws.now()
    aws.move_to(begun + 23 * HOUR)
    guard = next(alarm for alarm in prod.params.policy.alarms if alarm.id == "guard_failed_jobs")
    least = int(guard.phases["06_phase1_10_percent"].threshold)
    _fail(aws, prod, [aws.now() - i * 10 * MINUTE for i in range(least - 1)])  # one less than the guard counts to
    assert dial.look(number)["State"] == "BAKING"
    aws.move_to(begun + 25 * HOUR)
    done = dial.look(number)
    assert done["State"] == "COMPLETE"
    assert abs(done["CompletedAt"] - (begun + 24 * HOUR)) < MINUTE


def test_failures_of_other_queues_and_routes_leave_the_guards_alone(aws: EmbeddedAws, prod: Sandbox) -> None:
    """The broken baseline and the busy work queue must not pull the async guards (docs/domain.md, trap 3)."""
    aws.move_to(aws.now() + 2 * HOUR)
    cloudwatch = aws.client("cloudwatch")
    for id, value in (("sync_5xx", 500.0), ("api_5xx", 500.0), ("sync_fn_errors", 500.0), ("queue_visible", 40.0)):
        where = address(metric(id), prod.params)
        point = {key: where[key] for key in ("MetricName", "Dimensions")} | {"Timestamp": aws.now(), "Value": value}
        cloudwatch.put_metric_data(Namespace=where["Namespace"], MetricData=[point])
    guards = [alarm_name(alarm, prod.params) for alarm in prod.params.policy.alarms if alarm.guard]
    states = {
        one["AlarmName"]: one["StateValue"] for one in cloudwatch.describe_alarms(AlarmNames=guards)["MetricAlarms"]
    }
    assert states == dict.fromkeys(guards, "OK")


def test_ids_do_not_collide_between_runs(prod: Sandbox) -> None:
    """Two smoke runs are two jobs: keys are random, only the probe's id is given."""
    probe = uuid.uuid4().hex
    first, second = (
        smoke(prod.api_url, routes=prod.params.service.api.routes, probe_id=probe)[0].detail for _ in range(2)
    )
    assert first != second
