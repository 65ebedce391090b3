"""AppConfig as far as reading the flags goes, with deployments made by hand (AWS lists the newest first, in pages)."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from typing import Any

T = dt.datetime(2026, 11, 10, 10, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
PAGE = 2


class AppConfig:
    class exceptions:  # noqa: N801
        class ResourceNotFoundException(Exception):  # noqa: N818
            pass

    def __init__(self, dial: list[tuple[Any, str]], switch: list[tuple[Any, str]], monitors: list[str] | None = None) -> None:
        """`dial` and `switch`: (value, state) of the deployments, oldest first; deployment k starts at T + k minutes."""
        self.monitors = monitors or []
        self.lists: dict[str, list[dict[str, str]]] = {
            "list_applications": [{"Name": "other", "Id": "a0"}, {"Name": "careervp-vpr-rollout-prod", "Id": "a1"}],
            "list_configuration_profiles": [{"Name": "vpr-async-dial", "Id": "pd"}, {"Name": "vpr-async-switch", "Id": "ps"}],
            "list_environments": [{"Name": "prod-switch", "Id": "es"}, {"Name": "prod", "Id": "ed"}],
            "list_deployment_strategies": [
                {"Name": "AppConfig.AllAtOnce", "Id": "AppConfig.AllAtOnce"},
                {"Name": "careervp-vpr-immediate-strategy-prod", "Id": "s0"},
                {"Name": "careervp-vpr-soak-strategy-prod", "Id": "s1"},
            ],
        }
        self.deployments = {"ed": self._made("pd", dial), "es": self._made("ps", switch)}
        self.values = {"pd": [value for value, _ in dial], "ps": [value for value, _ in switch]}
        self.broken = False

    def _made(self, profile: str, values: list[tuple[Any, str]]) -> dict[int, dict[str, Any]]:
        made = {}
        for number, (_, state) in enumerate(values, 1):
            at = T + number * MINUTE
            events = [{"EventType": "DEPLOYMENT_STARTED", "TriggeredBy": "USER", "Description": "started", "OccurredAt": at}]
            if state == "ROLLED_BACK":
                by = {"TriggeredBy": "CLOUDWATCH_ALARM", "Description": "arn:alarm", "OccurredAt": at + 30 * MINUTE}
                events += [{"EventType": "ROLLBACK_STARTED", **by}, {"EventType": "ROLLBACK_COMPLETED", **by}]
            if state == "REVERTED":
                events.append({"EventType": "REVERT_COMPLETED", "TriggeredBy": "USER", "OccurredAt": at + 40 * MINUTE})
            made[number] = {
                "ConfigurationProfileId": profile, "DeploymentNumber": number, "ConfigurationVersion": str(number),
                "State": state, "StartedAt": at, "Description": f"d{number}", "DeploymentStrategyId": "s1",
                "FinalBakeTimeInMinutes": 1440, "EventLog": list(reversed(events)),
            }  # fmt: skip
        return made

    def get_paginator(self, name: str) -> Any:
        stub = self

        class Paginator:
            def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
                if name == "list_deployments":
                    items: list[Any] = sorted(stub.deployments[request["EnvironmentId"]], reverse=True)
                    items = [{"DeploymentNumber": number} for number in items]
                else:
                    items = stub.lists[name]
                for place in range(0, max(len(items), 1), PAGE):
                    yield {"Items": items[place : place + PAGE]}

        return Paginator()

    def get_deployment(self, *, ApplicationId: str, EnvironmentId: str, DeploymentNumber: int) -> dict[str, Any]:  # noqa: N803
        assert ApplicationId == "a1"
        if DeploymentNumber not in self.deployments[EnvironmentId]:
            raise self.exceptions.ResourceNotFoundException
        return self.deployments[EnvironmentId][DeploymentNumber]

    def get_environment(self, *, ApplicationId: str, EnvironmentId: str) -> dict[str, Any]:  # noqa: N803
        assert (ApplicationId, EnvironmentId) == ("a1", "ed")
        return {"Monitors": [{"AlarmArn": arn} for arn in self.monitors]}

    def get_hosted_configuration_version(
        self, *, ApplicationId: str, ConfigurationProfileId: str, VersionNumber: int  # noqa: N803
    ) -> dict[str, Any]:
        value = self.values[ConfigurationProfileId][VersionNumber - 1]
        flag = {"enabled": True, "percent": value} if ConfigurationProfileId == "pd" else {"enabled": value}
        document = {"version": "1", "flags": {}, "values": {"vpr_async": flag}}
        return {"Content": io.BytesIO(b"{}" if self.broken else json.dumps(document).encode())}
