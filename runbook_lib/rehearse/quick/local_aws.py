"""What a look asks of AWS, answered from the simulation's own rows in this process: for many seeds in little time.

No emulator, no network, no clock of its own. The questions are those of `observe` (addresses, dimensions, statistics,
the census's scan), and they are answered only where the world published under the same address; so a metric that is
asked for under a wrong name has no data here either. What AWS does by itself is in `local_flags.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runbook_lib.observe.fetch import Answers, Ask, Series, query_of
from runbook_lib.observe.window import Window
from runbook_lib.params import Params
from runbook_lib.rehearse.jobs import Job
from runbook_lib.rehearse.publish import COARSE, COARSE_MINUTES, MINUTE_S, Target, item
from runbook_lib.rehearse.rows import ID, SIGNALS, Floats, Rows

Key = tuple[str, str, frozenset[tuple[str, str]]]
_NONE: tuple[Floats, Floats] = (np.empty(0), np.empty(0))


@cache
def _at(epoch: float) -> dt.datetime:
    """The moment of an epoch second; asked for the same minutes again and again."""
    return dt.datetime.fromtimestamp(epoch, dt.UTC)


def key_of(metric: dict[str, Any]) -> Key:
    """The address of a metric, whatever order its dimensions come in."""
    pairs = ((one["Name"], one["Value"]) for one in metric.get("Dimensions") or ())
    return metric["Namespace"], metric["MetricName"], frozenset(pairs)


class LocalMetrics:
    """CloudWatch's GetMetricData over rows; `boto3.client("cloudwatch")` as far as `observe.fetch` uses it."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._signals: dict[Key, list[int]] = {}
        for one in targets:
            key = (one.namespace, one.name, frozenset(one.dimensions))
            self._signals.setdefault(key, []).append(ID[one.signal])
        self._parts: dict[int, list[tuple[Floats, Floats]]] = {}

    def put(self, rows: Rows) -> None:
        """Take in what CloudWatch is told, filed as `publish.Metrics` files it: by the minute, or by five."""
        if not len(rows):
            return
        order = np.argsort(rows.signal, kind="stable")
        signal, stamp, value = rows.signal[order], rows.stamp[order], rows.value[order]
        found, first = np.unique(signal, return_index=True)
        for number, low, high in zip(found, first, [*first[1:], len(signal)], strict=True):
            step = MINUTE_S * (COARSE_MINUTES if COARSE.search(SIGNALS[number]) else 1)
            at = np.floor(stamp[low:high] / step) * step
            self._parts.setdefault(int(number), []).append((at, value[low:high]))

    def series(self, key: Key) -> tuple[Floats, Floats]:
        """Stamps (epoch seconds, ascending) and values of everything published under `key`."""
        signals = self._signals.get(key, [])
        found = [self._sorted(number) for number in signals]
        if len(found) <= 1:
            return found[0] if found else _NONE
        stamp, value = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(stamp, kind="stable")
        return stamp[order], value[order]

    def _sorted(self, number: int) -> tuple[Floats, Floats]:
        parts = self._parts.get(number)
        if not parts:
            return _NONE
        if len(parts) > 1:
            stamp, value = (np.concatenate(column) for column in zip(*parts, strict=True))
            order = np.argsort(stamp, kind="stable")
            parts[:] = [(stamp[order], value[order])]
        return parts[0]

    def answers(self, params: Params, asks: Sequence[Ask], now: dt.datetime) -> Answers:
        """What `observe.fetch.fetch` would give for `asks`, without the way through JSON."""
        queries, series = [], dict[str, Series]()
        for ask in asks:
            if ask.window.empty:
                continue
            query = query_of(ask, params, now)
            queries.append(query)
            times, values = self._buckets(query["address"], query["period_s"], query["stat"], ask.window)
            good = np.isfinite(values) & (values >= 0)
            points = tuple(zip(map(_at, times[good].tolist()), values[good].tolist(), strict=True))
            series[ask.label] = Series(
                label=ask.label, metric=ask.metric_id, stat=query["stat"], period_s=query["period_s"],
                whole=query["whole"], points=points, partial=bool((values < 0).any()), notes=(),
            )  # fmt: skip
        return Answers(raw=[{"queries": queries, "pages": [{}]}] if queries else [], series=series)

    def _buckets(self, address: dict[str, Any], period: int, stat: str, window: Window) -> tuple[Floats, Floats]:
        """Start and statistic of each bucket of `window` that has data."""
        start, end = window.start.timestamp(), window.end.timestamp()
        stamp, value = self.series(key_of(address))
        low, high = np.searchsorted(stamp, [start, end])
        stamp, value = stamp[low:high], value[low:high]
        if not len(stamp):
            return _NONE
        slot = ((stamp - start) // period).astype(int)
        edges = np.flatnonzero(np.diff(slot, prepend=-1))
        return start + slot[edges] * float(period), statistics(value, edges, stat)

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
    """One of CloudWatch's statistics of each run of `values` (n,) that begins at `first` (m,); shape (m,).

    Percentiles interpolate linearly.

    Raises:
        ValueError: a statistic that nothing here asks for.
    """
    if stat == "Sum":
        return np.add.reduceat(values, first)
    if stat == "Maximum":
        return np.maximum.reduceat(values, first)
    if stat == "SampleCount":
        return np.diff(np.append(first, len(values))).astype(float)
    if stat.startswith("p"):
        share = float(stat[1:])
        return np.array([np.percentile(part, share) for part in np.split(values, first[1:])])
    raise ValueError(f"statistic {stat} is not answered in this process")


class LocalTable:
    """The jobs table; `boto3.client("dynamodb")` as far as the census uses it."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._items: dict[str, dict[str, Any]] = {}
        self._created: dict[str, str] = {}
        self._over: dict[str, tuple[float, bool]] = {}
        """Job to (created, epoch seconds; whether it completed or failed)."""

    def put(self, jobs: Iterable[Job]) -> None:
        """The jobs' items as their last status has it."""
        for job in jobs:
            made = item(job, self._params)
            self._items[job.job_id] = made
            self._created[job.job_id] = made["created_at"]["S"]
            self._over[job.job_id] = (round(job.created, 3), job.written in ("COMPLETED", "FAILED"))

    def vanished(self, start: float, end: float) -> tuple[int, int]:
        """As `observe.census.vanished` counts: jobs created in [start, end) that are not over, and all of them."""
        mine = [over for created, over in self._over.values() if start <= created < end]
        return len(mine) - sum(mine), len(mine)

    def scan(self, *, ExpressionAttributeValues: dict[str, dict[str, str]], **_: Any) -> dict[str, Any]:
        """One page with the items created between `:low` and `:high`; items are not deleted by their TTL."""
        low, high = (ExpressionAttributeValues[name]["S"] for name in (":low", ":high"))
        return {"Items": [self._items[id] for id, created in self._created.items() if low <= created < high]}
