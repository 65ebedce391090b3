"""AWS's answers to a look, from the simulation's own rows in this process: for many seeds in little time.

No emulator, no network, no clock of its own. The questions are those of `observe` (addresses, dimensions, statistics,
the census's scan), and they get an answer only if the world published under the same address; so a metric with a wrong
name has no data here either. `local_flags.py` has what AWS does by itself.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runbook_lib.base.tagged import handed_back
from runbook_lib.base.window import Window
from runbook_lib.observe.metrics.fetch import Answers, Ask, Placed, Series, query_of
from runbook_lib.params.item import own
from runbook_lib.params.load import Params
from runbook_lib.rehearse.world.jobs import Job
from runbook_lib.rehearse.world.own import Told
from runbook_lib.rehearse.world.own_metrics import Key, key_of
from runbook_lib.rehearse.world.publish import COARSE, COARSE_MINUTES, MINUTE_S, plain_item
from runbook_lib.rehearse.world.rows import ID, SIGNALS, Floats, Rows
from runbook_lib.rehearse.world.targets import Target

_STEP_S = MINUTE_S * np.array([COARSE_MINUTES if COARSE.search(name) else 1 for name in SIGNALS])
"""Seconds between two points of each signal."""
_NONE: tuple[Floats, Floats] = (np.empty(0), np.empty(0))
_FIRST = np.zeros(1, dtype=np.intp)


class _Column:
    """Points of one signal; sorted by time at the first use."""

    def __init__(self) -> None:
        self._stamp, self._value, self._n = np.empty(256), np.empty(256), 0
        self._new: list[tuple[Floats, Floats]] = []

    def add(self, stamp: Floats, value: Floats) -> None:
        """Adds points; those of one time keep the order of their arrival."""
        self._new.append((stamp, value))

    @property
    def parts(self) -> tuple[Floats, Floats]:
        """Stamps, ascending, and values."""
        if self._new:
            self._take(*map(np.concatenate, zip(*self._new, strict=True)))
            self._new = []
        return self._stamp[: self._n], self._value[: self._n]

    def _take(self, stamp: Floats, value: Floats) -> None:
        before, end = self._n, self._n + len(stamp)
        if end > len(self._stamp):
            room = np.empty(end)
            self._stamp, self._value = (np.concatenate([one[:before], room]) for one in (self._stamp, self._value))
        order = np.argsort(stamp, kind="stable")
        self._stamp[before:end], self._value[before:end], self._n = stamp[order], value[order], end
        if before and self._stamp[before] < self._stamp[before - 1]:  # published late
            order = np.argsort(self._stamp[:end], kind="stable")
            self._stamp[:end], self._value[:end] = self._stamp[order], self._value[order]


class LocalMetrics:
    """CloudWatch's GetMetricData over rows; `boto3.client("cloudwatch")` as far as `observe.fetch` uses it."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._signals: dict[Key, list[int]] = {}
        for one in targets:
            key = (one.namespace, one.name, frozenset(one.dimensions))
            self._signals.setdefault(key, []).append(ID[one.signal])
        self._columns: defaultdict[int, _Column] = defaultdict(_Column)
        self._own: dict[Key, _Column] = {}
        self._asked: tuple[Params | None, dict[str, Placed]] = None, {}
        """The parameters that were asked by last, and where they say that each metric is kept."""
        self._grids: dict[tuple[float, int], list[dt.datetime]] = {}
        """Start of a window and period to the starts of its buckets as times: looks ask for the same ones again."""

    def put(self, rows: Rows) -> None:
        """Adds the values for CloudWatch, filed as in `publish.Metrics`: by the minute, or by five."""
        if not len(rows):
            return
        order = np.argsort(rows.signal, kind="stable")
        signal, value = rows.signal[order], rows.value[order]
        step = _STEP_S[signal]
        stamp = np.floor(rows.stamp[order] / step) * step
        edges = [0, *(np.flatnonzero(signal[1:] != signal[:-1]) + 1).tolist(), len(signal)]
        for low, high in itertools.pairwise(edges):
            self._columns[int(signal[low])].add(stamp[low:high], value[low:high])

    def put_own(self, told: Iterable[Told]) -> None:
        """Adds the service's own metrics, filed by the minute."""
        for one in told:
            self._own.setdefault(key_of(one.address), _Column()).add(np.floor(one.at / MINUTE_S) * MINUTE_S, one.value)

    def behind(self, key: Key) -> Sequence[int]:
        """The signals that are published under `key`."""
        return self._signals.get(key, ())

    def series(self, key: Key) -> tuple[Floats, Floats]:
        """Stamps (epoch seconds, ascending) and values of everything published under `key`."""
        if key in self._own:
            return self._own[key].parts
        found = [self._columns[number].parts for number in self.behind(key) if number in self._columns]
        if len(found) <= 1:
            return found[0] if found else _NONE
        stamp, value = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(stamp, kind="stable")
        return stamp[order], value[order]

    def answers(self, params: Params, asks: Sequence[Ask], now: dt.datetime) -> Answers:
        """The answers of `observe.fetch.fetch` to `asks`, without the way through JSON."""
        queries, series = [], dict[str, Series]()
        if params is not self._asked[0]:
            self._asked = params, {}
        for ask in asks:
            if ask.window.empty:
                continue
            query = query_of(ask, params, now, self._asked[1])
            queries.append(query)
            times, values = self._buckets(query["address"], query["period_s"], query["stat"], ask.window)
            good = np.isfinite(values) & (values >= 0)
            at, known = self._times(ask.window, query["period_s"], times[good]), values[good].tolist()
            points = tuple(zip(at, known, strict=True))
            series[ask.label] = one = Series(
                label=ask.label,
                metric=ask.metric_id,
                stat=query["stat"],
                period_s=query["period_s"],
                whole=query["whole"],
                points=points,
                partial=bool((values < 0).any()),
                notes=(),
            )
            one.__dict__.update(times=at, values=known)  # both are there: a look takes them apart again otherwise
        return Answers(raw=[{"queries": queries, "pages": [{}]}] if queries else [], series=series)

    def _times(self, window: Window, period: int, starts: Floats) -> list[dt.datetime]:
        """`starts`, epoch seconds on the window's grid of `period`, as times."""
        if not len(starts):
            return []
        first = window.start.timestamp()
        grid, slots = self._grids.setdefault((first, period), []), np.rint((starts - first) / period).astype(int)
        grid += (dt.datetime.fromtimestamp(first + k * float(period), dt.UTC) for k in range(len(grid), slots[-1] + 1))
        return [grid[k] for k in slots.tolist()]

    def _buckets(self, address: dict[str, Any], period: int, stat: str, window: Window) -> tuple[Floats, Floats]:
        """Start and statistic of each bucket of `window` that has data."""
        start, end = window.start.timestamp(), window.end.timestamp()
        stamp, value = self.series(key_of(address))
        low, high = stamp.searchsorted([start, end]).tolist()
        stamp, value = stamp[low:high], value[low:high]
        if not len(stamp):
            return _NONE
        slot = np.floor((stamp - start) / period)
        edges = np.concatenate([_FIRST, np.flatnonzero(slot[1:] != slot[:-1]) + 1])
        return start + slot[edges] * period, statistics(value, edges, stat)

    def get_paginator(self, operation: str) -> LocalMetrics:
        """The paginator of GetMetricData: this object, whose answer is one page."""
        if operation != "get_metric_data":
            raise ValueError(f"{operation} is not answered in this process")
        return self

    def paginate(
        self, *, StartTime: dt.datetime, EndTime: dt.datetime, MetricDataQueries: Sequence[dict[str, Any]], **_: Any
    ) -> Iterator[dict[str, Any]]:
        """GetMetricData; periods begin at StartTime, as on AWS."""
        window = Window(StartTime, EndTime)
        yield {"Messages": [], "MetricDataResults": [self._answer(one, window) for one in MetricDataQueries]}

    def _answer(self, query: dict[str, Any], window: Window) -> dict[str, Any]:
        asked = query["MetricStat"]
        times, values = self._buckets(asked["Metric"], int(asked["Period"]), asked["Stat"], window)
        stamps = [dt.datetime.fromtimestamp(at, dt.UTC) for at in times.tolist()]
        said = {"Id": query["Id"], "StatusCode": "Complete", "Messages": []}
        return {**said, "Timestamps": stamps, "Values": values.tolist()}


