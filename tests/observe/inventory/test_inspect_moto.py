"""The same inventory against the second, independent emulator: moto, in process; REST and HTTP API.

What moto lacks is in `LACKS`, with the check that says so; nothing else may fail.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.logs.responses import LogsResponse

from runbook_lib.base.aws import Aws
from runbook_lib.base.errors import AwsError
from runbook_lib.judge.gates.checks import Check
from runbook_lib.observe.alarms.declared import realise
from runbook_lib.observe.inventory.inspect import inspect, integration_hash
from runbook_lib.params.load import Params, load_file, params_dir
from runbook_lib.rehearse.emulator.metric_filters import matcher

ACCOUNT, REGION = "123456789012", "us-east-1"
ROUTES = (("sync", "POST", "sync"), ("submit", "POST", "submit"), ("status", "GET", "status"))
SETTINGS = {"submit": (256, 10), "worker": (1024, 300), "status": (256, 10), "sync": (512, 60)}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Lacking(Aws):
    """moto's AppConfig cannot list: what a caller without the right to would get stands in."""

    def client(self, service: str) -> Any:
        return _Refusing() if service == "appconfig" else super().client(service)


class _Refusing:
    def get_paginator(self, operation: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "moto has none"}}, operation)


@dataclass
class Made:
    """An account in moto with the resources of `async`."""

    aws: Aws
    params: Params

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def inspect(self, step: str = "async") -> dict[str, Check]:
        return {one.id: one for one in inspect(self.aws, self.params, step)}

    def unmet(self) -> set[str]:
        return {id for id, one in self.inspect().items() if one.required and not one.ok}


def _params(kind: str) -> Params:
    params = load_file(params_dir() / "prod.yaml", {"account_id": ACCOUNT})
    api = params.service.api.model_copy(update={"kind": kind})
    return params.model_copy(update={"service": params.service.model_copy(update={"api": api})})


@pytest.fixture(params=["rest", "http"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # moto 5.2 does not know the operation and answers with a NotImplementedError of its own.
    monkeypatch.setattr(LogsResponse, "test_metric_filter", _tested, raising=False)
    with mock_aws():
        one = Made(Lacking(REGION), _params(request.param))
        _storage(one)
        _functions(one)
        _api(one)
        _signals(one)
        yield one


def _tested(response: Any) -> str:
    match = matcher(response._get_param("filterPattern"))
    lines = enumerate(response._get_param("logEventMessages"), 1)
    return json.dumps({"matches": [{"eventNumber": number} for number, line in lines if match(line)]})


def _storage(made: Made) -> None:
    name, sqs, s3, dynamodb = made.params.name, made.client("sqs"), made.client("s3"), made.client("dynamodb")
    sqs.create_queue(
        QueueName=name("dlq"), Attributes={"MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true"}
    )
    target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name('dlq')}"
    sqs.create_queue(
        QueueName=name("queue"),
        Attributes={
            "VisibilityTimeout": "660",
            "ReceiveMessageWaitTimeSeconds": "20",
            "MessageRetentionPeriod": "14400",
            "SqsManagedSseEnabled": "true",
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 3}),
        },
    )
    dynamodb.create_table(
        TableName=name("table"),
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("job_id", "idempotency_key")],
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": name("gsi"),
                "KeySchema": [{"AttributeName": "idempotency_key", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    dynamodb.update_time_to_live(
        TableName=name("table"), TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )
    bucket = name("bucket_prefix") + "abc123"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))
    rule = {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": "results/"}, "Expiration": {"Days": 7}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})


def _zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return None\n")
    return held.getvalue()


def _functions(made: Made) -> None:
    name, client, logs = made.params.name, made.client("lambda"), made.client("logs")
    for which, (memory, timeout) in SETTINGS.items():
        role = made.client("iam").create_role(
            RoleName=f"careervp-vpr-{which}-role-prod", AssumeRolePolicyDocument=json.dumps(TRUST)
        )["Role"]["Arn"]
        client.create_function(
            FunctionName=name(which),
            Runtime="python3.12",
            Handler="index.handler",
            Role=role,
            MemorySize=memory,
            Timeout=timeout,
            Code={"ZipFile": _zip()},
            Environment={"Variables": {"JOB_TTL_S": "86400"}},
        )
        logs.create_log_group(logGroupName=f"/aws/lambda/{name(which)}")
        logs.put_retention_policy(logGroupName=f"/aws/lambda/{name(which)}", retentionInDays=30)
    client.put_function_concurrency(FunctionName=name("worker"), ReservedConcurrentExecutions=5)
    client.create_event_source_mapping(
        FunctionName=name("worker"),
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name('queue')}",
        BatchSize=1,
        ScalingConfig={"MaximumConcurrency": 5},
    )


def _api(made: Made) -> None:
    id = _http_api(made) if made.params.service.api.kind == "http" else _rest_api(made)
    for route, method, which in ROUTES:
        path = getattr(made.params.service.api.routes, route).replace("{job_id}", "*")
        made.client("lambda").add_permission(
            FunctionName=made.params.name(which),
            StatementId=f"api-{route}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{id}/*/{method}{path}",
        )


def _uri(made: Made, which: str) -> str:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{made.params.name(which)}"
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"


def _rest_api(made: Made) -> str:
    client = made.client("apigateway")
    id = str(client.create_rest_api(name=made.params.name("api"))["id"])
    known = {"/": client.get_resources(restApiId=id)["items"][0]["id"]}
    for route, method, which in ROUTES:
        path = ""
        for part in getattr(made.params.service.api.routes, route).strip("/").split("/"):
            parent, path = path or "/", f"{path}/{part}"
            if path not in known:
                known[path] = client.create_resource(restApiId=id, parentId=known[parent], pathPart=part)["id"]
        where = {"restApiId": id, "resourceId": known[path], "httpMethod": method}
        client.put_method(**where, authorizationType="NONE")
        client.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=_uri(made, which))
    client.create_deployment(restApiId=id, stageName=made.params.service.api.stage)
    client.update_stage(
        restApiId=id,
        stageName=made.params.service.api.stage,
        patchOperations=[{"op": "replace", "path": "/*/*/metrics/enabled", "value": "true"}],
    )
    return id


