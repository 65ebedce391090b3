"""The template: lints clean for AWS, and every setting that must hold (docs/domain.md) is in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.params.alarms import alarm_name
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.rehearse.sandbox.template import FUNCTIONS, STEPS, alarm_id, bucket_name, build

ENVIRONMENTS = ("dev", "staging", "prod")
TEMPLATE_LIMIT = 51_200
"""Bytes that CreateStack takes in `TemplateBody`."""


def _params(env: str) -> Params:
    folder = params_dir()
    return load_file(folder / f"{env}.yaml", read_yaml(folder / "rehearsal.yaml"))


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def params(request: pytest.FixtureRequest) -> Params:
    return _params(request.param)


@pytest.fixture(scope="module")
def template(params: Params) -> dict[str, Any]:
    return build(params)


@pytest.fixture
def properties(template: dict[str, Any]) -> dict[str, Any]:
    """Logical id -> properties."""
    return {id: one.get("Properties", {}) for id, one in template["Resources"].items()}


def _resolved(template: dict[str, Any], value: Any) -> Any:
    """`Ref`s to the template's parameters replaced by their defaults."""
    if isinstance(value, dict):
        if set(value) == {"Ref"} and value["Ref"] in template["Parameters"]:
            return template["Parameters"][value["Ref"]]["Default"]
        return {key: _resolved(template, one) for key, one in value.items()}
    return [_resolved(template, one) for one in value] if isinstance(value, list) else value


def _lint(folder: Path, *templates: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    files: list[Path | str] = [folder / f"{i}.json" for i in range(len(templates))]
    for file, template in zip(files, templates, strict=True):
        Path(file).write_text(json.dumps(template))
    linter = [sys.executable, "-c", "from cfnlint.runner import main; main()"]
    command = [*linter, "--regions", "us-east-1", "--non-zero-exit-code", "warning", "--", *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_cfn_lint_has_nothing_to_say(tmp_path: Path) -> None:
    """Neither an error nor a warning, in any environment, at any step."""
    steps = (build(_params("prod"), step) for step in STEPS if step != "async")
    said = _lint(tmp_path, *(build(_params(env)) for env in ENVIRONMENTS), *steps)
    assert (said.returncode, said.stdout) == (0, ""), said.stdout + said.stderr


@pytest.mark.slow
def test_cfn_lint_would_have_something_to_say(tmp_path: Path) -> None:
    """The check above can fail: a misspelt property is found."""
    wrong = build(_params("prod"))
    wrong["Resources"]["Queue"]["Properties"]["VisibilityTimeOut"] = 660
    assert "VisibilityTimeOut" in _lint(tmp_path, wrong).stdout


EXPECTED: dict[str, dict[str, Any]] = {
    "Queue": {
        "VisibilityTimeout": "660",
        "ReceiveMessageWaitTimeSeconds": 20,
        "MessageRetentionPeriod": 4 * 3600,
        "SqsManagedSseEnabled": True,
        "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dlq", "Arn"]}, "maxReceiveCount": "3"},
    },
    "Dlq": {"MessageRetentionPeriod": 14 * 86400, "SqsManagedSseEnabled": True},
    "Table": {
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "job_id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "idempotency-key-index",
                "KeySchema": [{"AttributeName": "idempotency_key", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
    },
    "Bucket": {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "LifecycleConfiguration": {"Rules": [{"Id": "expire-results", "Status": "Enabled", "ExpirationInDays": 7}]},
    },
    "Submit": {"MemorySize": 256, "Timeout": 10},
    "Worker": {"MemorySize": 1024, "Timeout": 300, "ReservedConcurrentExecutions": 5},
    "Status": {"MemorySize": 256, "Timeout": 10},
    "Sync": {"MemorySize": 512, "Timeout": 60},
    "WorkerSource": {"BatchSize": 1, "ScalingConfig": {"MaximumConcurrency": 5}},
    "ApiStage": {
        "StageName": "prod",
        "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", "MetricsEnabled": True}],
    },
    "SoakStrategy": {
        "DeploymentDurationInMinutes": 0,
        "GrowthFactor": 100,
        "FinalBakeTimeInMinutes": 1440,
        "ReplicateTo": "NONE",
    },
    "ImmediateStrategy": {"DeploymentDurationInMinutes": 0, "GrowthFactor": 100, "FinalBakeTimeInMinutes": 0},
    "DialProfile": {"Type": "AWS.AppConfig.FeatureFlags", "LocationUri": "hosted"},
    "SwitchProfile": {"Type": "AWS.AppConfig.FeatureFlags", "LocationUri": "hosted"},
}


