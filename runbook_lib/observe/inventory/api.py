"""The inventory's questions about the API, REST or HTTP: stage, routes, who may invoke; and the hash of a route.

Both kinds have one form here: a route is its own settings and its integration, without the ids that AWS renews when the
same thing is made again.
"""

from __future__ import annotations

import hashlib
import json
import re
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.observe.asking import Absent, Clients, Place
from runbook_lib.observe.inventory.calls import Call, Spot, there
from runbook_lib.observe.inventory.rules import Said
from runbook_lib.observe.traffic.routes import api_of, function_of, is_http, routes, stage_of
from runbook_lib.params.load import Params

_GIVEN_ANEW = {"cacheNamespace", "RouteId", "IntegrationId", "Target", "ApiGatewayManaged", "ResponseMetadata"}
"""Keys of ids that change when the same thing is made again; `cacheNamespace` is the id of the resource."""


def _route(spot: Spot) -> dict[str, Any]:
    path = getattr(spot.params.service.api.routes, spot.resource.route)
    found = routes(spot.place)
    one = found.get((spot.resource.method, path)) or found.get(("ANY", path))
    if one is None:
        raise Absent
    return one


def _metrics(place: Place) -> list[str]:
    """The routes of service.yaml that exist and publish no metrics of their own."""
    stage, params = stage_of(place), place.params
    wanted = [(method, getattr(params.service.api.routes, name)) for name, method in params.service.methods.items()]
    there = routes(place)
    return [
        f"{method} {path}"
        for method, path in wanted
        if (method, path) in there and not _on(stage, method, path, is_http(params))
    ]


def method_keys(path: str, method: str) -> tuple[str, ...]:
    """Possible keys of a route in a REST stage's `methodSettings`: with slashes, or with `~1` for each."""
    bare = path.lstrip("/")
    escaped = bare.replace("/", "~1")
    return f"{escaped}/{method}", f"~1{escaped}/{method}", f"{bare}/{method}", f"/{bare}/{method}"


def _on(stage: dict[str, Any], method: str, path: str, http: bool) -> bool:
    """Whether detailed metrics are on for a route: its own setting, else the stage's."""
    if not http:
        settings = stage.get("methodSettings") or {}
        for key in method_keys(path, method):
            if key in settings:
                return bool(settings[key].get("metricsEnabled"))
        return bool(settings.get("*/*", {}).get("metricsEnabled"))
    own = (stage.get("RouteSettings") or {}).get(f"{method} {path}", {})
    return bool(
        own.get("DetailedMetricsEnabled", (stage.get("DefaultRouteSettings") or {}).get("DetailedMetricsEnabled"))
    )


API = (
    Call(
        "looking up the API (apigateway:GET on /restapis or /v2/apis)",
        lambda spot: api_of(spot.place),
        {"exists": there, "name": lambda api: api["name"]},
    ),
    Call(
        "reading the API's stage (apigateway:GET on the stage)",
        lambda spot: stage_of(spot.place),
        {"stage": lambda stage: stage.get("stageName") or stage.get("StageName")},
        absent={"stageName": "missing"},
    ),
    Call(
        "reading which routes publish metrics (apigateway:GET on stage and routes)",
        lambda spot: _metrics(spot.place),
        {
            "detailed_metrics": lambda off: Said(
                not off, f"detailed metrics are {'off for ' + ', '.join(off) if off else 'on for every route'}"
            )
        },
        absent=["the stage, which does not exist"],
    ),
)


def _permission(spot: Spot) -> dict[str, Any]:
    """The resource policy of the Lambda that the route should reach, and the ARN that calls it."""
    place, params, resource = spot.place, spot.params, spot.resource
    path = getattr(params.service.api.routes, resource.route)
    # An HTTP API calls under the route's key, with `{job_id}` in it; a REST API with the caller's own path.
    called = path if is_http(params) else re.sub(r"\{[^}]*\}", "x", path)
    id, stage = api_of(place)["id"], params.service.api.stage
    caller = f":execute-api:{params.region}:{params.account_id}:{id}/{stage}/{resource.method}{called}"
    target = params.name(resource.target[place.step])  # type: ignore[index]

    def ask() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(place.client("lambda").get_policy(FunctionName=target)["Policy"])
        return found

    try:
        policy = place.once(f"policy {target}", ask)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        policy = {"Statement": []}
    return {"statements": policy["Statement"], "caller": caller, "target": target}


