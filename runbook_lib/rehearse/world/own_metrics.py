"""Assigns each of the service's own metrics to its measures, and says what a scenario may set of them.

A metric has one run of points, however many measures use it. Its players are the measures whose own figure it is
(`value`, `bad`, `good`). On a good day the strictest of them plays it, and during a fault the one that the fault is
about. A metric that is only a divisor, or only proves a zero, has a point for each request or minute.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.judge.model import Gate
from runbook_lib.judge.numbers import LARGEST
from runbook_lib.judge.special import special
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.load import Params
from runbook_lib.params.measures import COUNTS, Measure, Side, metric_id
from runbook_lib.params.metrics import METRICS
from runbook_lib.rehearse.world.scenario import Scenario

FAILING = 0.1
"""Share of the failures within the target that occur on a good day."""
SPREAD = 0.5
"""Sigma of the lognormal times."""
MOST_A_MINUTE = 1_000.0
"""Most points per minute for a level given by their number (SampleCount)."""
GAUGE_MIN, DAY_MIN = 5, 1440
"""Minutes of a gauge's period, and of the span of an amount without `of`."""

Key = tuple[str, str, frozenset[tuple[str, str]]]


def key_of(metric: Mapping[str, Any]) -> Key:
    """The address of a metric, for any order of its dimensions."""
    pairs = ((one["Name"], one["Value"]) for one in metric.get("Dimensions") or ())
    return metric["Namespace"], metric["MetricName"], frozenset(pairs)


def good_day(gate: Gate) -> float:
    """A rate's failing share, or the level in the gate's unit, of a healthy service."""
    limit = gate.target.limit
    if gate.kind == "rate":
        return FAILING * (1 - limit if gate.higher_is_better else limit)
    if not gate.higher_is_better:
        return limit / 2
    return (1 + limit) / 2 if gate.unit == "ratio" else 2 * limit


class Asked(NamedTuple):
    """One side of a measure: its metric, and the statistic."""

    key: Key
    stat: str
    address: dict[str, Any]
    id: str
    """Id in the catalogue, or `measure.side`."""
    worlds: bool
    """Whether the metric is in the catalogue, under any name: the knobs of the simulated service play it."""

    @property
    def adds_up(self) -> bool:
        """Whether its figure grows with the length of the window."""
        return self.stat in COUNTS


class Part(NamedTuple):
    """One judged measure, with its metrics."""

    name: str
    gate: Gate
    own: Measure
    sides: Mapping[Side, Asked]

    @property
    def figure(self) -> Side:
        """The side that shows the measure's state."""
        return next(side for side in ("bad", "good", "value") if side in self.sides)

    @property
    def main(self) -> Asked:
        """The metric of `figure`."""
        return self.sides[self.figure]

    @property
    def usual(self) -> float:
        """The metric's level on a good day."""
        return good_day(self.gate)

    @property
    def by_request(self) -> bool:
        """Whether it has points at requests in any case; else once a minute."""
        sums = "of" in self.sides and self.main.adds_up and self.sides["of"].adds_up
        return self.own.kind in ("rate", "quantile") or (self.own.kind == "amount" and sums)

    @property
    def strictness(self) -> tuple[int, float]:
        """Sort key: of several measures of one metric the one with the least plays a good day."""
        middle = special.ndtri(self.gate.quantile or 0.5) if self.own.kind == "quantile" else 0.0
        typical = self.own.divided_by * self.usual * math.exp(-SPREAD * middle)
        best_is_high = self.gate.higher_is_better and self.own.kind != "rate"
        return ("rate", "quantile", "amount", "gauge").index(self.own.kind), -typical if best_is_high else typical