@pytest.mark.parametrize("id", EXPECTED)
def test_the_settings_that_must_hold(template: dict[str, Any], properties: dict[str, Any], id: str) -> None:
    found = _resolved(template, properties[id])
    assert {key: found.get(key) for key in EXPECTED[id]} == EXPECTED[id]


NAMED = {
    "Queue": ("QueueName", "queue"),
    "Dlq": ("QueueName", "dlq"),
    "Table": ("TableName", "table"),
    "Submit": ("FunctionName", "submit"),
    "Worker": ("FunctionName", "worker"),
    "Status": ("FunctionName", "status"),
    "Sync": ("FunctionName", "sync"),
    "Api": ("Name", "api"),
    "AlarmTopic": ("TopicName", "topic"),
}


@pytest.mark.parametrize("id", NAMED)
def test_names_are_those_of_service_yaml(
    params: Params, template: dict[str, Any], properties: dict[str, Any], id: str
) -> None:
    key, name = NAMED[id]
    assert _resolved(template, properties[id])[key] == params.name(name)


def test_the_bucket_is_the_same_each_time_and_another_in_each_environment(params: Params) -> None:
    name = bucket_name(params)
    assert name == bucket_name(params)
    assert re.fullmatch(rf"careervp-{params.env}-vpr-results-use1-[0-9a-f]{{8}}", name)
    assert len({bucket_name(_params(env)) for env in ENVIRONMENTS}) == len(ENVIRONMENTS)


def test_it_can_be_handed_over_in_one_call(template: dict[str, Any]) -> None:
    assert len(json.dumps(template).encode()) < TEMPLATE_LIMIT


@pytest.mark.parametrize("function", FUNCTIONS)
def test_handlers_are_inlined_whole(properties: dict[str, Any], function: str) -> None:
    source = properties[function]["Code"]["ZipFile"]
    assert "def handler(event" in source
    assert len(source) <= 4096, "AWS takes as many characters in `ZipFile`"


