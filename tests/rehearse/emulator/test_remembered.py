"""What is kept is what would have been computed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.rehearse.emulator.remembered import dated, described, of_text, projected, since, sized, split, summed


def test_a_string_is_computed_once_and_anything_else_each_time() -> None:
    asked: list[object] = []

    def double(value: object) -> object:
        asked.append(value)
        return value, value

    quick = of_text(double)
    assert [quick("a"), quick("a"), quick("b")] == [("a", "a"), ("a", "a"), ("b", "b")]
    assert asked == ["a", "b"]
    assert quick(1) == (1, 1) and quick(True) == (True, True)
    assert quick(None) == (None, None) and quick([1]) == ([1], [1])
    assert asked == ["a", "b", 1, True, None, [1]]


def test_times_read_through_it_are_those_of_the_emulator() -> None:
    from ministack.services import cloudwatch

    quick = of_text(cloudwatch._parse_ts)
    noon = dt.datetime(2026, 11, 3, 12, tzinfo=dt.UTC)
    for time in ("2026-11-03T12:00:00Z", "2026-11-03T12:00:00+00:00", f"{noon.timestamp()}", noon, noon.timestamp()):
        assert quick(time) == quick(time) == noon.timestamp()
    assert quick("") is None and quick(None) is None


_ITEM = {"id": {"S": "1"}, "status": {"S": "FAILED"}, "used": {"M": {"in": {"N": "1"}}}, "a.b": {"L": [{"N": "2"}]}}
_NAMES = {"#s": "status", "#dotted": "a.b", "#gone": "nowhere"}


@given(
    st.lists(st.sampled_from(["id", "used", "#s", "#dotted", "#gone", "used.in", " id", "status", "none"]), max_size=4)
)
def test_what_is_asked_of_an_item_is_what_the_emulator_gives(asked: list[str]) -> None:
    from ministack.services import dynamodb

    def told(project: Any) -> Any:
        try:
            return list(project(_ITEM, ",".join(asked), _NAMES).items())
        except ValueError as error:
            return str(error)

    quick = projected(dynamodb._project_item)
    assert told(quick) == told(quick) == told(dynamodb._project_item)


_VALUE = st.floats(-1e6, 1e6, allow_nan=False)
_POINT = st.fixed_dictionaries({"Value": _VALUE}, optional={"Count": st.sampled_from([0, 1, 2.5, 7])})
_SET = st.fixed_dictionaries({"SampleCount": st.integers(0, 4), "Sum": _VALUE, "Minimum": _VALUE, "Maximum": _VALUE})


@given(st.lists(_POINT | st.builds(lambda one: {"_stat": one}, _SET), max_size=6))
def test_points_are_summed_up_as_the_emulator_does_to_the_last_bit(points: list[dict[str, Any]]) -> None:
    from ministack.services import cloudwatch

    assert summed(cloudwatch._calc_stats)(points) == cloudwatch._calc_stats(points)


_TEXT = st.text(max_size=4)
_ATTRIBUTE = st.one_of(
    _TEXT.map(lambda text: {"S": text}),
    st.integers().map(lambda number: {"N": str(number)}),
    st.sampled_from([{"BOOL": True}, {"M": {"a": {"S": "é"}}}, {"S": "a", "N": "1"}, {}, {"S": None}, "no attribute"]),
)


@given(st.one_of(st.dictionaries(_TEXT, _ATTRIBUTE, max_size=4), st.sampled_from([None, []])))
def test_an_item_is_as_large_as_the_emulator_says(item: Any) -> None:
    from ministack.services import dynamodb

    assert sized(dynamodb._item_size_bytes)(item) == dynamodb._item_size_bytes(item)


def test_an_expression_is_taken_apart_as_the_emulator_does_and_each_caller_may_change_what_it_got() -> None:
    from ministack.services import dynamodb

    quick, filter = split(dynamodb._tokenize), "#created_at >= :low AND (#created_at < :high)"
    quick(filter).clear()
    assert quick(filter) == dynamodb._tokenize(filter) != []


def test_times_of_an_answer_are_found_beside_numbers() -> None:
    from ministack.services import cloudwatch

    at = "2026-11-03T12:00:00Z"
    told = {"Results": [{"Values": [1, 2.5], "Timestamps": [at, at], "Dimensions": ["a", {"Timestamp": at}]}]}
    assert dated(cloudwatch._json_timestamps)(told) == cloudwatch._json_timestamps(told)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=9))),
    st.integers(0, 40),
    st.integers(1, 40),
)
def test_what_is_asked_of_a_metric_is_what_the_emulator_gives(
    steps: list[tuple[str, list[tuple[int, int]]]], start: int, length: int
) -> None:
    """Whatever came late, and also where old points are thrown away between two questions."""
    from ministack.services import cloudwatch

    quick = since(cloudwatch._get_metric_data)
    queries = [
        {"Id": name, "MetricStat": {"Metric": {"Namespace": "n", "MetricName": name}, "Period": 5, "Stat": "Sum"}}
        for name in "ab"
    ]
    body = {"StartTime": float(start), "EndTime": float(start + length), "MetricDataQueries": queries}
    cloudwatch._metrics.clear()
    try:
        for number, (name, points) in enumerate(steps):
            bucket = cloudwatch._metric_bucket(("n", name, "()"))
            bucket.extend({"Timestamp": float(at), "Value": float(value)} for at, value in points)
            if number == 2:
                cloudwatch._metrics["n", name, "()"] = bucket[1:]
            assert quick({}, body, False, True) == cloudwatch._get_metric_data({}, body, False, True)
    finally:
        cloudwatch._metrics.clear()


def test_a_service_is_described_as_botocore_does_it() -> None:
    import botocore.session
    from ministack.core import responses

    session, model = botocore.session.get_session(), described(responses._BOTOCORE_NAME)
    sandbox = (
        "sts",
        "lambda",
        "dynamodb",
        "appconfig",
        "apigateway",
        "apigatewayv2",
        "cloudformation",
        "iam",
        "s3",
        "sns",
    )
    for service in (*responses._BOTOCORE_NAME, *sandbox):
        known = session.get_service_model(responses._BOTOCORE_NAME.get(service, service)).metadata
        assert model(service).metadata == dict(known), service
    assert model("no-such-service") is None
