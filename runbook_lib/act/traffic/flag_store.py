"""The AppConfig calls for the two flags: versions, deployments, and waiting for them. No decisions here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.act.traffic.flags import CONTENT_TYPE, encode, same_value, switch_document, value_of
from runbook_lib.base.aws_errors import code_of
from runbook_lib.base.errors import Unreadable
from runbook_lib.base.project import ENVIRONMENT
from runbook_lib.base.template import filled
from runbook_lib.observe.traffic.flag_ids import Handles, flag_of, handles, listed
from runbook_lib.observe.traffic.reach import BUSY, IN_FORCE, OVER, TAKEN_BACK, in_force

if TYPE_CHECKING:
    from runbook_lib.params.load import Params

PATIENCE_S = 60.0
"""Seconds that a deployment may take to arrive, and that a lowering keeps trying."""
PAUSE_S = 0.5
BY_HAND = "deploy the off version of the switch in the AWS console"
"""The advice if AppConfig does not tell its ids; with the command by names."""
_OFF = "(the version that says enabled: false)"
_NAMED = {
    "application-id": "application",
    "environment-id": "switch_environment",
    "deployment-strategy-id": "immediate_strategy",
    "configuration-profile-id": "switch_profile",
}
"""Options of the command to the keys of `traffic` that name what they are about."""


def by_names(params: Any) -> str:
    """The command that turns async off where AppConfig's ids are not known: with the names, as far as they are."""
    said = (getattr(params, key, None) for key in ("env", "confirm"))  # a file that is broken may not say it
    env = next((one for one in said if isinstance(one, str) and re.fullmatch(ENVIRONMENT, one)), "(the environment)")
    words = list[str]()
    for option, key in _NAMED.items():
        name = getattr(params.service.traffic, key, None)
        told = f" '{filled(name, {'env': env})}'" if type(name) is str else ""
        words.append(f"--{option} (the id of the {key.rpartition('_')[2]}{told})")
    region = known if isinstance(known := getattr(params, "region", None), str) and known else "(the region)"
    return (
        f"{BY_HAND}, or run: aws appconfig start-deployment --region {region} {' '.join(words)} "
        f"--configuration-version {_OFF}"
    )


