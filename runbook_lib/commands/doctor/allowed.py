"""The doctor's check of permissions: asks IAM what the caller may do; if IAM refuses, it tries harmless questions.

`params/permissions.yaml` has the necessary actions and resources; the policies are made from it, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.base.aws_errors import aws_errors, code_of
from runbook_lib.base.errors import AwsError
from runbook_lib.base.foreign import word
from runbook_lib.base.template import filled
from runbook_lib.commands.doctor.model import Found, Ground, note, ok, wrong
from runbook_lib.judge import words
from runbook_lib.params.load import Params
from runbook_lib.params.permissions import Grant, Role, permissions, values

_DENIED = ("AccessDenied", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized", "AllAccessDisabled")
_THREADS = 8
BESIDE: dict[Role, tuple[Role, ...]] = {"operator": ("read-only",)}
"""Roles that an operator of the role also needs, checked together (docs/permissions.md)."""
_MOST = 3
"""Most actions in one line; the policy names all."""


class _Unasked(Exception):
    """IAM cannot answer for this caller."""


def permitted(ground: Ground) -> Iterator[Found]:
    """Checks that the caller may do what the role needs."""
    grants = [grant for role in (*BESIDE.get(ground.role, ()), ground.role) for grant in _of(ground, role)]
    if not grants:
        yield note(f"'{ground.role}' has nothing to do for this service: no signing key, no witness")
        return
    arn = ground.who.arn
    if arn.endswith(":root"):
        yield note("the account's root user may do everything", f"sign in by a role: {_policies(ground)}")
        return
    untried = set[str]()
    try:
        denied, how = list(_simulated(ground, grants, principal(ground))), "IAM says so"
    except (_Unasked, AwsError) as error:
        calls = {call for grant in grants for call in grant.calls}
        denied, answered = _tried(ground, {call for call in calls if call in permissions().dry})
        untried = calls - answered
        how = f"{words.count(len(answered), 'call')} made, {len(untried)} not tried; IAM was not to be asked: {error}"
    yield from _lines(ground, grants, denied, how, whole=not untried)


def _of(ground: Ground, role: Role) -> list[Grant]:
    return permissions().of(role, ground.known)


def principal(ground: Ground) -> str:
    """ARN of the role or user whose policies count; for a session that of its role, whose path only IAM knows.

    Raises:
        _Unasked: the caller is neither.
    """
    arn = ground.who.arn
    session = re.fullmatch(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.*", arn)
    if session:
        try:
            with aws_errors("asking for the role (iam:GetRole)"):
                return str(ground.clients.client("iam").get_role(RoleName=session[3])["Role"]["Arn"])
        except AwsError:
            return f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}"
    if ":iam::" not in arn:
        raise _Unasked(f"{arn} is neither a role nor a user")
    return arn


def _simulated(ground: Ground, grants: Iterable[Grant], who: str) -> Iterator[tuple[str, str]]:
    """Action and resource of each permission that IAM reports as denied."""
    known, iam, params = permissions(), ground.clients.client("iam"), ground.known
    with aws_errors("asking IAM what the caller may do (iam:SimulatePrincipalPolicy)"):
        for grant in grants:
            pages = iam.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=who,
                ActionNames=sorted({known.action(call) for call in grant.calls}),
                ResourceArns=known.arns(grant.at, params),
                ContextEntries=[
                    {
                        "ContextKeyName": key,
                        "ContextKeyType": "string",
                        "ContextKeyValues": known.arns(place, params)[:1],
                    }
                    for said in grant.conditions.values()
                    for key, place in said.items()
                ],
            )
            for one in [one for page in pages for one in page["EvaluationResults"]]:
                for part in one.get("ResourceSpecificResults") or [one]:
                    decision = part.get("EvalResourceDecision") or part.get("EvalDecision")
                    if decision != "allowed":
                        yield one["EvalActionName"], part.get("EvalResourceName", "*")


def _tried(ground: Ground, calls: Iterable[str]) -> tuple[list[tuple[str, str]], set[str]]:
    """Action and resource of each refused harmless question, and the calls that AWS answered at all.

    An answer that something does not exist is no refusal.
    """
    denied, answered = [], set()
    given = {name: found[0] for name, found in values(ground.known).items() if found}
    clients = {call: ground.clients.client(call.partition(".")[0]) for call in sorted(calls)}
    with ThreadPoolExecutor(_THREADS) as pool:
        for call, refused in zip(
            clients, pool.map(lambda one: _refused(clients[one], one, given), clients), strict=True
        ):
            if refused is not None:
                answered.add(call)
            if refused:
                denied.append((permissions().action(call), refused))
    return denied, answered


def _refused(client: Any, call: str, given: Mapping[str, str]) -> str | None:
    """The resource for which a question was refused; empty: it was allowed; None: AWS could not be asked."""
    request = {key: _value(said, given) for key, said in permissions().dry[call].items()}
    try:
        with aws_errors(call):
            try:
                client._make_api_call(call.partition(".")[2], request)
            except ClientError as error:
                if code_of(error).startswith(_DENIED):
                    return next((str(value) for value in request.values() if isinstance(value, str)), "*")
    except AwsError:
        return None
    return ""


def _value(said: Any, given: Mapping[str, str]) -> Any:
    return filled(said, given) if isinstance(said, str) else said


def _lines(
    ground: Ground, grants: list[Grant], denied: list[tuple[str, str]], how: str, *, whole: bool
) -> Iterator[Found]:
    """Lines about denials; without any, OK if every action was checked (`whole`), else a note that some are unknown."""
    known, params = permissions(), ground.known
    actions = {known.action(call) for grant in grants for call in grant.calls}
    if not denied:
        roles = " and ".join(f"'{role}'" for role in (*BESIDE.get(ground.role, ()), ground.role))
        said = f"{words.count(len(actions), 'action')} of {roles}"
        if whole:
            yield ok(f"{said} ({how})")
        else:
            ask = "allow the caller iam:GetRole and iam:SimulatePrincipalPolicy; or"
            yield note(f"of {said} none was denied, and not all are known ({how})", f"{ask} {_policies(ground)}")
        return
    by_why: dict[str, list[str]] = {}
    for action, resource in denied:
        by_why.setdefault(_why(grants, action, resource, params), []).append(f"{action} on {resource}")
    for why, found in by_why.items():
        unique = list(dict.fromkeys(found))
        more = f" and {len(unique) - _MOST} more" if len(unique) > _MOST else ""
        yield wrong(f"not allowed: {', '.join(unique[:_MOST])}{more}; needed for: {why}", _policies(ground))


def _why(grants: Iterable[Grant], action: str, resource: str, params: Params) -> str:
    known = permissions()
    mine = [one for one in grants if action in {known.action(call) for call in one.calls}]
    exact = [one for one in mine if resource in known.arns(one.at, params)]
    return (exact or mine)[0].why


def _policies(ground: Ground) -> str:
    folder = f"iam/{ground.roles}"
    return f"runbook policies --params {word(ground.told)} --write {folder}   (attach {folder}/{ground.role}.json)"
