"""Checks that the names in the parameter files exist: measures, metrics, gates, alarms, roles, notebooks, resources.

A model knows its own file's fields; the things that a value names are in another file or in the code. Otherwise a typo
would be found at the end of a soak. Each check is a triple (key, value, known names).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.base.project import params_dir, visible
from runbook_lib.base.template import fault
from runbook_lib.base.yaml_file import line_of
from runbook_lib.params import bounds
from runbook_lib.params.measures import metric_id
from runbook_lib.params.metrics import METRICS, STATISTICS, Metric, is_statistic
from runbook_lib.params.sentence import one_line, shown

if TYPE_CHECKING:
    from runbook_lib.params.load import Params

Named = tuple[str, str, Collection[str]]
Template = tuple[str, str, Collection[str]]
"""Key, text, and the placeholders that are replaced there."""
ADDRESS = ("endpoint", "api_id", "region", "env", "stage")
"""Placeholders of `api_url`."""
RESOURCES = (
    *("queue", "dlq", "table", "bucket_prefix", "submit", "worker", "status", "sync", "api", "topic", "drill_queue"),
    *("stack", "gsi", "api_id", "access_log"),
)
"""Keys of `names` in service.yaml that are used."""
OPTIONAL = ("api_id", "access_log")
FUNCTIONS = ("submit", "worker", "status", "sync")


def functions(params: Params) -> tuple[str, ...]:
    """Keys of `names` of all functions, further workers' too; without one for the status where there is none."""
    mine = tuple(one for one in FUNCTIONS if one != "status" or params.named(one))
    return (*mine, *(post.worker for post in params.service.crew if post.suffix))


def resources(params: Params) -> tuple[str, ...]:
    """Keys of `names` that anything asks for, those of further workers too."""
    return (*RESOURCES, *(key for post in params.service.crew if post.suffix for key in post.keys))


KINDS = (
    *("alarm", "api", "bucket", "event_source", "flags", "function", "kpi", "metric_filter", "queue", "route", "stack"),
    *("table", "topic", "worker"),
)
"""Kinds of resources in inventory.yaml; a test compares them with those that the inventory can ask for."""
_OF_SERVICE = (
    *("env", "stage", "route_sync", "route_submit", "route_status", "method_sync", "method_submit", "method_status"),
    *("kpi_namespace", "kpi_service"),
)
"""Placeholders of a metric's templates beside the names of resources (`observe/metrics/catalogue.py`)."""

_FOREIGN = re.compile(r"\$\{(?P<shell>[a-z][a-z0-9_]*)\}|\{\{\s*(?P<env>env)\s*\}\}")
"""Placeholders of shells and CDK, and of Go's and Jinja's templates."""


def check(params: Params) -> None:
    """Checks gates.yaml and service.yaml against each other and against the code.

    Raises:
        UsageError: the first unknown name: file, key, value, and the nearest known name.
    """
    for file, names in (("service", _service(params)), ("gates", _policy(params))):
        _refuse(Path(params.source) / f"{file}.yaml", names)
    _unfilled(Path(params.source) / "service.yaml", _templates_of_service(params))
    _unfilled(Path(params.source) / "gates.yaml", _templates_of_policy(params))


def check_address(params: Params, source: str) -> None:
    """Checks the address of the API's stage in the flat file called `source`.

    Raises:
        UsageError: it has an unknown placeholder.
    """
    if wrong := fault(params.api_url, ADDRESS):
        raise UsageError(one_line(f"{source}: 'api_url' is {shown(params.api_url)}: {wrong}"))


def check_file(file: str, found: Any, params: Params) -> None:
    """Checks one of the other files (`dashboard`, `inventory`, `load`, `commands`) by itself, and against gates.yaml,
    service.yaml and the code.

    Raises:
        UsageError: see `check`.
    """
    known = {"dashboard": _dashboard, "inventory": _inventory, params.commands: _commands}
    for key, value, wanted in bounds.check(found) if isinstance(found, BaseModel) else ():
        where = placed(Path(params.source) / f"{file}.yaml", key)
        raise UsageError(one_line(f"{where}: '{key}' is {value}: {wanted}"))
    if file == "dashboard":
        _unfilled(Path(params.source) / "dashboard.yaml", [("name", found.name, ("env",))])
    if file in known:
        _refuse(Path(params.source) / f"{file}.yaml", known[file](found, params))


