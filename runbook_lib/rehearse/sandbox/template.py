"""The sandbox's CloudFormation template: `stack.yaml` filled in from the parameters.

It is the same for the embedded AWS and for a real sandbox account; `sandbox.deploy` fills the gaps of the embedded one.
"""

from __future__ import annotations

import copy
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.base.template import filled
from runbook_lib.observe.alarms.declared import to_cloudformation
from runbook_lib.observe.api_address import with_api
from runbook_lib.observe.inventory.access_log import FACTS, OPTIONAL
from runbook_lib.observe.traffic.routes import is_http
from runbook_lib.params.load import Params
from runbook_lib.rehearse.sandbox import homes, http_api, several, spoken

_HERE = Path(__file__).parent
FUNCTIONS = {"Submit": "submit", "Worker": "worker", "Status": "status", "Sync": "sync"}
"""Logical id of each Lambda to the file of its handler."""
STEPS = ("baseline", "async", "migrate", "remove_temporary", "remove_sync")
"""Variants of the team's infrastructure, in the order of the rollout (docs/domain.md, traps 18 and 19).

`baseline` is production before the rollout; `async` adds everything and keeps the synchronous route; `migrate` moves
it to the submit Lambda; `remove_temporary` removes the temporary route; `remove_sync` removes the old Lambda.
"""
_SYNC = ("Sync", "SyncLogs", "SyncRole")
_BASELINE = (*_SYNC, "Api", "ApiLogs", "ApiStage")
_ROUTES: dict[str, tuple[tuple[str, str], ...]] = {
    "baseline": (("sync", "Sync"),),
    "async": (("sync", "Sync"), ("submit", "Submit"), ("status", "Status")),
    "migrate": (("sync", "Submit"), ("submit", "Submit"), ("status", "Status")),
    "remove_temporary": (("sync", "Submit"), ("status", "Status")),
    "remove_sync": (("sync", "Submit"), ("status", "Status")),
}
"""Route (`service.yaml`, `api.routes`) and the Lambda behind it."""


_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE):  # type: ignore[misc]
    """YAML with CloudFormation's short forms."""


def _intrinsic(loader: Any, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        raise yaml.YAMLError(f"!{name} takes a scalar or a list")
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name == "Ref" else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _intrinsic)


@cache
def _static() -> dict[str, Any]:
    with (_HERE / "stack.yaml").open(encoding="utf-8") as file:
        loaded: dict[str, Any] = yaml.load(file, _Loader)  # noqa: S506 - a SafeLoader with five more tags
    return loaded


def bucket_name(params: Params) -> str:
    """The results bucket: its prefix, and eight characters of a hash of account and environment (names are global)."""
    digest = hashlib.sha256(f"{params.account_id}:{params.env}".encode()).hexdigest()
    return params.name("bucket_prefix") + digest[:8]


def own_name(params: Params, what: str, kind: str) -> str:
    """Name of a resource that only the sandbox has, by the service's own rule: like its queue for drills."""
    drill = params.name("drill_queue")
    made = drill.replace("queue", kind).replace("drill", what)
    return made if what in made and kind in made else f"{drill}-{what}-{kind}"


_OWN = {
    "SubmitRole": ("submit", "role"),
    "WorkerRole": ("worker", "role"),
    "StatusRole": ("status", "role"),
    "SyncRole": ("generator", "role"),
    "MonitorRole": ("monitor", "role"),
    "FailedJobsFilter": ("failed-jobs", "filter"),
}


def defaults(params: Params) -> dict[str, str]:
    """Value of each template parameter that the parameter files know."""
    service = params.service
    named = ("queue", "dlq", "table", "submit", "worker", "status", "sync", "api", "topic")
    values: dict[str, object] = {
        "Env": params.env,
        "TimeScale": params.time_scale,
        **{f"{name.capitalize()}Name": _name(params, name) for name in named},
        "IndexName": params.name("gsi"),
        **{f"{key}Name": own_name(params, *words) for key, words in _OWN.items()},
        "BucketName": bucket_name(params),
        "StageName": service.api.stage,
        **homes.defaults(params),
        "KpiNamespace": filled(service.kpi_namespace, {"env": params.env}),
        "KpiService": service.kpi_service,
        "VisibilityTimeout": service.visibility_timeout_s,
        "MaxReceives": service.max_receives,
        "JobTtl": service.job_ttl_s,
        "InputTokens": service.input_tokens,
        "OutputTokens": service.output_tokens,
    }
    return {key: str(value) for key, value in values.items()}


