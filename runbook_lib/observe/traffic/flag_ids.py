"""AppConfig's ids and deployment numbers of the two flags. Light, because a rollback loads it first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.base.template import filled

if TYPE_CHECKING:
    from runbook_lib.params.load import Params
    from runbook_lib.params.traffic import AppConfigHome


class NotDeployed(AwsError):
    """Raised where the home of the weight does not exist: the new resources were never deployed here."""


class Misnamed(AwsError):
    """Raised where AppConfig answers but does not have a name in service.yaml.

    Args:
        key: of `traffic` in service.yaml, where the name stands.
    """

    def __init__(self, sentence: str, key: str) -> None:
        super().__init__(sentence)
        self.key = key


def flag_of(params: Params) -> str:
    """Key of the flag in both profiles."""
    return cast("AppConfigHome", params.service.traffic).flag


@dataclass(frozen=True)
class Handles:
    """AppConfig's ids for the names in the parameters."""

    application: str
    dial_profile: str
    switch_profile: str
    dial_environment: str
    switch_environment: str
    immediate_strategy: str
    soak_strategy: str
    strategies: dict[str, str]
    """Names of all strategies by id."""


def handles(appconfig: Any, params: Params) -> Handles:
    """Looks up AppConfig's ids by name.

    Raises:
        NotDeployed: there is no such application.
        AwsError: AppConfig refused, or has nothing of that name within it.
    """
    traffic = cast("AppConfigHome", params.service.traffic)
    with aws_errors("looking up the traffic flags (appconfig:List*)"):
        application = _by_name(appconfig, "application", traffic.application, params, "list_applications")
        profiles = _names(appconfig, "list_configuration_profiles", ApplicationId=application)
        environments = _names(appconfig, "list_environments", ApplicationId=application)
        strategies = _names(appconfig, "list_deployment_strategies")

    def find(kind: str, key: str, names: dict[str, str]) -> str:
        name = filled(getattr(traffic, key), {"env": params.env})
        if name not in names:
            there = f"there is {', '.join(sorted(names)[:3])}" if names else "there is none"
            raise Misnamed(
                f"AppConfig has no {kind} '{name}' (service.yaml, traffic.{key}; {there}); deploy the rollout's flags "
                "first",
                key,
            )
        return names[name]

    return Handles(
        application=application,
        dial_profile=find("configuration profile", "dial_profile", profiles),
        switch_profile=find("configuration profile", "switch_profile", profiles),
        dial_environment=find("environment", "dial_environment", environments),
        switch_environment=find("environment", "switch_environment", environments),
        immediate_strategy=find("deployment strategy", "immediate_strategy", strategies),
        soak_strategy=find("deployment strategy", "soak_strategy", strategies),
        strategies={id: name for name, id in strategies.items()},
    )


def _names(appconfig: Any, operation: str, **request: Any) -> dict[str, str]:
    pages = appconfig.get_paginator(operation).paginate(**request)
    return {item["Name"]: item["Id"] for page in pages for item in page["Items"]}  # no Items: AWS did not answer


def _by_name(appconfig: Any, kind: str, template: str, params: Params, operation: str) -> str:
    name = filled(template, {"env": params.env})
    names = _names(appconfig, operation)
    if name not in names:
        raise NotDeployed(f"AppConfig has no {kind} '{name}' (service.yaml, traffic); deploy the rollout's flags first")
    return names[name]


def listed(appconfig: Any, where: dict[str, str], most: int | None = None) -> dict[int, dict[str, Any]]:
    """The environment's deployments by number, newest first, as ListDeployments gives them.

    Args:
        most: at most this many. AWS lists them in descending order (API reference, ListDeployments), so no further page
            is read; in another order, all pages are.
    """
    found: dict[int, dict[str, Any]] = {}
    for page in appconfig.get_paginator("list_deployments").paginate(**where, PaginationConfig={"PageSize": 50}):
        found |= {int(item["DeploymentNumber"]): item for item in page["Items"]}
        if most is not None and len(found) >= max(most, 2) and list(found) == sorted(found, reverse=True):
            break
    return dict(sorted(found.items(), reverse=True)[:most])
