"""Reads the weight in force of a Lambda alias and of a stage's canary, whose parameter only lists the steps.

Light, because a rollback loads it first. Each such home has an entry in `READERS`; for other homes the parameter itself
is the weight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.aws_errors import code_of
from runbook_lib.base.errors import AwsError
from runbook_lib.observe.traffic.flag_ids import NotDeployed

if TYPE_CHECKING:
    from runbook_lib.params.load import Params
    from runbook_lib.params.traffic import AliasHome, CanaryHome

Client = Callable[[str], Any]
_ABSENT = ("ResourceNotFoundException", "NotFoundException")


class AnotherRelease(AwsError):
    """The alias points to a version that this release is not about.

    Attributes:
        serves: whether it sends calls to this release's new version all the same.
    """

    def __init__(self, message: str, *, serves: bool) -> None:
        super().__init__(message)
        self.serves = serves


@dataclass(frozen=True)
class InForce:
    """The weight that AWS applies now."""

    percent: float
    token: str
    """Version that must not have changed when the weight is set: the alias's RevisionId, or the stage's last update."""
    where: str
    """Name of the alias or canary, in words."""


def alias(client: Client, params: Params) -> InForce:
    """Reads the share of calls through the alias that go to the new version.

    Raises:
        NotDeployed: there is no such alias.
        AnotherRelease: the alias points to a version that is not of this release.
        AwsError: Lambda refused.
    """
    home = cast("AliasHome", params.service.traffic)
    function = params.name(home.function)
    where = f"alias {function}:{home.alias}"
    with aws_errors(f"reading {where} (lambda:GetAlias)"):
        try:
            found = client("lambda").get_alias(FunctionName=function, Name=home.alias)
        except ClientError as error:
            if code_of(error) not in _ABSENT:
                raise
            raise NotDeployed(f"there is no {where}; create it at version {home.stable}") from None
    weights: Mapping[str, float] = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    at = str(found["FunctionVersion"])
    strange = sorted({at, *weights} - {home.version, home.stable})
    if strange:
        raise AnotherRelease(
            f"{where} points to version {strange[0]}; this release is about {home.version} and {home.stable} "
            "(service.yaml, traffic): somebody else has released meanwhile",
            serves=home.version in (at, *weights),
        )
    share = weights.get(home.version, 0.0) if at == home.stable else 1 - weights.get(home.stable, 0.0)
    return InForce(round(100 * float(share), 6), str(found["RevisionId"]), where)


def canary(client: Client, params: Params) -> InForce:
    """Reads the share of the stage's requests that its canary takes.

    Raises:
        NotDeployed: the stage has no canary of this deployment.
        AwsError: API Gateway refused, or there is no such API.
    """
    home, stage = cast("CanaryHome", params.service.traffic), params.service.api.stage
    gateway = client("apigateway")
    with aws_errors(f"reading the canary of stage {stage} (apigateway:GET)"):
        found = gateway.get_stage(restApiId=api_id(gateway, params), stageName=stage)
    where, settings = f"the canary of stage {stage}", found.get("canarySettings") or {}
    if str(settings.get("deploymentId")) != home.deployment:
        there = f"it serves {settings['deploymentId']}" if settings.get("deploymentId") else "the stage has none"
        raise NotDeployed(f"{where} does not serve deployment {home.deployment}: {there}; create it at 0 % first")
    return InForce(float(settings.get("percentTraffic", 0.0)), str(found.get("lastUpdatedDate", "")), where)


def api_id(gateway: Any, params: Params) -> str:
    """Id of the REST API, by its name.

    Raises:
        AwsError: there is none.
    """
    name = params.name("api")
    for page in gateway.get_paginator("get_rest_apis").paginate():
        for item in page["items"]:
            if item["name"] == name:
                return str(item["id"])
    raise AwsError(f"there is no REST API '{name}' (service.yaml, names.api)")


READERS: Mapping[str, Callable[[Client, Params], InForce]] = {"lambda-alias": alias, "rest-canary": canary}
"""Readers by the home's `kind`."""