def _name(params: Params, key: str) -> str:
    """Name of a resource; the sandbox has a status function even where the service has none."""
    return params.name(key) if key != "status" or params.named(key) else own_name(params, key, "function")


def build(params: Params, step: str = "async") -> dict[str, Any]:
    """The template for one environment at one of `STEPS`, as JSON values.

    Raises:
        UsageError: the step does not exist.
    """
    if step not in STEPS:
        raise UsageError(f"step '{step}': the sandbox's infrastructure has {', '.join(STEPS)}")
    template = copy.deepcopy(_static())
    resources = template["Resources"]
    for key, value in defaults(params).items():
        template["Parameters"][key]["Default"] = value
    for logical, file in FUNCTIONS.items():
        function = resources[logical]["Properties"]
        function["Code"] = {"ZipFile": (_HERE / "handlers" / f"{file}.py").read_text("utf-8")}
        function["Environment"]["Variables"]["CONTRACT"] = spoken.environment(params, file)
    _attributes(params, resources["Table"]["Properties"])
    resources["FailedJobsFilter"]["Properties"] |= spoken.failed_jobs(params)
    # Not by a parameter: its value would be a string, and the embedded AWS compares it with numbers.
    resources["Worker"]["Properties"]["ReservedConcurrentExecutions"] = params.service.workers
    resources["WorkerSource"]["Properties"]["ScalingConfig"] = {"MaximumConcurrency": params.service.workers}
    resources["ApiLogs"]["Properties"]["LogGroupName"] = params.name("access_log")
    if is_http(params):
        http_api.put(params, resources, access_log_format(params))
    else:
        resources["ApiStage"]["Properties"]["AccessLogSetting"] = {
            "DestinationArn": {"Fn::GetAtt": ["ApiLogs", "Arn"]},
            "Format": access_log_format(params),
        }
    if step == "baseline":
        template["Resources"] = resources = {id: resources[id] for id in _BASELINE}
        template["Outputs"] = {"ApiId": template["Outputs"]["ApiId"]}
    if step == "remove_sync":
        for id in _SYNC:
            del resources[id]
    resources |= _routes(params, step)
    if not is_http(params):
        deployment = _deployment(resources)
        resources["ApiStage"]["Properties"]["DeploymentId"] = {"Ref": next(iter(deployment))}
        resources |= deployment
    if step != "baseline":
        own = {f"{key}Name": own_name(params, *_OWN[key]) for key in ("WorkerRole", "FailedJobsFilter")}
        several.put(params, template, own)
        resources |= _alarms(params, resources)
        homes.put(params, template, {one.id: alarm_id(one.id) for one in params.policy.alarms if one.guard})
    text = json.dumps(resources)
    used = {name: one for name, one in template["Parameters"].items() if f'"{name}"' in text or f"${{{name}}}" in text}
    return {**template, "Parameters": used}


def _attributes(params: Params, table: dict[str, Any]) -> None:
    """Sets the keys of the table, its index and its TTL as in the contract."""
    said = params.service.contract.table
    index = said.idempotency_key or "idempotency_key"
    table["AttributeDefinitions"] = [{"AttributeName": name, "AttributeType": "S"} for name in (said.job_id, index)]
    table["KeySchema"] = [{"AttributeName": said.job_id, "KeyType": "HASH"}]
    table["GlobalSecondaryIndexes"][0]["KeySchema"] = [{"AttributeName": index, "KeyType": "HASH"}]
    table["TimeToLiveSpecification"]["AttributeName"] = said.ttl or "ttl"


HERE = "the-api-of-this-template"
"""Placeholder for the id that CloudFormation gives an HTTP API."""


def access_log_format(params: Params) -> str:
    """The stage's access log format: every fact of `api.access_log_fields`, each as a JSON string."""
    fields = params.service.api.access_log_fields.model_dump()
    sources = {**FACTS, **OPTIONAL}
    # For the path: REST APIs use the first source, HTTP APIs the last.
    return json.dumps({key: sources[fact][-1 if is_http(params) else 0] for fact, key in fields.items()})