class OwnMetrics:
    """The service's own metrics, and the measures of each.

    Args:
        scenario: scenario whose faults name measures.

    Raises:
        UsageError: a fault sets what cannot be played; or measures divide by each other in a circle.
    """

    def __init__(self, params: Params, scenario: Scenario) -> None:
        self._params, self._catalogue = params, _catalogue(params)
        self.parts = {name: self._part(name, own) for name, own in params.policy.judged.items()}
        self.players: dict[Key, list[Part]] = {}
        for one in self.parts.values():
            if not one.main.worlds:
                self.players.setdefault(one.main.key, []).append(one)
        for several in self.players.values():
            several.sort(key=lambda one: one.strictness)
        for one in self.parts.values():
            self._ordered(one, ())
        _checked(self, scenario)

    def _part(self, name: str, own: Measure) -> Part:
        params = self._params
        gate = next(one for one in params.policy.gates if one.measure == name)
        sides = dict[Side, Asked]()
        for side, query in own.sides.items():
            id = metric_id(name, side, query)
            where = address(params.metric(id), params)
            key, stat = key_of(where), own.stat(side) or params.metric(id).stat
            known = self._catalogue.get(key, id)
            sides[side] = Asked(key, stat, where, known, known in METRICS)
        return Part(name, gate, own, sides)

    def _ordered(self, part: Part, through: tuple[str, ...]) -> None:
        if part.name in through:
            circle = " and ".join(f"'{name}'" for name in sorted(set(through)))
            raise UsageError(
                f"measures {circle} of gates.yaml are each counted among the other's: this cannot be played"
            )
        for one in self.among(part):
            self._ordered(one, (*through, part.name))

    @property
    def published(self) -> dict[Key, dict[str, Any]]:
        """Each of the service's own metrics, with its address."""
        sides = (side for part in self.parts.values() for side in part.sides.values())
        return {side.key: side.address for side in sides if not side.worlds}

    def made_of(self, key: Key) -> list[Part]:
        """The measures that use a metric, in any role."""
        return [part for part in self.parts.values() if any(side.key == key for side in part.sides.values())]

    def among(self, part: Part) -> list[Part]:
        """The measures whose figure is this one's `of`: it is a share of what they count."""
        of = part.sides.get("of")
        return [] if of is None or of.worlds or of.key == part.main.key else self.players.get(of.key, [])

    def by_request(self, part: Part) -> bool:
        """Whether it has a point at each request: it counts requests, or is divided by a metric that does."""
        of = part.sides.get("of")
        return part.by_request or (
            of is not None and any(one.by_request for one in self.made_of(of.key) if one.name != part.name)
        )

    def silent_at_zero(self, part: Part) -> bool:
        """Whether a request that does not count has no point; else it has a 0."""
        key = part.main.key
        proves = any(
            one.main.key == key and side.key == key
            for one in self.made_of(key)
            for name, side in one.sides.items()
            if name in ("of", "zero_while")
        )
        return part.main.stat == "SampleCount" or (part.own.zero_while is not None and not proves)


def _catalogue(params: Params) -> dict[Key, str]:
    """Id of each metric of the catalogue by its address, without those whose names `service.yaml` lacks."""
    found = dict[Key, str]()
    for id, metric in METRICS.items():
        with contextlib.suppress(UsageError):
            found[key_of(address(metric, params))] = id
    return found


def _checked(found: OwnMetrics, scenario: Scenario) -> None:
    """Refuses a scenario's settings that cannot be played."""
    told = dict[str, str]()
    for fault in scenario.faults:
        where = f"fault '{fault.name}' of scenario '{scenario.name}' sets measure"
        for name, level in sorted(fault.measures.items()):
            if name not in found.parts:
                raise UsageError(
                    f"{where} '{name}', which no gate of gates.yaml is judged on; {hint(name, found.parts)}".rstrip(
                        "; "
                    )
                )
            part = found.parts[name]
            if part.main.worlds:
                raise UsageError(f"{where} '{name}', {_knobs(part.main, level)}")
            for why in (*_impossible(part, level or 0.0), *_unplayable(found, part, level or 0.0)):
                raise UsageError(f"{where} '{name}' {why}")
            told[name] = where
    for several in found.players.values():
        both = [one.name for one in several if one.name in told]
        if len(both) > 1:
            raise UsageError(
                f"{told[both[0]]} '{both[0]}', and '{both[1]}' is set too, which is made of the same metric "
                f"{several[0].main.address['MetricName']}: set one of them"
            )


