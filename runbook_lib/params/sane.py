"""Refuses readable parameters that make no sense: a share beyond 1, a look before the first report, a throttle that
counts as the caller's mistake. Each would silently disable a check, so the reading of the files refuses them.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_lib.base.errors import NO_PYTHON, UsageError
from runbook_lib.base.template import fault, fields, partly
from runbook_lib.params import aws_names, bounds, cloudwatch_names, sane_gates, sane_steps
from runbook_lib.params.bounds import Said
from runbook_lib.params.cross_check import placed, resources
from runbook_lib.params.measures import Measure, metric_id
from runbook_lib.params.metrics import Metric
from runbook_lib.params.sentence import ID, ID_EXPECTED, one_line, shown
from runbook_lib.params.service import JOB, NO_JOB

if TYPE_CHECKING:
    from runbook_lib.params.alarms import Alarm
    from runbook_lib.params.load import Params
    from runbook_lib.params.policy import Policy
    from runbook_lib.params.service import Service

GAUGE_PERIOD_S = 300
"""Seconds between two points of a level (`observe/evidence/questions.py`)."""
OURS = (403, 408, 413, 429)
"""Statuses by which the gateway, its throttle or a WAF refuse: never a mistake of the caller (API Gateway Developer
Guide, gateway response types)."""


def check(params: Params) -> None:
    """Checks gates.yaml and service.yaml for values that nobody can mean.

    Raises:
        UsageError: the first such value: file, key, value, and what is expected.
    """
    service, policy = params.service, params.policy
    found = (
        ("service", bounds.check(service)),
        ("gates", bounds.check(policy)),
        ("service", aws_names.check(params)),
        ("service", _service(params)),
        ("gates", _gates(params)),
    )
    for file, said in found:
        for key, value, wanted in said:
            where = placed(Path(params.source) / f"{file}.yaml", key)
            raise UsageError(one_line(f"{where}: '{key}' is {value}: {wanted}"))


def check_policy(policy: Policy, source: str) -> None:
    """Checks a policy by itself, such as one that old records are judged by.

    Raises:
        UsageError: the first value that nobody can mean.
    """
    for gate in policy.gates:
        for key, value, wanted in sane_gates.check(gate, policy):
            raise UsageError(one_line(f"{source}: 'gates.{gate.id}.{key}' is {value}: {wanted}"))
    for key, value, wanted in bounds.check(policy):
        raise UsageError(one_line(f"{source}: '{key}' is {value}: {wanted}"))


def _service(params: Params) -> Iterator[Said]:
    service = params.service
    if service.job_ttl_s <= service.job_deadline_s:
        yield (
            "job_ttl_s",
            service.job_ttl_s,
            f"jobs are gone before they are late (job_deadline_s {service.job_deadline_s}); expects more than that",
        )
    if service.poll_every_s > service.job_deadline_s:
        wanted = f"no client polls within job_deadline_s {service.job_deadline_s}; expects that or less"
        yield "poll_every_s", service.poll_every_s, wanted
    for key, wrong in (
        ("kpi_namespace", cloudwatch_names.namespace(service.kpi_namespace)),
        ("kpi_service", cloudwatch_names.dimension_value(service.kpi_service)),
    ):
        if wrong:
            yield key, shown(getattr(service, key)), wrong
    for key, metric in _own_metrics(service):
        yield from cloudwatch_names.check(key, metric)
    yield from _routes(service)
    for name, field in service.api.access_log_fields.model_dump().items():
        if not re.fullmatch(r"[A-Za-z_][\w.-]*", field):
            yield f"api.access_log_fields.{name}", repr(field), "expects the key of a JSON line"


def _own_metrics(service: Service) -> Iterator[tuple[str, Metric]]:
    yield from ((f"metrics.{id}", metric) for id, metric in service.metrics.items())
    yield from ((f"contract.kpi.{id}", metric) for id, metric in service.kpis.items())


def _routes(service: Service) -> Iterator[Said]:
    routes = service.api.routes
    for name, path in (("submit", routes.submit), ("status", routes.status)):
        if path == routes.sync:
            yield f"api.routes.{name}", repr(path), "it is the synchronous route too; expects a path of its own"
    for name, path in routes.model_dump().items():
        if name == "status" and not path:
            continue  # the API has no such route
        if not re.fullmatch(r"/\S*[^\s/]", path):
            yield f"api.routes.{name}", repr(path), "expects a path that begins with / and does not end with /"
        if name == "status" and path.count("{") == 1 and JOB.search(path):
            continue
        if wrong := fault(path, ("job_id",) if name == "status" else ()):
            yield f"api.routes.{name}", repr(path), wrong
        elif name == "status" and not _names_the_job(service):
            yield f"api.routes.{name}", repr(path), NO_JOB


def _names_the_job(service: Service) -> bool:
    """Whether a status request names its job without its path: by a header, or because the route is not asked."""
    status = service.contract.status
    return status.told_by != "status" or any("job_id" in fields(text) for text in status.headers.values())


def _gates(params: Params) -> Iterator[Said]:
    policy = params.policy
    for gate in policy.gates:
        yield from ((f"gates.{gate.id}.{key}", value, wanted) for key, value, wanted in sane_gates.check(gate, policy))
    if not any(gate.measure == "success" and gate.against is None for gate in policy.gates):
        yield "gates", "without one of measure success", "what users get must be judged"
    yield from sane_steps.check(params)
    yield from _odds(params)
    for name, measure in policy.measures.items():
        for side, query in measure.sides.items():
            id = metric_id(name, side, query)
            if id in policy.described:
                yield from cloudwatch_names.check(f"measures.{name}.{side}", policy.described[id])
        yield from _measure(name, measure, params)
    for alarm in policy.alarms:
        yield from ((f"alarms.{alarm.id}.{key}", value, wanted) for key, value, wanted in _alarm(alarm, policy))
    for status in policy.door.mistakes:
        if status in OURS or not 400 <= status < 500:
            wanted = "the gateway's own refusal" if status in OURS else "no 4xx"
            yield "door.mistakes", status, f"it is {wanted}, never a mistake of the caller"
    for response, remedy in policy.remedies.items():
        for sign in remedy.symptoms:
            if sign.shows.holds(0.0):
                yield (
                    f"remedies.{response}.symptoms",
                    f"'{sign.shows}'",
                    "it is always seen, on an empty level too; expects another",
                )


def _measure(name: str, measure: Measure, params: Params) -> Iterator[Said]:
    """A measure that always has the same value, or has no point in most of its periods."""
    asked = {
        side: (metric, measure.stat(side) or metric.stat)
        for side, query in measure.sides.items()
        if (metric := params.metrics.get(metric_id(name, side, query))) is not None
    }
    above = next((side for side in ("bad", "good", "value") if side in asked), None)
    if above is not None and "of" in asked and _place(*asked[above], params) == _place(*asked["of"], params):
        wanted = f"it is asked for as `{above}` too, so that their quotient is always 1; expects the whole"
        yield f"measures.{name}.of", f"'{asked['of'][0].name}'", wanted
    if above is not None and "zero_while" in asked:
        metric, proof = asked[above][0], asked["zero_while"][0]
        if _place(metric, "", params) == _place(proof, "", params):
            wanted = f"it is asked for as `{above}` too, and where that has no point it proves nothing; expects another"
            yield f"measures.{name}.zero_while", f"'{proof.name}'", wanted
    if measure.kind != "gauge":
        return
    for side, (metric, _) in asked.items():
        if metric.period_s > GAUGE_PERIOD_S:
            wanted = f"a gauge is asked for every {GAUGE_PERIOD_S} s, and most would have no point; expects no more"
            yield f"measures.{name}.{side}.period_s", metric.period_s, wanted


def _place(metric: Metric, stat: str, params: Params) -> tuple[object, ...]:
    """What is asked of CloudWatch; the names of resources are filled in, for two texts may name one of them."""
    named = {one: params.name(one) for one in resources(params) if params.named(one)}
    values = {**named, "env": params.env, "stage": params.service.api.stage}
    pairs = sorted((name, partly(text, values)) for name, text in metric.dimensions.items())
    return partly(metric.namespace, values), metric.name, tuple(pairs), stat


def _odds(params: Params) -> Iterator[Said]:
    policy = params.policy
    if min(policy.early_prior) <= 0 or not all(map(math.isfinite, policy.early_prior)):
        yield "early_prior", list(policy.early_prior), "a Beta prior expects two numbers above 0"
    low, high = policy.alarm_math.daytime
    if not 0 <= low < high <= 24:
        yield "alarm_math.daytime", [low, high], "expects two hours of a day, the first before the second"
    if policy.alarm_math.bad >= policy.alarm_math.healthy:
        yield "alarm_math.bad", policy.alarm_math.bad, f"expects less than healthy {policy.alarm_math.healthy:g}"


def _alarm(alarm: Alarm, policy: Policy) -> Iterator[Said]:
    if not ID.fullmatch(alarm.id):
        yield "id", repr(alarm.id), ID_EXPECTED
    limit = policy.gate(alarm.gate).alert if alarm.gate is not None else None
    if limit is not None and alarm.op[0] != limit.op[0]:
        wanted = f"the alert limit of gate '{alarm.gate}' is {limit}; expects '{limit.op[0]}' or '{limit.op[0]}='"
        yield "op", f"'{alarm.op}'", wanted
    if wild := set("*?") & set(alarm.name):
        yield "name", shown(alarm.name), f"'{min(wild)}' stands for any name in a policy; expects a name without it"
    if alarm.period_s not in (10, 20, 30) and alarm.period_s % 60:
        yield "period_s", alarm.period_s, "CloudWatch takes 10, 20, 30 and multiples of 60"
    if alarm.expression is None:
        return
    try:
        tree = ast.parse(alarm.expression.strip(), mode="eval")
    except NO_PYTHON:
        yield "expression", f"'{alarm.expression}'", "it is not arithmetic on the metrics"
        return
    for node in ast.walk(tree):
        # Functions of metric math have capitals, ids of metrics begin with a small letter.
        if isinstance(node, ast.Name) and not node.id.isupper() and node.id not in alarm.metrics:
            there = ", ".join(alarm.metrics)
            yield "expression", f"'{alarm.expression}'", f"'{node.id}' is not one of its metrics; there are {there}"
