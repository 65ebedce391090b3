"""One batched, paginated GetMetricData fetch: raw answers kept, points cleaned, nothing invented.

Answers that make no sense are treated as follows, each with a note for the evidence:
- not a number, infinite: dropped. Negative: dropped (nothing measured here can be), and the answer counts as partial.
- out of order: sorted. The same point twice: once. Two values for one point: the later answer wins, and counts as
  partial.
- a point outside what was asked (more than one period before the start, or at or after the end): dropped.
- times and values that do not pair up: none of them is believed, and the answer counts as partial.
- a last StatusCode other than Complete (PartialData, InternalError, Forbidden), or no answer at all: partial.
- no point: no data, which is not zero (trap 5). Whether it is harmless is for `measure` to prove.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, Literal

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import UsageError
from runbook_lib.base.window import Window, iso, one_bucket, parse, period_for
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.load import Params
from runbook_lib.params.metrics import Metric, metric

MAX_QUERIES = 500
"""At most this many queries fit into one GetMetricData call."""
Point = tuple[dt.datetime, float]
Placed = tuple[Metric, dict[str, Any]]
"""A metric, and where CloudWatch keeps it."""


@dataclass(frozen=True)
class Ask:
    """One question to CloudWatch.

    Args:
        stat: None: the statistic of the runbook's own catalogue.
        period_s: None: the finest that is still kept; "window": one bucket for the whole window.
        label: names the answer; empty: `<metric>:<stat>`, with `:window` at the end for one bucket.
    """

    metric_id: str
    window: Window
    stat: str | None = None
    period_s: int | Literal["window"] | None = None
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "stat", self.stat or metric(self.metric_id).stat)
        if not self.label:
            tail = ":window" if self.period_s == "window" else ""
            object.__setattr__(self, "label", f"{self.metric_id}:{self.stat}{tail}")


@dataclass(frozen=True)
class Series:
    """The cleaned answer to one question."""

    label: str
    metric: str
    stat: str
    period_s: int
    whole: bool
    """Whether it was asked as one bucket for the whole window."""
    points: tuple[Point, ...]
    partial: bool
    notes: tuple[str, ...]

    @cached_property
    def times(self) -> list[dt.datetime]:
        """Of the points, in their order."""
        return [at for at, _ in self.points]

    @cached_property
    def values(self) -> list[float]:
        """Of the points, in their order."""
        return [value for _, value in self.points]

    @cached_property
    def seconds(self) -> list[int]:
        """Whole epoch seconds of the points, in their order."""
        return [int(at.timestamp()) for at in self.times]

    def within(self, window: Window) -> slice:
        """The place of the points that are in `window`."""
        return slice(bisect_left(self.times, window.start), bisect_left(self.times, window.end))


def fetch(cloudwatch: Any, params: Params, asks: Sequence[Ask], now: dt.datetime) -> Answers:
    """Asks CloudWatch everything in as few calls as possible; botocore retries. Empty windows are not asked.

    Raises:
        AwsError: CloudWatch refused or did not answer.
        UsageError: two questions under one label, an unknown metric, or a window beyond what CloudWatch keeps.
    """
    by_window: dict[tuple[dt.datetime, dt.datetime], list[dict[str, Any]]] = defaultdict(list)
    seen: dict[str, Ask] = {}
    known: dict[str, Placed] = {}
    for ask in asks:
        if seen.setdefault(ask.label, ask) != ask:
            raise UsageError(f"two questions to CloudWatch under one label, '{ask.label}'")
    for ask in seen.values():
        if not ask.window.empty:
            by_window[ask.window.start, ask.window.end].append(query_of(ask, params, now, known))
    raw: list[dict[str, Any]] = []
    for (start, end), queries in by_window.items():
        for batch in _batches(queries):
            raw.append(_call(cloudwatch, start, end, batch))
    return Answers.from_raw(raw)


def query_of(ask: Ask, params: Params, now: dt.datetime, known: dict[str, Placed]) -> dict[str, Any]:
    """The question as it is kept beside its answer: label, metric, statistic, period in seconds, address.

    Args:
        known: metrics that these parameters were asked for already, and what they said; those of `ask` are added.
    """
    if ask.metric_id not in known:
        metric = params.metric(ask.metric_id)
        known[ask.metric_id] = metric, address(metric, params)
    metric, where = known[ask.metric_id]
    finest = max(period_for(ask.window, now), metric.period_s)
    whole = ask.period_s == "window"
    period = one_bucket(ask.window, finest) if whole else max(int(ask.period_s or 0), finest)
    return {
        "label": ask.label,
        "metric": ask.metric_id,
        "stat": ask.stat,
        "period_s": period,
        "whole": whole,
        "address": where,
    }


def _batches(queries: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rest = iter(queries)
    while batch := list(islice(rest, MAX_QUERIES)):
        yield batch


def _call(cloudwatch: Any, start: dt.datetime, end: dt.datetime, batch: list[dict[str, Any]]) -> dict[str, Any]:
    asked = [{**query, "id": f"q{place}"} for place, query in enumerate(batch)]
    request = {
        "StartTime": start,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
        "MetricDataQueries": [
            {
                "Id": query["id"],
                "MetricStat": {"Metric": query["address"], "Period": query["period_s"], "Stat": query["stat"]},
                "ReturnData": True,
            }
            for query in asked
        ],
    }
    with aws_errors(f"asking CloudWatch for {len(asked)} metrics (cloudwatch:GetMetricData)"):
        pages = [_page(page) for page in cloudwatch.get_paginator("get_metric_data").paginate(**request)]
    return {"start": iso(start), "end": iso(end), "queries": asked, "pages": pages}


# Some fifty metrics are asked over the same minutes, look after look.
_written, _read = lru_cache(maxsize=1 << 16)(iso), lru_cache(maxsize=1 << 16)(parse)


def _page(page: dict[str, Any]) -> dict[str, Any]:
    return {
        "messages": [f"{m.get('Code', '')}: {m.get('Value', '')}" for m in page.get("Messages", [])],
        "results": [
            {
                "id": result["Id"],
                "status": result.get("StatusCode", "Complete"),
                "messages": [f"{m.get('Code', '')}: {m.get('Value', '')}" for m in result.get("Messages", [])],
                "times": [_written(when) for when in result.get("Timestamps", [])],
                # JSON has no NaN and no infinity: they are kept as text.
                "values": [float(v) if math.isfinite(v) else str(float(v)) for v in result.get("Values", [])],
            }
            for result in page.get("MetricDataResults", [])
        ],
    }


@dataclass(frozen=True)
class Answers:
    """CloudWatch's answers. `raw` is all of them, JSON-able; everything else follows from it."""

    raw: list[dict[str, Any]]
    series: dict[str, Series] = field(compare=False)

    @classmethod
    def from_raw(cls, raw: list[dict[str, Any]]) -> Answers:
        """The answers from their raw form, without AWS; `raw` of several fetches may be joined."""
        return cls(raw=raw, series={one.label: one for call in raw for one in _cleaned(call)})

    def __add__(self, other: Answers) -> Answers:
        return Answers(raw=self.raw + other.raw, series={**self.series, **other.series})

    def points(self, label: str) -> list[Point]:
        """(time, value) in order of time; empty where there is no data, or `label` was not asked."""
        return list(self.series[label].points) if label in self.series else []

    def within(self, label: str, window: Window) -> list[float]:
        """Values of the points in `window`, in order of time."""
        one = self.series.get(label)
        return one.values[one.within(window)] if one else []

    def total(self, label: str) -> float | None:
        """Sum of the points; None where there is none: no data is not zero."""
        points = self.points(label)
        return math.fsum(value for _, value in points) if points else None

    def single(self, label: str) -> float | None:
        """The one value of a question about the whole window; None without data or with several buckets."""
        points = self.points(label)
        return points[0][1] if len(points) == 1 else None

    def partial(self, label: str) -> bool:
        """Whether the answer is incomplete or contains impossible values, or the question was never asked."""
        return label not in self.series or self.series[label].partial

    def notes(self, *labels: str) -> tuple[str, ...]:
        """Notes on what was odd about these answers, in words."""
        return tuple(
            dict.fromkeys(note for label in labels if label in self.series for note in self.series[label].notes)
        )

    def table(self) -> str:
        """All series as CSV: `metric, stat, time` (UTC), `value`, `period_s`.

        Whole-window figures are not among them: they are no points of a line. By hand: pandas takes a second for a
        soak's hundred thousand points, most of it for times that many series share.
        """
        lines = ["metric,stat,time,value,period_s"]
        times: dict[dt.datetime, str] = {}
        for one in self.series.values():
            if one.whole:
                continue
            name = io.StringIO()
            csv.writer(name, lineterminator="").writerow((one.metric, one.stat))
            for when, value in one.points:
                time = times.get(when) or times.setdefault(when, str(when))
                lines.append(f"{name.getvalue()},{time},{value},{one.period_s}")
        return "\n".join([*lines, ""])


