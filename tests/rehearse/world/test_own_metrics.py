"""What is played of the measures of a team's own is what their evidence says, however they are declared and shared."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import params_dir
from runbook_lib.base.window import Window
from runbook_lib.judge.model import Evidence, Gate
from runbook_lib.observe.evidence import declared
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import Params, load_file
from runbook_lib.params.measures import Measure
from runbook_lib.params.metrics import METRICS, STATISTICS
from runbook_lib.rehearse.quick.local_aws import LocalMetrics
from runbook_lib.rehearse.world.behaviour import Behaviour, Fault
from runbook_lib.rehearse.world.own import Own
from runbook_lib.rehearse.world.own_metrics import OwnMetrics, good_day, key_of, knob
from runbook_lib.rehearse.world.scenario import Scenario, load

BASE = load_file(params_dir() / "prod.yaml")
START, HOURS = dt.datetime(2026, 11, 27, tzinfo=dt.UTC), 24
FROM, HOUR_S = START.timestamp(), 3600.0
AT = FROM + np.sort(np.random.default_rng(1).random(6000)) * HOURS * HOUR_S
SERVED = {"target": "> 0.98", "alert": "< 0.95"}
STATS = (*STATISTICS, "p50", "p99.9")


def metric(name: str, stat: str | None = None) -> dict[str, Any]:
    return {"namespace": "Shop", "name": name, **({"stat": stat} if stat else {})}


def rate(bad: dict[str, Any], of: dict[str, Any] | str, **more: Any) -> dict[str, Any]:
    return {"kind": "rate", "bad": bad, "of": of, **more}


def gate(name: str, kind: str, target: str = "", **more: Any) -> dict[str, Any]:
    own: dict[str, dict[str, Any]] = {
        "rate": {"unit": "ratio", "target": target or "< 0.02", "alert": "> 0.05"},
        "gauge": {"unit": "units", "target": target or "< 80", "alert": "> 950", "steady": 0.9, "no_change_test": "-"},
        "amount": {"unit": "EUR", "target": target or "< 80", "alert": "> 950", "evidence": "point"},
        "quantile": {"unit": "s", "quantile": 0.95, "target": target or "< 1", "alert": "> 9"},
    }
    about = {"id": name, "title": name, "kind": kind, "measure": name, "why": "-", "response": "hold"}
    if kind == "amount":
        about["no_change_test"] = "-"
    return {**about, **own[kind], **more}


def shop(measures: dict[str, dict[str, Any]], **gates: dict[str, Any]) -> Params:
    """Params whose policy judges these measures alone, each by a gate of its kind."""
    found = {name: Measure.model_validate(one) for name, one in measures.items()}
    judged = tuple(Gate.model_validate(gate(name, one.kind, **gates.get(name, {}))) for name, one in found.items())
    policy = BASE.policy.model_copy(update={"measures": found, "gates": judged})
    return BASE.model_copy(update={"policy": policy})


def scenario(*faults: Fault) -> Scenario:
    return load("healthy").model_copy(update={"faults": faults})


def fault(name: str, level: float | None, **more: Any) -> Fault:
    return Fault(name=f"f_{name}", measures={name: level}, **more)


def seen(params: Params, *faults: Fault, cuts: int = 24) -> dict[str, Evidence]:
    """The evidence of each measure over a day."""
    own, metrics = Own(params, scenario(*faults), 3), LocalMetrics([])
    edges = np.linspace(FROM, FROM + HOURS * HOUR_S, cuts + 1)
    for low, high in itertools.pairwise(edges):
        at = AT[(low <= AT) & (high > AT)]
        step = SimpleNamespace(start=low, end=high, requests=SimpleNamespace(at=at, is_async=np.ones(len(at), bool)))
        metrics.put_own(own.tell(step, scenario(*faults), FROM))  # type: ignore[arg-type]
    window = Window(START, START + dt.timedelta(hours=HOURS))
    now = window.end + dt.timedelta(hours=1)
    answers = metrics.answers(params, declared.asks(params, window, now), now)
    state = TrafficState.model_construct(weight=100.0, since=None)
    told = Answered(answers, None, {}, state, params, window, now, None)
    return {
        name: declared.evidence(told, name) for name, one in params.policy.measures.items() if one.kind != "quantile"
    }


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(["gauge", "amount"]),
    stat=st.sampled_from([*STATS, None]),
    of=st.sampled_from([*STATS, None, "none"]),
    divided_by=st.sampled_from([1.0, 10.0]),
    level=st.integers(5, 500),
    on=st.booleans(),
)
def test_a_level_is_what_is_said_whatever_statistics_are_asked(
    kind: str, stat: str | None, of: str | None, divided_by: float, level: int, on: bool
) -> None:
    made: dict[str, Any] = {"kind": kind, "value": metric("V", stat), "divided_by": divided_by}
    if of != "none":
        made["of"] = metric("N", of)
    params = shop({"m": made}, m={"constant": True} if kind == "gauge" else {})
    try:
        one = seen(params, *([fault("m", float(level))] if on else []))["m"]
    except UsageError as refused:
        assert "too many to play" in str(refused) and stat == "SampleCount", refused
        return
    wanted = float(level) if on else 40.0
    if kind == "amount":
        assert one.value == pytest.approx(wanted, rel=0.05, abs=0.2)
    else:
        assert len(one.values) > 200
        inner = one.values[1:-1]
        assert inner == pytest.approx(np.full(len(inner), wanted), rel=0.02, abs=1.01 / divided_by)


@settings(deadline=None, max_examples=20)
@given(stat=st.sampled_from(STATS), messages=st.booleans())
def test_a_level_that_wavers_is_at_its_worst_what_is_said(stat: str, messages: bool) -> None:
    params = shop({"m": {"kind": "gauge", "value": metric("V", stat)}}, m={"unit": "messages"} if messages else {})
    values = seen(params, fault("m", 300.0))["m"].values
    assert 296 <= max(values) <= 301.01 and min(values) >= 265


@pytest.mark.slow
@pytest.mark.parametrize("side", ["bad", "good"])
@pytest.mark.parametrize(
    ("stat", "of"),
    [
        *itertools.product(["Sum", "SampleCount"], [metric("Asked"), metric("Asked", "SampleCount")]),
        ("Sum", metric("Hit", "SampleCount")),
    ],
)
@pytest.mark.parametrize("zero", [None, "of", metric("Hit"), metric("Other")])
def test_a_rate_is_what_is_said_whatever_counts_it_is_made_of(
    side: str, stat: str, of: dict[str, Any], zero: Any
) -> None:
    made = {"kind": "rate", side: metric("Hit", stat), "of": of} | ({"zero_while": zero} if zero else {})
    params = shop({"m": made}, m=SERVED if side == "good" else {})
    for level, within, found in ((0.3, 0.03, seen(params, fault("m", 0.3))["m"]), (0.002, 0.003, seen(params)["m"])):
        assert found.n == pytest.approx(len(AT), abs=150)
        assert found.bad is not None and found.bad / found.n == pytest.approx(level, abs=within)


def two() -> dict[str, dict[str, Any]]:
    return {
        "payments": rate(metric("Failed"), metric("Payments"), zero_while=metric("Payments")),
        "orders": rate(metric("Failed"), metric("Orders")),
        "failures": {"kind": "gauge", "value": metric("Failed", "Sum")},
    }


@pytest.mark.slow
@pytest.mark.parametrize("order", list(itertools.permutations(two())))
@pytest.mark.parametrize("faulty", list(two()))
def test_a_fault_of_any_measure_of_a_shared_metric_is_seen(order: tuple[str, ...], faulty: str) -> None:
    params = shop({name: two()[name] for name in order})
    good = seen(params)
    assert all(good[name].bad / good[name].n < 0.01 for name in ("payments", "orders"))  # type: ignore[operator]
    assert max(good["failures"].values) <= 80
    found = seen(params, fault(faulty, 960.0 if faulty == "failures" else 0.3, start=6, end=18))
    if faulty == "failures":
        assert max(found["failures"].values) > 950
    else:
        assert found[faulty].bad / found[faulty].n == pytest.approx(0.15, abs=0.03)  # type: ignore[operator]


def test_a_share_of_what_another_measure_counts_is_a_share_of_that() -> None:
    measures = {
        "late": rate(metric("Late"), metric("Served")),
        "served": {"kind": "rate", "good": metric("Served"), "of": metric("Asked")},
    }
    params = shop(measures, served=SERVED)
    found = seen(params, fault("late", 0.2), fault("served", 0.5))
    assert found["late"].n == pytest.approx(len(AT) / 2, rel=0.1)
    assert found["late"].bad / found["late"].n == pytest.approx(0.2, abs=0.03)  # type: ignore[operator]


def test_silence_reaches_all_that_a_measure_is_made_of() -> None:
    measures = {"a": rate(metric("A"), metric("Asked"), zero_while="of"), "b": rate(metric("B"), metric("Asked"))}
    found = seen(shop(measures), fault("a", None))
    assert found["a"].n is None and found["b"].n is None


def test_the_strictest_measure_of_a_metric_plays_a_good_day() -> None:
    limits = {"a": "< 0.04", "b": "< 0.001", "c": "< 0.03"}
    params = shop(
        {name: rate(metric("Failed"), metric("Asked")) for name in limits},
        **{name: {"target": limit} for name, limit in limits.items()},
    )
    (several,) = OwnMetrics(params, scenario()).players.values()
    assert several[0].name == "b"


@pytest.mark.parametrize("faulty", ["half", "most"])
def test_two_percentiles_of_one_metric_are_each_what_is_said(faulty: str) -> None:
    params = shop(
        {name: {"kind": "quantile", "value": metric("Time")} for name in ("half", "most")},
        half={"quantile": 0.5, "target": "< 0.3", "alert": "> 0.5"},
    )
    asked = SimpleNamespace(at=AT, is_async=np.ones(len(AT), bool))
    step = SimpleNamespace(start=FROM, end=FROM + HOURS * HOUR_S, requests=asked)
    for faults in ((), (fault(faulty, 5.0),)):
        (told,) = Own(params, scenario(*faults), 3).tell(step, scenario(*faults), FROM)  # type: ignore[arg-type]
        half, most = np.percentile(told.value, (50, 95))
        if faults:
            assert {"half": half, "most": most}[faulty] == pytest.approx(5.0, rel=0.05)
        else:
            assert half < 0.3 and most < 1


def refused(params: Params, *faults: Fault) -> str:
    with pytest.raises(UsageError) as caught:
        Own(params, scenario(*faults), 1)
    return str(caught.value)


def test_what_a_knob_plays_is_set_by_that_knob() -> None:
    lambda_errors = {"namespace": "AWS/Lambda", "name": "Errors", "dimensions": {"FunctionName": "{worker}"}}
    for bad in ("worker_errors", lambda_errors):
        params = shop({"m": rate(bad, "worker_invocations")})  # type: ignore[arg-type]
        assert "worker_errors of the catalogue" in refused(params, fault("m", 0.5))
        assert "knob `job_crash`" in refused(params, fault("m", 0.5))
        assert "`silent`" in refused(params, fault("m", None))
        assert Own(params, scenario(), 1) is not None
    params = shop({"m": rate(metric("Mine"), "async_requests")})
    assert Own(params, scenario(fault("m", 0.5)), 1) is not None, "its failures are the service's own"


def test_every_knob_that_is_named_is_one() -> None:
    named = {knob(id) for id in METRICS} - {""}
    assert len(named) > 10 and named <= set(Behaviour.model_fields)


@pytest.mark.parametrize(
    ("measures", "faults", "says"),
    [
        (two(), [fault("payments", 0.2), fault("orders", 0.1)], "'orders' is set too.*Failed: set one of them"),
        (two(), [fault("payments", 1.5)], "1.5: expects a share, 0 to 1"),
        (two(), [fault("failures", 1e300)], "could hold"),
        ({"m": rate(metric("A", "SampleCount"), metric("A"))}, [fault("m", 0.1)], "Sum of SampleCount"),
        ({"m": {"kind": "gauge", "value": metric("A"), "of": metric("A", "Sum")}}, [fault("m", 1)], "same metric"),
        (
            {"m": rate(metric("A"), metric("B")), "g": {"kind": "gauge", "value": metric("B", "Sum")}},
            [fault("m", 0.1)],
            "'g' is made of, which counts no requests",
        ),
        (
            {"m": rate(metric("A"), metric("B")), "n": rate(metric("B"), metric("A"))},
            [],
            "each counted among the other's",
        ),
        ({"m": {"kind": "gauge", "value": metric("A", "SampleCount")}}, [fault("m", 1e9)], "too many to play"),
    ],
)
def test_what_cannot_be_played_is_refused(measures: dict[str, Any], faults: list[Fault], says: str) -> None:
    assert re.search(says, refused(shop(measures), *faults))


def test_the_order_of_dimensions_makes_no_other_metric() -> None:
    one = {
        "Namespace": "N",
        "MetricName": "M",
        "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}],
    }
    assert key_of(one) == key_of({**one, "Dimensions": one["Dimensions"][::-1]})
    assert good_day(Gate.model_validate(gate("m", "gauge"))) == 40
