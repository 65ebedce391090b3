"""Metric filters in the rehearsal: the pattern's rules, and the two gaps of the embedded AWS that they fill."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.observe.alarms.declared import realise
from runbook_lib.observe.inventory.failure_filter import prove
from runbook_lib.params.load import Params
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.emulator.metric_filters import matcher, points
from runbook_lib.rehearse.play.stage import params_of
from runbook_lib.rehearse.sandbox.deploy import deploy

LINE = json.dumps(
    {
        "level": "ERROR",
        "message": "VPRJobFailed",
        "service": "careervp",
        "n": 3,
        "deep": {"a": ["x", "y"]},
        "no": None,
        "on": True,
    }
)
TRANSFORMATION = {
    "metricName": "VPRJobFailed",
    "metricNamespace": "careervp_kpi",
    "metricValue": "1",
    "dimensions": {"service": "$.service"},
}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("", True),
        ("VPRJobFailed", True),
        ('"VPRJobFailed" -ERROR', False),
        ("?nothing ?ERROR", True),
        ("ERROR nothing", False),
        ('{ $.message = "VPRJobFailed" }', True),
        ("{ $.message = VPRJobFailed }", True),
        ('{ $.message = "VPRJob*" }', True),
        ('{ $.msg = "VPRJobFailed" }', False),
        ('{ $.message != "VPRJobFailed" }', False),
        ('{ $.message = "vprjobfailed" }', False),
        ("{ $.n >= 3 && $.n < 4 }", True),
        ("{ $.n > 3 }", False),
        ('{ ($.n = 4) || ($.level = "ERROR" && $.deep.a[1] = "y") }', True),
        ("{ $.job_id NOT EXISTS }", True),
        ("{ $.level NOT EXISTS }", False),
        ("{ $.no IS NULL }", True),
        ("{ $.on IS TRUE }", True),
        ("{ $.on IS FALSE }", False),
    ],
)
def test_a_pattern_matches_as_the_user_guide_says(pattern: str, matches: bool) -> None:
    assert matcher(pattern)(LINE) is matches


@pytest.mark.parametrize(
    "pattern", ["{ $.a = }", "{ $.a ", "{ a = 1 }", '{ $.a > "x" }', "[ip, user]", "%re%", "{ $.a = 1 } x"]
)
def test_what_it_does_not_know_is_an_error_and_no_match(pattern: str) -> None:
    with pytest.raises(ValueError, match="filter pattern"):
        matcher(pattern)


NAMES = st.text("abcxyz", min_size=1, max_size=5)
VALUES = st.text(
    st.characters(codec="ascii", exclude_characters='*"\\', categories=["L", "N", "P", "Zs"]), min_size=1
).map(str.strip)


@given(NAMES, NAMES, VALUES.filter(bool), VALUES.filter(bool))
def test_a_field_matches_its_own_value_and_no_other(name: str, other: str, value: str, another: str) -> None:
    line = json.dumps({name: value})
    assert matcher(f'{{ $.{name} = "{value}" }}')(line)
    assert matcher(f'{{ $.{name} = "{another}" }}')(line) is (another == value)
    assert matcher(f'{{ $.{other} = "{value}" }}')(line) is (other == name)


@given(st.dictionaries(NAMES, VALUES.filter(bool), min_size=1), NAMES)
def test_a_line_without_the_dimensions_field_makes_no_point(line: dict[str, str], field: str) -> None:
    made = {"filterPattern": "", "metricTransformations": [{**TRANSFORMATION, "dimensions": {"service": f"$.{field}"}}]}
    found = points(made, json.dumps(line))
    assert [one["Dimensions"] for one in found] == ([{"service": line[field]}] if field in line else [])


def test_the_gap_the_emulator_knows_no_test_metric_filter() -> None:
    from ministack.services import cloudwatch_logs as logs

    headers = {"x-amz-target": "Logs_20140328.TestMetricFilter"}
    answer: Any = asyncio.run(logs.handle_request("POST", "/", headers, b'{"filterPattern": ""}', {}))
    assert answer[0] == 400
    assert b"Unknown action" in answer[2], "an upgrade has it: the shim can go"


@pytest.fixture(scope="module")
def params() -> Params:
    return params_of("staging", "filters")


@pytest.fixture(scope="module")
def aws(params: Params) -> Iterator[EmbeddedAws]:
    with EmbeddedAws(dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)) as made:
        deploy(made, params)
        made.move_to(made.now() + dt.timedelta(minutes=20))
        yield made


@pytest.mark.emulator
def test_a_line_in_the_log_becomes_a_point_and_fires_the_guard(aws: EmbeddedAws, params: Params) -> None:
    logs, alarm = aws.client("logs"), next(one for one in params.policy.alarms if one.id == "guard_failed_jobs")
    wanted, group = realise(alarm, params), f"/aws/lambda/{params.name('worker')}"
    logs.create_log_stream(logGroupName=group, logStreamName="test")

    def fail(times: int) -> str:
        at = int(aws.now().timestamp() * 1000)
        events = [{"timestamp": at, "message": params.service.failure_line}] * times
        logs.put_log_events(logGroupName=group, logStreamName="test", logEvents=events)
        found = aws.client("cloudwatch").describe_alarms(AlarmNames=[wanted["AlarmName"]])["MetricAlarms"][0]
        return str(found["StateValue"])

    assert fail(int(wanted["Threshold"]) - 1) == "OK"
    assert fail(1) == "ALARM"


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("change", "wrong", "says"),
    [
        ({}, (), ""),
        ({"filterPattern": '{ $.msg = "VPRJobFailed" }'}, ("matches",), "does not match the sample line"),
        (
            {"dimensions": {"service": "$.job_id"}},
            ("writes_under",),
            "service=sample, and the guard watches",
        ),
        ({"dimensions": {"service": "$.none"}}, ("writes_under",), "(no such field)"),
        ({"dimensions": {}}, ("writes_under",), "under no dimension"),
        ({"metricValue": "0"}, ("counts",), "counts 0, not 1"),
    ],
)
def test_a_dead_filter_is_told_with_the_line(
    aws: EmbeddedAws, params: Params, change: dict[str, Any], wrong: tuple[str, ...], says: str
) -> None:
    transformation = {**TRANSFORMATION, **{key: value for key, value in change.items() if key != "filterPattern"}}
    made = {
        "filterPattern": change.get("filterPattern", '{ $.message = "VPRJobFailed" }'),
        "metricTransformations": [transformation],
    }
    found = prove(aws.client("logs"), f"/aws/lambda/{params.name('worker')}", made, params.service.failure_line)
    under = found.writes_under({"service": "careervp"})
    told = {"matches": found.matches(), "writes_under": under, "counts": found.counts()}
    assert {name for name, (ok, _) in told.items() if not ok} == set(wrong)
    for name in wrong:
        assert says in told[name][1]
        assert "VPRJobFailed" in told[name][1], "the line is shown"


@pytest.mark.emulator
def test_the_newest_line_of_the_log_is_tried_too(aws: EmbeddedAws, params: Params) -> None:
    """Powertools writes another `service` in the real worker than the sample has."""
    logs, group = aws.client("logs"), f"/aws/lambda/{params.name('status')}"
    made = {"filterPattern": "VPRJobFailed", "metricTransformations": [TRANSFORMATION]}
    only = prove(logs, group, made, params.service.failure_line)
    assert not only.seen
    assert "the log has none yet" in only.matches()[1]
    logs.create_log_stream(logGroupName=group, logStreamName="real")
    now = int(aws.now().timestamp() * 1000)
    lines = [(now - 7_200_000, "careervp"), (now - 60_000, "vpr-worker")]
    for at, service in lines:
        message = json.dumps({"message": "VPRJobFailed", "service": service, "error": "password=hunter2hunter2"})
        logs.put_log_events(logGroupName=group, logStreamName="real", logEvents=[{"timestamp": at, "message": message}])
    found = prove(logs, group, made, params.service.failure_line)
    ok, said = found.writes_under({"service": "careervp"})
    assert found.seen
    assert not ok
    assert "the newest such line in the log is counted under service=vpr-worker" in said
    assert "hunter2" not in said
