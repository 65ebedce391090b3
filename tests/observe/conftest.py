"""What the tests of `observe` share: parameters, a soak, and hand-made answers of CloudWatch."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.window import Window, iso
from runbook_lib.judge.gates.gates import judge_all
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.evidence.measure import asks, asks_bounds, measure
from runbook_lib.observe.evidence.questions import label
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers, Ask, query_of
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import Params, load_file

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

    stamp = lru_cache(maxsize=4096)(iso)  # a day has 1,440 minutes, and they are those of each metric

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
                "times": [stamp(when) for when, _ in points],
                "values": [value for _, value in points],
            }
            query = {**query_of(ask, params, now, {}), "id": "q0"}
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
        self, dial: list[tuple[Any, ...]], switch: list[tuple[Any, ...]], monitors: list[str] | None = None
    ) -> None:
        """`dial` and `switch`: (value, state) of the deployments, oldest first; the k-th at START + k min. A third
        number is the percent of the clients that it has reached.
        """
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
        self.values = {"pd": [value for value, *_ in dial], "ps": [value for value, *_ in switch]}
        self.broken = b""

    def _made(self, profile: str, values: list[tuple[Any, ...]]) -> dict[int, dict[str, Any]]:
        made = {}
        for number, (_, state, *reached) in enumerate(values, 1):
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
                "ConfigurationProfileId": profile,
                "DeploymentNumber": number,
                "ConfigurationVersion": str(number),
                "State": state,
                "StartedAt": at,
                "Description": f"d{number}",
                "DeploymentStrategyId": "s1",
                "FinalBakeTimeInMinutes": 1440,
                "EventLog": list(reversed(events)),
                **({"PercentageComplete": reached[0]} if reached else {}),
            }
        return made

    def get_paginator(self, name: str) -> Any:
        stub = self

        class Paginator:
            def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
                if name == "list_deployments":
                    made = stub.deployments[request["EnvironmentId"]]
                    items: list[Any] = [
                        {"DeploymentNumber": number, "State": made[number]["State"]} for number in sorted(made)[::-1]
                    ]
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
        return {"Content": io.BytesIO(self.broken or json.dumps(document).encode())}


@pytest.fixture(name="AppConfig", scope="session")
def _appconfig() -> type[AppConfigStub]:
    return AppConfigStub


MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
LOOK = Look(hours=24, alpha=0.03)
LIVE = {
    "queue_visible": 0,
    "queue_in_flight": 0,
    "dlq_visible": 0,
    "dlq_in_flight": 0,
    "max_receives": 3,
    "memory_mb": {"submit": 256, "worker": 1024, "status": 256},
    "timeout_s": {"worker": 300},
}


class Soak:
    """A healthy soak of 300 jobs, one every 4.8 minutes; each test spoils what it is about."""

    def __init__(self, params: Params, window: Window, now: dt.datetime, answered: Any) -> None:
        self.params, self.window, self.now, self.answered = params, window, now, answered
        self.live: dict[str, Any] = dict(LIVE)
        self.traffic = TrafficState(
            dial_percent=10,
            switch_on=True,
            weight=10,
            dial_since="2026-11-10T10:00:00Z",
            switch_since="2026-11-01T00:00:00Z",
        )
        self.segment: Segment | None = Segment(
            start=window.start,
            end=window.end,
            end_settled=window.end,
            completed=300,
            generation_s=tuple(30 + place / 10 for place in range(300)),
            input_tokens=300 * 7500,
            output_tokens=300 * 2200,
        )
        minutes = [window.start + place * MINUTE for place in range(2, 1440, 5)]
        jobs, polls, baseline = 300 / len(minutes), 2400 / len(minutes), 2700 / len(minutes)
        each = {
            "async_requests": jobs,
            "async_5xx": 0.0,
            "status_requests": polls,
            "status_5xx": 0.0,
            "sync_requests": baseline,
            "sync_5xx": baseline,
            "submit_invocations": jobs,
            "submit_errors": 0.0,
            "worker_invocations": jobs,
            "worker_errors": 0.0,
            "status_fn_invocations": polls,
            "status_fn_errors": 0.0,
            "submit_duration": 60 * jobs,
            "worker_duration": 45_000 * jobs,
            "status_fn_duration": 20 * polls,
            "queue_sent": jobs,
            "queue_received": jobs,
            "queue_deleted": jobs,
            "queue_empty_receives": 15.0,
            "table_writes": 3 * jobs,
            "table_reads": jobs,
            "gsi_writes": jobs,
            "gsi_reads": jobs,
            "jobs_created": jobs,
            "jobs_completed": jobs,
            "input_tokens": 7500 * jobs,
            "output_tokens": 2200 * jobs,
        }
        self.values: dict[str, Any] = {
            label(name): [(minute, value) for minute in minutes] for name, value in each.items()
        }
        self.values["submit_latency"] = 900.0
        self.values["submit_latency:n"] = 300.0
        for name in ("queue_visible", "dlq_visible"):
            level = 1.0 if name == "queue_visible" else 0.0
            self.values[label(name, "Maximum")] = [(window.start + k * 5 * MINUTE, level * (k % 2)) for k in range(288)]
        self.bounds: dict[str, Any] = {"submit_latency:upper": 1500.0, "submit_latency:low": 700.0}
        self.status: dict[str, str] = {}
        self.look: Look | None = LOOK

    def answers(self) -> Answers:
        first = self.answered(asks(self.params, self.window, self.now), self.values, self.status)
        more = asks_bounds(first, self.params, self.window, self.now, self.look)
        labels = {ask.label for ask in more}
        return first + self.answered(more, {k: v for k, v in self.bounds.items() if k in labels}, self.status)

    def evidence(self) -> dict[str, Evidence]:
        return measure(
            self.answers(), self.segment, self.live, self.traffic, self.params, self.window, self.now, self.look
        )

    def verdicts(self) -> dict[str, Verdict]:
        results = judge_all(self.params.policy.gates, self.evidence(), look=self.look)
        return {result.gate.id: result.verdict for result in results}

    def jobs(self, completed: int) -> None:
        """The census found this many, all of them completed."""
        assert self.segment is not None
        times = tuple(30 + place / 10 for place in range(completed))
        self.segment = self.segment.model_copy(update={"completed": completed, "generation_s": times})

    def drop(self, *metrics: str) -> None:
        for name in list(self.values):
            if name.split(":")[0] in metrics:
                self.values[name] = []


@pytest.fixture
def day(params: Params, soak: Window, now: dt.datetime, answered: Any) -> Soak:
    return Soak(params, soak, now, answered)
