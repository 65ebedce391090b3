"""An AppConfig home for each test on the embedded AWS, and a client that can be meddled with."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic import flags
from runbook_lib.act.traffic.dial import AppConfigTraffic
from runbook_lib.act.traffic.flag_store import FlagStore
from runbook_lib.act.traffic.shift import ShiftPlan, plan_shift
from runbook_lib.observe.traffic.state import TrafficState, handles, read_state
from runbook_lib.params.load import Params, load_file
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws

ROOT = Path(__file__).resolve().parents[2]
NOW = dt.datetime(2026, 11, 10, 12, 0, tzinfo=dt.UTC)
ACCOUNT = "000000000000"
"""That of the embedded AWS."""
_serial = itertools.count(1)


class FakeJournal:
    """Keeps events in memory; `broken` makes it fail as a full disk does."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.aside: list[dict[str, Any]] = []
        self.broken = False
        self.dead = False

    def append(self, event: str, /, **data: Any) -> None:
        if self.broken:
            raise OSError("no space left on device")
        self.events.append({"event": event, **data})

    def append_or_stderr(self, event: str, /, **data: Any) -> None:
        if self.dead:
            raise RuntimeError("journal is gone")
        if self.broken:
            self.aside.append({"event": event, **data})
        else:
            self.append(event, **data)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.events if entry["event"] == event]


class Meddled:
    """A client whose calls are noted, and before or after which something can happen, each time or once."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[str] = []
        self.before: dict[str, Callable[[int], None]] = {}
        self.after: dict[str, Callable[[int], None]] = {}

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if not callable(real):
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(f"{name}:{args[0]}" if name == "get_paginator" else name)
            count = self.calls.count(name)
            self.before.get(name, lambda _: None)(count)
            answer = real(*args, **kwargs)
            self.after.get(name, lambda _: None)(count)
            return answer

        return call

    @property
    def writes(self) -> list[str]:
        return [
            name for name in self.calls if name.split("_")[0] in ("start", "stop", "create", "put", "update", "delete")
        ]


@dataclass
class Home:
    """One rollout's flags on the embedded AWS."""

    aws: EmbeddedAws
    params: Params
    journal: FakeJournal = field(default_factory=FakeJournal)
    alarm: str = ""

    def __post_init__(self) -> None:
        self.client = Meddled(self.aws.client("appconfig"))
        self.guard = self.guarded(self.params)
        self.traffic = self.operator(self.guard)

    def guarded(self, params: Params) -> Guard:
        caller = SimpleNamespace(account=params.account_id, arn=f"arn:aws:iam::{params.account_id}:user/ann", now=NOW)
        return Guard(params, caller, self.journal)

    def operator(self, guard: Guard, client: Any = None) -> AppConfigTraffic:
        """A control that waits in hundredths of what it would."""
        store = FlagStore(
            client or self.client,
            guard.params,
            sleep=lambda seconds: time.sleep(seconds / 100),
            monotonic=lambda: time.monotonic() * 30,
        )
        return AppConfigTraffic(client or self.client, guard, guard.params, store)

    def state(self) -> TrafficState:
        return read_state(self.aws.client("appconfig"), self.params)

    def plan(self, percent: float, state: TrafficState | None = None, **kwargs: Any) -> ShiftPlan:
        given = {"soak_hours": 24.0, "description": f"runbook release=r to={percent:g}", **kwargs}
        return plan_shift(state or self.state(), percent, self.params, **given)

    def shift(self, percent: float) -> TrafficState:
        return self.traffic.apply(self.plan(percent))

    def stranger(self, percent: float, description: str = "somebody else") -> None:
        """A second operator, at the console: takes the dial as it pleases."""
        client = self.aws.client("appconfig")
        ids = handles(client, self.params)
        where = {"ApplicationId": ids.application, "EnvironmentId": ids.dial_environment}
        latest = self.state().dial_deployment
        if latest is not None and latest.state == "BAKING":
            client.stop_deployment(**where, DeploymentNumber=latest.number, AllowRevert=True)
        self._deploy(ids.dial_environment, ids.dial_profile, flags.dial_document("vpr_async", percent), description)

    def turn(self, enabled: bool, description: str = "somebody else") -> None:
        """A second operator turns the switch."""
        ids = handles(self.aws.client("appconfig"), self.params)
        document = flags.switch_document("vpr_async", enabled)
        self._deploy(ids.switch_environment, ids.switch_profile, document, description)

    def _deploy(self, environment: str, profile: str, document: dict[str, Any], description: str) -> None:
        client = self.aws.client("appconfig")
        ids = handles(client, self.params)
        version = client.create_hosted_configuration_version(
            ApplicationId=ids.application,
            ConfigurationProfileId=profile,
            Content=flags.encode(document),
            ContentType=flags.CONTENT_TYPE,
        )["VersionNumber"]
        client.start_deployment(
            ApplicationId=ids.application,
            EnvironmentId=environment,
            ConfigurationProfileId=profile,
            ConfigurationVersion=str(version),
            DeploymentStrategyId=ids.immediate_strategy,
            Description=description,
        )

    def fire(self, state: str = "ALARM") -> None:
        """Sets the guard alarm that watches the dial."""
        self.aws.client("cloudwatch").set_alarm_state(AlarmName=self.alarm, StateValue=state, StateReason="test")


