"""Caches answers of MiniStack that depend only on their arguments; runs inside the emulator's process.

Measured over whole rehearsals: it reads every timestamp of an answer back from text, writes each anew, checks the
syntax of a scan's filter again for each item, and takes it apart again, reads the names that a scan asks for again for
each item, encodes each attribute to count its bytes, looks for times in each number of an answer, and makes a tuple of
each point that it sums up; and for each question for a metric it goes through all metrics, and all points since the
world began. Together these are a third of what it computes. And at the first answer of each service it makes a session
of botocore, looks through the folders of all services, and reads the whole model for its protocol: a quarter of what it
takes to start and to deploy the sandbox.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import accumulate
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

_TIMES = 200_000
_EXPRESSIONS = 1_000
_NUMBERS = {int, float}


def of_text(function: Callable[[Any], Any], size: int = _TIMES) -> Callable[[Any], Any]:
    """`function` with its answers to strings cached; other arguments go straight through."""
    known = lru_cache(maxsize=size)(function)

    def answer(value: Any) -> Any:
        return known(value) if type(value) is str else function(value)

    return answer


def projected(project: Callable[[Any, str, Any], Any]) -> Callable[[Any, str, Any], Any]:
    """`project` (item, expression, names of attributes), with the names parsed once if the expression has only names.

    An expression that is refused, or leads into an attribute, goes straight through.
    """

    @lru_cache(maxsize=_EXPRESSIONS)
    def flat(expression: str, aliases: tuple[tuple[str, str], ...]) -> tuple[str, ...] | None:
        try:
            project({}, expression, dict(aliases))
        except ValueError:
            return None
        names = [one.strip() for one in expression.split(",") if one.strip()]
        if any(sign in one for one in names for sign in ".["):
            return None
        known = dict(aliases)
        return tuple(known.get(one, one) if one.startswith("#") else one for one in names)

    def answer(item: Any, expression: str, aliases: Any) -> Any:
        names = flat(expression, tuple((aliases or {}).items())) if expression else None
        if names is None:
            return project(item, expression, aliases)
        return {name: item[name] for name in names if name in item}

    return answer


def summed(calculate: Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """`calculate` (the statistics of points) in one pass over points that are values; statistic sets go through."""

    def answer(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        count, total, low, high = 0.0, 0.0, 0.0, 0.0
        for point in points:
            if "_stat" in point:
                return calculate(points)
            many = float(point.get("Count", 1.0))
            if many > 0:
                value = point["Value"]
                if not count or value < low:
                    low = value
                if not count or value > high:
                    high = value
                count += many
                total += value * many
        if not count:
            return {}
        return {"SampleCount": count, "Sum": total, "Average": total / count, "Minimum": low, "Maximum": high}

    return answer


def split(tokenize: Callable[[str], list[Any]]) -> Callable[[str], list[Any]]:
    """`tokenize` (an expression into its words), done once for each expression; each caller has a list of its own."""
    known = lru_cache(maxsize=_EXPRESSIONS)(lambda expression: tuple(tokenize(expression)))
    return lambda expression: list(known(expression))


def sized(size: Callable[[Any], int]) -> Callable[[Any], int]:
    """`size` (the bytes of an item, as DynamoDB counts them), at once for attributes that are plain text."""

    def answer(item: Any) -> int:
        if not isinstance(item, dict):
            return size(item)
        total = 0
        for name, value in item.items():
            text = value.get("S") if type(value) is dict and len(value) == 1 else None
            if type(text) is str and text.isascii() and name.isascii():
                total += len(name) + len(text)
            else:
                total += size({name: value})
        return total

    return answer


def dated(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`convert` (the times in an answer, wherever they are), which leaves a list of numbers as it is."""

    def answer(value: Any) -> Any:
        return value if type(value) is list and set(map(type, value)) <= _NUMBERS else convert(value)

    return answer


class Points:
    """The points of a metric in the order of their arrival, without most of those before a time."""

    def __init__(self, points: list[Mapping[str, Any]]) -> None:
        self.points, self.start = points, float("-inf")
        self._latest: list[float] = []
        """The latest time up to each point: it rises, whatever the order in which they came."""

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        if len(self.points) < len(self._latest):  # some were taken away
            self._latest = []
        fresh = [point["Timestamp"] for point in self.points[len(self._latest) :]]
        if fresh:
            past = self._latest[-1] if self._latest else float("-inf")
            self._latest += list(accumulate(fresh, max, initial=past))[1:]
        return iter(self.points[bisect_left(self._latest, self.start) :])


def since(get: FunctionType) -> Callable[..., Any]:
    """`get` (GetMetricData), which looks up the metrics that there are once, and their points from the start on."""
    known: dict[Any, Points] = {}

    def answer(params: Any, body: Any, is_cbor: bool, is_json: bool = False) -> Any:
        module = get.__globals__
        start = module["_parse_ts"](body.get("StartTime")) if is_cbor or is_json else None
        before, found = dict(known), {}
        for key, points in module["_metrics"].items():
            mine = before.get(id(points))
            found[key] = mine if mine is not None and mine.points is points else Points(points)
            found[key].start = float("-inf") if start is None else start
        known.clear()
        known.update((id(one.points), one) for one in found.values())
        seen = SimpleNamespace(items=found.items)
        return FunctionType(get.__code__, {**module, "_metrics": seen})(params, body, is_cbor, is_json)

    return answer


def described(names: Mapping[str, str]) -> Callable[[str], Any]:
    """What botocore knows of a service's protocol (`metadata` of its model); None: it does not know the service.

    Args:
        names: botocore's names of services that MiniStack calls otherwise.
    """
    found = importlib.util.find_spec("botocore")
    folder = Path(found.origin).parent / "data" if found is not None and found.origin else None

    @cache
    def model(service: str) -> Any:
        files = sorted(folder.glob(f"{names.get(service, service)}/*/service-2.json*")) if folder else []
        if not files:
            return None
        text = (gzip.decompress if files[-1].suffix == ".gz" else bytes)(files[-1].read_bytes()).decode()
        _, _, rest = text.partition('"metadata":')
        return SimpleNamespace(metadata=json.JSONDecoder().raw_decode(rest.lstrip())[0])

    return model


def install() -> None:
    """Puts the caches in front of these functions."""
    from ministack.core import responses
    from ministack.services import cloudwatch, dynamodb

    responses._service_model = described(responses._BOTOCORE_NAME)

    cloudwatch._parse_ts = of_text(cloudwatch._parse_ts)
    cloudwatch._ts_iso = lru_cache(maxsize=_TIMES)(cloudwatch._ts_iso)
    cloudwatch._calc_stats = summed(cloudwatch._calc_stats)
    cloudwatch._get_metric_data = since(cloudwatch._get_metric_data)
    dynamodb._condition_syntax_error = lru_cache(maxsize=_EXPRESSIONS)(dynamodb._condition_syntax_error)
    cloudwatch._json_timestamp = of_text(cloudwatch._json_timestamp)
    cloudwatch._json_timestamps = dated(cloudwatch._json_timestamps)
    dynamodb._project_item = projected(dynamodb._project_item)
    dynamodb._tokenize = split(dynamodb._tokenize)
    dynamodb._number_size_bytes = of_text(dynamodb._number_size_bytes)
    dynamodb._item_size_bytes = sized(dynamodb._item_size_bytes)
