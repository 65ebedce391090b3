"""The inventory's questions about Lambdas: settings, role, concurrency, logs, event source, metric filter."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from runbook_lib.observe.asking import Absent, pages
from runbook_lib.observe.inventory.calls import Call, Spot, there
from runbook_lib.observe.inventory.failure_filter import Proof, prove
from runbook_lib.observe.inventory.rules import Said, failed_jobs
from runbook_lib.observe.inventory.storage import functions
from runbook_lib.observe.metrics.catalogue import address


def _configuration(spot: Spot) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        found: dict[str, Any] = spot.client("lambda").get_function_configuration(FunctionName=spot.name)
        return found

    found: dict[str, Any] = spot.place.once(f"function {spot.name}", ask)
    return found


def _ttl(spot: Spot) -> Any:
    """Seconds that a job lives: by the function's variable that service.yaml names, or by service.yaml itself."""
    service = spot.params.service
    if not service.job_ttl_variable:
        return service.job_ttl_s
    said = _configuration(spot).get("Environment", {}).get("Variables", {}).get(service.job_ttl_variable)
    if said is None or str(said).isdecimal():
        return None if said is None else int(said)
    return Said(False, f"{service.job_ttl_variable} is '{said}', no number of seconds")


def _own_role(spot: Spot) -> Any:
    role = _configuration(spot)["Role"]
    others = sorted(
        one["FunctionName"] for one in functions(spot) if one["Role"] == role and one["FunctionName"] != spot.name
    )
    short = role.rpartition("/")[2]
    return Said(not others, f"role {short}" + (f" is shared with {', '.join(others)}" if others else " is its own"))


