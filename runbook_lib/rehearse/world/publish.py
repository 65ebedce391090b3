"""Publishes the traces of AWS and of the service in CloudWatch, DynamoDB and CloudWatch Logs.

The addresses (namespace, name, dimensions) are declared here again, from AWS's documentation, and not taken from
`observe.catalogue`: a wrong dimension there then finds no data here.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from runbook_lib.base.errors import AwsError
from runbook_lib.base.tagged import tagged
from runbook_lib.base.template import filled
from runbook_lib.params.item import stored
from runbook_lib.params.load import Params
from runbook_lib.rehearse.emulator import inbox as bulk
from runbook_lib.rehearse.world.jobs import Answer, Failure, Job
from runbook_lib.rehearse.world.own import Told
from runbook_lib.rehearse.world.rows import ID, Rows
from runbook_lib.rehearse.world.targets import Target

MINUTE_S = 60
COARSE_MINUTES = 5
COARSE = re.compile(
    r"_(latency|integration|duration|concurrent|throttles|reads|writes|tokens|ms|usd|age|empty|received|deleted|log_bytes)$"
)
"""Signals filed by five minutes, the shortest period in which they are read: a third of the data. Counts of requests
and failures are not among them: their minute decides what a window and a guard see."""
DATA_A_CALL = 1000
VALUES_A_DATUM = 150
ITEMS_A_CALL = 25
EVENTS_A_CALL = 1000
STREAM = bulk.STREAM

T = TypeVar("T")


class Packed:
    """Calls whose body is packed here, not by botocore.

    botocore validates and packs a datum in 45 us, two thirds of a whole day's time. For its JSON protocols the body is
    packed here; everything else (address, signature, retries, errors) stays botocore's.
    """

    def __init__(self, client: Any, operation: str) -> None:
        self._packs_itself = client.meta.service_model.resolved_protocol == "json"
        self._packed = threading.local()
        client.meta.events.register(f"before-call.{operation}", self._swap_body)

    def call(self, method: Callable[..., Any], request: dict[str, Any], empty: dict[str, Any]) -> Any:
        """`method(**request)`; `empty` is a request that botocore packs in no time."""
        if not self._packs_itself:
            return method(**request)
        self._packed.body = json.dumps(request).encode()
        try:
            return method(**empty)
        finally:
            self._packed.body = None

    def _swap_body(self, params: dict[str, Any], **_: Any) -> None:
        """botocore's `before-call` hook: replaces the empty body by the one packed above."""
        if getattr(self._packed, "body", None) is not None:
            params["body"] = self._packed.body