def _cleaned(call: dict[str, Any]) -> Iterator[Series]:
    start, end = parse(call["start"]), parse(call["end"])
    results: dict[str, list[dict[str, Any]]] = defaultdict(list)
    said: list[str] = []
    for page in call["pages"]:
        said += page["messages"]
        for result in page["results"]:
            results[result["id"]].append(result)
    for query in call["queries"]:
        yield _series(query, results[query["id"]], start, end, said)


def _series(
    query: dict[str, Any], answers: list[dict[str, Any]], start: dt.datetime, end: dt.datetime, said: list[str]
) -> Series:
    label, period = query["label"], dt.timedelta(seconds=query["period_s"])
    odd: dict[str, int] = defaultdict(int)
    points: dict[dt.datetime, float] = {}
    torn = [answer for answer in answers if len(answer["times"]) != len(answer["values"])]
    first = start - period
    for answer in answers:
        for text, raw in [] if answer in torn else zip(answer["times"], answer["values"], strict=True):
            when, value = _read(text), float(raw)
            if not math.isfinite(value):
                odd["not a number"] += 1
            elif value < 0:
                odd["negative"] += 1
            elif not first < when < end:
                odd["outside the window"] += 1
            else:
                if points.setdefault(when, value) != value:
                    odd["given twice with different values"] += 1
                points[when] = value
    status = answers[-1]["status"] if answers else "no answer"
    notes = [f"{label}: {count} points {what}" for what, count in odd.items() if count]
    notes += [f"{label}: {len(one['times'])} times and {len(one['values'])} values" for one in torn]
    if status != "Complete":
        notes.append(f"{label}: CloudWatch answered {status}")
    notes += [f"{label}: {message}" for answer in answers for message in answer["messages"]]
    notes += [f"CloudWatch: {message}" for message in said]
    return Series(
        label=label,
        metric=query["metric"],
        stat=query["stat"],
        period_s=query["period_s"],
        whole=query["whole"],
        points=tuple(sorted(points.items())),
        partial=bool(status != "Complete" or torn or odd["negative"] or odd["given twice with different values"]),
        notes=tuple(notes),
    )
