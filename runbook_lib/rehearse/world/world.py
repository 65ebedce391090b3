"""The closed loop: time passes, the service lives and publishes to AWS, and AWS's reaction changes what comes next."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from runbook_lib.observe.api_address import identified
from runbook_lib.params.load import Params
from runbook_lib.rehearse.world import publish
from runbook_lib.rehearse.world.jobs import Settings
from runbook_lib.rehearse.world.knobs import Knobs, reader
from runbook_lib.rehearse.world.lookahead import LookAhead
from runbook_lib.rehearse.world.outbox import Outbox
from runbook_lib.rehearse.world.own import Own
from runbook_lib.rehearse.world.rows import ID, Rows
from runbook_lib.rehearse.world.scenario import Scenario, find
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.step import WorldStep
from runbook_lib.rehearse.world.targets import targets
from runbook_lib.rehearse.world.truth import Truth

HISTORY_S = 6 * 3600.0
COARSE_S = 3600.0
FINE_S = 300.0
_BASELINE = [number for name, number in ID.items() if name.startswith(("sync_", "vpr_", "generation_", "nowhere_"))]
"""Signals that exist before the new resources are deployed."""


class Aws(Protocol):
    """The interface of the embedded AWS that the world needs."""

    @property
    def inbox(self) -> Path:
        """Folder for files of metrics."""

    def client(self, service: str) -> Any:
        """The boto3 client of a service."""

    def now(self) -> dt.datetime:
        """AWS's own clock."""

    def move_to(self, instant: dt.datetime) -> None:
        """Moves that clock forward."""


class World:
    """The users and the service of one environment.

    It lives from AWS's time at construction on. Its random numbers depend on the seed and on how long it has lived,
    its daily rhythm on the hour of the day: for the same world twice, construct it at the same time of day.

    Args:
        aws: the embedded AWS, with the sandbox of `params.env` deployed.
        params: names, settings and guard alarms of the environment.
        scenario: a `Scenario`, the name of one, or the path of its YAML file.
        seed: seed of everything random.
    """

    def __init__(self, aws: Aws, params: Params, scenario: Scenario | str = "healthy", seed: int = 1) -> None:
        self.aws, self.params = aws, params
        self.scenario = find(scenario) if isinstance(scenario, str) else scenario
        self.truth = Truth(params.service.job_deadline_s)
        self._read = reader(aws.client, params)
        self.knobs = self._read()
        self.service = Service(self.scenario, settings(params), seed, aws.now().timestamp(), self.knobs.workers)
        self._obey(self.knobs)
        self._ahead = LookAhead.of(params)
        self._outbox = Outbox()
        self._items = publish.Items(aws.client("dynamodb"), params)
        found = targets(params, known.name("api_id") if (known := identified(aws, params)).named("api_id") else "")
        self._metrics = publish.Metrics(aws.client("cloudwatch"), found, inbox=aws.inbox)
        self._own = Own(params, self.scenario, seed)

    @property
    def now(self) -> dt.datetime:
        """The time up to which it has lived and published."""
        return dt.datetime.fromtimestamp(self.service.now, dt.UTC)

    def advance(self, until: dt.datetime, on_step: Callable[[World], None] | None = None) -> None:
        """`advance_all` for this world alone.

        Args:
            on_step: called after each step, for a progress bar.
        """
        advance_all([self], until, (lambda _: on_step(self)) if on_step is not None else None)

    def advance_by(self, on_step: Callable[[World], None] | None = None, **timedelta: float) -> None:
        """`advance` by `hours=`, `minutes=` and so on from AWS's clock."""
        self.advance(self.aws.now() + dt.timedelta(**timedelta), on_step)

    def obey(self) -> None:
        """Reads the knobs, and uses them from now on."""
        self._obey(self._read())

    def _obey(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.service.set_weight(knobs.share)
        self.service.set_routes(migrated=knobs.migrated, temporary=knobs.temporary)
        self.service.workers = knobs.workers
        self.service.set_units(table=knobs.table_units, index=knobs.index_units)
        if knobs.migrated:
            self.begin("migration")

    def begin(self, phase: str) -> None:
        """Notes that `phase` (a notebook) has set its weight, or `migration` has happened: waiting faults begin."""
        if self.service.scenario.waits_for(phase):
            self.service.live_by(self.service.scenario.begun(phase, self.service.hour))

    def horizon(self, end: float) -> float:
        """End of the next step: the next full hour, or before the first moment at which a guard may change."""
        now = self.service.now
        if not self.knobs.deployed:  # there are no guards
            return min(end, _after(now, HISTORY_S))
        horizon = min(end, _after(now, COARSE_S))
        fine = min(end, _after(now, FINE_S))
        if self._ahead.blind or self._ahead.breaches(Rows.empty()) < math.inf:
            return fine
        first = self._ahead.breaches(self.service.fork().run(horizon).rows)
        if first == math.inf:
            return horizon
        return max(fine, first // FINE_S * FINE_S)

    def live(self, until: float) -> WorldStep:
        """The events up to `until`, not published yet."""
        return self.service.run(until)

    def publish(self, step: WorldStep) -> None:
        """Publishes to AWS: jobs, logs and metrics in parallel, since one is packed while another is stored."""
        service = self.service
        step.rows = self._outbox.send(step.rows, service.scenario, service.origin, step.end)
        if not self.knobs.deployed:
            # No queue, table and worker exist that could publish anything.
            step.rows = step.rows.where(np.isin(step.rows.signal, _BASELINE))
        with ThreadPoolExecutor(2) as pool:
            items = pool.submit(self._items.put, step.jobs)
            logs = pool.submit(publish.put_failures, self.aws.client("logs"), self.params, step.failures)
            publish.put_access(self.aws.client("logs"), self.params, step.answers)
            self.truth.data += self._metrics.put(step.rows)
            if self.knobs.deployed:
                told = self._own.tell(step, service.scenario, service.origin)
                self.truth.data += publish.put_own(self.aws.client("cloudwatch"), told)
            self.truth.items += items.result()
            logs.result()
        self.truth.add(step)
        self._ahead.remember(step.rows, step.end)


def advance_all(
    worlds: Sequence[World], until: dt.datetime, on_step: Callable[[dt.datetime], None] | None = None
) -> None:
    """Lets time pass up to `until` for all of them; afterwards AWS's clock is there, and everything is published.

    They live in step: time is moved by an hour while no guard alarm of any can change, and by five minutes while one
    can; the knobs are read again after each step, so every automatic change by AWS is followed.

    Args:
        worlds: worlds on one embedded AWS, each of another environment.
        until: aware; nothing happens if it is past.
        on_step: called after each step with the time reached.
    """
    if not worlds:
        return
    aws, end = worlds[0].aws, until.timestamp()

    def live(to: float) -> None:
        steps = [(world, world.live(to)) for world in worlds if world.service.now < to]
        instant = dt.datetime.fromtimestamp(to, dt.UTC)
        # Its clock runs on while points are put: it may be there already.
        if instant > aws.now():
            aws.move_to(instant)
        for world, step in steps:
            world.publish(step)

    # A knob may have changed while the clock ran on: until now the old values were in force.
    live(min(aws.now().timestamp(), end))
    while min(world.service.now for world in worlds) < end:
        for world in worlds:
            world.obey()
        to = min(world.horizon(end) for world in worlds)
        live(to)
        if on_step is not None:
            on_step(dt.datetime.fromtimestamp(to, dt.UTC))
    for world in worlds:
        world.obey()


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
