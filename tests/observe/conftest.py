"""What the tests of `observe` share: parameters, a soak, and hand-made answers of CloudWatch."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.observe.fetch import Answers, Ask, _query
from runbook_lib.observe.window import Window, iso
from runbook_lib.params import Params, load_file

START = dt.datetime(2026, 11, 10, 10, 0, tzinfo=dt.UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def params() -> Params:
    return load_file(ROOT / "params" / "prod.yaml")


@pytest.fixture(scope="session")
def http_params(params: Params) -> Params:
    service = params.service
    api = service.api.model_copy(update={"kind": "http"})
    return params.model_copy(
        update={"service": service.model_copy(update={"api": api, "names": {**service.names, "api_id": "abc123"}})}
    )


@pytest.fixture
def soak() -> Window:
    return Window(START, START + dt.timedelta(hours=24))


@pytest.fixture
def now(soak: Window) -> dt.datetime:
    return soak.end + dt.timedelta(hours=1)


Answered = Callable[..., Answers]


@pytest.fixture
def answered(params: Params, now: dt.datetime) -> Answered:
    """Answers to `asks`: `values` gives, by label, a list of (time, value), or a number: one point at the start."""

    def build(asks: Iterable[Ask], values: dict[str, Any], status: dict[str, str] | None = None) -> Answers:
        calls = []
        for ask in asks:
            if ask.window.empty:
                continue
            points = values.get(ask.label, [])
            if not isinstance(points, list):
                points = [(ask.window.start, points)]
            result = {
                "id": "q0",
                "status": (status or {}).get(ask.label, "Complete"),
                "messages": [],
                "times": [iso(when) for when, _ in points],
                "values": [value for _, value in points],
            }
            query = {**_query(ask, params, now), "id": "q0"}
            pages = [{"messages": [], "results": [result]}]
            calls.append(
                {"start": iso(ask.window.start), "end": iso(ask.window.end), "queries": [query], "pages": pages}
            )
        unknown = set(values) - {ask.label for ask in asks}
        assert not unknown, f"nobody asks for {unknown}"
        return Answers.from_raw(calls)

    return build


class AppConfigStub:
    """AppConfig as far as reading the flags goes, with deployments made by hand (newest first, in pages)."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(
        self, dial: list[tuple[Any, str]], switch: list[tuple[Any, str]], monitors: list[str] | None = None
    ) -> None:
        """`dial` and `switch`: (value, state) of the deployments, oldest first; the k-th at START + k min."""
        self.monitors = monitors or []
        self.lists: dict[str, list[dict[str, str]]] = {
            "list_applications": [{"Name": "other", "Id": "a0"}, {"Name": "careervp-vpr-rollout-prod", "Id": "a1"}],
            "list_configuration_profiles": [
                {"Name": "vpr-async-dial", "Id": "pd"},
                {"Name": "vpr-async-switch", "Id": "ps"},
            ],
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
            at = START + dt.timedelta(minutes=number)
            events = [
                {"EventType": "DEPLOYMENT_STARTED", "TriggeredBy": "USER", "Description": "started", "OccurredAt": at}
            ]
            if state == "ROLLED_BACK":
                by = {
                    "TriggeredBy": "CLOUDWATCH_ALARM",
                    "Description": "arn:alarm",
                    "OccurredAt": at + dt.timedelta(minutes=30),
                }
                events += [{"EventType": "ROLLBACK_STARTED", **by}, {"EventType": "ROLLBACK_COMPLETED", **by}]
            if state == "REVERTED":
                events.append(
                    {
                        "EventType": "REVERT_COMPLETED",
                        "TriggeredBy": "USER",
                        "OccurredAt": at + dt.timedelta(minutes=40),
                    }
                )
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
                for place in range(0, max(len(items), 1), 2):
                    yield {"Items": items[place : place + 2]}

        return Paginator()

    def get_deployment(self, *, ApplicationId: str, EnvironmentId: str, DeploymentNumber: int) -> dict[str, Any]:
        assert ApplicationId == "a1"
        if DeploymentNumber not in self.deployments[EnvironmentId]:
            raise self.exceptions.ResourceNotFoundException
        return self.deployments[EnvironmentId][DeploymentNumber]

    def get_environment(self, *, ApplicationId: str, EnvironmentId: str) -> dict[str, Any]:
        assert (ApplicationId, EnvironmentId) == ("a1", "ed")
        return {"Monitors": [{"AlarmArn": arn} for arn in self.monitors]}

    def get_hosted_configuration_version(
        self,
        *,
        ApplicationId: str,
        ConfigurationProfileId: str,
        VersionNumber: int,
    ) -> dict[str, Any]:
        value = self.values[ConfigurationProfileId][VersionNumber - 1]
        flag = {"enabled": True, "percent": value} if ConfigurationProfileId == "pd" else {"enabled": value}
        document = {"version": "1", "flags": {}, "values": {"vpr_async": flag}}
        return {"Content": io.BytesIO(b"{}" if self.broken else json.dumps(document).encode())}


@pytest.fixture(name="AppConfig", scope="session")
def _appconfig() -> type[AppConfigStub]:
    return AppConfigStub
