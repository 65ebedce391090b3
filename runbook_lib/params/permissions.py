"""The runbook's calls to AWS, the roles that need them, and the resulting IAM policies: `permissions.yaml` as models.

A grant for a resource that the service does not have (an HTTP API, a pager, a signing key) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from runbook_lib.base.errors import UsageError
from runbook_lib.base.kept_at import S3, address
from runbook_lib.base.project import read_yaml
from runbook_lib.base.template import fields, filled
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.approvals import groups
from runbook_lib.params.aws_names import partition
from runbook_lib.params.cross_check import functions
from runbook_lib.params.load import Params, validated
from runbook_lib.params.references import read
from runbook_lib.params.traffic import AliasHome, AppConfigHome, CanaryHome, RegisterHome

Role = Literal["read-only", "operator", "watch", "archive"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Roles with one policy each. An operator has `read-only` too."""
VERSION = "2012-10-17"
_FILE = Path(__file__).with_name("permissions.yaml")


class Renamed(Frozen):
    """Calls whose IAM action has another name, from one page of AWS's reference."""

    page: str
    of: dict[str, str]
    """`service.Call`, or `service.*` for a whole service, to the action."""


class Grant(Frozen):
    """A role's calls, their resources, and the reason."""

    to: tuple[Role, ...]
    at: str
    """One of `places`."""
    calls: tuple[str, ...]
    """`service.Call`, as in botocore."""
    why: str
    when: str = ""
    """Condition on the service, beside the place: `rest` or `http`, or a name that places use."""
    conditions: dict[str, dict[str, str]] = Field(default_factory=dict, alias="if")
    """Condition operator, key, and the place that it is about."""


class Bucket(Frozen):
    """Actions of a CI job on the archive's bucket."""

    list: tuple[str, ...]
    objects: tuple[str, ...]


class Permissions(Frozen):
    """`permissions.yaml` as a model."""

    free: tuple[str, ...]
    actions: tuple[Renamed, ...]
    places: dict[str, tuple[str, ...]]
    grants: tuple[Grant, ...]
    bucket: Bucket
    dry: dict[str, dict[str, Any]]

    @property
    def calls(self) -> frozenset[str]:
        """Every declared call, `service.Call`."""
        return frozenset([*self.free, *(call for grant in self.grants for call in grant.calls)])

    def action(self, call: str) -> str:
        """IAM's action for a call.

        >>> permissions().action("s3.ListBuckets"), permissions().action("sqs.SendMessage")
        ('s3:ListAllMyBuckets', 'sqs:SendMessage')
        """
        service, _, name = call.partition(".")
        renamed = {key: value for one in self.actions for key, value in one.of.items()}
        return renamed.get(call) or renamed.get(f"{service}.*") or f"{service}:{name}"

    def of(self, role: Role, params: Params) -> list[Grant]:
        """The grants of a role for which this service has resources."""
        known = values(params)
        mine = [one for one in self.grants if role in one.to and (not one.when or known.get(one.when))]
        return [one for one in mine if self.arns(one.at, params)]

    def arns(self, place: str, params: Params) -> list[str]:
        """ARNs of a place in the environment of the parameters."""
        known = values(params)
        return [arn for text in self.places[place] for arn in _filled(text, known)]


@lru_cache(maxsize=1)
def permissions() -> Permissions:
    """The list as delivered with the runbook."""
    return validated(Permissions, read_yaml(_FILE), _FILE.name, _FILE)


def values(params: Params) -> dict[str, list[str]]:
    """The values for the places; an empty list if the service has no such resource."""
    service, flat = params.service, params.flat
    uri = address(flat.archive).removeprefix(S3)
    named = {name: [params.name(name)] for name in service.names if params.named(name)}
    for of_first in ("worker", "queue", "dlq"):
        named[of_first] = [params.name(post.key(of_first)) for post in service.crew if params.named(post.key(of_first))]
    witnesses, key, notify = service.archive.witness, service.archive.signing_key, service.notify
    objects = [one.removeprefix(S3) for one in witnesses if one.startswith(S3)]
    place = {"region": flat.region, "account_id": flat.account_id, "env": flat.env, "partition": partition(flat.region)}
    return {
        **named,
        **{name: [value] for name, value in place.items()},
        "functions": [params.name(one) for one in functions(params) if params.named(one)],
        "queues": [params.name(one) for post in service.crew for one in (post.queue, post.dlq)],
        "alarms": [filled(one.name, {"env": flat.env}) for one in params.policy.alarms],
        "dashboard": _dashboard(params),
        "topic_arn": [
            filled("arn:{partition}:sns:{region}:{account_id}:{topic}", {**place, "topic": params.name("topic")})
        ],
        "rest": ["rest"] if service.api.kind == "rest" else [],
        "http": ["http"] if service.api.kind == "http" else [],
        "results_in_bucket": ["yes"] if service.contract.result.fetched == "bucket" else [],
        "pagerduty_ssm": _parameter(notify.pagerduty_ssm),
        "webhook_ssm": _parameter(notify.webhook_ssm),
        **_keys(key.removeprefix("awskms:") if key.startswith("awskms:") else "", place),
        **_of_headers(params),
        **_of_weight(params),
        "ssm_witnesses": [name for one in witnesses if one.startswith("ssm:") for name in _parameter(one[4:])],
        "records_bucket": [uri.partition("/")[0]] if uri else [],
        "records": [uri] if uri else [],
        "s3_witnesses": objects,
        "s3_witness_buckets": sorted({one.partition("/")[0] for one in objects}),
        "approver_groups": groups(params.policy.approvals.callers.values(), flat.account_id),
        "sns_witnesses": [one[4:] for one in witnesses if one.startswith("sns:")],
    }


