"""The runbook's estimate of the cost against what the simulated world really used, in every scenario that comes along.

The world's figures are its own: seconds, requests and tokens as they came to pass. The estimate has only what AWS would
tell: the very metric data that the world publishes, asked by the runbook's own questions, and a census of its items.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.tagged import plain
from runbook_lib.base.window import Window
from runbook_lib.judge.model import Evidence
from runbook_lib.observe.evidence.measure import asks, measure
from runbook_lib.observe.jobs import census
from runbook_lib.observe.metrics.fetch import fetch
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.contract import Contract
from runbook_lib.params.item import own
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.rehearse.world import publish, scenario
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.targets import targets
from runbook_lib.rehearse.world.truth import Truth
from runbook_lib.rehearse.world.world import settings

START = dt.datetime(2026, 11, 10, tzinfo=dt.UTC)
SHIFTED_H, DRAINED_H = 24, 30
"""Half of the clients are asynchronous for so long; then every job comes to its end."""
SIDES = ("cost_per_vpr", "cost_per_vpr_sync")
HOUR_MONTHS = 1 / 730
TRUE_NAME = {"KPI metrics": "KPI", "data out": "out"}
"""A line's service to the key of the true bill, where its first word is another."""
LIVE = {
    "memory_mb": {"submit": 256, "worker": 1024, "status": 256},
    "configured": {
        "functions": {
            name: {"memory_mb": mb, "architecture": "arm64" if name == "worker" else "x86_64"}
            for name, mb in (("submit", 256), ("worker", 1024), ("status", 256), ("sync", 512))
        },
        "table": {"mode": "PAY_PER_REQUEST", "write_units": 0, "read_units": 0, "since": None},
        "report_days": 7.0,
        "unread": [],
    },
}