def _refuse(file: Path, names: Iterator[Named]) -> None:
    for key, value, known in names:
        if value not in known:
            there = hint(value, known) or f"there are {len(known)}, from '{min(known)}' to '{max(known)}'"
            raise UsageError(one_line(f"{placed(file, key)}: '{key}' names '{value}', which is not there; {there}"))


def _unfilled(file: Path, templates: Iterable[Template]) -> None:
    for key, text, known in templates:
        if wrong := fault(text, known) or _of_another_tool(text, known):
            raise UsageError(one_line(f"{placed(file, key)}: '{key}' is {shown(text)}: {wrong}"))


def _of_another_tool(text: str, known: Collection[str]) -> str:
    """What is wrong with a placeholder as other tools write it: it would stay in the name. Empty: there is none.

    `{{table}}` may be meant: it is how a route with `{table}` in its path is written.
    """
    for found in _FOREIGN.finditer(text):
        name = found["shell"] or found["env"]
        if name in known:
            return f"'{found[0]}' is another tool's way to write it; expects {{{name}}}"
    return ""


def placed(file: Path, key: str) -> str:
    """`params/gates.yaml, line 412`: the name of the file in a sentence, with the line of a key (`gates.cost.unit`)."""
    line = line_of(file, key.partition(" (")[0].split("."))
    return f"{file.parent.name}/{file.name}" + (f", line {line}" if line else "")


def _service(params: Params) -> Iterator[Named]:
    names = params.service.names
    for key in names:
        yield f"names.{key}", key, resources(params)
    for key, said in names.items():
        for env in said if isinstance(said, dict) else ():
            yield f"names.{key}", env, params.policy.environments
    here = [key for key in names if params.named(key)]
    for key in resources(params):
        optional = key in OPTIONAL or (key == "status" and not params.service.api.routes.status)
        if not optional:
            yield f"names (in {params.env})" if key in names else "names", key, here


def _templates_of_service(params: Params) -> Iterator[Template]:
    names, traffic = params.service.names, params.service.traffic.model_dump()
    for key, said in names.items():
        for env, text in said.items() if isinstance(said, dict) else [("", said)]:
            yield f"names.{key}{f'.{env}' if env else ''}", text, ("env",)
    for key, text in traffic.items():
        if isinstance(text, str):
            yield f"traffic.{key}", text, ("env",)
    for id, metric in params.service.metrics.items():
        yield from _templates(f"metrics.{id}", metric, params)
    for id, metric in params.service.kpis.items():
        yield from _templates(f"contract.kpi.{id}", metric, params)


def _templates_of_policy(params: Params) -> Iterator[Template]:
    policy = params.policy
    for name, measure in policy.measures.items():
        for side, query in measure.sides.items():
            id = metric_id(name, side, query)
            if id in policy.described:
                yield from _templates(f"measures.{name}.{side}", policy.described[id], params)
    for alarm in policy.alarms:
        yield f"alarms.{alarm.id}.name", alarm.name, ("env",)


def _templates(key: str, metric: Metric, params: Params) -> Iterator[Template]:
    """Templates in a metric of the service's own."""
    known = (*_OF_SERVICE, *(one for one in resources(params) if params.named(one)))
    yield f"{key}.namespace", metric.namespace, known
    for side in ("dimensions", "http_dimensions"):
        for name, text in (getattr(metric, side) or {}).items():
            yield f"{key}.{side}.{name}", text, known


def _policy(params: Params) -> Iterator[Named]:
    policy = params.policy
    gates, alarms, notebooks = {gate.id for gate in policy.gates}, policy.alarms, [*policy.steps, *policy.rollbacks]
    for gate in policy.gates:
        yield f"gates.{gate.id}.measure", gate.measure, policy.kinds
    yield from _measures(params)
    for alarm in alarms:
        for key, metric in {"metric": alarm.metric, **{f"metrics.{k}": v for k, v in alarm.metrics.items()}}.items():
            if metric is not None:
                yield f"alarms.{alarm.id}.{key}", metric, params.metrics
        yield from _statistic(f"alarms.{alarm.id}.stat", alarm.stat)
        if alarm.gate is not None:
            yield f"alarms.{alarm.id}.gate", alarm.gate, gates
        for name in alarm.phases:
            yield f"alarms.{alarm.id}.phases", name, policy.phases
    yield "alarm_math.gate", policy.alarm_math.gate, gates
    for name in policy.baseline.samples:
        yield "baseline.samples", name, policy.kinds
    for name in policy.baseline.handler_s:
        yield "baseline.handler_s", name, FUNCTIONS
    placed = {
        **{name: one.envs for name, one in policy.steps.items()},
        **{name: one.envs for name, one in policy.rollbacks.items()},
    }
    for name, envs in placed.items():
        for env in envs:
            yield f"{name}.envs", env, policy.environments
    yield from _people(params)
    yield from _notebooks(params, notebooks)


