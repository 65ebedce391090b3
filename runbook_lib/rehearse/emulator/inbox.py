"""Stores a whole step of the world's metrics in one call; runs inside the emulator's process.

On AWS, a service's metrics exist without calls of PutMetricData. Here the world writes them into a file, and its one
call names the file; packing, signing and reading ten calls took half of the time of a step.
Points are stored as in MiniStack's own `_store_datum`.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

NAMESPACE = "Runbook/Inbox"
STREAM = "rehearsal"
"""The log stream of the simulated service, whose metrics come in the file: no filter counts its lines again."""

Series = tuple[str, str, str, dict[str, str], list[float], list[float], list[float]]
"""Namespace, name, unit, dimensions; times (epoch seconds), values, and how often each occurs."""


def leave(folder: Path, number: str, series: list[Series]) -> str:
    """Writes the file; returns its name."""
    path = folder / f"metrics-{number}"
    path.write_bytes(marshal.dumps(series))
    return path.name


def install(folder: Path) -> None:
    """Lets PutMetricData read such files from `folder`, and handle everything else as before."""
    from ministack.services import cloudwatch as cw

    put: Callable[..., Any] = cw._put_metric_data

    def put_or_take(params: Any, body: Any, *rest: Any, **kwargs: Any) -> Any:
        if body and body.get("Namespace") == NAMESPACE:
            for datum in body["MetricData"]:
                path = folder / Path(datum["MetricName"]).name
                _store(cw, marshal.loads(path.read_bytes()))  # noqa: S302 - by `leave`, in a private folder
                path.unlink()
            body = {**body, "MetricData": []}
        return put(params, body, *rest, **kwargs)

    cw._put_metric_data = put_or_take


def _store(cw: Any, series: Iterable[Series]) -> None:
    for namespace, name, unit, dimensions, times, values, counts in series:
        cw._metric_bucket((namespace, name, cw._dims_key(dimensions))).extend(
            {"Timestamp": at, "Unit": unit, "Dimensions": dimensions, "Value": value, "Count": count}
            for at, value, count in zip(times, values, counts, strict=True)
        )