def _of_weight(params: Params) -> dict[str, list[str]]:
    """Values for the home of the weight: AppConfig's flags, or a parameter and AWS's split."""
    home, env = params.service.traffic, {"env": params.flat.env}
    return {
        "appconfig": ["yes"] if isinstance(home, AppConfigHome) else [],
        "weight_parameter": _parameter(filled(home.parameter, env)) if isinstance(home, RegisterHome) else [],
        "released": [params.name(home.function)] if isinstance(home, AliasHome) else [],
        "canary_stage": [params.service.api.stage] if isinstance(home, CanaryHome) else [],
    }


def _of_headers(params: Params) -> dict[str, list[str]]:
    """Names of the parameters and the secrets that hold secrets of headers."""
    kept = [read(text, params.env) for text in params.service.contract.secrets.values()]
    return {
        "header_parameters": sorted({name for one in kept if one.kind == "ssm" for name in _parameter(one.name)}),
        "header_secrets": sorted({one.name for one in kept if one.kind == "secretsmanager"}),
    }


def _parameter(name: str) -> list[str]:
    """A parameter's name as in its ARN: behind `parameter/`, without a leading slash."""
    return [name.lstrip("/")] if name else []


def _keys(name: str, place: dict[str, str]) -> dict[str, list[str]]:
    """The signing key of KMS, by its ARN; for an alias, whose key id is unknown here, its name and all keys."""
    here = filled("arn:{partition}:kms:{region}:{account_id}:", place)
    arn = name if name.startswith("arn:") else f"{here}{name if name.startswith('alias/') else f'key/{name}'}"
    start, _, alias = arn.partition(":alias/")
    return {
        "signing_key": [arn] if name and not alias else [],
        "aliased_keys": [f"{start}:key/*"] if name and alias else [],
        "signing_alias": [f"alias/{alias}"] if name and alias else [],
    }


def _dashboard(params: Params) -> list[str]:
    try:
        name = str(read_yaml(Path(params.source) / "dashboard.yaml").get("name", ""))
    except UsageError:
        return ["*"]  # a service without the file: any dashboard
    return [filled(name, {"env": params.flat.env})]


def _filled(text: str, known: dict[str, list[str]]) -> Iterator[str]:
    names = fields(text)
    for chosen in product(*(known.get(name, []) for name in names)):
        yield filled(text, dict(zip(names, chosen, strict=True)))


def policy(role: Role, params: Params, bucket: str = "") -> dict[str, Any]:
    """The policy document of a role for the environment of the parameters.

    Args:
        bucket: bucket of the archive of CI, for the role `archive`.
    """
    known, by_place = permissions(), dict[tuple[str, str], dict[str, Any]]()
    for grant in known.of(role, params):
        arns = known.arns(grant.at, params)
        conditions = {
            operator: {key: known.arns(place, params)[0] for key, place in said.items()}
            for operator, said in grant.conditions.items()
        }
        statement = by_place.setdefault((grant.at, str(conditions)), _statement(grant.at, set(), arns, conditions))
        statement["Action"] |= {known.action(call) for call in grant.calls}
    statements = [{**one, "Action": sorted(one["Action"])} for one in by_place.values()]
    if role == "archive" and params.service.archive.retain_days and (kept := known.arns("records", params)):
        statements.append(_statement("retention", ["s3:PutObjectRetention"], kept, {}))
    if role == "archive" and bucket:
        whole = f"arn:{partition(params.flat.region)}:s3:::{bucket}"
        kept_so = ["s3:PutObjectRetention"] if params.service.archive.retain_days else []
        statements += [
            _statement("bucket", list(known.bucket.list), [whole], {}),
            _statement("objects", [*known.bucket.objects, *kept_so], [f"{whole}/archive/*"], {}),
        ]
    return {"Version": VERSION, "Statement": statements}


def _statement(place: str, actions: Any, arns: list[str], conditions: dict[str, Any]) -> dict[str, Any]:
    sid = "".join(part.capitalize() for part in place.split("_"))
    made = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": arns if len(arns) != 1 else arns[0]}
    return {**made, "Condition": conditions} if conditions else made


def trust(params: Params, repository: str) -> dict[str, Any]:
    """The trust policy of a role that GitHub's jobs of one repository and environment may assume, by OIDC.

    Args:
        repository: OWNER/NAME; the environment is the one of the parameters.
    """
    flat, issuer = params.flat, "token.actions.githubusercontent.com"
    provider = f"arn:{partition(flat.region)}:iam::{flat.account_id}:oidc-provider/{issuer}"
    equals = {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": f"repo:{repository}:environment:{flat.env}"}
    statement = {
        "Sid": "GitHub",
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": equals},
    }
    return {"Version": VERSION, "Statement": [statement]}