class FlagStore:
    """One AppConfig application. It raises botocore's own errors: the caller knows what it was doing."""

    def __init__(
        self,
        client: Any,
        params: Params,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._params = params
        self._unread = False
        """Whether the versions that there are could not be read: nobody waits for them a second time."""
        self.sleep = sleep
        self.monotonic = monotonic

    @cached_property
    def ids(self) -> Handles:
        """AppConfig's ids for the names in the parameters."""
        return handles(self._client, self._params)

    def start(
        self,
        environment: str,
        profile: str,
        document: dict[str, Any],
        *,
        strategy: str,
        description: str,
        latest: int | None,
    ) -> int:
        """Deploys the version with the values of `document` (made if there is none); returns the deployment's number.

        With `latest` it deploys only if that is still the latest deployment; else AppConfig raises ConflictException.
        Without, it lowers: the version is made where those that there are cannot be read.
        """
        condition = {} if latest is None else {"LatestDeploymentNumber": latest}
        answer = self._client.start_deployment(
            **self._in(environment),
            DeploymentStrategyId=strategy,
            ConfigurationProfileId=profile,
            ConfigurationVersion=str(self._version(profile, document, anyhow=latest is None)),
            Description=description,
            **condition,
        )
        return int(answer["DeploymentNumber"])

    def stop(self, environment: str, deployment: int) -> None:
        """Takes a deployment back, even while it bakes."""
        self._client.stop_deployment(**self._in(environment), DeploymentNumber=deployment, AllowRevert=True)

    def under_way(self, environment: str) -> list[int]:
        """Deployments that may block others in the environment; at most one."""
        found = listed(self._client, self._in(environment))
        return [number for number, item in found.items() if item["State"] not in OVER]

    def newest(self, environment: str, profile: str) -> dict[str, Any]:
        """The switch's deployment in force (`observe/traffic/reach.py`), in the form of `settled`.

        Raises:
            Unreadable: AppConfig lists a deployment, and then has none of its number.
        """

        def asked() -> Iterator[dict[str, Any]]:
            for number in listed(self._client, self._in(environment)):
                found = self._deployment(environment, number)
                if found is None:  # not to be taken for a switch that was never turned on
                    what = f"AppConfig lists deployment {number}, and has none of this number when asked for it"
                    raise Unreadable(what)
                if found.get("ConfigurationProfileId", profile) == profile:
                    yield self._told(profile, number, found, found["State"] not in TAKEN_BACK)

        def told(one: dict[str, Any]) -> tuple[str, float, float]:
            return (
                one["state"],
                one.get("reached", 0.0),
                2.0 if one.get("unreadable") else float(bool(one.get("enabled"))),
            )

        return in_force(asked(), told) or {"deployment": None, "busy": False}

    def strategy(self, id: str) -> dict[str, Any]:
        """A deployment strategy as AppConfig describes it."""
        return dict(self._client.get_deployment_strategy(DeploymentStrategyId=id))

    def settled(
        self, environment: str, profile: str, deployment: int, unless: tuple[str, ...] = BUSY
    ) -> dict[str, Any]:
        """A deployment once its state is none of `unless`, or as it is when `PATIENCE_S` ends.

        In the result `deployment` is None if no such deployment exists. While its version goes to clients or is with
        them, the result has the flag's values (`percent` or `enabled`), or `unreadable` where what came is no document
        of flags.
        """
        deadline = self.monotonic() + PATIENCE_S
        while True:
            found = self._deployment(environment, deployment)
            if found is None:
                return {"deployment": None, "busy": None}
            if found["State"] not in unless or self.monotonic() >= deadline:
                return self._told(profile, deployment, found, found["State"] in IN_FORCE)
            self.sleep(PAUSE_S)

    def _deployment(self, environment: str, number: int) -> dict[str, Any] | None:
        """A deployment as AppConfig describes it; None: there is none."""
        try:
            return dict(self._client.get_deployment(**self._in(environment), DeploymentNumber=number))
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            return None

    def _told(self, profile: str, deployment: int, found: dict[str, Any], with_values: bool) -> dict[str, Any]:
        """The result of `settled` for a deployment."""
        version = str(found.get("ConfigurationVersion", ""))
        values: dict[str, Any] | None = {}
        if with_values:
            values = value_of(self._content(profile, int(version)), flag_of(self._params))
        return {
            **({"unreadable": True} if values is None else values),
            "deployment": deployment,
            "state": found["State"],
            "busy": found["State"] in BUSY,
            **({"reached": float(found.get("PercentageComplete") or 0)} if found["State"] == "DEPLOYING" else {}),
            "description": found.get("Description", ""),
            "started_at": found.get("StartedAt"),
            "version": version,
            "taken_back": _taken_back(found.get("EventLog", [])),
        }

    def off_by_hand(self) -> str:
        """The end of a sentence that says how to turn async off without the runbook. Never raises."""
        return f"by hand: {self.off_command()}"

    def off_command(self) -> str:
        """The command that turns async off without the runbook. Never raises."""
        if "ids" not in self.__dict__:  # not known: to ask again would only take time
            return by_names(self._params)
        ids, found = self.ids, None
        with suppress(Exception):  # only advice: an error in it must not matter
            if not self._unread:
                found, _ = self._find(ids.switch_profile, switch_document(flag_of(self._params), False))
        return (
            f"aws appconfig start-deployment --region {self._params.region} "
            f"--application-id {ids.application} --environment-id {ids.switch_environment} "
            f"--deployment-strategy-id {ids.immediate_strategy} --configuration-profile-id {ids.switch_profile} "
            f"--configuration-version {found or _OFF}"
        )

    def _version(self, profile: str, document: dict[str, Any], *, anyhow: bool) -> int:
        found, newest = None, 0
        try:
            found, newest = self._find(profile, document)
        except Exception:
            self._unread = True
            if not anyhow:
                raise
        if found is not None:
            return found
        answer = self._client.create_hosted_configuration_version(
            ApplicationId=self.ids.application,
            ConfigurationProfileId=profile,
            Content=encode(document),
            ContentType=CONTENT_TYPE,
            **({"LatestVersionNumber": newest} if newest else {}),
        )
        return int(answer["VersionNumber"])

    def _find(self, profile: str, document: dict[str, Any]) -> tuple[int | None, int]:
        """The newest version with the same values (None: there is none), and the newest of all (0: there is none)."""
        where = {"ApplicationId": self.ids.application, "ConfigurationProfileId": profile}
        pages = self._client.get_paginator("list_hosted_configuration_versions").paginate(**where)
        numbers = sorted((int(item["VersionNumber"]) for page in pages for item in page["Items"]), reverse=True)
        for candidate in numbers:
            if same_value(self._content(profile, candidate), document):
                return candidate, numbers[0]
        return None, numbers[0] if numbers else 0

    def _content(self, profile: str, version: int) -> bytes:
        answer = self._client.get_hosted_configuration_version(
            ApplicationId=self.ids.application, ConfigurationProfileId=profile, VersionNumber=version
        )
        return bytes(answer["Content"].read())

    def _in(self, environment: str) -> dict[str, str]:
        return {"ApplicationId": self.ids.application, "EnvironmentId": environment}


def _taken_back(events: list[dict[str, Any]]) -> str:
    """Who took a deployment back and why, from its event log (newest first); empty if nobody did."""
    for event in events:
        if event.get("EventType") == "ROLLBACK_STARTED":
            return f"{event.get('TriggeredBy', '?')}: {event.get('Description', '')}"
    return ""