@pytest.fixture
def journal() -> FakeJournal:
    return FakeJournal()


@pytest.fixture
def make_params() -> Callable[..., Params]:
    """Production's parameters in apply mode; flat values can be overridden."""

    def make(**flat: Any) -> Params:
        values = {"account_id": ACCOUNT, "mode": "apply", "confirm": "prod", **flat}
        return load_file(ROOT / "params" / "prod.yaml", values)

    return make


@pytest.fixture
def make_guard(make_params: Callable[..., Params], journal: FakeJournal) -> Callable[..., Guard]:
    """A guard at `NOW`; flat values can be overridden, `account` is the caller's."""

    def make(account: str = ACCOUNT, out: Any = None, **flat: Any) -> Guard:
        caller = SimpleNamespace(account=account, arn=f"arn:aws:iam::{account}:user/ann", now=NOW)
        return Guard(make_params(**flat), caller, journal, out=out)

    return make


@pytest.fixture
def home(embedded: EmbeddedAws, make_params: Callable[..., Params]) -> Iterator[Home]:
    """Switch on, nothing deployed on the dial yet, and one guard alarm in OK that watches it."""
    number = next(_serial)
    params = make_params()
    split = params.service.traffic.model_copy(
        update={
            "application": f"app-{number}",
            "immediate_strategy": f"immediate-{number}",
            "soak_strategy": f"soak-{number}",
        }
    )
    params = params.model_copy(update={"service": params.service.model_copy(update={"traffic": split})})
    client, cloudwatch = embedded.client("appconfig"), embedded.client("cloudwatch")
    alarm = f"guard-{number}"
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace="test",
        MetricName=alarm,
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="test")
    arn = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["AlarmArn"]
    app = client.create_application(Name=split.application)["Id"]
    for name in (split.dial_profile, split.switch_profile):
        client.create_configuration_profile(
            ApplicationId=app, Name=name, LocationUri="hosted", Type="AWS.AppConfig.FeatureFlags"
        )
    client.create_environment(ApplicationId=app, Name="prod", Monitors=[{"AlarmArn": arn}])
    client.create_environment(ApplicationId=app, Name="prod-switch")
    strategies = [
        client.create_deployment_strategy(
            Name=name,
            DeploymentDurationInMinutes=0,
            GrowthFactor=100.0,
            FinalBakeTimeInMinutes=minutes,
            ReplicateTo="NONE",
        )["Id"]
        for name, minutes in ((split.immediate_strategy, 0), (split.soak_strategy, 1440))
    ]
    made = Home(embedded, params, alarm=alarm)
    made.turn(True, "set-up")
    yield made
    # The embedded AWS lists fifty of a kind and no next page.
    client.delete_application(ApplicationId=app)
    for strategy in strategies:
        client.delete_deployment_strategy(DeploymentStrategyId=strategy)


@pytest.fixture
def meddled() -> type[Meddled]:
    """The class of a client that can be meddled with."""
    return Meddled