def statistics(values: Floats, first: NDArray[np.intp], stat: str) -> Floats:
    """A statistic of CloudWatch for each run of `values` (n,) that begins at `first` (m,); shape (m,).

    Percentiles interpolate linearly.

    Raises:
        ValueError: the statistic is not used here.
    """
    if stat == "Sum":
        return np.add.reduceat(values, first)
    if stat == "Maximum":
        return np.maximum.reduceat(values, first)
    if stat == "Minimum":
        return np.minimum.reduceat(values, first)
    if stat in ("SampleCount", "Average"):
        count = np.diff(np.append(first, len(values))).astype(float)
        return count if stat == "SampleCount" else np.add.reduceat(values, first) / count
    if stat.startswith("p"):
        return _percentiles(values, first, float(stat[1:]))
    raise ValueError(f"statistic {stat} is not answered in this process")


def _percentiles(values: Floats, first: NDArray[np.intp], share: float) -> Floats:
    """`np.percentile` of each run of `values`, all runs at once."""
    sizes = np.diff(np.append(first, len(values)))
    run = np.repeat(np.arange(len(first)), sizes)
    ordered = values[np.lexsort((values, run))]
    place = (sizes - 1) * share / 100
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, sizes - 1)
    below, above = ordered[first + low], ordered[first + high]
    return np.asarray(below + (above - below) * (place - low))


class LocalTable:
    """The jobs table, as far as the census reads it; items are not deleted by their TTL."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._place: dict[str, int] = {}
        self._jobs: list[Job] = []
        self._plain: list[dict[str, Any] | None] = []
        """Each job as the census reads it; None: not asked for since its last change."""
        self._created = np.empty(1024)

    def put(self, jobs: Iterable[Job]) -> None:
        """Stores the jobs' items with their last status."""
        for job in jobs:
            place = self._place.setdefault(job.job_id, len(self._jobs))
            if place == len(self._jobs):
                self._jobs.append(job)
                self._plain.append(None)
                if place == len(self._created):
                    self._created = np.concatenate([self._created, np.empty(place)])
            self._jobs[place], self._plain[place], self._created[place] = job, None, job.created

    def jobs(self, window: Window) -> tuple[list[dict[str, Any]], float]:
        """The items created in `window`, and some at its edges; and 0 read units."""
        created = self._created[: len(self._jobs)]
        low, high = window.start.timestamp() - 1, window.end.timestamp() + 1
        return [self._item(place) for place in np.flatnonzero((created >= low) & (created < high)).tolist()], 0.0

    def _item(self, place: int) -> dict[str, Any]:
        found = self._plain[place]
        if found is None:
            stored = handed_back(plain_item(self._jobs[place], self._params))
            found = self._plain[place] = own(stored, self._params.service.contract)
        return found