def test_every_alarm_of_the_policy_is_there_and_the_guards_are_the_monitors(
    params: Params, properties: dict[str, Any]
) -> None:
    for alarm in params.policy.alarms:
        if alarm.owner == "runbook":
            assert alarm_id(alarm.id) not in properties, "notebook 04 writes it"
            continue
        found = properties[alarm_id(alarm.id)]
        assert found["AlarmName"] == alarm_name(alarm, params)
        assert found["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    monitors = properties["DialEnvironment"]["Monitors"]
    assert [one["AlarmArn"]["Fn::GetAtt"][0] for one in monitors] == [
        alarm_id(alarm.id) for alarm in params.policy.alarms if alarm.guard
    ]
    assert 0 < len(monitors) <= 5
    assert not properties["SwitchEnvironment"].get("Monitors"), "the switch must never wait for an alarm"


def test_the_dial_starts_at_zero_and_the_switch_has_off_and_on(properties: dict[str, Any]) -> None:
    value = {
        id: json.loads(properties[id]["Content"])["values"]["vpr_async"] for id in ("DialZero", "SwitchOff", "SwitchOn")
    }
    assert value == {
        "DialZero": {"enabled": True, "percent": 0},
        "SwitchOff": {"enabled": False},
        "SwitchOn": {"enabled": True},
    }
    assert properties["DialDeployment"]["ConfigurationVersion"] == {"Ref": "DialZero"}
    assert properties["SwitchDeployment"]["ConfigurationVersion"] == {"Ref": "SwitchOn"}


def test_failed_jobs_are_counted_from_the_workers_log(params: Params, properties: dict[str, Any]) -> None:
    """Where the guard on failed jobs looks, the filter puts."""
    guard = next(alarm for alarm in params.policy.alarms if alarm.metric == "jobs_failed")
    watched = properties[alarm_id(guard.id)]
    (made,) = properties["FailedJobsFilter"]["MetricTransformations"]
    assert watched["MetricName"] == made["MetricName"] == "VPRJobFailed"
    assert watched["Namespace"] == params.service.kpi_namespace
    assert [one["Name"] for one in watched["Dimensions"]] == [one["Key"] for one in made["Dimensions"]] == ["service"]
    contract = json.loads(properties["Worker"]["Environment"]["Variables"]["CONTRACT"])
    assert contract["failure"] == json.loads(params.service.failure_line)


def test_roles_allow_single_actions_on_single_resources(template: dict[str, Any]) -> None:
    wide = []
    for id, one in template["Resources"].items():
        if one["Type"] == "AWS::IAM::Role":
            statements = [
                part for policy in one["Properties"]["Policies"] for part in policy["PolicyDocument"]["Statement"]
            ]
            for statement in statements:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                wide += [(id, action) for action in actions if "*" in action or statement["Resource"] == "*"]
    assert wide == [("MonitorRole", "cloudwatch:DescribeAlarms")]


def test_tagged_where_aws_takes_tags(template: dict[str, Any]) -> None:
    untagged = {
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::Resource",
        "AWS::AppConfig::HostedConfigurationVersion",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
        "AWS::Logs::MetricFilter",
    }
    missing = {one["Type"] for one in template["Resources"].values() if "Tags" not in one.get("Properties", {})}
    assert missing == untagged


def test_a_changed_route_makes_a_new_deployment(params: Params) -> None:
    """Else a stack update would leave the stage serving the old routes."""
    routes = params.service.api.routes.model_copy(update={"submit": "/api/v2/vpr-async"})
    api = params.service.api.model_copy(update={"routes": routes})
    changed = params.model_copy(update={"service": params.service.model_copy(update={"api": api})})
    ids = [next(id for id in build(one)["Resources"] if id.startswith("ApiDeployment")) for one in (params, changed)]
    assert ids[0] != ids[1]
    assert build(changed)["Resources"]["PathApiV2VprAsync"]["Properties"]["ParentId"] == {"Ref": "PathApiV2"}


@pytest.mark.parametrize("step", STEPS)
def test_an_http_api_stands_where_a_rest_api_does(params: Params, step: str) -> None:
    """Routes, integrations and permissions as CDK's HttpLambdaIntegration makes them; alarms know the API by its id."""
    api = params.service.api.model_copy(update={"kind": "http", "stage": "$default"})
    http = params.model_copy(update={"service": params.service.model_copy(update={"api": api})})
    made = build(http, step)["Resources"]
    assert not [id for id, one in made.items() if one["Type"].startswith("AWS::ApiGateway::")]
    behind = {
        one["Properties"]["RouteKey"]: made[f"{id.removesuffix('Route')}Integration"]["Properties"]["IntegrationUri"]
        for id, one in made.items()
        if one["Type"] == "AWS::ApiGatewayV2::Route"
    }
    keys = ("POST /api/vpr", "POST /api/vpr-async", "GET /api/vpr/status/{job_id}")
    assert tuple(behind[key]["Fn::GetAtt"][0] if key in behind else None for key in keys) == BEHIND[step]
    if step != "baseline":
        source = made["StatusPermission"]["Properties"]["SourceArn"]["Fn::Sub"]
        assert source.endswith("${Api}/*/*/api/vpr/status/{job_id}")
        watched = made["GuardSubmit5xxAlarm"]["Properties"]
        assert {"Name": "ApiId", "Value": {"Ref": "Api"}} in watched["Dimensions"] and watched["MetricName"] == "5xx"


BEHIND = {  # what answers POST /api/vpr, POST /api/vpr-async, GET /api/vpr/status/{job_id}
    "baseline": ("Sync", None, None),
    "async": ("Sync", "Submit", "Status"),
    "migrate": ("Submit", "Submit", "Status"),
    "remove_temporary": ("Submit", None, "Status"),
    "remove_sync": ("Submit", None, "Status"),
}


def _behind(resources: dict[str, Any], route: str) -> str | None:
    """The function behind a route, which must also be allowed to be called by it."""
    method = resources.get(f"{route}Method")
    if method is None:
        assert f"{route}Permission" not in resources
        return None
    named = re.search(r"\$\{(\w+)\.Arn\}", method["Properties"]["Integration"]["Uri"]["Fn::Sub"])
    assert named is not None
    assert resources[f"{route}Permission"]["Properties"]["FunctionName"] == {"Ref": named[1]}
    return named[1]


@pytest.mark.parametrize("step", STEPS)
def test_each_step_has_its_routes_and_no_others(params: Params, step: str) -> None:
    resources = build(params, step)["Resources"]
    assert tuple(_behind(resources, route) for route in ("Sync", "Submit", "Status")) == BEHIND[step]
    methods = [one for one in resources.values() if one["Type"] == "AWS::ApiGateway::Method"]
    assert len(methods) == sum(one is not None for one in BEHIND[step])


def _outcast(node: Any, resources: set[str], parameters: set[str]) -> list[str]:
    """References to what the template does not have."""
    if isinstance(node, list):
        return [name for one in node for name in _outcast(one, resources, parameters)]
    if not isinstance(node, dict):
        return []
    named = [node["Ref"]] if isinstance(node.get("Ref"), str) else []
    named += [node["Fn::GetAtt"][0]] if "Fn::GetAtt" in node else []
    named += re.findall(r"\$\{(\w+)[.}]", node["Fn::Sub"]) if isinstance(node.get("Fn::Sub"), str) else []
    lost = [name for name in named if name not in resources | parameters]
    return lost + [name for one in node.values() for name in _outcast(one, resources, parameters)]


def test_the_jobs_id_is_one_variable_part_whatever_the_routes_call_it(params: Params) -> None:
    """A REST API refuses two variable parts side by side, and the status route was not found beside the result's."""
    service = params.service
    routes = service.api.routes.model_copy(update={"status": "/forge/{ref}"})
    result = service.contract.result.model_copy(update={"fetched": "route", "path": "/forge/{job_id}/badge"})
    contract = service.contract.model_copy(update={"result": result})
    api = service.api.model_copy(update={"routes": routes})
    own = params.model_copy(update={"service": service.model_copy(update={"api": api, "contract": contract})})
    made = [one for one in build(own)["Resources"].values() if one["Type"] == "AWS::ApiGateway::Resource"]
    beside = [str(one["Properties"]["ParentId"]) for one in made if one["Properties"]["PathPart"].startswith("{")]
    assert len(beside) == len(set(beside)) == 1


@pytest.mark.parametrize("step", STEPS)
def test_each_step_is_whole(params: Params, step: str) -> None:
    """Nothing refers to what the step does not have; `baseline` is only what production is before the rollout."""
    template = build(params, step)
    resources = set(template["Resources"])
    assert _outcast([template["Resources"], template["Outputs"]], resources, set(template["Parameters"])) == []
    assert ({"Sync", "SyncRole", "SyncLogs"} <= resources) is (step != "remove_sync")
    assert ("Queue" in resources) is ("Application" in resources) is (step != "baseline")


def test_the_synchronous_route_is_the_same_before_and_after_the_async_resources(params: Params) -> None:
    before, after = (build(params, step)["Resources"] for step in ("baseline", "async"))
    untouched = set(before) & set(after)
    assert {"Sync", "SyncRole", "SyncLogs", "SyncMethod", "SyncPermission", "Api"} <= untouched
    assert {id for id in untouched if before[id] != after[id]} == {"ApiStage"}, "its deployment alone"


def test_every_step_deploys_the_api_anew(params: Params) -> None:
    """Where the routes differ; the last one only takes a Lambda away that no route leads to."""
    ids = [next(id for id in build(params, step)["Resources"] if id.startswith("ApiDeployment")) for step in STEPS]
    assert len(set(ids[:4])) == 4
    assert ids[4] == ids[3]


def test_an_unknown_step_is_refused_in_one_sentence(params: Params) -> None:
    with pytest.raises(UsageError, match=r"step 'blue_green': .* has baseline, async, migrate, remove_temporary"):
        build(params, "blue_green")
