from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.stub import ANY, Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base.errors import AwsError, UsageError
from runbook_lib.base.window import Window
from runbook_lib.observe.evidence import questions
from runbook_lib.observe.metrics.fetch import MAX_QUERIES, Answers, Ask, Series, fetch
from runbook_lib.params.load import Params

T = dt.datetime(2026, 11, 10, 10, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
WINDOW = Window(T, T + 10 * MINUTE)
NOW = T + dt.timedelta(hours=1)


class CloudWatch:
    """Answers GetMetricData with the pages it was given, and keeps the requests."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages, self.requests = pages, []

    def get_paginator(self, name: str) -> CloudWatch:
        assert name == "get_metric_data"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        self.requests.append(request)
        return iter(self.pages)


def page(values: list[tuple[int, float]], status: str = "Complete", **more: Any) -> dict[str, Any]:
    times, points = [T + minute * MINUTE for minute, _ in values], [value for _, value in values]
    return {"MetricDataResults": [{"Id": "q0", "StatusCode": status, "Timestamps": times, "Values": points}], **more}


def ask(*pages: dict[str, Any], params: Params) -> Answers:
    return fetch(CloudWatch(*pages), params, [Ask("async_requests", WINDOW, label="x")], NOW)


def test_pages_are_put_together_in_order_of_time(params: Params) -> None:
    answers = ask(page([(5, 2.0), (1, 1.0)], "PartialData"), page([(7, 4.0), (6, 3.0)]), params=params)
    assert answers.points("x") == [(T + m * MINUTE, v) for m, v in ((1, 1.0), (5, 2.0), (6, 3.0), (7, 4.0))]
    assert answers.total("x") == 10
    assert not answers.partial("x"), "PartialData on a page that is followed by another is how pages are told apart"


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
def test_an_answer_that_ends_incomplete_is_partial(params: Params, status: str) -> None:
    answers = ask(page([(1, 1.0)], status), params=params)
    assert answers.partial("x")
    assert status in answers.notes("x")[0]


def test_no_answer_and_no_question_are_partial_and_no_data(params: Params) -> None:
    answers = ask({"MetricDataResults": []}, params=params)
    assert answers.partial("x") and answers.total("x") is None and answers.points("x") == []
    assert answers.partial("never asked") and answers.total("never asked") is None


def test_no_points_are_no_data_and_zero_is_zero(params: Params) -> None:
    assert ask(page([]), params=params).total("x") is None
    assert ask(page([(1, 0.0)]), params=params).total("x") == 0


def test_nan_and_infinity_are_dropped_and_said(params: Params) -> None:
    answers = ask(page([(1, float("nan")), (2, float("inf")), (3, 5.0)]), params=params)
    assert answers.total("x") == 5
    assert "2 points not a number" in answers.notes("x")[0]
    assert ask(page([(1, float("nan"))]), params=params).total("x") is None


def test_the_same_point_twice_counts_once(params: Params) -> None:
    answers = ask(page([(1, 5.0), (2, 1.0)]), page([(1, 5.0)]), params=params)
    assert answers.total("x") == 6
    assert not answers.partial("x")


def test_two_values_for_one_point_are_not_trusted(params: Params) -> None:
    answers = ask(page([(1, 5.0)]), page([(1, 7.0)]), params=params)
    assert answers.total("x") == 7
    assert answers.partial("x")


def test_negative_points_are_dropped_and_not_trusted(params: Params) -> None:
    answers = ask(page([(1, -3.0), (2, 1.0)]), params=params)
    assert answers.total("x") == 1 and answers.partial("x")


def test_points_outside_the_window_are_dropped(params: Params) -> None:
    answers = ask(page([(-1, 8.0), (0, 1.0), (9, 1.0), (10, 8.0)]), params=params)
    assert answers.total("x") == 2
    assert "2 points outside" in answers.notes("x")[0]


def test_a_question_left_unfinished_by_the_last_page_is_partial(params: Params) -> None:
    """It was promised more, and no later page has it."""
    answers = ask(page([(1, 1.0)], "PartialData"), {"MetricDataResults": []}, params=params)
    assert answers.total("x") == 1 and answers.partial("x")


def test_a_point_that_came_late_is_in_no_window_before_it(params: Params) -> None:
    """A window ends `metric_delay` before now, so that whatever is published within the delay is there when asked."""
    now = T + 30 * MINUTE
    window = questions.settled(params, Window(T, T + dt.timedelta(hours=24)), now)
    assert window.end == now - dt.timedelta(seconds=params.policy.metric_delay_s)
    cloudwatch = CloudWatch(page([(24, 1.0), (25, 9.0), (29, 9.0)]))
    answers = fetch(cloudwatch, params, [Ask("async_requests", window, label="x")], now)
    assert cloudwatch.requests[0]["EndTime"] == window.end
    assert answers.total("x") == 1


def test_times_without_values_are_not_paired_by_guess(params: Params) -> None:
    torn = page([(1, 1.0), (2, 2.0)])
    torn["MetricDataResults"][0]["Values"].pop()
    answers = ask(torn, params=params)
    assert answers.points("x") == [] and answers.partial("x")
    assert "2 times and 1 values" in answers.notes("x")[0]


@pytest.mark.parametrize("value", [-1.0, -1e-9, float("-inf"), float("nan"), float("inf")])
def test_values_that_cannot_be_are_no_points(params: Params, value: float) -> None:
    answers = ask(page([(1, value)]), params=params)
    assert answers.points("x") == [] and answers.total("x") is None and answers.notes("x")


@given(order=st.permutations(range(8)), twice=st.lists(st.integers(0, 7), max_size=5), cut=st.integers(0, 13))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_order_repetition_and_paging_change_nothing(
    params: Params, order: list[int], twice: list[int], cut: int
) -> None:
    points = [(minute, float(minute)) for minute in [*order, *twice]]
    answers = ask(page(points[:cut], "PartialData"), page(points[cut:]), params=params)
    assert answers.points("x") == [(T + minute * MINUTE, float(minute)) for minute in range(8)]
    assert not answers.partial("x")


def test_messages_are_kept(params: Params) -> None:
    said = {"Code": "ArithmeticError", "Value": "one or more data points have been dropped"}
    one = page([(1, 1.0)], Messages=[said])
    one["MetricDataResults"][0]["Messages"] = [{"Code": "X", "Value": "throttled"}]
    notes = ask(one, params=params).notes("x")
    assert "CloudWatch: ArithmeticError: one or more data points have been dropped" in notes
    assert "x: X: throttled" in notes


def test_raw_answers_are_json_and_give_the_same_again(params: Params) -> None:
    answers = ask(page([(1, float("nan")), (2, 2.0)]), params=params)
    raw = json.loads(json.dumps(answers.raw, allow_nan=False))
    again = Answers.from_raw(raw)
    assert again.series == answers.series
    assert again.raw == answers.raw


def test_five_hundred_queries_a_call_and_a_call_for_each_window(params: Params) -> None:
    cloudwatch = CloudWatch(page([]))
    asks = [Ask("async_requests", WINDOW, label=f"l{place}") for place in range(MAX_QUERIES + 1)]
    asks.append(Ask("async_requests", Window(T, T + MINUTE), label="other"))
    asks.append(Ask("async_requests", Window(T, T), label="empty"))
    fetch(cloudwatch, params, asks, NOW)
    assert [len(request["MetricDataQueries"]) for request in cloudwatch.requests] == [500, 1, 1]
    assert cloudwatch.requests[2]["EndTime"] == T + MINUTE


def test_what_is_asked(params: Params) -> None:
    cloudwatch = CloudWatch(page([]))
    fetch(
        cloudwatch, params, [Ask("async_latency", WINDOW, "p95", "window"), Ask("dlq_visible", WINDOW, None, 300)], NOW
    )
    whole, gauge = (query["MetricStat"] for query in cloudwatch.requests[0]["MetricDataQueries"])
    assert whole["Stat"] == "p95" and whole["Period"] >= 600 and whole["Period"] % 60 == 0
    assert whole["Metric"]["MetricName"] == "Latency"
    assert gauge["Stat"] == "Maximum" and gauge["Period"] == 300


@pytest.mark.parametrize(("days", "period"), [(1, 60), (20, 300), (70, 3600)])
def test_old_windows_are_asked_at_the_period_that_is_kept(params: Params, days: int, period: int) -> None:
    cloudwatch = CloudWatch(page([]))
    fetch(cloudwatch, params, [Ask("async_requests", WINDOW)], T + dt.timedelta(days=days))
    assert cloudwatch.requests[0]["MetricDataQueries"][0]["MetricStat"]["Period"] == period


def test_one_label_for_two_questions_is_refused(params: Params) -> None:
    asks = [Ask("async_requests", WINDOW, label="x"), Ask("async_5xx", WINDOW, label="x")]
    with pytest.raises(UsageError, match="'x'"):
        fetch(CloudWatch(page([])), params, asks, NOW)


def test_the_same_question_twice_is_asked_once(params: Params) -> None:
    cloudwatch = CloudWatch(page([]))
    fetch(cloudwatch, params, [Ask("async_requests", WINDOW), Ask("async_requests", WINDOW)], NOW)
    assert len(cloudwatch.requests[0]["MetricDataQueries"]) == 1


def test_single_is_one_bucket_only(params: Params) -> None:
    assert ask(page([(0, 3.0)]), params=params).single("x") == 3
    assert ask(page([(0, 3.0), (1, 4.0)]), params=params).single("x") is None


def test_the_table_is_tidy_and_leaves_whole_windows_out(params: Params) -> None:
    client = CloudWatch(
        {
            "MetricDataResults": [
                {"Id": "q0", "StatusCode": "Complete", "Timestamps": [T], "Values": [2.0]},
                {"Id": "q1", "StatusCode": "Complete", "Timestamps": [T], "Values": [99.0]},
            ]
        }
    )
    asks = [Ask("async_requests", WINDOW), Ask("async_latency", WINDOW, "p95", "window")]
    head = "metric,stat,time,value,period_s\n"
    assert fetch(client, params, asks, NOW).table() == f"{head}async_requests,Sum,{T},2.0,60\n"
    assert Answers.from_raw([]).table() == head


@given(st.lists(st.tuples(st.integers(0, 600), st.floats(0, 1e12)), max_size=20, unique_by=lambda point: point[0]))
def test_the_table_is_what_pandas_writes_of_it(points: list[tuple[int, float]]) -> None:
    times, values = [T + dt.timedelta(seconds=60 * at) for at, _ in points], [value for _, value in points]
    series = Series("x", 'jobs, "all"', "Sum", 60, False, tuple(zip(times, values, strict=True)), False, ())
    columns = {"metric": series.metric, "stat": "Sum", "time": times, "value": values, "period_s": 60}
    frame = pd.DataFrame(columns, index=range(len(points)))
    assert Answers([], {"x": series}).table() == frame.to_csv(index=False)


def test_answers_add_up(params: Params) -> None:
    first = fetch(CloudWatch(page([(1, 1.0)])), params, [Ask("async_requests", WINDOW, label="a")], NOW)
    second = fetch(CloudWatch(page([(1, 2.0)])), params, [Ask("async_requests", WINDOW, label="b")], NOW)
    both = first + second
    assert (both.total("a"), both.total("b")) == (1, 2)


def client() -> Any:
    return boto3.client("cloudwatch", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def test_botocore_follows_the_next_token(params: Params) -> None:
    cloudwatch = client()
    with Stubber(cloudwatch) as stub:
        wanted = {"StartTime": ANY, "EndTime": ANY, "ScanBy": ANY, "MetricDataQueries": ANY}
        stub.add_response("get_metric_data", page([(1, 1.0)], "PartialData", NextToken="more"), wanted)
        stub.add_response("get_metric_data", page([(2, 2.0)]), {**wanted, "NextToken": "more"})
        answers = fetch(cloudwatch, params, [Ask("async_requests", WINDOW, label="x")], NOW)
        stub.assert_no_pending_responses()
    assert answers.total("x") == 3 and not answers.partial("x")


def test_a_refusal_is_one_sentence(params: Params) -> None:
    cloudwatch = client()
    with Stubber(cloudwatch) as stub:
        stub.add_client_error("get_metric_data", "AccessDenied", "no")
        with pytest.raises(AwsError, match=r"asking CloudWatch for 1 metrics.*AccessDenied"):
            fetch(cloudwatch, params, [Ask("async_requests", WINDOW)], NOW)
