"""The inventory finds each single deviation: one test a setting on the embedded AWS, and the rest stays as it was.

Cases in `STUBBED` replace the answer of one call, because the embedded AWS cannot make that change; all others change
the setting by API and put it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.base.errors import AwsError, UsageError
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.incidents.deviation import Deviation
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.alarms.declared import realise
from runbook_lib.observe.inventory.api import _allows
from runbook_lib.observe.inventory.inspect import inspect, integration_hash, rules
from runbook_lib.observe.inventory.rules import Setting, shown
from runbook_lib.params.alarms import topic_arn
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import Sandbox, deploy
from runbook_lib.rehearse.sandbox.template import access_log_format

pytestmark = pytest.mark.emulator
Verdicts = dict[str, Verdict]


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS of this module's own: its resources are bent."""
    with EmbeddedAws() as one:
        yield one


@pytest.fixture(scope="module")
def prod(aws: EmbeddedAws) -> Sandbox:
    folder = params_dir()
    params = load_file(folder / "prod.yaml", read_yaml(folder / "rehearsal.yaml"))
    service = params.service.model_copy(update={"job_ttl_variable": "JOB_TTL_S"})
    return deploy(aws, params.model_copy(update={"service": service}))


@pytest.fixture(scope="module")
def healthy(aws: EmbeddedAws, prod: Sandbox) -> Verdicts:
    return _verdicts(inspect(aws, prod.params))


def _verdicts(checks: list[Check]) -> Verdicts:
    found = {one.id: one.verdict for one in checks}
    assert len(found) == len(checks), "ids are unique"
    return found


class Stage:
    """Clients, parameters and names at hand for a case."""

    def __init__(self, aws: EmbeddedAws, prod: Sandbox) -> None:
        self.aws, self.prod, self.params = aws, prod, prod.params
        self.name = prod.params.name
        self.bucket, self.api = prod.outputs["BucketName"], prod.outputs["ApiId"]

    def __getattr__(self, service: str) -> Any:
        return self.aws.client({"lambda_": "lambda"}.get(service, service))

    def queue(self, which: str, **attributes: str) -> None:
        url = self.prod.outputs[f"{which}Url"]
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)

    def redrive(self, target: str, count: int) -> None:
        arn = f"arn:aws:sqs:us-east-1:000000000000:{target}"
        self.queue("Queue", RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": count}))

    def function(self, which: str, **changes: Any) -> None:
        self.lambda_.update_function_configuration(FunctionName=self.name(which), **changes)
        for waiter in ("function_active_v2", "function_updated_v2"):
            self.lambda_.get_waiter(waiter).wait(FunctionName=self.name(which), WaiterConfig={"Delay": 0.05})

    def variables(self, which: str) -> dict[str, str]:
        found = self.lambda_.get_function_configuration(FunctionName=self.name(which))
        variables: dict[str, str] = dict(found["Environment"]["Variables"])
        return variables

    def source(self, **changes: Any) -> None:
        (found,) = self.lambda_.list_event_source_mappings(FunctionName=self.name("worker"))["EventSourceMappings"]
        self.lambda_.update_event_source_mapping(UUID=found["UUID"], **changes)

    def blocks(self, **changes: bool) -> None:
        names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        block = dict.fromkeys(names, True) | changes
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=block)

    def lifecycle(self, **rule: Any) -> None:
        whole = {"ID": "expire-results", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 7}} | rule
        self.s3.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={"Rules": [whole]})

    def encryption(self, algorithm: str) -> None:
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def filter(self, pattern: str = '{ $.message = "VPRJobFailed" }', **transformation: Any) -> None:
        whole = {
            "metricName": "VPRJobFailed",
            "metricNamespace": "careervp_kpi",
            "metricValue": "1",
            "unit": "Count",
            "dimensions": {"service": "$.service"},
        } | transformation
        self.logs.put_metric_filter(
            logGroupName=f"/aws/lambda/{self.name('worker')}",
            filterName="careervp-vpr-failed-jobs-filter-prod",
            filterPattern=pattern,
            metricTransformations=[whole],
        )

    def resource(self, path: str) -> str:
        items = self.apigateway.get_resources(restApiId=self.api, limit=500)["items"]
        return str(next(one["id"] for one in items if one["path"] == path))

    def integrate(self, path: str, method: str, which: str) -> None:
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{self.name(which)}"
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
        self.apigateway.put_integration(
            restApiId=self.api,
            resourceId=self.resource(path),
            httpMethod=method,
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=uri,
        )

    def route(self, path: str, method: str, which: str) -> None:
        self.apigateway.put_method(
            restApiId=self.api, resourceId=self.resource(path), httpMethod=method, authorizationType="NONE"
        )
        self.integrate(path, method, which)

    def no_route(self, path: str, method: str) -> None:
        self.apigateway.delete_method(restApiId=self.api, resourceId=self.resource(path), httpMethod=method)

    def sid(self, which: str) -> str:
        policy = json.loads(self.lambda_.get_policy(FunctionName=self.name(which))["Policy"])
        return str(policy["Statement"][0]["Sid"])

    def permit(self, which: str, method_and_path: str) -> None:
        self.lambda_.add_permission(
            FunctionName=self.name(which),
            StatementId=f"test-{which}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{self.api}/*/{method_and_path}",
        )

    def forbid(self, which: str) -> None:
        self.lambda_.remove_permission(FunctionName=self.name(which), StatementId=self.sid(which))

    def stage(self, *changes: dict[str, str]) -> None:
        self.apigateway.update_stage(restApiId=self.api, stageName="prod", patchOperations=list(changes))

    def log(self, **changes: str) -> None:
        whole = {
            "destinationArn": ELSEWHERE.replace("else", "core-api-prod"),
            "format": access_log_format(self.params),
        } | changes
        self.stage(
            *({"op": "replace", "path": f"/accessLogSettings/{key}", "value": value} for key, value in whole.items())
        )

    def throttle(self, key: str, **limits: str) -> None:
        self.stage(
            *(
                {"op": "replace", "path": f"/{key}/throttling/{limit}", "value": value}
                for limit, value in limits.items()
            )
        )

    def shut(self, key: str) -> None:
        self.throttle(key, rateLimit="0")
        self.metrics(key, True)

    def free(self, key: str) -> None:
        self.stage({"op": "remove", "path": f"/{key}"})

    def keyed(self, on: bool) -> None:
        for path, method, _ in ROUTES.values():
            self.apigateway.update_method(
                restApiId=self.api,
                resourceId=self.resource(path),
                httpMethod=method,
                patchOperations=[{"op": "replace", "path": "/apiKeyRequired", "value": str(on).lower()}],
            )

    def plan(self, **limits: Any) -> None:
        self.apigateway.create_usage_plan(name="callers", apiStages=[{"apiId": self.api, "stage": "prod"}], **limits)
        self.keyed(True)

    def unplan(self) -> None:
        for one in self.apigateway.get_usage_plans()["items"]:
            self.apigateway.delete_usage_plan(usagePlanId=one["id"])
        self.keyed(False)

    def metrics(self, key: str, on: bool) -> None:
        change = {"op": "replace", "path": f"/{key}/metrics/enabled", "value": str(on).lower()}
        self.apigateway.update_stage(restApiId=self.api, stageName="prod", patchOperations=[change])

    def alarm(self, id: str, **changes: Any) -> None:
        declared = next(one for one in self.params.policy.alarms if one.id == id)
        self.cloudwatch.put_metric_alarm(**(realise(declared, self.params) | changes))

    def subscription(self) -> str:
        found = self.sns.list_subscriptions_by_topic(TopicArn=topic_arn(self.params))["Subscriptions"]
        return str(found[0]["Endpoint"])

    def unsubscribe(self) -> None:
        found = self.sns.list_subscriptions_by_topic(TopicArn=topic_arn(self.params))["Subscriptions"]
        self.sns.unsubscribe(SubscriptionArn=found[0]["SubscriptionArn"])

    def subscribe(self) -> None:
        inbox = "arn:aws:sqs:us-east-1:000000000000:careervp-vpr-inbox-queue-prod"
        self.sns.subscribe(TopicArn=topic_arn(self.params), Protocol="sqs", Endpoint=inbox)

    def policy(self, role: str, name: str, **statement: Any) -> None:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
        self.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))

    def group(self, which: str) -> str:
        return f"/aws/lambda/{self.name(which)}"


