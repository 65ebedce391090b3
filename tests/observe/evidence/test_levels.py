"""Evidence of a service with two workers: the deepest queue, every dead letter, each function by itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.base.window import Window
from runbook_lib.observe.api_address import with_api
from runbook_lib.observe.evidence import levels, usage
from runbook_lib.observe.evidence.measure import asks
from runbook_lib.observe.evidence.rates import lambda_errors
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.metrics.fetch import Answers, Series
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import load_file, params_dir

PARAMS = with_api(load_file(params_dir().parent / "examples" / "orders-export" / "params" / "prod.yaml"), "a1")
START = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
WINDOW = Window(START, START + dt.timedelta(hours=1))
NOW = WINDOW.end + dt.timedelta(hours=2)
STATE = TrafficState(dial_percent=10, switch_on=True, weight=10)
PERIODS = [START + dt.timedelta(minutes=5 * place) for place in range(12)]


def seen(live: dict[str, Any] | None = None, **series: dict[int, float]) -> Answered:
    """Answers by metric and statistic (`queue_2_visible__Maximum`): values by the five minutes that they are of."""
    found = {}
    for name, points in series.items():
        label = name.replace("__", ":")
        at = tuple((PERIODS[place], value) for place, value in sorted(points.items()))
        found[label] = Series(label, label.partition(":")[0], "Sum", 300, False, at, False, ())
    return Answered(Answers([], found), None, live or {}, STATE, PARAMS, WINDOW, NOW, None)


ALL = dict.fromkeys(range(12), 0.0)


def test_of_two_queues_the_deepest_counts_and_both_are_asked() -> None:
    asked = {one.metric_id for one in asks(PARAMS, WINDOW, NOW)}
    assert {"queue_2_visible", "dlq_2_visible", "worker_2_errors", "worker_2_duration", "queue_2_sent"} <= asked
    found = levels.queue_depth(seen(queue_visible__Maximum=ALL, queue_2_visible__Maximum={**ALL, 3: 70.0}))
    assert (max(found.values), len(found.values)) == (70.0, 12)
    assert "orders-export-deliver-queue" in found.query
    # A period in which one of them cannot be seen is not known.
    silent = levels.queue_depth(seen(queue_visible__Maximum=ALL, queue_2_visible__Maximum={0: 5.0}))
    assert len(silent.values) == 1


def test_a_dead_letter_of_any_worker_counts() -> None:
    live = {"dlq_visible": 0, "dlq_in_flight": 0, "dlq_2_visible": 3, "dlq_2_in_flight": 0}
    found = levels.dlq_depth(seen(live, dlq_visible__Maximum=ALL, dlq_2_visible__Maximum={7: 3.0}))
    assert (found.live, max(found.values), found.proven_zero_by) == (3, 3.0, None)
    assert levels.dlq_depth(seen({"dlq_visible": 0})).live is None, "one that cannot be read is not empty"


def test_each_workers_errors_are_its_own_and_one_that_was_sent_nothing_is_no_hole() -> None:
    runs = {f"{name}_invocations__Sum": {2: 100.0} for name in ("submit", "worker", "status_fn")}
    found = lambda_errors(seen(**runs, worker_2_invocations__Sum={2: 10.0}, worker_2_errors__Sum={2: 4.0}))
    assert found.extra["functions"]["worker_2"] == {"bad": 4.0, "n": 10.0}
    assert "worker_2" in lambda_errors(seen(**runs)).unseen
    assert lambda_errors(seen(**runs, queue_2_sent__Sum=ALL)).unseen == ""


def test_the_bill_has_every_workers_queue_and_function() -> None:
    counted = usage._counted(seen())
    assert counted["queue_sent"] == ("queue_sent", "queue_2_sent")
    assert counted["worker_2_duration"] == ("worker_2_duration",)
