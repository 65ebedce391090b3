"""The service's own metrics: those that `measures:` of gates.yaml describe, as the service's code publishes them.

Only the declaration and its gate are known. So on a good day each is well within its target, and a fault sets its level
for a time (`measures` of a fault). Requests are counted and timed one by one; levels are published once a minute, so
that any statistic gives the level. A metric of several measures has one run of points (`own_metrics`). The numbers are
the same for any division of time into steps.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runbook_lib.judge.special import special
from runbook_lib.params.load import Params
from runbook_lib.rehearse.world.arrivals import HOUR_S
from runbook_lib.rehearse.world.own_metrics import DAY_MIN, GAUGE_MIN, SPREAD, Key, OwnMetrics, Part
from runbook_lib.rehearse.world.rows import Floats
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.step import WorldStep

MINUTE_S = 60.0
WAVERS = 0.1
"""Share of its value by which a level goes up and down from one period of a gauge to the next."""


class Told(NamedTuple):
    """Points of one metric, in order of time; shape (n,) each."""

    address: dict[str, object]
    """Namespace, MetricName and Dimensions, as in CloudWatch."""
    at: Floats
    value: Floats

    def between(self, start: float, end: float) -> Told:
        """The points in [start, end)."""
        part = slice(*self.at.searchsorted([start, end]).tolist())
        return self._replace(at=self.at[part], value=self.value[part])


Points = tuple[Floats, Floats]
"""Times, ascending, and values."""


class Own:
    """The service's own metrics in one world.

    Args:
        scenario: scenario whose faults name measures.
        seed: seed of the world.

    Raises:
        UsageError: a fault sets a measure to what cannot be played.
    """

    def __init__(self, params: Params, scenario: Scenario, seed: int) -> None:
        self._metrics, self._seed = OwnMetrics(params, scenario), seed

    def tell(self, step: WorldStep, scenario: Scenario, origin: float) -> list[Told]:
        """The published points of a step.

        Args:
            origin: epoch seconds at which the scenario's hours begin.
        """
        if not self._metrics.published:
            return []
        asked = step.requests.at[step.requests.is_async]
        minutes: Floats = MINUTE_S * np.arange(
            np.ceil(step.start / MINUTE_S), np.ceil(step.end / MINUTE_S), dtype=float
        )
        play = _Play(self._metrics, self._seed, asked, minutes, lambda at: (at - origin) / HOUR_S, scenario)
        told = ((where, *play.points(key)) for key, where in self._metrics.published.items())
        return [Told(where, at, value) for where, at, value in told if len(at)]


class _Play:
    """One step of time: each metric's points, made once."""

    def __init__(
        self,
        metrics: OwnMetrics,
        seed: int,
        asked: Floats,
        minutes: Floats,
        hour: Callable[[Floats], Floats],
        scenario: Scenario,
    ) -> None:
        self._metrics, self._seed, self._asked, self._minutes = metrics, seed, asked, minutes
        self._hour, self._scenario = hour, scenario
        self.points = functools.cache(self._points)

    def _points(self, key: Key) -> Points:
        """The points of one of the service's own metrics."""
        players = self._metrics.players.get(key, [])
        if not players:
            made = self._metrics.made_of(key)
            at = self._asked if any(map(self._metrics.by_request, made)) else self._minutes
            at = at[~self._silent(made, at)]
            return at, np.ones(len(at))
        parts = [self._played(one, players) for one in players]
        at, value = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(at, kind="stable")
        at, value = at[order], value[order]
        known = ~self._silent(self._metrics.made_of(key), at)
        return at[known], value[known]

    def _played(self, part: Part, players: list[Part]) -> Points:
        """The points that a player of a metric publishes while it is the one that plays."""
        at = self._times(part)
        hour = self._hour(at)
        mine = self._faulty(part, hour)
        if part is players[0]:
            mine |= ~np.any([self._faulty(one, hour) for one in players], axis=0)
        at = at[mine]
        return _figure(part, at, self._level(part, hour[mine]), self._seed, silent=self._metrics.silent_at_zero(part))

    def _times(self, part: Part) -> Floats:
        """The times at which there is something to count or to publish."""
        among = self._metrics.among(part)
        if not among:
            return self._asked if self._metrics.by_request(part) else self._minutes
        at, value = self.points(part.sides["of"].key)
        return at[value > 0] if part.sides["of"].stat == "Sum" else at

    def _level(self, part: Part, hour: Floats) -> Floats:
        """The measure's level at each hour; NaN: nothing is published."""
        return self._in_force(part, hour)[0]

    def _faulty(self, part: Part, hour: Floats) -> NDArray[np.bool_]:
        """Whether a fault sets the measure at each hour."""
        return self._in_force(part, hour)[1]

    def _silent(self, parts: list[Part], at: Floats) -> NDArray[np.bool_]:
        """Whether a fault silences one of the measures, and with it its metrics."""
        return np.asarray(np.any([np.isnan(self._level(one, self._hour(at))) for one in parts], axis=0))

    def _in_force(self, part: Part, hour: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        edges = self._scenario.edges()
        levels, faulty = [], []
        for at in (0.0, *edges):
            level, on = part.usual, False
            for fault in self._scenario.faults:
                if part.name in fault.measures and (share := fault.level(at)):
                    wanted, on = fault.measures[part.name], True
                    level = np.nan if wanted is None else level + share * (wanted - level)
            levels.append(level)
            faulty.append(on)
        place = np.searchsorted(np.asarray(edges), hour, side="right")
        return np.asarray(levels)[place], np.asarray(faulty)[place]


def _figure(part: Part, at: Floats, level: Floats, seed: int, *, silent: bool) -> Points:
    """The points that put a measure's figure at `level`; none where that is NaN."""
    known = ~np.isnan(level)
    at, level = at[known], level[known]
    own, gate, salt = part.own, part.gate, f"{seed}:{part.name}"
    if own.kind == "rate":
        hit = (_uniform(at, salt) < level) == (part.figure == "bad")
        shown = hit if silent else np.ones(len(at), dtype=bool)
        return at[shown], hit[shown].astype(float)
    if own.kind == "quantile":
        chance, middle = _uniform(at, salt), special.ndtri(gate.quantile or 0.5)
        return at, own.divided_by * level * np.exp(SPREAD * (special.ndtri(np.clip(chance, 1e-9, 1 - 1e-9)) - middle))
    if not gate.constant and own.kind == "gauge":
        # A level wavers on its good side: the fault's value is its worst.
        period = GAUGE_MIN * MINUTE_S
        wave = WAVERS * _uniform(np.floor(at / period) * period, salt)
        level = level * (1 + wave * (1 if gate.higher_is_better else -1))
    if gate.unit == "ratio":
        level = np.minimum(level, 1.0)
    return _told(part, at, own.divided_by * level)


def _told(part: Part, at: Floats, level: Floats) -> Points:
    """Points whose statistic, divided by that of `of`, is `level` in a period."""
    main, of = part.main, part.sides.get("of")
    minutes = GAUGE_MIN if part.own.kind == "gauge" else DAY_MIN
    adding = (main.adds_up, of is not None and of.adds_up)
    each = level * {(True, False): 1 / minutes, (False, True): float(minutes)}.get(adding, 1.0)
    whole = part.gate.unit == "messages"
    if not main.adds_up or (main.stat == "Sum" and not whole):
        return at, np.round(each) if whole else each
    # Whole numbers: after k minutes as many as fit into k times the rate.
    minute = np.round(at / MINUTE_S)
    count = (np.floor(minute * each + each + 1e-6) - np.floor(minute * each + 1e-6)).astype(int)
    if main.stat == "Sum":
        return at, count.astype(float)
    return np.repeat(at, count), np.ones(int(count.sum()))


def _uniform(at: Floats, salt: str) -> Floats:
    """A number in [0, 1) for each time, from its millisecond (splitmix64: Steele, Lea and Flood 2014)."""
    mixed = np.round(at * 1000).astype(np.uint64) + np.uint64(zlib.crc32(salt.encode()) << 20)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed >> np.uint64(11)).astype(float) / 2.0**53)
