"""Reads a service's resources from a CloudFormation stack, by type and name. Changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.errors import AwsError, UsageError
from runbook_lib.base.template import filled
from runbook_lib.commands.init import workers
from runbook_lib.commands.init.answers import Answers, Said, by_environment, templated
from runbook_lib.observe.asking import pages
from runbook_lib.observe.traffic.routes import function_of, routes_of
from runbook_lib.params.phases import ENVIRONMENTS
from runbook_lib.params.posts import KEYS
from runbook_lib.params.service import JOB

WORDS: dict[str, tuple[str, ...]] = {
    "dlq": ("dlq", "dead", "deadletter"),
    "queue": ("queue", "jobs", ""),
    "submit": ("submit", "create", "enqueue", "accept"),
    "worker": ("worker", "consumer", "process", "processor"),
    "status": ("status", "poll"),
    "sync": ("generator", "sync", "legacy"),
    "topic": ("alarm", "alert", ""),
    "table": ("job", ""),
    "bucket_prefix": ("result", "report", "output", ""),
    "access_log": ("/aws/apigateway/", "access"),
}
"""Words in a resource's name, the most reliable first; an empty one matches a single remaining resource."""
NOT: dict[str, tuple[str, ...]] = {
    "queue": ("dlq", "dead", "deadletter", "drill"),
    "sync": ("async", "submit", "dispatcher"),
    "worker": ("preprocess", "preprocessor"),
    "bucket_prefix": ("log", "logs"),
    "worker_errors": ("guard", "crashes"),
}
"""Words in a name that exclude a resource, whatever other word it has."""
TYPES = {
    "dlq": "AWS::SQS::Queue",
    "queue": "AWS::SQS::Queue",
    "submit": "AWS::Lambda::Function",
    "worker": "AWS::Lambda::Function",
    "status": "AWS::Lambda::Function",
    "sync": "AWS::Lambda::Function",
    "topic": "AWS::SNS::Topic",
    "table": "AWS::DynamoDB::Table",
    "bucket_prefix": "AWS::S3::Bucket",
    "access_log": "AWS::Logs::LogGroup",
}
"""Resource types, in the order of assignment: a taken resource is not assigned again."""

ALARM_WORDS: dict[str, tuple[str, ...]] = {
    "dlq": ("dlq",),
    "worker_errors": ("worker", "error"),
    "guard_failed_jobs": ("failed", "job"),
    "guard_worker_errors": ("worker", "crashes"),
    "guard_submit_5xx": ("submit", "5"),
    "guard_queue_depth": ("queue", "guard"),
}
"""Words that the name of each of the team's alarms has in it."""
APIS = {"AWS::ApiGateway::RestApi": "rest", "AWS::ApiGatewayV2::Api": "http"}


@dataclass(frozen=True)
class Resource:
    """One resource of the stack."""

    type: str
    logical: str
    physical: str

    @property
    def name(self) -> str:
        """The resource's physical name; for an ARN or an address the last part."""
        id = self.physical
        if self.type == "AWS::Logs::LogGroup":
            return id
        return id.rpartition("/")[2].rpartition(":")[2]


def look(answers: Answers, stack: str, env: str, aws: Aws) -> list[str]:
    """Fills in what the stack tells; returns sentences about resources that match nothing.

    Args:
        env: environment of the stack.

    Raises:
        UsageError: the stack does not exist.
        AwsError: AWS cannot be asked.
    """
    with aws_errors(f"reading the stack {stack} (cloudformation:ListStackResources)"):
        try:
            listed = pages(
                aws.client("cloudformation"), "list_stack_resources", "StackResourceSummaries", StackName=stack
            )
        except ClientError as error:
            if "does not exist" not in error.response.get("Error", {}).get("Message", ""):
                raise
            raise UsageError(
                f"--from-stack: there is no stack '{stack}' in {aws.region}", nothing_changed=True
            ) from None
    found = [
        Resource(one["ResourceType"], one["LogicalResourceId"], one.get("PhysicalResourceId", "")) for one in listed
    ]
    answers.accounts.setdefault(env, Said(aws.identity().account, "found"))
    answers.add("names", "stack", templated(stack, env))
    fed, asked = list[workers.Fed](), True
    try:
        functions = [one.name for one in found if one.type == TYPES["worker"]]
        fed, sentences = workers.sorted_out(workers.ask(aws, functions))
    except (AwsError, LookupError) as error:
        asked, sentences = False, [f"the workers are guessed by their names: {error}"]
    left = _assigned(answers, found, env, fed)
    if not workers.add(answers, _in_order(fed, answers, found, env, aws), env):
        sentences.append("--name says another worker or queue than the event sources: what they tell is not taken")
    _alarms(answers, found, env)
    for ask in (_api, _routes, _table, _traffic):
        _tried(ask, answers, found, env, aws)
    return [*sentences, *(_left(one, asked=asked) for one in left)]