def _policies(spot: Spot) -> list[tuple[str, dict[str, Any]]]:
    """Name and document of every policy of the function's role, inline and attached."""
    iam, role = spot.client("iam"), _configuration(spot)["Role"].rpartition("/")[2]
    found = [
        (name, _document(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]))
        for name in pages(iam, "list_role_policies", "PolicyNames", RoleName=role)
    ]
    for one in pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=role):
        arn = one["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        found.append((one["PolicyName"], _document(document)))
    return found


def _document(said: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(unquote(said)) if isinstance(said, str) else said
    return found


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def wide(document: dict[str, Any]) -> list[str]:
    """Actions that a policy allows by wildcard (`*`, `s3:*`) on every resource."""
    return sorted(
        action
        for statement in _many(document.get("Statement", []))
        if statement.get("Effect") == "Allow" and "*" in _many(statement.get("Resource", []))
        for action in _many(statement.get("Action", []))
        if action == "*" or action.endswith(":*")
    )


def _narrow(policies: list[tuple[str, dict[str, Any]]]) -> Any:
    found = [f"{action} on * by {name}" for name, document in policies for action in wide(document)]
    return Said(not found, f"its role allows {', '.join(found)}" if found else "no wildcard on every resource")


def _retention(spot: Spot) -> int | None:
    name = f"/aws/lambda/{spot.name}"
    groups = pages(spot.client("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    return next((one.get("retentionInDays") for one in groups if one["logGroupName"] == name), None)


def _unreserved(spot: Spot) -> int:
    limits = spot.client("lambda").get_account_settings()["AccountLimit"]
    return int(limits["UnreservedConcurrentExecutions"])


FUNCTION = (
    Call(
        "reading a function (lambda:GetFunctionConfiguration)",
        _configuration,
        {
            "exists": there,
            "name": lambda c: c["FunctionName"],
            "memory": lambda c: c["MemorySize"],
            "timeout": lambda c: c["Timeout"],
            "state": lambda c: c.get("State"),
            "update": lambda c: c.get("LastUpdateStatus"),
        },
    ),
    Call("reading how long a job lives (lambda:GetFunctionConfiguration)", _ttl, {"job_ttl": lambda found: found}),
    Call(
        "looking who shares the function's role (lambda:ListFunctions)",
        _own_role,
        {"role_own": lambda found: found},
    ),
    Call(
        "reading the policies of the function's role (iam:ListRolePolicies, iam:ListAttachedRolePolicies)",
        _policies,
        {"role_narrow": _narrow},
        absent=[("a policy or role that does not exist", {})],
    ),
    Call(
        "reading the function's log group (logs:DescribeLogGroups)",
        _retention,
        {"log_retention": lambda days: days},
        absent=None,
    ),
)
WORKER = (
    *FUNCTION,
    Call(
        "reading the worker's reserved concurrency (lambda:GetFunctionConcurrency)",
        lambda spot: spot.client("lambda").get_function_concurrency(FunctionName=spot.name),
        {"reserved_concurrency": lambda answer: answer.get("ReservedConcurrentExecutions")},
        absent={},
    ),
    Call(
        "reading the account's concurrency (lambda:GetAccountSettings)",
        _unreserved,
        {"unreserved": lambda count: count},
    ),
)


def _source(spot: Spot) -> dict[str, Any]:
    """The worker's mapping of the job queue; without one, its first other mapping."""
    found = pages(spot.client("lambda"), "list_event_source_mappings", "EventSourceMappings", FunctionName=spot.name)
    queue = spot.params.name(spot.params.service.post_of(spot.resource.name).queue)
    found.sort(key=lambda one: one.get("EventSourceArn", "").rpartition(":")[2] != queue)
    if not found:
        raise Absent
    mapping: dict[str, Any] = found[0]
    return mapping


EVENT_SOURCE = (
    Call(
        "reading the worker's event source (lambda:ListEventSourceMappings)",
        _source,
        {
            "exists": there,
            "enabled": lambda m: m["State"],
            "source": lambda m: m["EventSourceArn"].rpartition(":")[2],
            "batch_size": lambda m: m["BatchSize"],
            "maximum_concurrency": lambda m: m.get("ScalingConfig", {}).get("MaximumConcurrency"),
        },
    ),
)


def _filter(spot: Spot) -> dict[str, Any]:
    """The metric filter on the worker's log that counts failed jobs, found by its metric or its pattern."""
    group = f"/aws/lambda/{spot.name}"
    found = pages(spot.client("logs"), "describe_metric_filters", "metricFilters", logGroupName=group)
    where, word = (
        address(spot.params.metric(failed_jobs(spot.params, spot.resource.name)), spot.params),
        spot.params.service.failure_word,
    )
    metric = f"{where['Namespace']}/{where['MetricName']}"
    about = [one for one in found if _metric_of(one) == metric or word in one.get("filterPattern", "")]
    about = about or [one for one in found if where["MetricName"] in _metric_of(one)]
    if not about:
        raise Absent
    about.sort(key=lambda one: where["MetricName"] not in _metric_of(one))
    made: dict[str, Any] = {**about[0], "_word": word}
    return made


def _metric_of(made: dict[str, Any]) -> str:
    first = made["metricTransformations"][0]
    return f"{first['metricNamespace']}/{first['metricName']}"


def _proof(spot: Spot) -> tuple[Proof, dict[str, str]]:
    """The filter's results for the worker's own failure line, and the dimensions that the guard alarm watches."""
    wanted = {
        one["Name"]: one["Value"]
        for one in address(spot.params.metric(failed_jobs(spot.params, spot.resource.name)), spot.params)["Dimensions"]
    }
    group = f"/aws/lambda/{spot.name}"
    line, word = spot.params.failure_line(spot.resource.name), spot.params.service.failure_word
    return prove(spot.client("logs"), group, _filter(spot), line, word), wanted


METRIC_FILTER = (
    Call(
        "reading the metric filters of the worker's log (logs:DescribeMetricFilters)",
        _filter,
        {
            "exists": there,
            "metric": _metric_of,
            "dimensions": lambda f: sorted(f["metricTransformations"][0].get("dimensions", {})),
            "pattern": lambda f: Said(
                f["_word"] in f.get("filterPattern", ""), f"counts {f.get('filterPattern') or 'every line'}"
            ),
        },
    ),
    Call(
        "trying the metric filter on a failure line (logs:TestMetricFilter, logs:FilterLogEvents)",
        _proof,
        {
            "matches": lambda told: Said(*told[0].matches()),
            "dimension_values": lambda told: Said(*told[0].writes_under(told[1])),
            "value": lambda told: Said(*told[0].counts()),
        },
    ),
)
