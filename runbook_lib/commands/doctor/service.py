"""The doctor's checks of the account's contents: resources, flags, channels, signer and witnesses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from botocore.exceptions import ClientError

from runbook_lib.act import notify
from runbook_lib.base.aws_errors import aws_errors, code_of
from runbook_lib.base.errors import ArchiveError, AwsError
from runbook_lib.base.foreign import word
from runbook_lib.base.kept_at import address
from runbook_lib.commands.doctor.model import Found, Ground, note, ok, wrong
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.alarms import pager
from runbook_lib.observe.inventory.inspect import inspect, rules
from runbook_lib.observe.inventory.rules import Inventory
from runbook_lib.observe.references import value_of
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.observe.traffic.flag_ids import Misnamed, NotDeployed
from runbook_lib.params.load import Params
from runbook_lib.params.permissions import values
from runbook_lib.params.posts import KEYS
from runbook_lib.params.references import read
from runbook_lib.record.home.s3 import Store
from runbook_lib.record.log.keeping import signer_of, witnesses_of
from runbook_lib.rollout import hints

_FIELD = re.compile(r"\{(name\.|table\.|)(\w+)\}")
"""A value of service.yaml in a rule of inventory.yaml."""
TOPIC = "inventory.topic.exists"


def flags(ground: Ground) -> Found:
    """Checks that the two flags exist, and shows the weight in force."""
    params = ground.known
    try:
        state = weights.read_traffic(ground.clients, params)
    except NotDeployed as error:
        edit = f"or edit traffic.application in {ground.beside('service.yaml')}, if it goes by another name"
        there = params.service.traffic.kind == "appconfig"
        return note(str(error), f"{_deployed(params)}   ({edit})" if there else _deployed(params))
    except Misnamed as error:
        edit = f"edit traffic.{error.key} in {ground.beside('service.yaml')}, or deploy the rollout's flags"
        return wrong(str(error), edit)
    return ok(f"async is {'on' if state.switch_on else 'off'}, {state.weight:g} % of the requests go there")


def _deployed(params: Params) -> str:
    """The command of the first deployment: the step after which a failure sent on purpose proves the way."""
    policy = params.policy
    env = next((env for env, kind in policy.environments.items() if kind == "development"), params.env)
    first = next((name for name, step in policy.steps.items() if step.envs == (env,)), next(iter(policy.steps)))
    return hints.run(params, first, env=env)


def resources(ground: Ground) -> Iterator[Found]:
    """Runs the inventory's own checks (`params/inventory.yaml`), for the current step of the infrastructure."""
    step, checks = _inspected(ground)
    bad = [one for one in checks if one.required and one.verdict is Verdict.FAIL]
    unseen = [one for one in checks if one.required and one.verdict is Verdict.NO_DATA]
    for one in bad:
        yield wrong(f"{one.title}: {one.reason}", _mend(ground, one.id))
    by_resource: dict[str, list[Check]] = {}
    for one in unseen:
        by_resource.setdefault(one.id.split(".")[1], []).append(one)
    for mine in by_resource.values():
        more = f" (and {words.count(len(mine) - 1, 'setting')} more of it)" if len(mine) > 1 else ""
        again = f"runbook doctor --params {word(ground.told)}   (once it is allowed and answers)"
        yield wrong(mine[0].reason + more, again)
    if not bad and not unseen:
        said = "as they must be before the new resources are deployed" if step == "baseline" else "as they must be"
        yield ok(f"{words.count(len(checks), 'setting')} {said}")


def _inspected(ground: Ground) -> tuple[str, list[Check]]:
    """The step of the infrastructure according to the routes, and its checks."""
    params, aws = ground.known, ground.clients
    try:
        state = weights.read_traffic(aws, params)
    except NotDeployed:
        return "baseline", inspect(aws, params, "baseline")
    if not state.migrated:
        return "async", inspect(aws, params, "async")
    step = "migrate" if state.temporary_route else "remove_temporary"
    checks = inspect(aws, params, step)
    gone = any(one.id == "inventory.sync.exists" and one.verdict is Verdict.FAIL for one in checks)
    return ("remove_sync", inspect(aws, params, "remove_sync")) if gone else (step, checks)


def _mend(ground: Ground, check: str) -> str:
    """The advice for a resource with another name or setting in the team's own code."""
    _, id, setting = check.split(".", 2)
    if named := _named(ground, id, setting):
        return f"deploy it, or edit {named}, if it goes by another name"
    if told := _told_by(ground.known, id, setting):
        return f"change it in the infrastructure code and deploy, or edit {told} in {ground.beside('service.yaml')}"
    return f"change it in the infrastructure code and deploy, or edit {ground.beside('inventory.yaml')} ({check})"