def _may(answer: dict[str, Any]) -> Any:
    ok = any(_allows(one, answer["caller"]) for one in answer["statements"])
    who = answer["caller"].partition("execute-api:")[2].partition(":")[2].partition(":")[2]
    return Said(ok, f"{answer['target']} {'lets' if ok else 'does not let'} the gateway call it for {who}")


def _allows(statement: dict[str, Any], caller: str) -> bool:
    principal = statement.get("Principal")
    service = principal.get("Service") if isinstance(principal, dict) else principal
    actions = statement.get("Action")
    sources = [
        value
        for condition in (statement.get("Condition") or {}).values()
        for key, value in condition.items()
        if key.lower() == "aws:sourcearn"
    ]
    return (
        statement.get("Effect") == "Allow"
        and service in ("apigateway.amazonaws.com", ["apigateway.amazonaws.com"], "*")
        and bool({"lambda:InvokeFunction", "lambda:*", "*"} & set(actions if isinstance(actions, list) else [actions]))
        and all(fnmatchcase(caller, _after_partition(str(source))) for source in sources)
    )


def _after_partition(arn: str) -> str:
    """An ARN such as `arn:aws:execute-api:…` from `:execute-api:` on, because the partition does not matter."""
    return ":" + arn.split(":", 2)[-1]


def _deployed(spot: Spot) -> Any:
    """Whether the deployment that the stage serves knows the route (a REST method takes effect with a deployment)."""
    place, stage = spot.place, stage_of(spot.place)
    path = getattr(spot.params.service.api.routes, spot.resource.route)
    if is_http(spot.params):
        if not stage.get("AutoDeploy"):
            raise AwsError("the stage does not deploy by itself, and AWS does not tell what a deployment holds")
        return Said(True, "the stage deploys by itself")
    id = api_of(place)["id"]

    def ask() -> dict[str, Any]:
        client = place.client("apigateway")
        found: dict[str, Any] = client.get_deployment(
            restApiId=id, deploymentId=stage["deploymentId"], embed=["apisummary"]
        )
        return found

    summary = place.once("deployment", ask).get("apiSummary") or {}
    if not summary:
        raise AwsError("the deployment does not tell its routes")
    ok = bool({spot.resource.method, "ANY"} & set(summary.get(path, {})))
    return Said(ok, f"{'in' if ok else 'not in'} deployment {stage['deploymentId']} of stage {stage['stageName']}")


ROUTE = (
    Call(
        "reading the API's routes (apigateway:GET on resources, or routes and integrations)",
        _route,
        {"exists": there, "integration": function_of},
    ),
    Call("reading who may invoke the Lambda (lambda:GetPolicy)", _permission, {"permission": _may}),
    Call(
        "reading what the stage serves (apigateway:GET on the deployment)",
        _deployed,
        {"deployed": lambda found: found},
        absent=Said(False, "there is no such stage"),
    ),
)


def integration_hash(aws: Clients, params: Params, route: str) -> str:
    """SHA-256 over the canonical JSON of a route: each method of its path with its integration.

    It contains the address of the Lambda, but not the ids that AWS renews for the same thing. So an equal hash before
    and after shows that nothing about the route changed.

    Raises:
        AwsError: the API or the route does not exist, or AWS refused.
    """
    place = Place(aws, params, "async")
    with aws_errors("reading the API's routes (apigateway:GET on resources, or routes and integrations)"):
        try:
            found = routes(place)
        except Absent:
            raise AwsError(
                f"there is no API '{params.name('api')}' ({params.service.api.kind}): has it been deployed?"
            ) from None
    of_route = {method: _lasting(one) for (method, path), one in found.items() if path == route}
    if not of_route:
        there = ", ".join(sorted({path for _, path in found})) or "none"
        raise AwsError(f"the API '{params.name('api')}' has no route '{route}'; it has: {there}")
    canonical = json.dumps({"path": route, "methods": of_route}, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in sorted(value.items()) if key not in _GIVEN_ANEW}
    return [_lasting(item) for item in value] if isinstance(value, list) else value
