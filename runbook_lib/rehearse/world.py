"""The closed loop: time passes, the service lives, AWS is told, and what AWS makes of it changes what comes next."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any, Protocol

from runbook_lib.errors import AwsError
from runbook_lib.params import Params
from runbook_lib.rehearse import publish
from runbook_lib.rehearse.jobs import Settings
from runbook_lib.rehearse.knobs import Knobs, reader
from runbook_lib.rehearse.lookahead import LookAhead
from runbook_lib.rehearse.rows import Rows
from runbook_lib.rehearse.scenario import Scenario, load
from runbook_lib.rehearse.service_model import Service, Step
from runbook_lib.rehearse.truth import Truth

COARSE_S = 3600.0
FINE_S = 300.0


class Aws(Protocol):
    """What the world needs of the embedded AWS."""

    def client(self, service: str) -> Any:
        """The boto3 client of a service."""

    def now(self) -> dt.datetime:
        """AWS's own clock."""

    def move_to(self, instant: dt.datetime) -> None:
        """Move that clock forward."""


class World:
    """The users and the service of one environment.

    It lives from AWS's time at construction on. Its random numbers depend on the seed and on how long it has lived,
    its daily rhythm on the hour of the day: for the same world twice, construct it at the same time of day.

    Args:
        aws: the embedded AWS, with the sandbox of `params.env` deployed.
        params: names, settings, guard alarms of the environment.
        scenario: a `Scenario`, or the name of one.
        seed: of everything random.
    """

    def __init__(self, aws: Aws, params: Params, scenario: Scenario | str = "healthy", seed: int = 1) -> None:
        self.aws, self.params = aws, params
        self.scenario = load(scenario) if isinstance(scenario, str) else scenario
        self.truth = Truth(params.service.job_deadline_s)
        self._read = reader(aws.client, params)
        self.knobs = self._read()
        self.service = Service(self.scenario, settings(params), seed, aws.now().timestamp(), self.knobs.workers)
        self.service.set_weight(self.knobs.share)
        self._ahead = LookAhead.of(params)
        self._metrics = publish.Metrics(aws.client("cloudwatch"), publish.targets(params, _api_id(aws, params)))

    @property
    def now(self) -> dt.datetime:
        """Up to where it has lived and published."""
        return dt.datetime.fromtimestamp(self.service.now, dt.UTC)

    def advance(self, until: dt.datetime, on_step: Callable[[World], None] | None = None) -> None:
        """Let time pass up to `until`; afterwards AWS's clock is there, and so is everything published.

        Time is moved an hour at a time while no guard alarm can change, and five minutes at a time while one can;
        the knobs are read again after each step, so whatever AWS did by itself is followed.

        Args:
            until: aware; nothing happens if it has passed.
            on_step: called after each step, for a progress bar.
        """
        end = until.timestamp()
        # Whoever changed a knob did so while the clock ticked on: up to now the old ones were in force.
        passed = min(self.aws.now().timestamp(), end)
        if passed > self.service.now:
            self._live(passed)
        while self.service.now < end:
            self._obey(self._read())
            self._live(self._next(end))
            if on_step is not None:
                on_step(self)
        self._obey(self._read())

    def advance_by(self, on_step: Callable[[World], None] | None = None, **timedelta: float) -> None:
        """`advance` by `hours=`, `minutes=` and so on from AWS's clock."""
        self.advance(self.aws.now() + dt.timedelta(**timedelta), on_step)

    def _obey(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.service.set_weight(knobs.share)
        self.service.workers = knobs.workers

    def _next(self, end: float) -> float:
        """Where the next step ends: at the next full hour, or before the first moment that a guard may change at."""
        now = self.service.now
        horizon = min(end, _after(now, COARSE_S))
        fine = min(end, _after(now, FINE_S))
        if self._ahead.blind or self._ahead.breaches(Rows.empty()) < math.inf:
            return fine
        first = self._ahead.breaches(self.service.fork().run(horizon).rows)
        if first == math.inf:
            return horizon
        return max(fine, first // FINE_S * FINE_S)

    def _live(self, until: float) -> None:
        step = self.service.run(until)
        instant = dt.datetime.fromtimestamp(until, dt.UTC)
        # Its clock ticks on by itself while points are put: it may be there already.
        if instant > self.aws.now():
            self.aws.move_to(instant)
        self._publish(step)

    def _publish(self, step: Step) -> None:
        """Jobs and logs first: a metric that raises an alarm finds its evidence there."""
        self.truth.items += publish.put_jobs(self.aws.client("dynamodb"), self.params, step.jobs)
        publish.put_failures(self.aws.client("logs"), self.params, step.failures)
        self.truth.data += self._metrics.put(step.rows)
        self.truth.add(step)
        self._ahead.remember(step.rows, step.end)


def settings(params: Params) -> Settings:
    """The simulated service's settings from `service.yaml` and `prices.yaml`."""
    service, prices = params.service, params.prices
    return Settings(
        client_poll_s=service.traffic.client_poll_s,
        poll_every_s=service.poll_every_s,
        job_deadline_s=service.job_deadline_s,
        visibility_timeout_s=service.visibility_timeout_s,
        max_receives=service.max_receives,
        input_tokens=service.input_tokens,
        output_tokens=service.output_tokens,
        usd_per_input_token=prices.of("llm.input_tokens", 1),
        usd_per_output_token=prices.of("llm.output_tokens", 1),
    )


def _after(now: float, step: float) -> float:
    return (now // step + 1) * step


def _api_id(aws: Aws, params: Params) -> str:
    """Id of the HTTP API; a REST API's metrics have its name instead."""
    if params.service.api.kind == "rest":
        return ""
    if "api_id" in params.service.names:
        return params.name("api_id")
    name = params.name("api")
    found = [api["ApiId"] for api in aws.client("apigatewayv2").get_apis()["Items"] if api["Name"] == name]
    if not found:
        raise AwsError(f"there is no HTTP API called '{name}'")
    return str(found[0])