def _named(ground: Ground, id: str, setting: str) -> str:
    """Key and file of the name of a missing resource; empty: it has no name of its own, or another setting
    is wrong.
    """
    resource = rules(ground.known).resources.get(id)
    if resource is None:
        return ""
    known = ground.known.service
    key = ""
    if resource.kind == "flags":
        key = f"traffic.{'application' if setting == 'exists' else setting}"
        key = key if hasattr(known.traffic, key.removeprefix("traffic.")) else ""
    elif setting == "exists" and resource.alarm:
        return f"`name` of alarm {resource.alarm} in {ground.beside('gates.yaml')}"
    elif setting == "exists" and resource.kind == "metric_filter":  # it is found by its metric or its pattern
        key = "contract.kpi.jobs_failed and failure_line"
    elif setting == "exists" and resource.route:
        key = f"api.routes.{resource.route}"
    elif setting == "exists" and resource.type and resource.name:
        key = _key(ground.known, resource.name)
    return f"{key} in {ground.beside('service.yaml')}" if key else ""


def _told_by(params: Params, id: str, setting: str) -> str:
    """Key in service.yaml that a setting's expected value comes from; empty: it stands in inventory.yaml itself."""
    written, service = params.nested("inventory", Inventory).resources, params.service
    post = next((one for one in service.crew if one.suffix and id not in written and one.id(_first(id)) == id), None)
    rule = written.get(id if post is None else _first(id))
    said = rule.settings.get(setting) if rule else None
    if said is None:
        return ""
    texts = [said.at_least, *said.includes, *(said.equals if isinstance(said.equals, list) else [said.equals])]
    for kind, name in _FIELD.findall(" ".join(one for one in texts if isinstance(one, str))):
        if kind == "table.":
            return f"contract.table.{name}"
        if kind == "name.":
            return _key(params, post.key(name) if post else name)
        if name == "workers" and service.more_workers:
            return f"workers[{(post or service.crew[0]).place - 1}].concurrency"
        if name in type(service).model_fields:
            return str(name)
    return ""


def _first(id: str) -> str:
    """Id of the first worker's resource, made from that of a further one: `queue_2`, `worker_2_errors`."""
    return re.sub(r"_[2-9](?=_|$)", "", id, count=1)


def _key(params: Params, name: str) -> str:
    """Key of a name in service.yaml: under `names`, or in the list of workers."""
    service = params.service
    post = service.post_of(name)
    if name not in post.keys or not service.more_workers:
        return f"names.{name}"
    return f"workers[{post.place - 1}].{next(part for part, one in KEYS.items() if post.key(one) == name)}"


def sinks(ground: Ground) -> Iterator[Found]:
    """Checks the channels of alarms and rollbacks: the topic exists, the addresses are available. Sends nothing."""
    params, aws, said = ground.known, ground.clients, []
    edit = f"edit `notify` in {ground.beside('service.yaml')}"
    if params.service.notify.webhook:
        if reason := notify.unresolved(aws, params):
            yield wrong(reason, edit)
        else:
            said.append("the chat's webhook")
    if params.service.notify.pagerduty_ssm:
        try:
            pager.address(aws, params)
            said.append("the pager")
        except AwsError as error:
            yield wrong(str(error), edit)
    topic = params.name("topic")
    with aws_errors("reading the topic (sns:GetTopicAttributes)"):
        try:
            aws.client("sns").get_topic_attributes(TopicArn=values(params)["topic_arn"][0])
            said.insert(0, f"the topic {topic}")
        except ClientError as error:
            if code_of(error) not in ("NotFound", "NotFoundException"):
                raise
            yield note(f"there is no topic {topic}: alarms and rollbacks tell nobody there", _mend(ground, TOPIC))
    if said:
        yield ok(", ".join(said))


def headers(ground: Ground) -> Iterator[Found]:
    """Checks that the secrets in the contract's headers are available. Sends nothing, and shows no value."""
    params, named = ground.known, ground.known.service.contract.secrets
    for name, text in named.items():
        try:
            value_of(name, read(text, params.env), ground.clients)
        except AwsError as error:
            # Operators who send requests need them; a read-only role may not read them, which is right.
            edit = f"edit `contract.secrets` in {ground.beside('service.yaml')}, or set it"
            yield note(str(error), edit) if ground.role == "read-only" else wrong(str(error), edit)
            return
    yield ok(f"{', '.join(named)} can be read" if named else "service.yaml names none (contract.secrets)")


def keeping(ground: Ground) -> Iterator[Found]:
    """Checks that the archive's bucket, signer and witnesses answer. Signs and writes nothing."""
    kept, said = ground.known.service.archive, []
    edit = f"edit `archive` in {ground.beside('service.yaml')}"
    try:
        if uri := address(ground.known.archive):
            Store(uri, kept).check()
            said.append(f"records in {uri}")
        signer = signer_of(kept)
        if signer is not None:
            said.append(f"signed by {kept.signing_key}" if signer.public else "")
        for one in witnesses_of(kept):
            one.read()
            said.append(f"{'kept by' if one.readable else 'told to'} {one.name}")
    except (ArchiveError, AwsError, ValueError) as error:
        yield wrong(str(error), edit)
        return
    logged = [one for one in said if not one.startswith("records in ")]
    yield ok(", ".join(said)) if logged else note("checkpoints of the log are neither signed nor witnessed", edit)