def _http_api(made: Made) -> str:
    client = made.client("apigatewayv2")
    id = str(client.create_api(Name=made.params.name("api"), ProtocolType="HTTP")["ApiId"])
    for route, method, which in ROUTES:
        integration = client.create_integration(
            ApiId=id, IntegrationType="AWS_PROXY", IntegrationUri=_uri(made, which), PayloadFormatVersion="2.0"
        )["IntegrationId"]
        path = getattr(made.params.service.api.routes, route)
        client.create_route(ApiId=id, RouteKey=f"{method} {path}", Target=f"integrations/{integration}")
    client.create_stage(
        ApiId=id,
        StageName=made.params.service.api.stage,
        AutoDeploy=True,
        DefaultRouteSettings={"DetailedMetricsEnabled": True},
    )
    return id


def _signals(made: Made) -> None:
    params = made.params
    made.client("sns").create_topic(Name=params.name("topic"))
    made.client("logs").put_metric_filter(
        logGroupName=f"/aws/lambda/{params.name('worker')}",
        filterName="failed",
        filterPattern='{ $.message = "VPRJobFailed" }',
        metricTransformations=[
            {
                "metricName": "VPRJobFailed",
                "metricNamespace": params.service.kpi_namespace,
                "metricValue": "1",
                "dimensions": {"service": "$.service"},
            }
        ],
    )
    for alarm in params.policy.alarms:
        if alarm.id in ("dlq", "worker_errors"):
            made.client("cloudwatch").put_metric_alarm(**realise(alarm, params))


# moto 5.2: AppConfig lists nothing.
LACKS = {
    f"inventory.flags.{one}"
    for one in (
        "exists",
        "name",
        "dial_profile",
        "switch_profile",
        "dial_environment",
        "switch_environment",
        "immediate_strategy",
        "soak_strategy",
    )
} | {f"inventory.{one}.concurrency" for one in ("submit", "status", "sync")}  # it does not tell the account's limits


@pytest.mark.slow
def test_what_is_healthy_passes_on_moto_too(made: Made) -> None:
    found = made.inspect()
    wrong = {id: found[id].reason for id in made.unmet() - LACKS}
    assert not wrong
    assert sum(one.ok for one in found.values()) > 90


def _elsewhere(made: Made) -> None:
    """POST /api/vpr goes to the status Lambda."""
    if made.params.service.api.kind == "http":
        client = made.client("apigatewayv2")
        id = client.get_apis()["Items"][0]["ApiId"]
        route = next(one for one in client.get_routes(ApiId=id)["Items"] if one["RouteKey"] == "POST /api/vpr")
        client.update_integration(
            ApiId=id, IntegrationId=route["Target"].rpartition("/")[2], IntegrationUri=_uri(made, "status")
        )
        return
    client = made.client("apigateway")
    id = client.get_rest_apis()["items"][0]["id"]
    resource = next(one for one in client.get_resources(restApiId=id)["items"] if one["path"] == "/api/vpr")
    client.put_integration(
        restApiId=id,
        resourceId=resource["id"],
        httpMethod="POST",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=_uri(made, "status"),
    )


def _short(made: Made) -> None:
    url = made.client("sqs").get_queue_url(QueueName=made.params.name("queue"))["QueueUrl"]
    made.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})


def _small(made: Made) -> None:
    made.client("lambda").update_function_configuration(FunctionName=made.params.name("worker"), MemorySize=128)


def _no_alarm(made: Made) -> None:
    made.client("cloudwatch").delete_alarms(AlarmNames=["careervp-vpr-dlq-alarm-prod"])


def _no_table(made: Made) -> None:
    made.client("dynamodb").delete_table(TableName=made.params.name("table"))


def _open_bucket(made: Made) -> None:
    made.client("s3").delete_public_access_block(Bucket=made.params.name("bucket_prefix") + "abc123")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bend", "id"),
    [
        (_short, "queue.visibility_timeout"),
        (_small, "worker.memory"),
        (_elsewhere, "route_sync.integration"),
        (_no_alarm, "alarm_dlq.exists"),
        (_no_table, "table.exists"),
        (_open_bucket, "bucket.public_access_block"),
    ],
)
def test_a_deviation_is_found_on_moto_too(made: Made, bend: Any, id: str) -> None:
    bend(made)
    assert made.unmet() - LACKS == {f"inventory.{id}"}


@pytest.mark.slow
def test_the_hash_of_a_route_follows_its_integration(made: Made) -> None:
    before = integration_hash(made.aws, made.params, "/api/vpr")
    assert integration_hash(made.aws, made.params, "/api/vpr") == before
    assert integration_hash(made.aws, made.params, "/api/vpr-async") != before
    _elsewhere(made)
    assert integration_hash(made.aws, made.params, "/api/vpr") != before
    with pytest.raises(AwsError, match=r"has no route '/api/gone'; it has: /api/vpr"):
        integration_hash(made.aws, made.params, "/api/gone")


@pytest.mark.slow
def test_nothing_deployed_is_one_failure_a_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        bare = Made(Lacking(REGION), _params("rest"))
        wrong = bare.unmet()

    assert {id.rpartition(".")[2] for id in wrong - LACKS} == {"exists"}
    assert len(wrong - LACKS) >= 15
