"""What is left of the synchronous path: its calls, its code and settings, and what only it uses."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.base.https import no_answer, sent
from runbook_lib.base.window import Window
from runbook_lib.observe.asking import Absent, Clients, Place, pages
from runbook_lib.observe.metrics.fetch import Answers, Ask, fetch
from runbook_lib.observe.traffic.routes import function_of, routes
from runbook_lib.params import cross_check
from runbook_lib.params.load import Params

CALLS, WITNESS = "sync_fn_invocations", "submit_invocations"
"""The metric that must be silent, and the one that shows that metrics arrive at all."""
PERIOD_S = 300
_DOWNLOAD_S = 60
_LARGEST_B = 262_144_000
"""Bytes of a package: Lambda takes none that is larger, even unpacked."""


@dataclass(frozen=True)
class Silence:
    """What CloudWatch knows of the old Lambda's invocations in a window."""

    window: Window
    answers: Answers
    calls: float | None
    """Invocations; None: not a single point, which alone does not mean zero."""
    witness: float | None
    """Invocations of the submit Lambda in the same window."""
    partial: bool
    last_at: dt.datetime | None
    """Start of the five minutes with the last invocation seen."""


def silence(cloudwatch: Any, params: Params, now: dt.datetime, hours: float) -> Silence:
    """Reads the invocations of the old Lambda in the last `hours`.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    window = Window(now - dt.timedelta(hours=hours), now)
    asks = [Ask(id, window, period_s=PERIOD_S, label=id) for id in (CALLS, WITNESS)]
    answers = fetch(cloudwatch, params, asks, now)
    called = [at for at, count in answers.points(CALLS) if count > 0]
    return Silence(
        window=window,
        answers=answers,
        calls=answers.total(CALLS),
        witness=answers.total(WITNESS),
        partial=answers.partial(CALLS),
        last_at=max(called, default=None),
    )


@dataclass(frozen=True)
class Handler:
    """The old Lambda: its code, and its configuration without the values of environment variables."""

    configuration: dict[str, Any]
    code: bytes
    """The deployment package; empty for a container image, which `image` names."""
    image: str
    sha256: str
    """SHA-256 of `code`, hexadecimal."""
    intact: bool
    """Whether the code has the hash that Lambda gives (`CodeSha256`); True for a container image."""
    variables: tuple[str, ...]
    """Names of its environment variables."""


def old_handler(aws: Clients, params: Params) -> Handler | None:
    """Reads code and configuration of the old Lambda; None if it is gone.

    Raises:
        AwsError: Lambda refused, or the code cannot be downloaded.
    """
    with aws_errors("reading the synchronous Lambda (lambda:GetFunction)"):
        try:
            found = aws.client("lambda").get_function(FunctionName=params.name("sync"))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None
    configuration = json.loads(json.dumps(found["Configuration"], default=str))
    variables = sorted(configuration.get("Environment", {}).get("Variables", {}))
    if variables:
        configuration["Environment"] = {"Variables": dict.fromkeys(variables, "(value not kept)")}
    image = str(found["Code"].get("ImageUri", ""))
    code = b"" if image else _download(found["Code"]["Location"])
    said = configuration.get("CodeSha256", "")
    return Handler(
        configuration=configuration,
        code=code,
        image=image,
        sha256=hashlib.sha256(code).hexdigest(),
        intact=bool(image) or base64.b64encode(hashlib.sha256(code).digest()).decode() == said,
        variables=tuple(variables),
    )


def _download(url: str) -> bytes:
    """Downloads the code. No message contains the link, because it is signed."""
    if not url.startswith(("https://", "http://")):
        raise AwsError("downloading the code of the synchronous Lambda: Lambda gave no link to it")
    try:
        request = urllib.request.Request(url)  # noqa: S310 (the scheme is checked)
        content = sent(request, "the code of the synchronous Lambda", _DOWNLOAD_S, _LARGEST_B + 1)[1]
    except (OSError, HTTPException) as error:
        raise AwsError(f"downloading the code of the synchronous Lambda: {no_answer(error)}; run this again") from None
    if len(content) > _LARGEST_B:
        raise AwsError(f"downloading the code of the synchronous Lambda: it has more than {_LARGEST_B:,} bytes")
    return content


@dataclass(frozen=True)
class Leftover:
    """One thing that only the synchronous path uses."""

    kind: str
    name: str
    detail: str
    blocks: bool = False
    """Whether requests or messages still reach the old Lambda through it, so that it must go first."""


def leftovers(aws: Clients, params: Params, role: str = "") -> list[Leftover]:
    """Finds what only the synchronous path uses: routes, event sources, permissions, variables, alarms, role.

    Args:
        role: name of the old Lambda's role, for when the Lambda is gone.

    Raises:
        AwsError: AWS refused or did not answer.
    """
    sync, client = params.name("sync"), aws.client("lambda")
    with aws_errors("looking for what only the synchronous path uses (apigateway, lambda, cloudwatch, iam: read)"):
        listed = pages(client, "list_functions", "Functions")
        mine = [one for one in listed if one["FunctionName"] == sync]
        others = [one for one in listed if one["FunctionName"] != sync]
        found = [*_routes(aws, params), *_sources(client, sync) * bool(mine)]
        if mine:
            found += _permissions(client, sync)
            found += _own_variables(mine[0], _ours(others, params))
            role = mine[0]["Role"].rpartition("/")[2]
        found += _mentions(_ours(others, params), params)
        found += _alarms(aws.client("cloudwatch"), sync)
        found += _role(aws.client("iam"), role, others)
    return found


def _ours(functions: list[dict[str, Any]], params: Params) -> list[dict[str, Any]]:
    names = {params.name(one) for one in cross_check.functions(params) if one != "sync"}
    return [one for one in functions if one["FunctionName"] in names]


def _variables(function: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = function.get("Environment", {}).get("Variables", {})
    return found


def _routes(aws: Clients, params: Params) -> list[Leftover]:
    try:
        found = routes(Place(aws, params, "remove_sync"))
    except Absent:
        raise AwsError(f"there is no API '{params.name('api')}' ({params.service.api.kind})") from None
    sync = params.name("sync")
    return [
        Leftover("route", f"{method} {path}", "its integration is the synchronous Lambda", blocks=True)
        for (method, path), one in sorted(found.items())
        if function_of(one) == sync
    ]


def _sources(client: Any, sync: str) -> list[Leftover]:
    found = pages(client, "list_event_source_mappings", "EventSourceMappings", FunctionName=sync)
    return [
        Leftover(
            "event source", one["EventSourceArn"].rpartition(":")[2], "invokes the synchronous Lambda", blocks=True
        )
        for one in found
        if one.get("State") != "Disabled"
    ]


def _permissions(client: Any, sync: str) -> list[Leftover]:
    try:
        policy = json.loads(client.get_policy(FunctionName=sync)["Policy"])
    except client.exceptions.ResourceNotFoundException:
        return []
    made = []
    for one in policy.get("Statement", []):
        principal = one.get("Principal")
        who = ", ".join(map(str, principal.values())) if isinstance(principal, dict) else str(principal)
        made.append(Leftover("permission", str(one.get("Sid", "")), f"{who} may invoke {sync}"))
    return made


def _own_variables(mine: dict[str, Any], others: list[dict[str, Any]]) -> list[Leftover]:
    shared = {name for one in others for name in _variables(one)}
    only = sorted(set(_variables(mine)) - shared)
    return [Leftover("environment variable", name, f"only on {mine['FunctionName']}") for name in only]


def _mentions(others: list[dict[str, Any]], params: Params) -> list[Leftover]:
    sync = params.name("sync")
    return [
        Leftover("environment variable", f"{one['FunctionName']}: {name}", f"names {sync}")
        for one in others
        for name, value in sorted(_variables(one).items())
        if sync in value
    ]


def _alarms(cloudwatch: Any, sync: str) -> list[Leftover]:
    found = pages(cloudwatch, "describe_alarms", "MetricAlarms", AlarmTypes=["MetricAlarm"])
    return [Leftover("alarm", one["AlarmName"], f"watches {sync}") for one in found if _watches(one, sync)]


def _watches(alarm: dict[str, Any], sync: str) -> bool:
    metrics = [query.get("MetricStat", {}).get("Metric", {}) for query in alarm.get("Metrics", [])]
    return any(
        pair["Value"] == sync
        for metric in (alarm, *metrics)
        for pair in metric.get("Dimensions", [])
        if "Value" in pair
    )


def _role(iam: Any, role: str, others: list[dict[str, Any]]) -> list[Leftover]:
    if not role or any(one["Role"].rpartition("/")[2] == role for one in others):
        return []
    try:
        iam.get_role(RoleName=role)
    except iam.exceptions.NoSuchEntityException:
        return []
    return [Leftover("role", role, "no other function uses it")]
