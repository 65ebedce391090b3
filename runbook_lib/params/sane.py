"""Parameters that can be read and make no sense: a share beyond 1, a look before the first report, a throttle that is
the caller's mistake. Each would switch a check off without a word, so they are refused when the files are read.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_lib.base.errors import UsageError
from runbook_lib.judge.measures import COMPARABLE
from runbook_lib.params.cross_check import ENVIRONMENTS, placed

if TYPE_CHECKING:
    from runbook_lib.judge.model import Gate
    from runbook_lib.params.alarms import Alarm
    from runbook_lib.params.load import Params
    from runbook_lib.params.policy import Policy

OURS = (403, 408, 413, 429)
"""Statuses by which the gateway, its throttle or a WAF refuse: never a mistake of the caller (API Gateway Developer
Guide, gateway response types)."""
UNITS = {
    **dict.fromkeys(("rate", "split"), ("ratio",)),
    "amount": ("USD",),
    "gauge": ("messages", "requests"),
}
"""Units that the evidence of the runbook's own measures is in, by kind."""
MOST_H = 31 * 24.0
MOST_SAMPLES = 10_000_000
MOST_STRAGGLERS = 100
SECONDS = ("submit_latency", "generation_time")


def check(params: Params) -> None:
    """Checks gates.yaml and service.yaml for values that cannot be meant.

    Raises:
        UsageError: the first one: file, key, value, and what is wanted.
    """
    for file, found in (("service", _service(params)), ("gates", _gates(params))):
        for key, value, wanted in found:
            where = placed(Path(params.source) / f"{file}.yaml", key)
            raise UsageError(f"{where}: '{key}' is {value}: {wanted}")


def _service(params: Params) -> Iterator[tuple[str, object, str]]:
    service = params.service
    if service.job_ttl_s <= service.job_deadline_s:
        yield (
            "job_ttl_s",
            service.job_ttl_s,
            f"jobs are gone before they are late (job_deadline_s {service.job_deadline_s}); expects more than that",
        )
    if service.poll_every_s > service.job_deadline_s:
        yield "poll_every_s", service.poll_every_s, f"nobody polls within job_deadline_s {service.job_deadline_s}"
    routes = service.api.routes
    for name, path in (("submit", routes.submit), ("status", routes.status)):
        if path == routes.sync:
            yield f"api.routes.{name}", repr(path), "it is the synchronous route too, so that nothing tells them apart"
    for name, path in routes.model_dump().items():
        if not re.fullmatch(r"/\S*[^\s/]", path):
            yield f"api.routes.{name}", repr(path), "a path begins with / and ends with its last part, without spaces"
    for name, field in service.api.access_log_fields.model_dump().items():
        if not re.fullmatch(r"[A-Za-z_][\w.-]*", field):
            yield f"api.access_log_fields.{name}", repr(field), "expects the key of a JSON line"


def _gates(params: Params) -> Iterator[tuple[str, object, str]]:
    policy = params.policy
    for gate in policy.gates:
        own = gate.measure in policy.measures
        yield from ((f"gates.{gate.id}.{key}", value, wanted) for key, value, wanted in _gate(gate, own))
    if not any(gate.measure == "success" and gate.against is None for gate in policy.gates):
        yield "gates", "without one of measure success", "what users get must be judged"
    yield from _phases(params)
    yield from _odds(params)
    for alarm in policy.alarms:
        yield from ((f"alarms.{alarm.id}.{key}", value, wanted) for key, value, wanted in _alarm(alarm))
    for status in policy.door.mistakes:
        if status in OURS or not 400 <= status < 500:
            wanted = "the gateway's own refusal" if status in OURS else "no 4xx"
            yield "door.mistakes", status, f"it is {wanted}, never a mistake of the caller"
    for response, remedy in policy.remedies.items():
        for sign in remedy.symptoms:
            if sign.shows.holds(0.0):
                yield f"remedies.{response}.symptoms", f"'{sign.shows}'", "it is always seen: an empty level shows it"


def _phases(params: Params) -> Iterator[tuple[str, object, str]]:
    policy = params.policy
    settles_h = (params.service.job_deadline_s + policy.metric_delay_s) / 3600
    for name, phase in policy.phases.items():
        first = min(look.hours for look in (*phase.looks, *phase.after_migration))
        if first <= settles_h:
            yield (
                f"phases.{name}.looks",
                f"{first:g} h",
                f"nothing has settled before {settles_h:.2g} h (job_deadline_s and metric_delay_s); expects more",
            )
        last = max(look.hours for look in (*phase.looks, *phase.after_migration))
        if last > MOST_H:
            yield f"phases.{name}.looks", f"{last:g} h", f"nobody waits longer than {MOST_H:g} h"
        weights = {0.0, *(one.percent for one in policy.phases.values())}
        if phase.before_percent not in weights:
            wanted = f"no phase ends at that weight; there are {', '.join(f'{one:g}' for one in sorted(weights))}"
            yield f"phases.{name}.before_percent", f"{phase.before_percent:g}", wanted
        if phase.before_percent >= phase.percent > 0:
            yield f"phases.{name}.before_percent", f"{phase.before_percent:g}", f"expects less than {phase.percent:g}"
    for env in ENVIRONMENTS:
        yield from _order(policy, env)