def _in_order(fed: list[workers.Fed], answers: Answers, found: list[Resource], env: str, aws: Aws) -> list[workers.Fed]:
    """The workers with the one first that the submit function sends to."""
    told = ""
    if len(fed) > 1 and "submit" in answers.names:
        with suppress(AwsError, LookupError):
            told = workers.submitted(aws, filled(answers.names["submit"].value, {"env": env}))
    return workers.in_order(fed, told, [one.name for one in found if _has(one, WORDS["worker"])])


def _left(one: Resource, *, asked: bool) -> str:
    """A sentence about a resource that matches nothing; `asked`: whether event sources told the workers."""
    said = f"{one.type} {one.name} ({one.logical}) is none of the resources that the runbook looks at"
    of_worker = not asked and one.type in (TYPES["worker"], TYPES["queue"])
    return said + ("; if it is a further worker's: `workers` in params/service.yaml is a list" if of_worker else "")


def environment(stack: str, environments: Iterable[str] = ENVIRONMENTS) -> str:
    """The environment in a stack's name; empty: none.

    >>> environment("orders-staging"), environment("orders")
    ('staging', '')
    """
    longest = sorted(environments, key=len, reverse=True)
    return next((env for env in longest if templated(stack.lower(), env) != stack.lower()), "")


def _assigned(answers: Answers, found: list[Resource], env: str, fed: Collection[workers.Fed] = ()) -> list[Resource]:
    """Assigns to each key the resource whose name fits best; returns the unassigned resources of these types.

    Args:
        fed: the workers that the event sources tell: no word is asked about these, their queues and dead-letter queues.
    """
    taken_already = {name for one in fed for name in one.names.values()}
    known = {KEYS[key] for one in fed for key, name in one.names.items() if name}
    free = [one for one in found if one.type in TYPES.values() and one.name not in taken_already]
    # Only its name tells an access log; other log groups belong to functions.
    for key, type in TYPES.items():
        if key in known:
            continue
        mine = [one for one in free if one.type == type]
        taken, source = _fitting(key, mine)
        if taken is None:
            continue
        free.remove(taken)
        value = _prefix(taken.name, env) if key == "bucket_prefix" else templated(taken.name, env)
        answers.add("names", key, value, source)
    return [one for one in free if one.type != "AWS::Logs::LogGroup"]


def _fitting(key: str, mine: list[Resource]) -> tuple[Resource | None, str]:
    """The resource that fits a key best, and whether a word of its name says so (`found`) or only one was left."""
    mine = [one for one in mine if not _has(one, NOT.get(key, ()))]
    for word in filter(None, WORDS[key]):
        for one in mine:
            if (word in one.name) if word.startswith("/") else _has(one, (word,)):
                return one, "found"
    if "" in WORDS[key] and len(mine) == 1:
        return mine[0], "guessed"
    return None, ""


def _has(one: Resource, words: Collection[str]) -> bool:
    """Whether one of the words is a whole word of the resource's name, in singular or plural."""
    return any(word in words or word.removesuffix("s") in words for word in parts(f"{one.name} {one.logical}"))


def parts(name: str) -> list[str]:
    """The words of a name in small letters, split at dashes and capitals.

    >>> parts("orders-async-dispatcher-prod"), parts("OrdersDLQ APIStatusLambda")
    (['orders', 'async', 'dispatcher', 'prod'], ['orders', 'dlq', 'api', 'status', 'lambda'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]


def _alarms(answers: Answers, found: list[Resource], env: str) -> None:
    """The team's own alarms, by the words that only one of them has in its name."""
    free = [one for one in found if one.type == "AWS::CloudWatch::Alarm"]
    for id, words in ALARM_WORDS.items():
        mine = [one for one in free if all(_has(one, (word,)) for word in words) and not _has(one, NOT.get(id, ()))]
        if len(mine) == 1:
            free.remove(mine[0])
            answers.add("alarms", id, templated(mine[0].name, env))


def _flag(answers: Answers, client: Any, where: dict[str, str], profile: str) -> None:
    """Name of the flag, as the newest version of the dial has it; of several none is taken."""
    of = {**where, "ConfigurationProfileId": profile}
    with aws_errors("reading the traffic flag (appconfig:GetHostedConfigurationVersion)"):
        versions = pages(client, "list_hosted_configuration_versions", "Items", **of) if profile else []
        newest = max((int(one["VersionNumber"]) for one in versions), default=None)
        if newest is None:
            return
        content = client.get_hosted_configuration_version(**of, VersionNumber=newest)["Content"].read()
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        names = list(json.loads(content)["flags"])
        if len(names) == 1:
            answers.add("traffic", "flag", names[0])


def _prefix(bucket: str, env: str) -> str:
    """A bucket's name without the ending that CloudFormation or a team added to make it unique."""
    return templated(
        re.sub(r"(?<=-)[a-z0-9]{5,}$", "", bucket) if re.search(r"-[a-z0-9]*\d[a-z0-9]*$", bucket) else bucket, env
    )


def _tried(ask: Callable[..., None], answers: Answers, found: list[Resource], env: str, aws: Aws) -> None:
    try:
        ask(answers, found, env, aws)
    except (AwsError, LookupError):
        return  # values that could not be asked for are guessed, and shown as such


