"""What the service publishes of its own: the metrics that `measures:` of gates.yaml describe, as its code puts them.

Nothing is known of them but the declaration and its gate. So on a good day each is well within its target, and a fault
says how it is meanwhile (`measures` of a fault). Requests count and are timed one by one; levels are told once a
minute. The same numbers come out however time is cut into steps.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.judge.model import Gate
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.load import Params
from runbook_lib.params.measures import Measure, Side, metric_id
from runbook_lib.params.metrics import METRICS
from runbook_lib.rehearse.world.arrivals import HOUR_S
from runbook_lib.rehearse.world.rows import Floats
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.step import WorldStep

MINUTE_S, DAY_MIN = 60.0, 1440.0
FAILING = 0.1
"""On a good day this share of what the target allows fails."""
WAVERS = 0.1
"""A level goes up and down by this much of it."""
SPREAD = 0.5
"""Sigma of the lognormal times."""


class Told(NamedTuple):
    """Points of one metric, in order of time; shape (n,) each."""

    address: dict[str, object]
    """Namespace, MetricName and Dimensions, as CloudWatch has them."""
    at: Floats
    value: Floats


class Own:
    """The metrics of the service's own in one world.

    Args:
        scenario: whose faults name measures.
        seed: of the world.

    Raises:
        UsageError: a fault names a measure that no gate is judged on.
    """

    def __init__(self, params: Params, scenario: Scenario, seed: int) -> None:
        self._params, self._seed = params, seed
        self._judged = params.policy.judged
        for fault in scenario.faults:
            for name in sorted(fault.measures.keys() - self._judged.keys()):
                raise UsageError(
                    f"fault '{fault.name}' of scenario '{scenario.name}' sets measure '{name}', which no gate of "
                    f"gates.yaml is judged on; {hint(name, self._judged)}".rstrip("; ")
                )

    def tell(self, step: WorldStep, scenario: Scenario, origin: float) -> list[Told]:
        """What is published of a step.

        Args:
            origin: epoch seconds from which the scenario's hours are counted.
        """
        told: dict[str, Told] = {}  # several measures may be made of one metric
        asked = step.requests.at[step.requests.is_async]
        minutes: Floats = MINUTE_S * np.arange(
            np.ceil(step.start / MINUTE_S), np.ceil(step.end / MINUTE_S), dtype=float
        )
        for name, own in self._judged.items():
            gate = next(one for one in self._params.policy.gates if one.measure == name)
            counted = own.kind in ("rate", "quantile") or (own.kind == "amount" and own.of is not None)
            at: Floats = asked if counted else minutes
            level = _level(scenario, name, good_day(gate), (at - origin) / HOUR_S)
            known = ~np.isnan(level)
            at, level = at[known], level[known]
            chance = _uniform(at, f"{self._seed}:{name}")
            for side, when, value in _points(gate, own, at, level, chance):
                id = metric_id(name, side, own.sides[side])
                if id not in METRICS and len(when):  # those of the catalogue the world publishes already
                    where = address(self._params.metric(id), self._params)
                    told.setdefault(str(where), Told(where, when, value))
        return list(told.values())


def good_day(gate: Gate) -> float:
    """A rate's failing share, or the level in the gate's unit, of a service that is well."""
    limit = gate.target.limit
    if gate.kind == "rate":
        return FAILING * (1 - limit if gate.higher_is_better else limit)
    if not gate.higher_is_better:
        return limit / 2
    return (1 + limit) / 2 if gate.unit == "ratio" else 2 * limit


def _level(scenario: Scenario, name: str, usual: float, hour: Floats) -> Floats:
    """How the measure is at each hour; NaN: nothing is published."""
    edges = scenario.edges()
    levels = []
    for at in (0.0, *edges):
        level = usual
        for fault in scenario.faults:
            if name in fault.measures and (share := fault.level(at)):
                wanted = fault.measures[name]
                level = np.nan if wanted is None else level + share * (wanted - level)
        levels.append(level)
    return np.asarray(levels)[np.searchsorted(np.asarray(edges), hour, side="right")]


def _points(
    gate: Gate, own: Measure, at: Floats, level: Floats, chance: Floats
) -> Iterator[tuple[Side, Floats, Floats]]:
    """Each side with its times and values; a counter that is said to be silent at zero has no zeros."""
    one = np.ones(len(at))
    if own.kind == "rate":
        side: Side = "bad" if own.bad is not None else "good"
        hit = (chance < level) == (side == "bad")
        shown = hit if own.zero_while is not None else np.ones(len(at), dtype=bool)
        yield side, at[shown], hit[shown].astype(float)
    elif own.kind == "quantile":
        middle = ndtri(gate.quantile or 0.5)
        yield "value", at, own.divided_by * level * np.exp(SPREAD * (ndtri(np.clip(chance, 1e-9, 1 - 1e-9)) - middle))
    else:
        # A level wavers on its good side: it is what the fault says at its worst.
        wavers = (
            1.0 if gate.constant or own.kind == "amount" else 1 + WAVERS * chance * (1 if gate.higher_is_better else -1)
        )
        value = level * wavers
        if own.kind == "amount" and own.of is None and own.stat("value") == "Sum":
            value = value / DAY_MIN
        if gate.unit == "ratio" and own.of is not None:
            value = np.minimum(value, 1.0)
        yield "value", at, own.divided_by * (np.round(value) if gate.unit == "messages" else value)
    for other in ("of", "zero_while"):
        if other in own.sides:
            yield other, at, one


def _uniform(at: Floats, salt: str) -> Floats:
    """A number in [0, 1) for each time, by its millisecond (splitmix64: Steele, Lea and Flood 2014)."""
    mixed = np.round(at * 1000).astype(np.uint64) + np.uint64(zlib.crc32(salt.encode()) << 20)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed >> np.uint64(11)).astype(float) / 2.0**53)