Move = Callable[[Stage], Any]
ELSEWHERE = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/apigateway/careervp-else"
ROLE = "arn:aws:iam::000000000000:role/careervp-vpr-{}-role-prod"
MEMORY = {"submit": 256, "worker": 1024, "status": 256, "sync": 512}
TIMEOUT = {"submit": 10, "worker": 300, "status": 10, "sync": 60}
LOGICAL = {"submit": "submit", "worker": "worker", "status": "status", "sync": "generator"}
ROUTES = {
    "sync": ("/api/vpr", "POST", "status"),
    "submit": ("/api/vpr-async", "POST", "sync"),
    "status": ("/api/vpr/status/{job_id}", "GET", "submit"),
}


def _functions() -> Iterator[tuple[str, Move, Move]]:
    for which, size in MEMORY.items():

        def memory(at: Stage, which: str = which) -> None:
            at.function(which, MemorySize=128)

        def memory_back(at: Stage, which: str = which, size: int = size) -> None:
            at.function(which, MemorySize=size)

        def timeout(at: Stage, which: str = which) -> None:
            at.function(which, Timeout=29)

        def timeout_back(at: Stage, which: str = which) -> None:
            at.function(which, Timeout=TIMEOUT[which])

        def wide(at: Stage, which: str = which) -> None:
            at.policy(f"careervp-vpr-{LOGICAL[which]}-role-prod", "wide", Action=["dynamodb:*"], Resource="*")

        def narrow(at: Stage, which: str = which) -> None:
            at.iam.delete_role_policy(RoleName=f"careervp-vpr-{LOGICAL[which]}-role-prod", PolicyName="wide")

        def eternal(at: Stage, which: str = which) -> None:
            at.logs.delete_retention_policy(logGroupName=at.group(which))

        def month(at: Stage, which: str = which) -> None:
            at.logs.put_retention_policy(logGroupName=at.group(which), retentionInDays=30)

        yield f"{which}.memory", memory, memory_back
        yield f"{which}.timeout", timeout, timeout_back
        yield f"{which}.role_narrow", wide, narrow
        yield f"{which}.log_retention", eternal, month


def _routes() -> Iterator[tuple[str, Move, Move]]:
    for which, (path, method, other) in ROUTES.items():
        source = f"{method}{path}".replace("{job_id}", "*")

        def elsewhere(at: Stage, path: str = path, method: str = method, other: str = other) -> None:
            at.integrate(path, method, other)

        def back(at: Stage, path: str = path, method: str = method, which: str = which) -> None:
            at.integrate(path, method, which)

        def forbid(at: Stage, which: str = which) -> None:
            at.forbid(which)

        def permit(at: Stage, which: str = which, source: str = source) -> None:
            at.permit(which, source)

        def wrong(at: Stage, which: str = which) -> None:
            at.forbid(which)
            at.permit(which, "DELETE/api/vpr")

        def right(at: Stage, which: str = which, source: str = source) -> None:
            at.forbid(which)
            at.permit(which, source)

        def remove(at: Stage, path: str = path, method: str = method) -> None:
            at.no_route(path, method)

        def restore(at: Stage, path: str = path, method: str = method, which: str = which) -> None:
            at.route(path, method, which)

        yield f"route_{which}.integration", elsewhere, back
        yield f"route_{which}.permission", forbid, permit
        yield f"route_{which}.permission", wrong, right
        yield f"route_{which}.exists", remove, restore


