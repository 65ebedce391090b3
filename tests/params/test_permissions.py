"""The list of calls against the code, both ways, and the policies that follow, by IAM's own rules."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.session import get_session
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from runbook_lib.commands.policies import documents, text
from runbook_lib.params.approvals import Approvals
from runbook_lib.params.aws_names import partition
from runbook_lib.params.load import Params, load_file, params_dir
from runbook_lib.params.permissions import ROLES, Role, permissions, policy, trust
from runbook_lib.params.traffic import Traffic
from tests.iam_lint import parliament

ROOT = params_dir().parent
LIBRARY = ROOT / "runbook_lib"
MANAGED = 6144
"""Characters of a managed policy at most, without white space ("IAM and AWS STS quotas")."""
OURS = "000000000103"
MUTED = {
    ("RESOURCE_STAR", "DescribeAlarms"),  # 09 looks for whatever alarm watches the old function: all are listed
    ("INVALID_ARN", "iam::aws:policy"),  # policies that AWS manages have no account
}


@lru_cache(maxsize=1)
def _prod() -> Params:
    return load_file(params_dir() / "prod.yaml")


def prod(**service: object) -> Params:
    params = _prod()
    return params.model_copy(update={"service": params.service.model_copy(update=service)})


def rich(kind: str) -> Params:
    """A service that has all that a grant may ask for."""
    service = prod().service
    notify = service.notify.model_copy(update={"pagerduty_ssm": "/ours/pager", "webhook_ssm": "chat"})
    archive = service.archive.model_copy(
        update={
            "signing_key": "awskms:alias/runbook",
            "witness": (
                "ssm:/ours/checkpoint",
                "sns:arn:aws:sns:us-east-1:000000000103:ours",
                "s3://theirs/ours/checkpoint",
                "git:/srv/ours.git",
            ),
        }
    )
    api = service.api.model_copy(update={"kind": kind})
    names = {**service.names, "access_log": "/aws/apigateway/ours"}
    result = service.contract.result.model_copy(update={"fetched": "bucket"})
    secrets = {"api_key": "ssm:/ours/{env}/key", "token": "secretsmanager:ours/{env}#token", "here": "env:OURS"}
    contract = service.contract.model_copy(update={"result": result, "secrets": secrets})
    found = prod(contract=contract, notify=notify, archive=archive, api=api, names=names)
    callers = {"engineering lead": [f"arn:aws:iam::{account}:group/eng/leads" for account in (OURS, "000000000999")]}
    policy = found.policy.model_copy(update={"approvals": Approvals(callers=callers)})
    flat = found.flat.model_copy(update={"archive": "s3://our-records/team"})
    return found.model_copy(update={"flat": flat, "policy": policy})


HOMES: dict[str, dict[str, str]] = {
    "ssm": {},
    "lambda-alias": {"function": "worker", "alias": "live", "version": "7", "stable": "6"},
    "rest-canary": {"deployment": "abc123"},
}


def homed(kind: str) -> Params:
    """A service whose weight lives elsewhere than in AppConfig."""
    said = {"kind": kind, "parameter": "/ours/{env}/weight", **HOMES[kind]}
    return prod(traffic=TypeAdapter(Traffic).validate_python(said))


@lru_cache(maxsize=1)
def operations() -> dict[str, set[str]]:
    """By their name in Python: `service.Call` of the services that are used."""
    session, found = get_session(), dict[str, set[str]]()
    for service in {call.partition(".")[0] for call in permissions().calls}:
        for name in session.get_service_model(service).operation_names:
            found.setdefault(xform_name(name), set()).add(f"{service}.{name}")
    return found


@lru_cache(maxsize=1)
def named() -> tuple[tuple[str, str], ...]:
    """Operations that the library names, with the place."""
    return tuple(_named())


def _named() -> Iterator[tuple[str, str]]:
    """Operations that the library names, as a method or to a paginator, with the place."""
    known = operations()
    for path in sorted(LIBRARY.rglob("*.py")):
        if "rehearse" in path.relative_to(LIBRARY).parts:
            continue
        nodes = list(ast.walk(ast.parse(path.read_text())))
        by_place = {id(node.func) for node in nodes if isinstance(node, ast.Call) and node.args}
        for node in nodes:
            if id(node) in by_place:  # another library's: AWS's calls have no arguments by place
                continue
            match node:
                case ast.Constant(value=str(name)) if "_" in name and name in known:
                    pass
                case ast.Attribute(attr=name) if "_" in name and name in known:
                    pass
                # A plain word may be anybody's method: the arguments of AWS's begin with a capital.
                case ast.Call(func=ast.Attribute(attr=name), args=[], keywords=given) if name in known and all(
                    one.arg is None or one.arg[0].isupper() for one in given
                ):
                    pass
                case _:
                    continue
            yield name, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


@pytest.mark.slow
def test_every_call_in_the_code_is_declared() -> None:
    declared = permissions().calls
    assert {place: name for name, place in named() if not operations()[name] & declared} == {}


@pytest.mark.slow
def test_every_declared_call_is_in_the_code() -> None:
    known = {name for name, _ in named()}
    assert [one for one in sorted(permissions().calls) if xform_name(one.partition(".")[2]) not in known] == []


def test_a_call_of_another_name_is_declared_because_it_is_made() -> None:
    made = permissions().calls
    for one in permissions().actions:
        assert re.fullmatch(r"list_[a-z0-9]+", one.page)
        for call in one.of:
            assert call in made or (call.endswith(".*") and any(other.startswith(call[:-1]) for other in made)), call


def test_each_dry_call_is_declared_reads_and_can_be_sent() -> None:
    known = {call for grant in permissions().grants if "read-only" in grant.to for call in grant.calls}
    session = get_session()
    for call, request in permissions().dry.items():
        assert call in known
        service, _, name = call.partition(".")
        shape = session.get_service_model(service).operation_model(name).input_shape
        assert set(request) <= set(shape.members if shape else ()), call
        assert set(shape.required_members if shape else ()) <= set(request), call


def test_grants_name_places_that_there_are_and_every_place_is_used() -> None:
    known = permissions()
    used = {grant.at for grant in known.grants} | {
        place for grant in known.grants for said in grant.conditions.values() for place in said.values()
    }
    assert used == set(known.places)


def actions(document: dict[str, object]) -> set[str]:
    return {action for one in document["Statement"] for action in one["Action"]}  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", ["rest", "http"])
def test_iam_takes_the_policies(role: Role, kind: str) -> None:
    document = policy(role, rich(kind), "our-bucket")
    plain = json.dumps(document, separators=(",", ":"))
    assert len(plain) <= MANAGED
    assert "{" not in "".join(re.findall(r'"arn:[^"]*"', plain))
    sids = [one["Sid"] for one in document["Statement"]]
    assert len(set(sids)) == len(sids) and all(re.fullmatch("[A-Za-z0-9]+", one) for one in sids)
    found = parliament().analyze_policy_string(plain).findings
    left = [
        one
        for one in found
        if not any(one.issue == issue and word in f"{one.detail}{one.location}" for issue, word in MUTED)
    ]
    assert [(one.issue, one.detail) for one in left] == []


def test_a_group_is_asked_in_its_own_account_alone() -> None:
    said = [one for one in policy("read-only", rich("rest"))["Statement"] if "iam:GetGroup" in one["Action"]]
    assert [one["Resource"] for one in said] == [f"arn:aws:iam::{OURS}:group/eng/leads"]
    assert "iam:GetGroup" not in actions(policy("read-only", prod()))


@pytest.mark.parametrize("kind", ["rest", "http"])
def test_read_only_reads(kind: str) -> None:
    levels = {
        f"{service['prefix']}:{one['privilege']}": one["access_level"]
        for service in parliament().iam_definition
        for one in service["privileges"]
    }
    for action in actions(policy("read-only", rich(kind))):
        # Of API Gateway the action is the method of HTTP.
        assert action == "apigateway:GET" or levels[action] in ("Read", "List"), action


@pytest.mark.parametrize("kind", ["rest", "http"])
def test_no_action_is_in_both_and_none_is_left_out(kind: str) -> None:
    known, params = permissions(), rich(kind)
    both = {role: actions(policy(role, params)) for role in ROLES}
    shared = both["read-only"] & both["operator"]
    # Other resources: the drill's own queue, the chat's parameter.
    assert shared == {"sqs:GetQueueAttributes", "sqs:ReceiveMessage", "ssm:GetParameter"}
    assert both["watch"] <= both["read-only"] | both["operator"]
    other = "apigatewayv2." if kind == "rest" else "apigateway."
    wanted = {known.action(call) for call in known.calls - set(known.free) if not call.startswith(other)}
    homes = [actions(policy(role, homed(home))) for home in HOMES for role in ROLES] if kind == "rest" else []
    skipped = set() if kind == "rest" else {"lambda:GetAlias", "lambda:UpdateAlias", "ssm:GetParameterHistory"}
    assert wanted - skipped == set.union(*both.values(), *homes)


@pytest.mark.parametrize(
    ("home", "changes"),
    [
        ("ssm", {"ssm:PutParameter"}),
        ("lambda-alias", {"ssm:PutParameter", "lambda:UpdateAlias"}),
        ("rest-canary", {"ssm:PutParameter", "apigateway:PATCH"}),
    ],
)
def test_a_policy_has_what_the_home_of_the_weight_needs_and_no_other(home: str, changes: set[str]) -> None:
    reads, watches = (actions(policy(role, homed(home))) for role in ("read-only", "watch"))
    weighs = {one for one in watches - reads if one != "sns:Publish"}
    assert weighs == changes and "ssm:GetParameterHistory" in reads
    assert not {one for one in reads | watches if one.startswith("appconfig:")}


def test_an_operator_may_read_the_secrets_of_headers_and_no_others() -> None:
    found = {role: json.dumps(policy(role, rich("rest"))) for role in ROLES}
    assert [role for role in ROLES if "parameter/ours/prod/key" in found[role]] == ["operator"]
    assert [role for role in ROLES if "secretsmanager" in found[role]] == ["operator"]
    assert ":secret:ours/prod-??????" in found["operator"]


def test_a_watch_can_raise_nothing_but_turn_async_off() -> None:
    changing = actions(policy("watch", rich("rest"))) - actions(policy("read-only", rich("rest")))
    assert {one for one in changing if not one.startswith("appconfig:")} == {"sns:Publish"}


@given(st.sets(st.sampled_from(["access_log", "drill_queue", "api_id"])), st.booleans())
def test_what_a_service_does_not_have_is_in_no_policy(without: set[str], told: bool) -> None:
    service = prod().service
    names = {name: value for name, value in service.names.items() if name not in without}
    notify = service.notify.model_copy(update={"webhook_ssm": "chat" if told else ""})
    found = json.dumps([policy(role, prod(names=names, notify=notify)) for role in ROLES])
    assert ("parameter/chat" in found) == told
    assert ("/aws/apigateway/" in found) == ("access_log" not in without)
    assert '"Resource": []' not in found


def test_every_resource_is_in_the_account_and_the_region() -> None:
    for role in ROLES:
        for one in policy(role, prod())["Statement"]:
            for arn in [one["Resource"]] if isinstance(one["Resource"], str) else one["Resource"]:
                service = arn.split(":")[2] if arn != "*" else ""
                assert arn == "*" or service in ("s3", "apigateway") or "000000000103" in arn or "iam::aws:" in arn


def test_the_trust_is_in_one_repository_and_one_environment() -> None:
    (statement,) = trust(prod(), "our/service")["Statement"]
    equals = statement["Condition"]["StringEquals"]
    assert equals["token.actions.githubusercontent.com:sub"] == "repo:our/service:environment:prod"
    assert equals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert statement["Principal"] == {
        "Federated": "arn:aws:iam::000000000103:oidc-provider/token.actions.githubusercontent.com"
    }
    assert "*" not in json.dumps(statement)


def test_the_files_of_the_repository_are_as_make_policies_writes_them() -> None:
    made = documents(prod())
    assert {path.name: path.read_text() for path in sorted((ROOT / "iam").glob("*.json"))} == {
        name: text(document) for name, document in sorted(made.items())
    }


def test_no_service_is_named_in_the_list() -> None:
    written = Path(LIBRARY / "params" / "permissions.yaml").read_text().lower()
    assert "careervp" not in written and "vpr" not in written


def test_the_code_of_the_old_function_alone_can_be_downloaded() -> None:
    params = load_file(params_dir() / "prod.yaml")
    found = [
        one for role in ROLES for one in policy(role, params)["Statement"] if "lambda:GetFunction" in one["Action"]
    ]
    assert [one["Resource"].rpartition(":")[2] for one in found] == [params.name("sync")]


@pytest.mark.parametrize(
    ("region", "part"),
    [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_the_part_of_aws_that_a_region_is_in(region: str, part: str) -> None:
    assert partition(region) == part


ELSEWHERE = "arn:aws:kms:eu-west-1:000000000104"


@pytest.mark.parametrize(
    ("key", "on", "condition"),
    [
        ("awskms:1234", "arn:aws:kms:us-east-1:000000000103:key/1234", None),
        ("awskms:alias/ours", "arn:aws:kms:us-east-1:000000000103:key/*", "alias/ours"),
        (f"awskms:{ELSEWHERE}:alias/ours", f"{ELSEWHERE}:key/*", "alias/ours"),
    ],
)
def test_an_alias_of_kms_allows_only_requests_that_name_it(key: str, on: str, condition: str | None) -> None:
    params = prod(archive=prod().service.archive.model_copy(update={"signing_key": key}))
    (one,) = [one for one in policy("archive", params)["Statement"] if "kms:Sign" in one["Action"]]
    wanted = {"StringEquals": {"kms:RequestAlias": condition}} if condition else None
    assert one["Resource"] == on and one.get("Condition") == wanted


def test_an_archive_in_a_bucket_is_allowed_below_its_prefix_alone() -> None:
    params = rich("rest")
    kept = params.service.archive.model_copy(update={"retain_days": 400})
    retaining = params.model_copy(update={"service": params.service.model_copy(update={"archive": kept})})
    for one, retention in ((params, set()), (retaining, {"s3:PutObjectRetention"})):
        found = [said for said in policy("archive", one)["Statement"] if "our-records" in str(said["Resource"])]
        objects = {act for said in found for act in said["Action"] if str(said["Resource"]).endswith("/team/*")}
        assert objects == {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"} | retention
    assert "our-records" not in json.dumps([policy(role, params) for role in ROLES if role != "archive"])


def test_the_linter_leaves_no_stand_in_behind() -> None:
    before = sys.modules.get("pkg_resources")
    assert parliament() is parliament() and sys.modules.get("pkg_resources") is before