def _measures(params: Params) -> Iterator[Named]:
    metrics = params.metrics
    for name, measure in params.policy.measures.items():
        for side, query in measure.sides.items():
            yield f"measures.{name}.{side}.metric", metric_id(name, side, query), metrics


def _statistic(key: str, stat: str) -> Iterator[Named]:
    if not is_statistic(stat):
        yield key, stat, STATISTICS


def _people(params: Params) -> Iterator[Named]:
    policy = params.policy
    places = [f"{name}@{env}" for name, step in policy.steps.items() for env in step.envs]
    for item in policy.attestations:
        if policy.roles:
            yield f"attestations.{item.id}.role", item.role, policy.roles
        if item.after is not None:
            yield f"attestations.{item.id}.after", item.after, places
    for name, phase in policy.phases.items():
        for role in phase.approvers if policy.roles else ():
            yield f"phases.{name}.approvers", role, policy.roles
    if policy.roles:
        for key, declared in (("callers", policy.approvals.callers), ("ci", policy.approvals.ci)):
            yield from ((f"approvals.{key}.{role}", role, policy.roles) for role in declared)


def _notebooks(params: Params, named: list[str]) -> Iterator[Named]:
    """Checks that each step has its notebook, if the project of the parameters has notebooks."""
    source = Path(params.source)
    with contextlib.suppress(UsageError):  # parameters without a project have no notebooks either
        source = params_dir(source)
    folder = source.parent / "notebooks"
    there = {path.stem for path in visible(folder, "ipynb")}
    steps = params.policy.steps
    for name in named if there else ():
        notebook = steps[name].notebook if name in steps else ""
        key = f"steps.{name}.notebook" if notebook else "steps" if name in steps else "rollbacks"
        yield key, notebook or name, there


def _dashboard(board: Any, params: Params) -> Iterator[Named]:
    gates = {gate.id for gate in params.policy.gates}
    for widget in board.widgets:
        for side, axis in widget.axes:
            for metric, stat in axis.asked:
                yield f"widgets.{widget.id}.{side}", metric, params.metrics
                yield from _statistic(f"widgets.{widget.id}.{side}.stat", stat)
            if axis.gate is not None:
                yield f"widgets.{widget.id}.{side}.gate", axis.gate, gates


def _commands(found: Any, params: Params) -> Iterator[Named]:
    for one in found.checks:
        if one.notebook:  # a check of another notebook would never be run
            yield f"checks.{one.id}.notebook", one.notebook, params.policy.steps


def _inventory(found: Any, params: Params) -> Iterator[Named]:
    alarms = {alarm.id for alarm in params.policy.alarms}
    numbers = {key for key, value in params.service if isinstance(value, int | float) or key.startswith("kpi_")}
    fields = {
        *(
            f"{{{key}}}"
            for key in (*numbers, "longest_gap_s", "target", "stage", "metric.dimensions", "metric.dimension_values")
        ),
        "{job_ttl_variable}",
        *(f"{{name.{key}}}" for key in RESOURCES),
        *(f"{{metric.{key}}}" for key in METRICS),
        *(f"{{table.{key}}}" for key, value in params.service.contract.table if isinstance(value, str)),
    }
    for id, resource in found.resources.items():
        yield f"resources.{id}.kind", resource.kind, KINDS
        if resource.name:
            # A status function that the service has not is no typo: the inventory leaves it out.
            yield f"resources.{id}.name", resource.name, {*params.service.names, "status"}
        if resource.route and resource.method:
            yield f"resources.{id}.method", resource.method, {params.service.methods[resource.route]}
        if resource.alarm:
            yield f"resources.{id}.alarm", resource.alarm, alarms
        for step, function in resource.target.items():
            yield f"resources.{id}.target.{step}", function, FUNCTIONS
        for name, setting in resource.settings.items():
            for text in _texts(setting.model_dump()):
                for field in re.findall(r"\{[^{}]*\}", text):
                    yield f"resources.{id}.settings.{name}", field, fields


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