def alarm_id(id: str) -> str:
    """Logical id of the alarm called `id` in `gates.yaml`."""
    return f"{_camel(id)}Alarm"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _routes(params: Params, step: str) -> dict[str, Any]:
    """Resources, methods and permissions of the step's routes, from their paths."""
    made: dict[str, Any] = {}
    contract, routes = params.service.contract, params.service.api.routes.model_dump()
    paths = {**routes, "result": contract.result.path}
    methods = {"sync": contract.sync.method, "submit": contract.submit.method, "status": contract.status.method}
    more = (("result", "Status"),) if contract.result.fetched == "route" and step != "baseline" else ()
    mine = [(route, function) for route, function in (*_ROUTES[step], *more) if paths[route]]
    wanted = [(route, methods.get(route, "GET"), paths[route], function) for route, function in mine]
    if is_http(params):
        return http_api.routes((_camel(route), method, path, function) for route, method, path, function in wanted)
    variable: dict[tuple[str, ...], str] = {}
    for route, method, path, function in wanted:
        parent: dict[str, Any] = {"Fn::GetAtt": ["Api", "RootResourceId"]}
        parts = path.strip("/").split("/")
        for depth, part in enumerate(parts):
            if part.startswith("{"):  # API Gateway has one variable part beside others, whatever each route calls it
                parts[depth] = variable.setdefault(tuple(parts[:depth]), part)
            id = "Path" + "".join(_alphanumeric(piece) for piece in parts[: depth + 1])
            properties = {"RestApiId": {"Ref": "Api"}, "ParentId": parent, "PathPart": parts[depth]}
            made[id] = {"Type": "AWS::ApiGateway::Resource", "Properties": properties}
            parent = {"Ref": id}
        made[f"{_camel(route)}Method"] = _method(method, parent, function)
        called = "/".join("*" if part.startswith("{") else part for part in parts)
        made[f"{_camel(route)}Permission"] = http_api.permission(f"{method}/{called}", function)
    return made


def _alphanumeric(part: str) -> str:
    return _camel("".join(char if char.isalnum() else "_" for char in part))


def _method(method: str, resource: dict[str, Any], function: str) -> dict[str, Any]:
    invoke = f"path/2015-03-31/functions/${{{function}.Arn}}/invocations"
    uri = f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:{invoke}"
    integration = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Sub": uri}}
    return {
        "Type": "AWS::ApiGateway::Method",
        "Properties": {
            "RestApiId": {"Ref": "Api"},
            "ResourceId": resource,
            "HttpMethod": method,
            "AuthorizationType": "NONE",
            "Integration": integration,
        },
    }


def _deployment(resources: dict[str, Any]) -> dict[str, Any]:
    """The API's deployment; its logical id changes with the routes, else an update would leave the stage unchanged."""
    kinds = ("AWS::ApiGateway::Resource", "AWS::ApiGateway::Method")
    routes = {id: one for id, one in resources.items() if one["Type"] in kinds}
    digest = hashlib.sha256(json.dumps(routes, sort_keys=True).encode()).hexdigest()[:8]
    made = {
        "Type": "AWS::ApiGateway::Deployment",
        "DependsOn": sorted(id for id, one in routes.items() if one["Type"] == kinds[1]),
        "Properties": {"RestApiId": {"Ref": "Api"}},
    }
    return {f"ApiDeployment{digest}": made}


def _alarms(params: Params, resources: dict[str, Any]) -> dict[str, Any]:
    """Every alarm of `gates.yaml`."""
    tags = resources["Queue"]["Properties"]["Tags"]
    known = params if not is_http(params) or params.named("api_id") else with_api(params, HERE)
    made = {
        alarm_id(alarm.id): to_cloudformation(alarm, known) for alarm in params.policy.alarms if alarm.owner == "stack"
    }
    made = dict(json.loads(json.dumps(made).replace(json.dumps(HERE), json.dumps({"Ref": "Api"}))))
    for alarm in made.values():
        alarm["Properties"]["Tags"] = tags
    return made