def _order(policy: Policy, env: str) -> Iterator[tuple[str, object, str]]:
    """In an environment each phase begins where the one before it ends, and only the last one migrates."""
    phases = policy.phases_of(env)
    before, ends = "", 0.0
    for name, phase in phases.items():
        if phase.before_percent != ends:
            wanted = f"{before} before it ends at {ends:g} %" if before else "the rollout begins at 0 %"
            yield f"phases.{name}.before_percent", f"{phase.before_percent:g}", f"{wanted}; expects {ends:g}"
        if phase.after_migration and name != list(phases)[-1]:
            yield (
                f"phases.{name}.after_migration",
                f"{len(phase.after_migration)} looks",
                "only the last phase migrates",
            )
        before, ends = name, phase.percent


def _odds(params: Params) -> Iterator[tuple[str, object, str]]:
    policy = params.policy
    if min(policy.early_prior) <= 0 or not all(map(math.isfinite, policy.early_prior)):
        yield "early_prior", list(policy.early_prior), "a Beta prior expects two numbers above 0"
    low, high = policy.alarm_math.daytime
    if not 0 <= low < high <= 24:
        yield "alarm_math.daytime", [low, high], "expects two hours of a day, the first before the second"
    if policy.alarm_math.bad >= policy.alarm_math.healthy:
        yield "alarm_math.bad", policy.alarm_math.bad, f"expects less than healthy {policy.alarm_math.healthy:g}"


def _gate(gate: Gate, own: bool) -> Iterator[tuple[str, object, str]]:
    units = ("s",) if gate.measure in SECONDS else UNITS.get(gate.kind)
    if own:  # what it is in is the team's to say; a rate is a share of requests
        units = UNITS["rate"] if gate.kind == "rate" else None
    if units and gate.unit not in units:
        yield "unit", gate.unit, f"what is measured of '{gate.measure}' is in {' or '.join(units)}"
    if gate.constant and gate.kind != "gauge":
        yield "constant", "true", "only a gauge can stand still"
    for name in ("target", "alert", "collapse", "implausible"):
        line = getattr(gate, name)
        if line is None:
            continue
        if not math.isfinite(line.limit) or line.limit < 0:
            yield name, f"'{line}'", "expects a number, not below 0"
        elif gate.unit == "ratio" and line.limit > 1:
            yield name, f"'{line}'", "a ratio is 0 to 1"
    if gate.kind == "rate" and gate.target.holds(0.0 if gate.higher_is_better else 1.0):
        yield "target", f"'{gate.target}'", "every rate meets it"
    yield from _compared(gate)
    if gate.min_samples > MOST_SAMPLES:
        yield "min_samples", gate.min_samples, f"no soak has as many; expects {MOST_SAMPLES:,} at most"
    allowed = math.inf
    for one in sorted(gate.stragglers, key=lambda one: one.from_percent):
        if one.share > 0.5 or one.count > MOST_STRAGGLERS:
            yield "stragglers", f"{one.share:g} and {one.count}", "as many clients are no stragglers"
        if one.share > allowed:
            yield "stragglers", f"{one.share:g} from {one.from_percent:g} %", "the allowance shrinks with the phase"
        allowed = one.share


def _compared(gate: Gate) -> Iterator[tuple[str, object, str]]:
    if gate.against is None:
        return
    there = COMPARABLE[gate.against]
    if gate.measure not in there:
        arm = "the baseline" if gate.against == "baseline" else "the phase before"
        wanted = f"'{gate.measure}' is not known of {arm} hour by hour; what is: {', '.join(there)}"
        yield "against", gate.against, wanted
    elif gate.alert is None:
        yield "alert", "missing", "a gate with `against` wants one: an arm that is past it is no measure"


def _alarm(alarm: Alarm) -> Iterator[tuple[str, object, str]]:
    if alarm.period_s not in (10, 20, 30) and alarm.period_s % 60:
        yield "period_s", alarm.period_s, "CloudWatch takes 10, 20, 30 and multiples of 60"
    if alarm.expression is None:
        return
    try:
        tree = ast.parse(alarm.expression.strip(), mode="eval")
    except SyntaxError:
        yield "expression", f"'{alarm.expression}'", "it is no arithmetic of the metrics"
        return
    for node in ast.walk(tree):
        # Functions of metric math are in capitals, ids of metrics begin with a small letter.
        if isinstance(node, ast.Name) and not node.id.isupper() and node.id not in alarm.metrics:
            there = ", ".join(alarm.metrics)
            yield "expression", f"'{alarm.expression}'", f"'{node.id}' is none of its metrics; there are {there}"