def _api(answers: Answers, found: list[Resource], env: str, aws: Aws) -> None:
    api = next((one for one in found if one.type in APIS), None)
    if api is None:
        return
    kind = APIS[api.type]
    if answers.kind.source != "said":
        answers.kind = Said(kind, "found")
    stage = next((one for one in found if one.type.endswith("::Stage")), None)
    if stage is not None and answers.stage.source != "said":
        answers.stage = Said(stage.name, "found")
    with aws_errors("looking up the API (apigateway:GET)"):
        if kind == "rest":
            known = pages(aws.client("apigateway"), "get_rest_apis", "items", limit=500)
            name = next(one["name"] for one in known if one["id"] == api.physical)
        else:
            known = pages(aws.client("apigatewayv2"), "get_apis", "Items")
            name = next((one["Name"] for one in known if one["ApiId"] == api.physical), "")
            if templated(name, env) == name:  # without the environment in its name, the id alone tells which API it is
                ids = by_environment({env: api.physical}, answers.environments)
                answers.names.setdefault("api_id", Said(ids, "found"))
    if name:
        answers.add("names", "api", templated(name, env))


def _routes(answers: Answers, found: list[Resource], env: str, aws: Aws) -> None:
    """The paths of the functions; a function with several paths gets none."""
    api = next((one for one in found if one.type in APIS), None)
    if api is None:
        return
    with aws_errors("reading the API's routes (apigateway:GET)"):
        there = routes_of(aws, api.physical, http=APIS[api.type] == "http")
    for key in ("sync", "submit", "status"):
        function = filled(answers.names[key].value, {"env": env}) if key in answers.names else ""
        paths = {
            path
            for (method, path), one in there.items()
            if function and function_of(one) == function and (method == "GET") == (key == "status")
            if (JOB.search(path) if key == "status" else "{" not in path)
        }
        if len(paths) > 1:  # what goes on behind the id is the job's result
            paths = {path for path in paths if path.endswith("}")}
        if len(paths) == 1:
            answers.add("routes", key, paths.pop())


def _table(answers: Answers, found: list[Resource], env: str, aws: Aws) -> None:
    table = next((one for one in found if one.type == "AWS::DynamoDB::Table"), None)
    if table is None:
        return
    with aws_errors("reading the table (dynamodb:DescribeTable)"):
        told: dict[str, Any] = aws.client("dynamodb").describe_table(TableName=table.physical)["Table"]
    _attribute(answers, "job_id", told)
    for index in told.get("GlobalSecondaryIndexes", [])[:1]:
        answers.add("names", "gsi", templated(index["IndexName"], env))
        _attribute(answers, "idempotency_key", index)
    with aws_errors("reading when the table's items end (dynamodb:DescribeTimeToLive)"):
        ends = aws.client("dynamodb").describe_time_to_live(TableName=table.physical)["TimeToLiveDescription"]
    if ends.get("AttributeName"):
        answers.add("table", "ttl", ends["AttributeName"])


def _attribute(answers: Answers, key: str, of: dict[str, Any]) -> None:
    """The attribute that the table or an index goes by; with a sort key none is taken."""
    schema = of.get("KeySchema", [])
    if len(schema) == 1:
        answers.add("table", key, schema[0]["AttributeName"])


def _traffic(answers: Answers, found: list[Resource], env: str, aws: Aws) -> None:
    """Names of the flags: the stack has only their ids."""
    ids = {one.physical.rpartition("|")[2].rpartition("/")[2]: one for one in found if "::AppConfig::" in one.type}
    application = next((id for id, one in ids.items() if one.type.endswith("::Application")), None)
    if application is None:
        return
    client, where = aws.client("appconfig"), {"ApplicationId": application}
    with aws_errors("looking up the traffic flags (appconfig:List*)"):
        named = {one["Id"]: one["Name"] for one in pages(client, "list_applications", "Items")}
        profiles = {one["Id"]: one["Name"] for one in pages(client, "list_configuration_profiles", "Items", **where)}
        places = {one["Id"]: one["Name"] for one in pages(client, "list_environments", "Items", **where)}
        strategies = {one["Id"]: one["Name"] for one in pages(client, "list_deployment_strategies", "Items")}
    answers.add("traffic", "application", templated(named[application], env))
    for kind, known in (("profile", profiles), ("environment", places)):
        switch = next((name for name in known.values() if "switch" in name.lower()), "")
        dial = next((name for name in known.values() if name != switch), "")
        for key, name in ((f"dial_{kind}", dial), (f"switch_{kind}", switch)):
            if name:
                answers.add("traffic", key, templated(name, env))
    _flag(answers, client, where, next((id for id, name in profiles.items() if "switch" not in name.lower()), ""))
    mine = [name for id, name in strategies.items() if id in ids]
    for key, word in (("immediate_strategy", "immediate"), ("soak_strategy", "soak")):
        name = next((one for one in mine if word in one.lower()), "")
        if name:
            answers.add("traffic", key, templated(name, env))
