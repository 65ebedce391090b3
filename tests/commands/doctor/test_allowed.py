"""The generated policies in force: on an embedded AWS that enforces IAM, a role that has them sees and may all that is
needed, and each action taken away is named.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from runbook_lib.base.aws import Identity
from runbook_lib.commands.doctor import allowed
from runbook_lib.commands.doctor.model import Findings, Found, Ground
from runbook_lib.commands.doctor.probes import PROBES, doctor
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.params.permissions import ROLES, Role, permissions, policy
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy

FILE = params_dir() / "prod.yaml"
VALUES = read_yaml(FILE.with_name("rehearsal.yaml"))
OTHERWISE = {
    "Sid": "Emulator",
    "Effect": "Allow",
    "Action": [
        "cloudwatch:GetDashboard",
        "iam:SimulatePrincipalPolicy",
        "lambda:PutFunctionConcurrency",
        "lambda:GetFunction",
        "cloudwatch:PutDashboard",
        "sqs:DeleteMessageBatch",
        "sqs:ChangeMessageVisibilityBatch",
    ],
    "Resource": "*",
}
"""What the embedded AWS asks otherwise than AWS: three actions on `*` instead of the resource, concurrency is read with
the permission to write it, provisioned concurrency with that to read the function, and batches go by names that IAM
does not have (docs/emulator.md).
"""
CONDITIONAL = "lambda:UpdateEventSourceMapping"
"""The embedded AWS simulates no condition: it denies what depends on one."""


class Enforced:
    """A stack whose callers are held to their policies."""

    def __init__(self, aws: EmbeddedAws, params: Params) -> None:
        self.aws, self.params, self.made = aws, params, 0

    def role(self, *roles: Role, without: Sequence[str] = ()) -> dict[str, str]:
        """Credentials of a new role with the policies of `roles`, some actions taken away."""
        self.made += 1
        name, iam = f"role-{self.made}", self.aws.client("iam")
        trusts = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusts]})
        )
        for one in roles:
            document = policy(one, self.params)
            document["Statement"].append(dict(OTHERWISE))
            for statement in document["Statement"]:
                statement["Action"] = [action for action in statement["Action"] if action not in without]
            document["Statement"] = [one for one in document["Statement"] if one["Action"]]
            iam.put_role_policy(RoleName=name, PolicyName=one, PolicyDocument=json.dumps(document))
        arn = f"arn:aws:iam::{self.params.account_id}:role/{name}"
        given = self.aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="tests")["Credentials"]
        names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
        return {variable: given[key] for variable, key in {**names, "AWS_SESSION_TOKEN": "SessionToken"}.items()}

    def doctor(self, given: dict[str, str], role: Role) -> dict[str, list[Found]]:
        """What the doctor finds with these credentials, by check."""
        with only({**self.aws.env, **given}):
            told = list(doctor(FILE, VALUES, role, Findings()))
        return {probe.id: [one for one in told if one.id == probe.id] for probe in PROBES}


@pytest.fixture(scope="module")
def enforced() -> Iterator[Enforced]:
    # It checks the date of a signature, so its clock is the real one.
    with EmbeddedAws(dt.datetime.now(dt.UTC), auth=True) as aws:
        params = load_file(FILE, VALUES)
        deploy(aws, params)
        yield Enforced(aws, params)


def states(found: Sequence[Found]) -> set[str]:
    return {one.state for one in found}


def test_read_only_sees_all_and_may_nothing_else(enforced: Enforced) -> None:
    given = enforced.role("read-only")
    found = enforced.doctor(given, "read-only")
    assert {id: mine for id, mine in found.items() if "WRONG" in states(mine) or "not asked" in states(mine)} == {}
    (permitted,) = found["permissions"]
    assert permitted.said.endswith("(IAM says so)")
    assert found["resources"][0].said.endswith("settings as they must be")
    denied = " ".join(one.said for one in enforced.doctor(given, "operator")["permissions"])
    for action in ("appconfig:StartDeployment", "cloudwatch:PutMetricAlarm", "dynamodb:UpdateTable", "sqs:SendMessage"):
        assert f"{action} on " in denied


def test_an_operator_may_what_is_applied(enforced: Enforced) -> None:
    found = enforced.doctor(enforced.role("read-only", "operator"), "operator")["permissions"]
    assert [one.said for one in found if CONDITIONAL not in one.said and one.state != "OK"] == []


def test_where_iam_may_not_be_asked_harmless_questions_tell_what_is_denied(enforced: Enforced) -> None:
    without = ("iam:SimulatePrincipalPolicy", "dynamodb:DescribeTable", "logs:DescribeMetricFilters")
    found = enforced.doctor(enforced.role("read-only", without=without), "read-only")
    said = [one.said for one in found["permissions"]]
    assert len(said) == 2 and "WRONG" in states(found["permissions"]), said
    assert any(
        "dynamodb:DescribeTable on careervp-jobs-table-prod; needed for: the table's settings" in one for one in said
    )
    assert any("logs:DescribeMetricFilters on /aws/lambda/careervp-vpr-worker-lambda-prod" in one for one in said)
    assert {one.mend.split("   ")[0] for one in found["permissions"]} == {
        f"runbook policies --params {_relative()} --write iam/prod"
    }
    seen = [one.said for one in found["resources"]]
    assert any("dynamodb:DescribeTable" in one and "settings more of it" in one for one in seen)


def _relative() -> str:
    return Ground(FILE, {}, params=load_file(FILE)).told


def ground(arn: str) -> Ground:
    identity = Identity("000000000103", arn, dt.datetime(2026, 11, 23, tzinfo=dt.UTC))
    return Ground(FILE, {}, params=load_file(FILE), identity=identity)


def test_the_root_user_is_told_to_sign_in_by_a_role() -> None:
    (found,) = allowed.permitted(ground("arn:aws:iam::000000000103:root"))
    assert found.state == "NOTE" and "runbook policies" in found.mend


def test_of_a_session_the_role_is_asked_about_with_its_path() -> None:
    asked: list[dict[str, Any]] = []

    class Iam:
        def get_role(self, **request: Any) -> Any:
            return {"Role": {"Arn": "arn:aws:iam::000000000103:role/teams/ours"}}

        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, **request: Any) -> Any:
            asked.append(request)
            results = [
                {"EvalActionName": one, "EvalResourceName": "*", "EvalDecision": "allowed"}
                for one in request["ActionNames"]
            ]
            return [{"EvaluationResults": results}]

    class Clients:
        def client(self, _: str) -> Any:
            return Iam()

    here = ground("arn:aws:sts::000000000103:assumed-role/ours/me")
    here.role = "operator"
    here.aws = Clients()  # type: ignore[assignment]
    (found,) = allowed.permitted(here)
    assert found.state == "OK", found
    assert {one["PolicySourceArn"] for one in asked} == {"arn:aws:iam::000000000103:role/teams/ours"}
    known = permissions()
    roles: tuple[Role, ...] = ("read-only", "operator")
    grants = [grant for role in roles for grant in known.of(role, here.known)]
    wanted = {known.action(call) for grant in grants for call in grant.calls}
    assert {action for one in asked for action in one["ActionNames"]} == wanted
    (context,) = [one["ContextEntries"] for one in asked if one["ContextEntries"]]
    assert context[0]["ContextKeyName"] == "lambda:FunctionArn"


class Refusing:
    """AWS that refuses these calls (all: None), and answers the others as if there were nothing."""

    def __init__(self, refused: set[str] | None, *, silent: bool = False) -> None:
        self.refused, self.silent, self.service = refused, silent, ""

    def client(self, service: str) -> Any:
        made = Refusing(self.refused, silent=self.silent)
        made.service = service
        return made

    def get_role(self, **_: Any) -> Any:
        raise self._denied("GetRole")

    def get_paginator(self, _: str) -> Any:
        raise self._denied("SimulatePrincipalPolicy")

    def _make_api_call(self, name: str, _: Any) -> Any:
        if self.silent:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
        if self.refused is None or f"{self.service}.{name}" in self.refused:
            raise self._denied(name)
        return {}

    @staticmethod
    def _denied(name: str) -> ClientError:
        return ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, name)


def permitted(role: Role, aws: Refusing) -> list[Found]:
    here = ground("arn:aws:sts::000000000103:assumed-role/ours/me")
    here.role, here.aws = role, aws  # type: ignore[assignment]
    return list(allowed.permitted(here))


@pytest.mark.parametrize("role", ROLES)
def test_what_was_not_asked_is_never_ok(role: Role) -> None:
    for aws in (Refusing(set()), Refusing(set(), silent=True), Refusing(None)):
        assert "OK" not in states(permitted(role, aws)), role


def test_who_may_do_nothing_is_told_so_as_an_operator_too() -> None:
    assert states(permitted("operator", Refusing(None))) == {"WRONG"}


def test_what_could_not_be_asked_counts_as_not_tried() -> None:
    (found,) = permitted("read-only", Refusing(set(), silent=True))
    assert found.state == "NOTE" and "(0 calls made, " in found.said


def test_a_caller_that_is_neither_role_nor_user_is_said() -> None:
    with pytest.raises(Exception, match="is neither a role nor a user"):
        allowed.principal(ground("arn:aws:sts::000000000103:federated-user/x"))


def test_no_question_is_asked_that_could_change_something() -> None:
    for call in permissions().dry:
        assert call.partition(".")[2].startswith(("Get", "List", "Describe", "Filter", "Scan")), call
    assert Path(allowed.__file__).read_text().count("_make_api_call") == 1