def _share(at: Stage) -> None:
    at.function("status", Role=ROLE.format("submit"))


def _redriven(target: str, count: int) -> Move:
    return lambda at: at.redrive(target, count)


def _queue(which: str, **attributes: str) -> Move:
    return lambda at: at.queue(which, **attributes)


def _ttl(seconds: str) -> Move:
    return lambda at: at.function("submit", Environment={"Variables": at.variables("submit") | {"JOB_TTL_S": seconds}})


def _no_ttl(at: Stage) -> None:
    at.function(
        "submit", Environment={"Variables": {k: v for k, v in at.variables("submit").items() if k != "JOB_TTL_S"}}
    )


def _concurrency(count: int) -> Move:
    return lambda at: at.lambda_.put_function_concurrency(
        FunctionName=at.name("worker"), ReservedConcurrentExecutions=count
    )


def _time_to_live(on: bool, attribute: str = "ttl") -> Move:
    return lambda at: at.dynamodb.update_time_to_live(
        TableName=at.name("table"), TimeToLiveSpecification={"Enabled": on, "AttributeName": attribute}
    )


def _billing(mode: str) -> Move:
    more = {"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}} if mode == "PROVISIONED" else {}
    return lambda at: at.dynamodb.update_table(TableName=at.name("table"), BillingMode=mode, **more)


CASES: list[tuple[str, Move, Move]] = [
    ("queue.visibility_timeout", _queue("Queue", VisibilityTimeout="30"), _queue("Queue", VisibilityTimeout="660")),
    ("queue.delay", _queue("Queue", DelaySeconds="300"), _queue("Queue", DelaySeconds="0")),
    (
        "queue.long_poll",
        _queue("Queue", ReceiveMessageWaitTimeSeconds="0"),
        _queue("Queue", ReceiveMessageWaitTimeSeconds="20"),
    ),
    (
        "queue.retention",
        _queue("Queue", MessageRetentionPeriod="345600"),
        _queue("Queue", MessageRetentionPeriod="14400"),
    ),
    ("queue.max_receives", _redriven("careervp-vpr-jobs-dlq-prod", 5), _redriven("careervp-vpr-jobs-dlq-prod", 3)),
    (
        "queue.redrive_target",
        _redriven("careervp-vpr-inbox-queue-prod", 3),
        _redriven("careervp-vpr-jobs-dlq-prod", 3),
    ),
    ("queue.encryption", _queue("Queue", SqsManagedSseEnabled="false"), _queue("Queue", SqsManagedSseEnabled="true")),
    ("dlq.retention", _queue("Dlq", MessageRetentionPeriod="345600"), _queue("Dlq", MessageRetentionPeriod="1209600")),
    ("dlq.encryption", _queue("Dlq", SqsManagedSseEnabled="false"), _queue("Dlq", SqsManagedSseEnabled="true")),
    ("table.ttl", _time_to_live(False), _time_to_live(True)),
    ("table.billing", _billing("PROVISIONED"), _billing("PAY_PER_REQUEST")),
    (
        "bucket.exists",
        lambda at: at.s3.create_bucket(Bucket="careervp-prod-vpr-results-use1-zz"),
        lambda at: at.s3.delete_bucket(Bucket="careervp-prod-vpr-results-use1-zz"),
    ),
    ("bucket.encryption", lambda at: at.encryption("aws:kms"), lambda at: at.encryption("AES256")),
    *(
        ("bucket.public_access_block", lambda at, one=one: at.blocks(**{one: False}), lambda at: at.blocks())
        for one in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    ),
    (
        "bucket.public_access_block",
        lambda at: at.s3.delete_public_access_block(Bucket=at.bucket),
        lambda at: at.blocks(),
    ),
    ("bucket.expiry", lambda at: at.lifecycle(Expiration={"Days": 30}), lambda at: at.lifecycle()),
    ("bucket.expiry", lambda at: at.lifecycle(Status="Disabled"), lambda at: at.lifecycle()),
    ("bucket.expiry", lambda at: at.lifecycle(Filter={"Prefix": "tmp/"}), lambda at: at.lifecycle()),
    ("bucket.expiry", lambda at: at.s3.delete_bucket_lifecycle(Bucket=at.bucket), lambda at: at.lifecycle()),
    *_functions(),
    ("submit.role_own status.role_own", _share, lambda at: at.function("status", Role=ROLE.format("status"))),
    ("submit.job_ttl", _ttl("600"), _ttl("86400")),
    ("submit.job_ttl", _no_ttl, _ttl("86400")),
    ("submit.job_ttl", _ttl("24h"), _ttl("86400")),
    ("worker.reserved_concurrency", _concurrency(2), _concurrency(5)),
    (
        "worker.reserved_concurrency",
        lambda at: at.lambda_.delete_function_concurrency(FunctionName=at.name("worker")),
        _concurrency(5),
    ),
    ("event_source.enabled", lambda at: at.source(Enabled=False), lambda at: at.source(Enabled=True)),
    ("event_source.batch_size", lambda at: at.source(BatchSize=10), lambda at: at.source(BatchSize=1)),
    (
        "event_source.maximum_concurrency",
        lambda at: at.source(ScalingConfig={"MaximumConcurrency": 2}),
        lambda at: at.source(ScalingConfig={"MaximumConcurrency": 5}),
    ),
    ("failed_jobs_filter.metric", lambda at: at.filter(metricNamespace="elsewhere"), lambda at: at.filter()),
    ("failed_jobs_filter.metric", lambda at: at.filter(metricName="JobFailed"), lambda at: at.filter()),
    (
        "failed_jobs_filter.dimensions failed_jobs_filter.dimension_values",
        lambda at: at.filter(dimensions={}),
        lambda at: at.filter(),
    ),
    (
        "failed_jobs_filter.dimension_values",
        lambda at: at.filter(dimensions={"service": "$.job_id"}),
        lambda at: at.filter(),
    ),
    ("failed_jobs_filter.value", lambda at: at.filter(metricValue="0"), lambda at: at.filter()),
    (
        "failed_jobs_filter.matches",
        lambda at: at.filter(pattern='{ $.msg = "VPRJobFailed" }'),
        lambda at: at.filter(),
    ),
    ("failed_jobs_filter.pattern", lambda at: at.filter(pattern="ERROR"), lambda at: at.filter()),
    ("api.detailed_metrics", lambda at: at.metrics("*/*", False), lambda at: at.metrics("*/*", True)),
    ("api.access_logs", lambda at: at.log(destinationArn=""), lambda at: at.log()),
    ("api.access_logs", lambda at: at.log(destinationArn=ELSEWHERE), lambda at: at.log()),
    ("api.access_logs", lambda at: at.log(format="$context.identity.sourceIp $context.status"), lambda at: at.log()),
    ("api.access_logs", lambda at: at.log(format='{"status": "$context.status"}'), lambda at: at.log()),
    ("api.throttle", lambda at: at.throttle("*/*", rateLimit="0"), lambda at: at.throttle("*/*", rateLimit="10000")),
    ("api.throttle", lambda at: at.throttle("*/*", burstLimit="0"), lambda at: at.throttle("*/*", burstLimit="5000")),
    *(
        (f"route_{which}.throttle", lambda at, key=key: at.shut(key), lambda at, key=key: at.free(key))
        for which, (path, method, _) in ROUTES.items()
        for key in (f"{path.replace('/', '~1')}/{method}",)
    ),
    *(
        (
            f"{which}.concurrency",
            lambda at, which=which: at.lambda_.put_function_concurrency(
                FunctionName=at.name(which), ReservedConcurrentExecutions=0
            ),
            lambda at, which=which: at.lambda_.delete_function_concurrency(FunctionName=at.name(which)),
        )
        for which in ("submit", "status", "sync")
    ),
    ("api.usage_plans", lambda at: at.plan(quota={"limit": 29_999, "period": "DAY"}), lambda at: at.unplan()),
    ("api.usage_plans", lambda at: at.plan(quota={"limit": 209_000, "period": "WEEK"}), lambda at: at.unplan()),
    ("api.usage_plans", lambda at: at.plan(throttle={"rateLimit": 0, "burstLimit": 9}), lambda at: at.unplan()),
    *_routes(),
    ("alarm_dlq.actions", lambda at: at.alarm("dlq", AlarmActions=[]), lambda at: at.alarm("dlq")),
    ("alarm_dlq.actions_enabled", lambda at: at.alarm("dlq", ActionsEnabled=False), lambda at: at.alarm("dlq")),
    (
        "alarm_worker_errors.actions_enabled",
        lambda at: at.alarm("worker_errors", ActionsEnabled=False),
        lambda at: at.alarm("worker_errors"),
    ),
    (
        "alarm_worker_errors.exists",
        lambda at: at.cloudwatch.delete_alarms(AlarmNames=["careervp-vpr-worker-errors-alarm-prod"]),
        lambda at: at.alarm("worker_errors"),
    ),
    ("topic.subscriptions", lambda at: at.unsubscribe(), lambda at: at.subscribe()),
]


@pytest.mark.parametrize(("ids", "bend", "mend"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_a_single_deviation_is_found_and_nothing_else(
    aws: EmbeddedAws, prod: Sandbox, healthy: Verdicts, ids: str, bend: Move, mend: Move
) -> None:
    stage = Stage(aws, prod)
    bend(stage)
    try:
        found = inspect(aws, prod.params)
    finally:
        mend(stage)
    _only(found, healthy, ids)


def test_each_deviation_was_put_back(aws: EmbeddedAws, prod: Sandbox, healthy: Verdicts) -> None:
    """What a case leaves behind is found by the next one; what the last one leaves, here."""
    assert _verdicts(inspect(aws, prod.params)) == healthy


def _only(found: list[Check], healthy: Verdicts, ids: str) -> None:
    """Exactly `ids` fail that did not; what is not there any more belongs to a resource that is missing."""
    wanted = {f"inventory.{id}" for id in ids.split()}
    now = _verdicts(found)
    failing = {id for id, verdict in now.items() if verdict is Verdict.FAIL and healthy.get(id) is not Verdict.FAIL}
    assert failing == wanted
    assert all(healthy.get(id) == verdict for id, verdict in now.items() if id not in wanted)
    skipped = {id for id in healthy if id not in now}
    missing = {id.rpartition(".")[0] for id in wanted if id.endswith(".exists")}
    assert all(id.rpartition(".")[0] in missing for id in skipped)
    for one in found:
        if one.id in wanted:
            assert one.reason
            assert one.found


class Stub:
    """Clients whose answer to one operation is bent: `bend(answer)` returns the new one, or raises."""

    def __init__(self, aws: Any, service: str, operation: str, bend: Callable[[Any], Any]) -> None:
        self.aws, self.service, self.operation, self.bend = aws, service, operation, bend

    def client(self, service: str) -> Any:
        real = self.aws.client(service)
        return _Bent(real, self.operation, self.bend) if service == self.service else real


class _Bent:
    def __init__(self, real: Any, operation: str, bend: Callable[[Any], Any]) -> None:
        self._real, self._operation, self._bend = real, operation, bend

    def __getattr__(self, name: str) -> Any:
        if name == self._operation:
            return lambda **request: self._bend(getattr(self._real, name)(**request))
        if name == "get_paginator":
            return lambda operation: (
                _Pages(self._real.get_paginator(operation), self._bend)
                if operation == self._operation
                else self._real.get_paginator(operation)
            )
        return getattr(self._real, name)


class _Pages:
    def __init__(self, real: Any, bend: Callable[[Any], Any]) -> None:
        self._real, self._bend = real, bend

    def paginate(self, **request: Any) -> Iterator[Any]:
        return (self._bend(page) for page in self._real.paginate(**request))


def _refuse(code: str, operation: str) -> Callable[[Any], Any]:
    def bend(_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    return bend


def _table(**changes: Any) -> Callable[[Any], Any]:
    return lambda answer: {"Table": answer["Table"] | changes}


def _index(**changes: Any) -> Callable[[Any], Any]:
    def bend(answer: Any) -> Any:
        (index,) = answer["Table"]["GlobalSecondaryIndexes"]
        return {"Table": answer["Table"] | {"GlobalSecondaryIndexes": [index | changes]}}

    return bend


def _function_of(name: str, **changes: Any) -> Callable[[Any], Any]:
    return lambda answer: answer | changes if answer["FunctionName"] == name else answer


def _source(arn: str) -> Callable[[Any], Any]:
    return lambda page: {"EventSourceMappings": [one | {"EventSourceArn": arn} for one in page["EventSourceMappings"]]}


def _without(key: str, name: str) -> Callable[[Any], Any]:
    return lambda page: {key: [one for one in page[key] if one["Name"] != name]}


def _alarm_state(answer: Any) -> Any:
    return {"MetricAlarms": [one | {"StateValue": "INSUFFICIENT_DATA"} for one in answer["MetricAlarms"]]}


def _mangled(page: Any) -> Any:
    unresolved = {"ResourceType": "AWS::SQS::Queue", "PhysicalResourceId": "careervp-${Token[TOKEN.47]}-queue-prod"}
    return {"StackResourceSummaries": [*page["StackResourceSummaries"], unresolved]}


WORKER = "careervp-vpr-worker-lambda-prod"
DRAFT = {"AttributeName": "job_id", "KeyType": "HASH"}
STUBBED: list[tuple[str, str, str, Callable[[Any], Any]]] = [
    ("table.key_schema", "dynamodb", "describe_table", _table(KeySchema=[DRAFT | {"AttributeName": "id"}])),
    (
        "table.attributes",
        "dynamodb",
        "describe_table",
        _table(AttributeDefinitions=[{"AttributeName": "job_id", "AttributeType": "N"}]),
    ),
    ("table.status", "dynamodb", "describe_table", _table(TableStatus="UPDATING")),
    (
        "table.encryption",
        "dynamodb",
        "describe_table",
        _table(SSEDescription={"Status": "ENABLED", "InaccessibleEncryptionDateTime": "2026-11-01"}),
    ),
    ("table.index", "dynamodb", "describe_table", _index(IndexName="by-key")),
    ("table.index_key", "dynamodb", "describe_table", _index(KeySchema=[DRAFT])),
    ("table.index_projection", "dynamodb", "describe_table", _index(Projection={"ProjectionType": "KEYS_ONLY"})),
    ("table.index_status", "dynamodb", "describe_table", _index(IndexStatus="CREATING")),
    (
        "table.index table.index_key table.index_projection table.index_status",
        "dynamodb",
        "describe_table",
        _table(GlobalSecondaryIndexes=[]),
    ),
    *(
        (f"{which}.{setting}", "lambda", "get_function_configuration", _function_of(name, **{key: value}))
        for which, name in (("worker", WORKER), ("submit", WORKER.replace("worker", "submit")))
        for setting, key, value in (("state", "State", "Failed"), ("update", "LastUpdateStatus", "Failed"))
    ),
    (
        "status.state",
        "lambda",
        "get_function_configuration",
        _function_of(WORKER.replace("worker", "status"), State="Pending"),
    ),
    (
        "event_source.source",
        "lambda",
        "list_event_source_mappings",
        _source("arn:aws:sqs:us-east-1:000000000000:other-queue"),
    ),
    ("event_source.exists", "lambda", "list_event_source_mappings", lambda _: {"EventSourceMappings": []}),
    ("failed_jobs_filter.exists", "logs", "describe_metric_filters", lambda _: {"metricFilters": []}),
    ("queue.exists dlq.exists", "sqs", "get_queue_url", _refuse("QueueDoesNotExist", "GetQueueUrl")),
    ("table.exists", "dynamodb", "describe_table", _refuse("ResourceNotFoundException", "DescribeTable")),
    ("bucket.exists", "s3", "list_buckets", lambda _: {"Buckets": []}),
    (
        "bucket.encryption",
        "s3",
        "get_bucket_encryption",
        _refuse("ServerSideEncryptionConfigurationNotFoundError", "GetBucketEncryption"),
    ),
    ("topic.exists", "sns", "get_topic_attributes", _refuse("NotFound", "GetTopicAttributes")),
    (
        "submit.exists worker.exists status.exists sync.exists",
        "lambda",
        "get_function_configuration",
        _refuse("ResourceNotFoundException", "GetFunctionConfiguration"),
    ),
    ("alarm_dlq.state alarm_worker_errors.state", "cloudwatch", "describe_alarms", _alarm_state),
    ("flags.exists", "appconfig", "list_applications", lambda _: {"Items": []}),
    ("flags.dial_profile", "appconfig", "list_configuration_profiles", _without("Items", "vpr-async-dial")),
    ("flags.switch_profile", "appconfig", "list_configuration_profiles", _without("Items", "vpr-async-switch")),
    ("flags.dial_environment", "appconfig", "list_environments", _without("Items", "prod")),
    ("flags.switch_environment", "appconfig", "list_environments", _without("Items", "prod-switch")),
    (
        "flags.immediate_strategy",
        "appconfig",
        "list_deployment_strategies",
        _without("Items", "careervp-vpr-immediate-strategy-prod"),
    ),
    (
        "flags.soak_strategy",
        "appconfig",
        "list_deployment_strategies",
        _without("Items", "careervp-vpr-soak-strategy-prod"),
    ),
    ("stack.names", "cloudformation", "list_stack_resources", _mangled),
    (
        "api.exists route_sync.exists route_submit.exists route_status.exists",
        "apigateway",
        "get_rest_apis",
        lambda _: {"items": []},
    ),
    (
        "route_sync.deployed route_status.deployed",
        "apigateway",
        "get_deployment",
        lambda answer: answer | {"apiSummary": {"/api/vpr-async": {"POST": {}}}},
    ),
    (
        "api.stage api.detailed_metrics api.throttle api.access_logs route_sync.deployed route_submit.deployed "
        "route_status.deployed route_sync.throttle route_submit.throttle route_status.throttle",
        "apigateway",
        "get_stage",
        _refuse("NotFoundException", "GetStage"),
    ),
    (
        "api.detailed_metrics",
        "apigateway",
        "get_stage",
        lambda s: s | {"methodSettings": s["methodSettings"] | {"api/vpr-async/POST": {"metricsEnabled": False}}},
    ),
    (
        "api.account_throttle",
        "apigateway",
        "get_account",
        lambda answer: answer | {"throttleSettings": {"rateLimit": 0.0, "burstLimit": 5000}},
    ),
    (
        "kpi.isolation",
        "lambda",
        "list_functions",
        lambda page: {"Functions": [*page["Functions"], {"FunctionName": WORKER[:-4] + "dev", "Role": "x"}]},
    ),
]


@pytest.mark.parametrize(
    ("ids", "service", "operation", "bend"), STUBBED, ids=[f"{n}-{c[0].split()[0]}" for n, c in enumerate(STUBBED)]
)
def test_a_deviation_that_the_embedded_aws_cannot_make_is_found(
    aws: EmbeddedAws,
    prod: Sandbox,
    healthy: Verdicts,
    ids: str,
    service: str,
    operation: str,
    bend: Callable[[Any], Any],
) -> None:
    """The answer of one call is replaced: the embedded AWS refuses or ignores the change, or takes long to undo it."""
    _only(inspect(Stub(aws, service, operation, bend), prod.params), healthy, ids)


def test_the_healthy_sandbox_meets_every_requirement(aws: EmbeddedAws, prod: Sandbox) -> None:
    found = inspect(aws, prod.params)
    assert [one.reason for one in found if one.required and not one.ok] == []
    # The embedded AWS has a pool of 16, and does not evaluate metric math.
    assert {one.id for one in found if not one.ok} <= {
        "inventory.worker.unreserved",
        "inventory.alarm_worker_errors.state",
    }


def test_without_a_variable_the_services_own_settings_say_how_long_a_job_lives(aws: EmbeddedAws, prod: Sandbox) -> None:
    """A team whose handler has it in its code was told `job ttl not set`."""
    for seconds, holds in ((86_400, True), (600, False)):
        service = prod.params.service.model_copy(update={"job_ttl_variable": "", "job_ttl_s": seconds})
        found = _by_id(inspect(aws, prod.params.model_copy(update={"service": service})), "submit.job_ttl")
        assert found.ok is holds and "not set" not in found.reason


def test_every_declared_setting_has_a_test(prod: Sandbox, healthy: Verdicts) -> None:
    tested = {id for case in (*CASES, *STUBBED) for id in case[0].split()}
    alike = {"role_own", "state", "update", "actions", "deployed", "exists", "name"}
    declared = {
        f"{id}.{setting}" for id, resource in rules(prod.params).resources.items() for setting in resource.settings
    }
    told = {"api.waf", "submit.provisioned", "status.provisioned", "sync.provisioned"}  # shown, never wrong
    assert {one for one in declared - tested if one.partition(".")[2] not in alike} <= {"worker.unreserved", *told}
    assert {f"inventory.{one}" for one in declared} <= set(healthy)


@pytest.mark.parametrize(
    ("service", "operation", "blind"),
    [
        ("dynamodb", "describe_time_to_live", {"table.ttl"}),
        ("s3", "get_public_access_block", {"bucket.public_access_block"}),
        (
            "lambda",
            "get_account_settings",
            {"worker.unreserved", "submit.concurrency", "status.concurrency", "sync.concurrency"},
        ),
        ("apigateway", "get_account", {"api.account_throttle"}),
        ("apigateway", "get_usage_plans", {"api.usage_plans"}),
        ("lambda", "get_policy", {f"route_{one}.permission" for one in ROUTES}),
        ("iam", "get_role_policy", {f"{one}.role_narrow" for one in MEMORY}),
        ("sns", "get_topic_attributes", {"topic.exists", "topic.name", "topic.subscriptions"}),
    ],
)
def test_a_refusal_blinds_the_settings_of_that_call_alone(
    aws: EmbeddedAws, prod: Sandbox, healthy: Verdicts, service: str, operation: str, blind: set[str]
) -> None:
    """The refusal is a stand-in: the embedded AWS evaluates policies only without a moved clock."""
    found = inspect(Stub(aws, service, operation, _refuse("AccessDeniedException", operation)), prod.params)
    now = _verdicts(found)
    assert {id for id in now if now[id] is Verdict.NO_DATA} == {f"inventory.{one}" for one in blind}
    assert all(now[id] == healthy[id] for id in healthy if now[id] is not Verdict.NO_DATA)
    reasons = [one.reason for one in found if one.verdict is Verdict.NO_DATA]
    assert all("AccessDeniedException" in reason and f"{service}:" in reason for reason in reasons)


def test_a_drift_reads_as_a_sentence(aws: EmbeddedAws, prod: Sandbox) -> None:
    at = Stage(aws, prod)
    at.queue("Queue", VisibilityTimeout="30")
    try:
        one = _by_id(inspect(aws, prod.params), "queue.visibility_timeout")
    finally:
        at.queue("Queue", VisibilityTimeout="660")
    assert (one.expected, one.found, one.facts["value"]) == ("660 s", "30 s", 30)
    assert one.reason.startswith("careervp-vpr-jobs-queue-prod: visibility timeout 30 s, expects 660 s")
    assert one.reason.endswith("change it in the infrastructure code and deploy")


def _by_id(checks: list[Check], id: str) -> Check:
    return next(one for one in checks if one.id == f"inventory.{id}")


def test_a_recorded_deviation_reminds_and_does_not_decide(aws: EmbeddedAws, prod: Sandbox) -> None:
    why = {
        id: Deviation(
            check=id,
            title="t",
            was=660,
            value=30,
            by="ana",
            at="2026-11-25T03:00:00Z",
            why="slow",
            incident="no. 7",
        )
        for id in ("inventory.queue.visibility_timeout", "inventory.queue.long_poll")
    }
    at = Stage(aws, prod)
    at.queue("Queue", VisibilityTimeout="30")
    try:
        found = inspect(aws, prod.params, deviations=why)
    finally:
        at.queue("Queue", VisibilityTimeout="660")
    one = _by_id(found, "queue.visibility_timeout")
    assert (one.verdict, one.required) == (Verdict.INCONCLUSIVE, False)
    assert "ana, 2026-11-25 03:00 UTC, no. 7: slow" in one.reason
    assert "30 s, expects 660 s" in one.reason
    assert _by_id(found, "queue.long_poll").ok, "a deviation of what holds says nothing"


def test_another_value_than_the_recorded_one_is_drift(aws: EmbeddedAws, prod: Sandbox) -> None:
    id = "inventory.queue.visibility_timeout"
    known = Deviation(
        check=id, title="t", was=660, value=30, by="ana", at="2026-11-25T03:00:00Z", why="slow", incident="no. 7"
    )
    at = Stage(aws, prod)
    at.queue("Queue", VisibilityTimeout="45")
    try:
        one = _by_id(inspect(aws, prod.params, deviations={id: known}), "queue.visibility_timeout")
    finally:
        at.queue("Queue", VisibilityTimeout="660")
    assert (one.verdict, one.required) == (Verdict.FAIL, True)
    assert "a deviation to 30 is on record" in one.reason


def test_a_missing_resource_is_one_failure_that_says_what_was_not_looked_at(aws: EmbeddedAws, prod: Sandbox) -> None:
    stub = Stub(aws, "dynamodb", "describe_table", _refuse("ResourceNotFoundException", "DescribeTable"))
    found = [one for one in inspect(stub, prod.params) if one.id.startswith("inventory.table.")]
    assert [one.id for one in found] == ["inventory.table.exists"]
    assert set(found[0].facts["skipped"]) == {*rules(prod.params).resources["table"].settings, "name"}
    assert "its 11 settings could not be looked at" in found[0].reason


@pytest.mark.parametrize(
    ("step", "failing"),
    [
        ("baseline", set()),
        ("async", set()),
        ("migrate", {"route_sync.integration", "route_sync.permission"}),
        ("remove_temporary", {"route_sync.integration", "route_sync.permission", "route_submit.gone"}),
        ("remove_sync", {"route_sync.integration", "route_sync.permission", "route_submit.gone", "sync.gone"}),
    ],
)
def test_what_must_hold_depends_on_the_step(aws: EmbeddedAws, prod: Sandbox, step: str, failing: set[str]) -> None:
    """The stage is at `async`: what the later steps still want is what fails."""
    found = inspect(aws, prod.params, step=step)
    assert {one.id for one in found if one.required and not one.ok} == {f"inventory.{one}" for one in failing}
    if step == "baseline":
        about = {one.id.split(".")[1] for one in found}
        assert about == {"sync", "api", "route_sync", "stack", "kpi"}


def test_what_is_gone_passes(aws: EmbeddedAws, prod: Sandbox) -> None:
    stub = Stub(aws, "lambda", "get_function_configuration", _gone_sync)
    found = inspect(stub, prod.params, step="remove_sync")
    assert _by_id(found, "sync.gone").ok
    assert [one.id for one in found if one.id.startswith("inventory.sync.")] == ["inventory.sync.gone"]


def _gone_sync(answer: Any) -> Any:
    if answer["FunctionName"] == "careervp-vpr-generator-lambda-prod":
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "GetFunctionConfiguration")
    return answer


def test_an_unknown_step_is_a_usage_error(aws: EmbeddedAws, prod: Sandbox) -> None:
    with pytest.raises(UsageError, match=r"step is 'later', expects one of baseline"):
        inspect(aws, prod.params, step="later")


@pytest.mark.parametrize(
    ("type", "name", "fits"),
    [
        ("AWS::SQS::Queue", "careervp-vpr-jobs-queue-prod", True),
        ("AWS::SQS::Queue", "careervp-vpr-jobs-queue-staging", False),
        ("AWS::SQS::Queue", "careervp-vpr-jobs-prod", False),
        ("AWS::SQS::Queue", "careervp-vprJobs-queue-prod", False),
        ("AWS::SQS::Queue", "careervp_vpr_jobs_queue_prod", False),
        ("AWS::SQS::Queue", "careervp-${Token[TOKEN.47]}-queue-prod", False),
        ("AWS::S3::Bucket", "careervp-prod-vpr-results-use1-c229ebe8", True),
        ("AWS::S3::Bucket", "careervp-vpr-results-bucket-prod", False),
        ("AWS::CloudWatch::Dashboard", "VPR-Async-Monitoring-prod", True),
        ("AWS::CloudWatch::Dashboard", "careervp-vpr-dashboard-prod", False),
        ("AWS::Something::Else", "whatever", True),
        ("AWS::Something::Else", "x-Token[AWS.AccountId.0]", False),
    ],
)
def test_the_naming_rule(prod: Sandbox, type: str, name: str, fits: bool) -> None:
    assert rules(prod.params).naming.fits(type, name, "prod") is fits


def _hash(aws: EmbeddedAws, params: Params, route: str = "/api/vpr") -> str:
    return integration_hash(aws, params, route)


def test_the_hash_changes_with_the_integration_and_comes_back_with_it(aws: EmbeddedAws, prod: Sandbox) -> None:
    at, before = Stage(aws, prod), _hash(aws, prod.params)
    assert before == _hash(aws, prod.params)
    assert len(before) == 64
    other = _hash(aws, prod.params, "/api/vpr-async")
    at.integrate("/api/vpr", "POST", "submit")
    moved = _hash(aws, prod.params)
    at.integrate("/api/vpr", "POST", "sync")
    assert moved != before
    assert _hash(aws, prod.params) == before
    assert _hash(aws, prod.params, "/api/vpr-async") == other != before


@contextmanager
def _second_method(at: Stage) -> Iterator[None]:
    at.route("/api/vpr", "GET", "sync")
    yield
    at.no_route("/api/vpr", "GET")


def test_the_hash_covers_every_method_of_the_route(aws: EmbeddedAws, prod: Sandbox) -> None:
    before = _hash(aws, prod.params)
    with _second_method(Stage(aws, prod)):
        assert _hash(aws, prod.params) != before
    assert _hash(aws, prod.params) == before


def test_ids_that_aws_gives_anew_are_not_in_the_hash(aws: EmbeddedAws, prod: Sandbox) -> None:
    """A resource made again has another id and cache namespace; the route is the same."""

    def bend(page: Any) -> Any:
        items = json.loads(json.dumps(page["items"]))
        for one in items:
            one["id"] = "new" + one["id"]
            for method in one.get("resourceMethods", {}).values():
                method["methodIntegration"]["cacheNamespace"] = one["id"]
        return {"items": items}

    assert integration_hash(Stub(aws, "apigateway", "get_resources", bend), prod.params, "/api/vpr") == _hash(
        aws, prod.params
    )


@pytest.mark.parametrize(
    ("route", "says"), [("/api/nope", r"has no route '/api/nope'; it has: /api/vpr, "), ("", r"has no route ''")]
)
def test_the_hash_of_no_route_is_a_sentence(aws: EmbeddedAws, prod: Sandbox, route: str, says: str) -> None:
    with pytest.raises(AwsError, match=says):
        _hash(aws, prod.params, route)


def test_the_hash_of_no_api_is_a_sentence(aws: EmbeddedAws, prod: Sandbox) -> None:
    stub = Stub(aws, "apigateway", "get_rest_apis", lambda _: {"items": []})
    with pytest.raises(AwsError, match="there is no API 'careervp-core-api-prod'"):
        integration_hash(stub, prod.params, "/api/vpr")


def test_each_step_of_the_infrastructure_meets_its_own_inventory(aws: EmbeddedAws) -> None:
    """The sandbox, taken through all five steps in staging; the old endpoint is untouched until it is migrated."""
    folder = params_dir()
    params = load_file(folder / "staging.yaml", read_yaml(folder / "rehearsal.yaml"))
    hashes, counts = [], []
    for step in ("baseline", "async", "migrate", "remove_temporary", "remove_sync"):
        deploy(aws, params, step)
        found = inspect(aws, params, step)
        assert [one.reason for one in found if one.required and not one.ok] == [], step
        hashes.append(integration_hash(aws, params, "/api/vpr"))
        counts.append(len(found))
    assert hashes[0] == hashes[1] != hashes[2]
    assert len(set(hashes[2:])) == 1
    assert counts[0] < counts[4] < counts[3] < counts[2] == counts[1]


def _statement(**changes: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:execute-api:us-east-1:1:abc/*/POST/api/vpr"}},
    } | changes


def _from(arn: str) -> dict[str, Any]:
    return _statement(Condition={"ArnLike": {"aws:SourceArn": arn}})


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (_statement(), True),
        (_statement(Condition={}), True),
        (_statement(Action=["lambda:InvokeFunction"]), True),
        (_from("arn:aws-cn:execute-api:us-east-1:1:abc/prod/*/*"), True),
        (_statement(Effect="Deny"), False),
        (_statement(Principal={"Service": "sqs.amazonaws.com"}), False),
        (_statement(Action="lambda:GetFunction"), False),
        (_from("arn:aws:execute-api:us-east-1:1:other/*/POST/api/vpr"), False),
        (_from("arn:aws:execute-api:us-east-1:1:abc/dev/POST/api/vpr"), False),
        (_from("arn:aws:execute-api:us-east-1:1:abc/*/GET/api/vpr"), False),
        (_from("arn:aws:execute-api:us-east-1:1:abc/*/POST/api/vpr-async"), False),
    ],
)
def test_who_may_call_is_read_as_lambda_reads_it(statement: dict[str, Any], allowed: bool) -> None:
    assert _allows(statement, ":execute-api:us-east-1:1:abc/prod/POST/api/vpr") is allowed


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (14400, "s", "14400 s (4 h)"),
        (1209600, "s", "1209600 s (14 days)"),
        (30, "s", "30 s"),
        (None, "s", "not set"),
        ([], "", "none"),
        (["a", "b"], "", "a, b"),
        (True, "", "yes"),
        (5, "", "5"),
    ],
)
def test_values_as_a_reader_says_them(value: Any, unit: str, text: str) -> None:
    assert shown(value, unit) == text


@pytest.mark.parametrize("ways", [{}, {"equals": 1, "holds": True}])
def test_a_rule_says_one_thing(ways: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expects one of equals, includes, at_least, one_of, holds"):
        Setting(why="", **ways)