class Shelf:
    """CloudWatch as far as GetMetricData goes: sums what was put, by period. Nothing else of it is asked here."""

    def __init__(self, params: Params) -> None:
        self.targets = targets(params)
        self.metrics = publish.Metrics(_Unused(), self.targets)
        self.data: dict[Any, list[dict[str, Any]]] = defaultdict(list)

    def put(self, rows: Any) -> None:
        for namespace, data in self.metrics.data(rows):
            for one in data:
                self.data[namespace, one["MetricName"], id(one["Dimensions"])].append(one)

    def points(self) -> dict[Any, list[dict[str, Any]]]:
        """What was put by what is asked with: the data of one series share their dimensions."""
        return {_key(space, name, data[0]["Dimensions"]): data for (space, name, _), data in self.data.items()}

    def get_paginator(self, name: str) -> Any:
        assert name == "get_metric_data"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        start, end = request["StartTime"].timestamp(), request["EndTime"].timestamp()
        results, points = [], self.points()
        for query in request["MetricDataQueries"]:
            stat = query["MetricStat"]
            where = stat["Metric"]
            sums: dict[float, float] = defaultdict(float)
            for one in points.get(_key(where["Namespace"], where["MetricName"], where["Dimensions"]), ()):
                if start <= one["Timestamp"] < end:
                    value = sum(v * n for v, n in zip(one["Values"], one["Counts"], strict=True))
                    sums[one["Timestamp"] // stat["Period"] * stat["Period"]] += value
            times = [dt.datetime.fromtimestamp(at, dt.UTC) for at in sums]
            results.append({"Id": query["Id"], "Timestamps": times, "Values": list(sums.values())})
        yield {"MetricDataResults": results}


class _Unused:
    class meta:
        class service_model:
            resolved_protocol = "query"

        class events:
            register = staticmethod(lambda *_: None)


def _key(namespace: str, name: str, dimensions: list[dict[str, str]]) -> Any:
    return namespace, name, frozenset((one["Name"], one["Value"]) for one in dimensions)


@dataclass
class Lived:
    params: Params
    truth: Truth
    evidence: dict[str, Evidence]
    hours: float


def live(name: str | scenario.Scenario) -> Lived:
    """Half a day's clients async, as the flags would have it, and the look at it afterwards."""
    folder = params_dir(Path(__file__).parent)
    params = load_file(folder / "prod.yaml", read_yaml(folder / "rehearsal.yaml"))
    world = scenario.load(name) if isinstance(name, str) else name
    service = Service(world, settings(params), 11, START.timestamp(), params.service.workers)
    shelf, truth, items = Shelf(params), Truth(params.service.job_deadline_s), {}
    service.set_weight(0.5)
    for hour in range(1, DRAINED_H + 1):
        if hour > SHIFTED_H:
            service.set_weight(0.0)
        step = service.run(START.timestamp() + hour * 3600)
        shelf.put(step.rows)
        truth.add(step)
        items |= {job.job_id: publish.item(job, params) for job in step.jobs}
    window = Window(START, START + dt.timedelta(hours=DRAINED_H))
    now = window.end + dt.timedelta(hours=1)
    answers = fetch(shelf, params, asks(params, window, now), now)
    contract = Contract()
    jobs = [own(plain(item), contract) for item in items.values()]
    segment = census.count(census.dated(jobs), window, window.end, params.service.job_deadline_s)
    state = TrafficState(dial_percent=50, switch_on=True, weight=50)
    evidence = measure(answers, segment, LIVE, state, params, window, now)
    return Lived(params, truth, evidence, float(DRAINED_H))


def true_bill(lived: Lived, side: str) -> dict[str, float]:
    """USD by service, from what the world used; written out, not by the code under test."""
    used, tally, price = defaultdict(float, lived.truth.used()), lived.truth.between(), lived.params.prices.of
    sizes, hours = lived.params.service.sizes, lived.hours

    def function(name: str, mb: int, architecture: str = "x86_64") -> float:
        gb_s = used[f"{name}_duration"] / 1000 * mb / 1024
        return price("lambda.requests", used[f"{name}_invocations"]) + price(f"lambda.gb_seconds.{architecture}", gb_s)

    def logs(*names: str) -> float:
        return price("logs.ingested", sum(used[f"{name}_log_bytes"] for name in names) / 1e9)

    if side == "cost_per_vpr_sync":
        tokens = price("llm.input_tokens", used["d_paid_sync_input"]) + price(
            "llm.output_tokens", used["d_paid_sync_output"]
        )
        out = tally.sync * sizes.answer_kb + tally.sync_ok * sizes.report_kb
        return {
            "Lambda": function("sync", 512),
            "API": price("apigateway.rest_requests", tally.sync),
            "LLM": tokens,
            "logs": logs("sync"),
            "KPI": price("cloudwatch.custom_metrics", 3 * hours * HOUR_MONTHS),
            "out": price("transfer.out", out / 1e6),
        }
    finished = tally.completed + tally.late
    calls = tally.submitted + used["status_count"]
    requests = used["queue_sent"] + used["queue_received"] + used["queue_deleted"] + used["queue_empty"]
    return {
        "Lambda": function("submit", 256) + function("worker", 1024, "arm64") + function("status", 256),
        "API": price("apigateway.rest_requests", calls),
        "queue": price("sqs.requests", requests),
        "table": price("dynamodb.write_units", used["table_writes"] + used["gsi_writes"])
        + price("dynamodb.read_units", used["table_reads"] + used["gsi_reads"])
        + price("dynamodb.storage", tally.created * 2 * sizes.item_kb / 1e6 / (730 / 24)),
        "bucket": price("s3.put_requests", finished)
        + price("s3.get_requests", tally.completed)
        + price("s3.storage", finished * sizes.report_kb / 1e6 * 7 / (730 / 24)),
        "logs": logs("submit", "worker", "status"),
        "KPI": price("cloudwatch.custom_metrics", 8 * hours * HOUR_MONTHS),
        "out": price("transfer.out", (calls * sizes.answer_kb + tally.completed * sizes.report_kb) / 1e6),
        "LLM": price("llm.input_tokens", used["d_paid_async_input"])
        + price("llm.output_tokens", used["d_paid_async_output"]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", scenario.names())
def test_the_estimate_is_within_one_percent_of_what_the_world_used(name: str) -> None:
    agrees(name, live(name))


@pytest.mark.slow
def test_calls_that_were_cut_off_are_paid_for() -> None:
    """Half of the synchronous calls run into the function's timeout, and report nothing."""
    slow = scenario.Scenario(name="slow", title="t", behaviour=scenario.Behaviour(llm_time=1.4))
    lived = live(slow)
    silent = [line for line in lived.evidence["cost_per_vpr_sync"].extra["lines"] if line["service"] != "LLM"]
    assert sum(line["usd"] for line in silent if line["llm"]) > 20
    agrees(slow.name, lived)


def agrees(name: str, lived: Lived) -> None:
    """Every service of both sides within 1 % of the truth, and so the whole."""
    for side in SIDES:
        found, truth = lived.evidence[side], true_bill(lived, side)
        assert found.extra, f"{side}: {found.notes}"
        estimate: dict[str, float] = defaultdict(float)
        for line in found.extra["lines"]:
            estimate[TRUE_NAME.get(line["service"], line["service"].split()[0].strip(","))] += line["usd"]
        assert set(estimate) == set(truth)
        for service, usd in truth.items():
            assert estimate[service] == pytest.approx(usd, rel=0.01), f"{name}, {side}, {service}"
        infrastructure = sum(usd for service, usd in truth.items() if service != "LLM")
        assert sum(estimate.values()) - estimate["LLM"] == pytest.approx(infrastructure, rel=0.01)
        tally = lived.truth.between()
        assert found.n == (tally.completed if side == "cost_per_vpr" else pytest.approx(tally.sync_ok, abs=2))
