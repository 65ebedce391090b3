"""What watches the guards: AppConfig, whose environment has them as monitors and takes the weight back by itself; in
the other homes a composite alarm that calls people, and `runbook watch --auto-rollback`, which looks at each guard.

It also checks that the weight can act at all: an alias moves nothing where callers bypass it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.template import filled
from runbook_lib.judge import words
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.asking import Place
from runbook_lib.observe.traffic.flag_ids import handles
from runbook_lib.observe.traffic.routes import routes
from runbook_lib.params.alarms import alarm_name
from runbook_lib.params.load import Params
from runbook_lib.params.traffic import AliasHome, AppConfigHome

MAX_MONITORS = 5
"""AppConfig watches at most this many alarms in an environment."""
_MEMBER = re.compile(r"ALARM\(\s*[\"']?(?:arn:[^\"')]*:alarm:)?([^\"')]+?)[\"']?\s*\)", re.IGNORECASE)
"""A member of a composite alarm (CloudWatch, PutCompositeAlarm, `AlarmRule`)."""

Client = Callable[[str], Any]


class Finding(Frozen):
    """Whether one guard can protect a shift, and a sentence that says why not."""

    alarm: str
    ok: bool
    sentence: str
    mends: bool = False
    """Whether applying the shift puts it right first: the alarm only has the count of another phase."""


def watchers(client: Client, params: Params) -> tuple[list[str], list[Finding], str]:
    """Names of the watched alarms, the findings about what watches them, and words for what is wrong with a guard that
    is not among them.

    Raises:
        AwsError: AWS refused or did not answer.
    """
    home = params.service.traffic
    if isinstance(home, AppConfigHome):
        return *_monitors(client, params), "is not a monitor of the dial's environment"
    found = _called_by_alias(client, params, home) if isinstance(home, AliasHome) else []
    if not home.guard_alarm:
        guards = [alarm_name(alarm, params) for alarm in params.policy.alarms if alarm.guard]
        said = "nothing takes this weight back by itself, and no composite alarm is named (service.yaml, "
        said += "traffic.guard_alarm): `runbook watch --auto-rollback` has to run while it soaks"
        return guards, [*found, Finding(alarm="guard_alarm", ok=True, sentence=said)], ""
    name = filled(home.guard_alarm, {"env": params.env})
    members, whole = _composite(client, name)
    return members, [*found, whole], f"is not a member of composite alarm {name}"


def _monitors(client: Client, params: Params) -> tuple[list[str], list[Finding]]:
    appconfig = client("appconfig")
    where = handles(appconfig, params)
    with aws_errors("reading the monitors of the dial's environment (appconfig:GetEnvironment)"):
        environment = appconfig.get_environment(ApplicationId=where.application, EnvironmentId=where.dial_environment)
    watched = [monitor["AlarmArn"].rsplit(":alarm:", 1)[-1] for monitor in environment.get("Monitors", [])]
    many = len(watched)
    watching = f"{words.count(many, 'alarm')} {words.verb(many, 'watch')}"
    said = f"{watching} the dial's environment; AppConfig takes {MAX_MONITORS} at most"
    further = [params.name(post.worker) for post in params.service.crew[1:]]
    if further:
        said += f"; the alarms of {', '.join(further)} are none of them: they call people, and take nothing back"
    return watched, [Finding(alarm="monitors", ok=0 < many <= MAX_MONITORS, sentence=said)]


def _composite(client: Client, name: str) -> tuple[list[str], Finding]:
    """Members of the composite alarm over the guards, and a finding whether it would call anybody."""
    with aws_errors(f"reading composite alarm {name} (cloudwatch:DescribeAlarms)"):
        found = client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
    alarm = next(iter(found.get("CompositeAlarms", [])), None)
    if alarm is None:
        return [], Finding(alarm=name, ok=False, sentence=f"{name}: there is no such composite alarm")
    wrong = []
    if alarm.get("StateValue") != "OK":
        wrong.append(f"its state is {alarm.get('StateValue')}, expects OK before a shift")
    if not alarm.get("ActionsEnabled", False) or not alarm.get("AlarmActions"):
        wrong.append("it calls nobody: it has no action, or they are disabled")
    calls = "calls people if a guard fires; `runbook watch --auto-rollback` takes the weight back"
    said = f"{name}: {'; '.join(wrong) or calls}"
    return _MEMBER.findall(str(alarm.get("AlarmRule", ""))), Finding(alarm=name, ok=not wrong, sentence=said)


def _called_by_alias(client: Client, params: Params, home: AliasHome) -> list[Finding]:
    """A finding whether every caller calls the function through the alias: the weight moves no other call."""
    function = params.name(home.function)
    polled = home.function.startswith("worker")
    callers = _sources(client, function) if polled else _routes(client, params, home, function)
    one = "event source" if polled else "route"
    past = [name for name, alias in callers.items() if alias != home.alias]
    if past:
        called = f"{function}:{callers[past[0]]}" if callers[past[0]] else f"{function} itself"
        said = f"{one} {past[0]} calls {called}, expects {function}:{home.alias}: the alias's weight does not apply"
    elif callers:
        calls = words.verb(len(callers), "call")
        said = f"{words.count(len(callers), one)} {calls} {function} by alias {home.alias}"
    else:
        said = f"no {one} calls {function}: the alias's weight moves nothing"
    return [Finding(alarm="alias", ok=bool(callers) and not past, sentence=said)]


def _sources(client: Client, function: str) -> dict[str, str]:
    """Alias by which each event source calls the function, by the source's id; empty: it calls the function itself."""
    with aws_errors(f"reading the event sources of {function} (lambda:ListEventSourceMappings)"):
        pages = client("lambda").get_paginator("list_event_source_mappings").paginate()
        mapped = [one for page in pages for one in page["EventSourceMappings"]]
    called = [(one, re.search(rf":function:{re.escape(function)}(?::(.+))?$", one["FunctionArn"])) for one in mapped]
    return {one.get("UUID", one["FunctionArn"]): found[1] or "" for one, found in called if found}


def _routes(client: Client, params: Params, home: AliasHome, function: str) -> dict[str, str]:
    """Alias by which each route of the API calls the function, by `METHOD /path`; empty: the function itself."""
    path = getattr(params.service.api.routes, home.function)
    with aws_errors(f"reading the route {path} (apigateway:GET)"):
        found = routes(Place(_Clients(client), params, ""))
    called = re.compile(rf":function:{re.escape(function)}(?::([^/]+))?/invocations")
    uris = {f"{method} {where}": _uri(route) for (method, where), route in found.items() if where == path}
    return {name: hit[1] or "" for name, uri in uris.items() if (hit := called.search(uri))}


def _uri(route: dict[str, Any]) -> str:
    integration = route.get("methodIntegration") or {}
    uri = str(integration.get("uri") or integration.get("IntegrationUri") or "")
    return uri if "/invocations" in uri else f"{uri}/invocations"  # an HTTP API may name the function alone


@dataclass(frozen=True)
class _Clients:
    client: Client