def _impossible(part: Part, level: float) -> Iterator[str]:
    """Why a level is impossible; nothing if it is possible."""
    said = f"to {level:g}"
    if part.own.kind == "rate" or part.gate.unit == "ratio":
        if not 0 <= level <= 1:
            yield f"{said}: expects a share, 0 to 1"
    elif part.gate.unit == "messages" and not level.is_integer():
        yield f"{said}: expects a whole number of messages"
    if not 0 <= level * part.own.divided_by <= LARGEST:
        yield f"{said}: expects a number of 0 or more that CloudWatch could hold"


def _unplayable(found: OwnMetrics, part: Part, level: float) -> Iterator[str]:
    """Why a measure cannot be played as it is declared; nothing if it can."""
    main, of = part.main, part.sides.get("of")
    if (
        part.own.kind == "rate"
        and of is not None
        and of.key == main.key
        and (main.stat, of.stat) != ("Sum", "SampleCount")
    ):
        yield f": {main.stat} and {of.stat} of one metric are no failures of requests; expects Sum of SampleCount"
    elif (
        part.own.kind != "rate"
        and of is not None
        and of.key == main.key
        and (main.stat == "SampleCount" or of.stat != "SampleCount")
    ):
        yield f": {main.stat} divided by {of.stat} of the same metric cannot be played; it can by SampleCount"
    elif any(one.own.kind != "rate" and of is not None and of.stat != "SampleCount" for one in found.among(part)):
        other = next(one.name for one in found.among(part) if one.own.kind != "rate")
        yield f": its `of` is {of.stat if of else ''} of what '{other}' is made of, which counts no requests"
    elif of is not None and found.by_request(part) and main.adds_up != of.adds_up:
        yield f": {main.stat} divided by {of.stat}, of a metric that counts requests, has no level of its own"
    elif main.stat == "SampleCount" and part.own.kind in ("gauge", "amount"):
        minutes = 1 if found.by_request(part) else GAUGE_MIN if part.own.kind == "gauge" else DAY_MIN
        if max(level, part.usual) * part.own.divided_by / minutes > MOST_A_MINUTE:
            yield ": it is told by the number of points, and they are too many to play; ask for Sum"


_KNOBS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("async_requests", "sync_requests", "status_requests", "api_requests", "submit_invocations"), "traffic"),
    (("async_5xx", "submit_errors", "api_5xx"), "submit_5xx"),
    (("async_4xx",), "gateway_4xx"),
    (("async_latency", "submit_duration"), "submit_latency_s"),
    (("sync_4xx",), "sync_4xx_gateway"),
    (("sync_5xx", "sync_latency", "sync_fn_duration", "sync_fn_errors", "vpr_generated"), "quick"),
    (("worker_errors",), "job_crash"),
    (("worker_throttles",), "concurrency"),
    (("worker_duration",), "llm_time"),
    (("worker_invocations", "queue_visible", "queue_in_flight", "queue_oldest_age"), "worker_limit"),
    (("queue_received", "queue_deleted", "queue_sent"), "worker_limit"),
    (("dlq_visible",), "poison"),
    (("table_write_throttles",), "table_throttled"),
    (("gsi_write_throttles",), "index_throttled"),
    (("table_writes", "gsi_writes"), "written_units"),
    (("jobs_created",), "accepted_lost"),
    (("jobs_completed", "jobs_failed"), "job_failed"),
    (("input_tokens", "output_tokens", "vpr_cost_usd"), "tokens"),
)
"""Metrics of the catalogue, and the knob of `Behaviour` that plays them."""


def knob(id: str) -> str:
    """The knob that plays a metric of the catalogue; empty: none does."""
    return next((name for ids, name in _KNOBS if id in ids), "")


def _knobs(main: Asked, level: float | None) -> str:
    """The advice which knob to turn instead."""
    said = f"which is made of {main.id} of the catalogue, and the simulated service plays that"
    if level is None:
        return f"{said}; name its signal under `silent` of the fault instead"
    played = knob(main.id)
    return f"{said}; " + (f"turn its knob `{played}` (`set` of the fault) instead" if played else "no knob changes it")