class Metrics:
    """Turns rows into MetricData and puts them; with an `inbox` folder, through files instead."""

    def __init__(self, client: Any, targets: Sequence[Target], inbox: Path | None = None) -> None:
        self.client, self._inbox, self._left = client, inbox, itertools.count()
        series = sorted({target[1:] for target in targets})
        number = {address: i for i, address in enumerate(series)}
        self._series = series
        # One signal may feed several series (route, stage, API): pairs of (signal, series).
        self._feeds: dict[int, list[int]] = {}
        for target in targets:
            self._feeds.setdefault(ID[target.signal], []).append(number[target[1:]])
        self._dimensions = [[{"Name": k, "Value": v} for k, v in dimensions] for *_, dimensions in series]
        self._width = max((len(fed) for fed in self._feeds.values()), default=0)
        self._packed = Packed(client, "cloudwatch.PutMetricData")
        self._step = np.array([COARSE_MINUTES if COARSE.search(name) else 1 for name in ID])

    def data(self, rows: Rows) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """(namespace, its MetricData) of `rows`: one datum per series and minute, equal values counted.

        A datum with more than 150 different values is cut into several.
        """
        series, minute, value, count = self._counted(rows)
        if not len(series):
            return
        first = np.flatnonzero(np.concatenate([[True], (np.diff(series) != 0) | (np.diff(minute) != 0)]))
        last = np.append(first[1:], len(series))
        # Plain Python from here: element access to numpy arrays would cost more than the loop itself.
        heads = zip(first.tolist(), last.tolist(), series[first].tolist(), minute[first].tolist(), strict=True)
        values, counts = value.tolist(), count.tolist()
        found: dict[str, list[dict[str, Any]]] = {}
        for low, high, number, at in heads:
            namespace, name, unit, _ = self._series[number]
            bucket = found.setdefault(namespace, [])
            head = {
                "MetricName": name,
                "Dimensions": self._dimensions[number],
                "Timestamp": at * MINUTE_S,
                "Unit": unit,
            }
            for cut in range(low, high, VALUES_A_DATUM):
                end = min(cut + VALUES_A_DATUM, high)
                bucket.append({**head, "Values": values[cut:end], "Counts": counts[cut:end]})
        yield from found.items()

    def _counted(self, rows: Rows) -> tuple[Any, Any, Any, Any]:
        """`rows` by series, minute and value, sorted, with how often each occurs: four arrays of one length."""
        feeds = np.full((len(ID), self._width), -1)
        for signal, fed in self._feeds.items():
            feeds[signal, : len(fed)] = fed
        wide = feeds[rows.signal]
        series = wide.T.ravel()
        step = self._step[rows.signal]
        minute = np.tile((rows.stamp // MINUTE_S).astype(np.int64) // step * step, self._width)
        value = np.tile(rows.value, self._width)
        kept = series >= 0
        series, minute, value = series[kept], minute[kept], value[kept]
        order = np.lexsort((value, minute, series))
        series, minute, value = series[order], minute[order], value[order]
        if not len(series):
            return series, minute, value, np.empty(0)
        changed = (np.diff(series) != 0) | (np.diff(minute) != 0) | (np.diff(value) != 0)
        first = np.flatnonzero(np.concatenate([[True], changed]))
        return series[first], minute[first], value[first], np.diff(np.append(first, len(series))).astype(float)

    def put(self, rows: Rows) -> int:
        """Puts `rows`; returns the number of data. Two calls at a time: one is packed while the other is stored."""
        if self._inbox is not None:
            return self._leave(self._inbox, rows)
        calls = [(namespace, part) for namespace, data in self.data(rows) for part in _parts(data, DATA_A_CALL)]

        if len(calls) <= 1:
            return sum(self._call(*call) for call in calls)
        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(lambda call: self._call(*call), calls))

    def _leave(self, folder: Path, rows: Rows) -> int:
        series, minute, value, count = self._counted(rows)
        edges = [0, *(np.flatnonzero(np.diff(series)) + 1).tolist(), len(series)]
        found: list[bulk.Series] = []
        for low, high in itertools.pairwise(edges):
            if high > low:
                namespace, name, unit, dimensions = self._series[series[low]]
                part = slice(low, high)
                times = (minute[part] * float(MINUTE_S)).tolist()
                found.append(
                    (namespace, name, unit, dict(dimensions), times, value[part].tolist(), count[part].tolist())
                )
        if found:
            # Several worlds share the folder, and several Metrics one world.
            file = bulk.leave(folder, f"{id(self)}-{next(self._left)}", found)
            self.client.put_metric_data(Namespace=bulk.NAMESPACE, MetricData=[{"MetricName": file, "Value": 1.0}])
        return len(series)

    def _call(self, namespace: str, data: list[dict[str, Any]]) -> int:
        request = {"Namespace": namespace, "MetricData": data}
        self._packed.call(self.client.put_metric_data, request, {"Namespace": namespace, "MetricData": []})
        return len(data)


def put_own(client: Any, told: Iterable[Told]) -> int:
    """Puts the service's own metrics, a datum per minute; returns the number of data."""
    count = 0
    for one in told:
        minute = np.floor(one.at / MINUTE_S) * MINUTE_S
        starts = np.flatnonzero(np.diff(minute, prepend=-1.0))
        head = {name: one.address[name] for name in ("MetricName", "Dimensions")}
        data = [
            {**head, "Timestamp": minute[low], "Values": values}
            for low, high in zip(starts, np.append(starts[1:], len(minute)), strict=True)
            for values in _parts(one.value[low:high].tolist(), VALUES_A_DATUM)
        ]
        for part in _parts(data, DATA_A_CALL):
            client.put_metric_data(Namespace=one.address["Namespace"], MetricData=part)
        count += len(data)
    return count


def iso(at: float) -> str:
    """Epoch seconds in the service's form: ISO 8601, UTC, milliseconds."""
    return dt.datetime.fromtimestamp(round(at, 3), dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def item(job: Job, params: Params) -> dict[str, Any]:
    """The item of `job` in the jobs table, in the service's words, with the status last handed out (`job.written`)."""
    return tagged(plain_item(job, params))


def plain_item(job: Job, params: Params) -> dict[str, Any]:
    """The item of `job` without DynamoDB's types."""
    contract = params.service.contract
    return stored(_own(job, contract.result.key, params.service.job_ttl_s), contract)


def _own(job: Job, result_key: str, ttl_s: int) -> dict[str, Any]:
    """The item of `job` in the runbook's own words (`params/item.py`)."""
    found: dict[str, Any] = {
        "job_id": job.job_id,
        "status": job.written,
        "created_at": iso(job.created),
        "idempotency_key": job.idempotency_key,
        "ttl": int(job.created) + ttl_s,
        "source": "client",
    }
    if job.written == "PENDING":
        return found
    found["started_at"] = iso(job.started)
    if job.written == "PROCESSING":
        return found
    found["completed_at"] = iso(job.finished)
    if job.written == "FAILED":
        return found | {"error": job.error}
    found["result_key"] = filled(result_key, {"job_id": job.job_id})
    return found if job.untold else found | {"token_usage": {"input": job.input_tokens, "output": job.output_tokens}}


class Items:
    """Puts the jobs' items into the table."""

    def __init__(self, client: Any, params: Params) -> None:
        self._client, self._params = client, params
        self._packed = Packed(client, "dynamodb.BatchWriteItem")

    def put(self, jobs: Iterable[Job]) -> int:
        """Writes the items of `jobs`, 25 per call, two calls at a time; returns their number.

        Raises:
            AwsError: the table refuses some of them repeatedly.
        """
        parts = list(_parts(list(jobs), ITEMS_A_CALL))
        if len(parts) <= 1:
            return sum(map(self._write, parts))
        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(self._write, parts))

    def _write(self, part: list[Job]) -> int:
        table = self._params.name("table")
        left = {table: [{"PutRequest": {"Item": item(job, self._params)}} for job in part]}
        for _ in range(8):
            answer = self._packed.call(self._client.batch_write_item, {"RequestItems": left}, {"RequestItems": {}})
            left = answer.get("UnprocessedItems") or {}
            if not left:
                return len(part)
        raise AwsError(f"DynamoDB keeps refusing {len(left[table])} job items of the simulation")


def put_failures(client: Any, params: Params, failures: Sequence[Failure]) -> int:
    """Writes the worker's log lines of jobs that it marked FAILED; returns their number."""
    if not failures:
        return 0
    sample = params.failure_line()
    events = [(failure.at, log_line(failure, sample)) for failure in sorted(failures)]
    return _put_events(client, f"/aws/lambda/{params.name('worker')}", events)


def put_access(client: Any, params: Params, answers: Sequence[Answer]) -> int:
    """Writes the gateway's access log of refused and failed requests; returns the number of lines, 0 without a log."""
    if not answers or not params.named("access_log"):
        return 0
    paths = submitted(params)
    return _put_events(
        client, params.name("access_log"), [(one.at, access_line(one, paths)) for one in sorted(answers)]
    )


def _put_events(client: Any, group: str, events: Sequence[tuple[float, str]]) -> int:
    _unless_there(client, lambda: client.create_log_group(logGroupName=group))
    _unless_there(client, lambda: client.create_log_stream(logGroupName=group, logStreamName=STREAM))
    for part in _parts(events, EVENTS_A_CALL):
        said = [{"timestamp": int(at * 1000), "message": message} for at, message in part]
        client.put_log_events(logGroupName=group, logStreamName=STREAM, logEvents=said)
    return len(events)


def submitted(params: Params) -> dict[str, tuple[str, str]]:
    """Method and path of the two routes that take submissions."""
    routes, methods = params.service.api.routes, params.service.methods
    return {name: (methods[name], getattr(routes, name)) for name in ("submit", "sync")}


def access_line(answer: Answer, paths: dict[str, tuple[str, str]]) -> str:
    """One line of the access log, with the fields of `$context` that the inventory expects."""
    at = int(answer.at * 1000)
    method, path = paths[answer.path]
    said = {"request_id": f"{at:x}", "time": at, "method": method, "path": path}
    return json.dumps(
        {**said, "status": answer.status, "response_type": answer.kind or "-", "user_agent": answer.client}
    )


def log_line(failure: Failure, sample: str) -> str:
    """The worker's own log line in the form of the sample in service.yaml: the filter's text, the job, the reason."""
    try:
        said = json.loads(sample)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return f"{sample} {failure.job_id} {failure.reason}"
    return json.dumps({**said, "job_id": failure.job_id, "error": failure.reason})


def _unless_there(client: Any, create: Callable[[], object]) -> None:
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        create()


def _parts(things: Sequence[T], size: int) -> Iterator[list[T]]:
    for low in range(0, len(things), size):
        yield list(things[low : low + size])
