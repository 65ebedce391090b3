"""Both arms, hour by hour: what each counted, what is doubtful, and what stands where there is no other arm."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.window import iso, parse
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Arms, Evidence, Gate
from runbook_lib.judge.terms import COMPARABLE, MEASURES, Verdict
from runbook_lib.observe.evidence import arms, courses, questions
from runbook_lib.observe.evidence.questions import LEVELS, Percentiles, label
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.jobs.census import count, dated
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.params.load import Params
from tests.observe.conftest import HOUR, LOOK, MINUTE, Soak

FIRST = 10
"""Hour of the day at which the soak begins; it takes 24 h."""


def gate_of(params: Params, own: str, against: str, margin: float = 0.01) -> Gate:
    given_ = params.policy.gate(own).model_dump()
    return Gate.model_validate({**given_, "id": f"{own}_{against}", "against": against, "margin": margin})


def comparing(day: Soak, *gates: Gate) -> Soak:
    policy = day.params.policy.model_copy(update={"gates": (*day.params.policy.gates, *gates)})
    day.params = day.params.model_copy(update={"policy": policy})
    return day


def taken(day: Soak, gate: Gate) -> tuple[Evidence, Arms]:
    found = comparing(day, gate).evidence()[gate.measure]
    return found, next(one for one in found.arms if one.gate == gate.id)


def jobs(day: Soak, failed: range = range(0), slow: range = range(0)) -> Segment:
    """300 jobs, 12.5 an hour; those of the places in `failed` are failures."""
    found = []
    for place in range(300):
        at = day.window.start + place * 4.8 * MINUTE
        took = 200 if place in slow else 40
        job = {"job_id": str(place), "created_at": at.isoformat(), "status": "COMPLETED"}
        job["completed_at"] = (at + dt.timedelta(seconds=took)).isoformat()
        if place in failed:
            job |= {"status": "FAILED", "error": "boom"}
        found.append(job)
    return count(dated(found), day.window, day.window.end, 300)


def healthy_baseline(day: Soak, failing: float = 0.0) -> None:
    day.values[label("sync_5xx")] = [(at, failing * n) for at, n in day.values[label("sync_requests")]]


def test_without_a_gate_that_compares_nothing_is_taken_or_asked_beside(day: Soak) -> None:
    before = questions.asks(day.params, day.window, day.now)
    assert all(one.arms == () for one in day.evidence().values())
    gate = gate_of(day.params, "success_rate", "baseline")
    assert questions.asks(comparing(day, gate).params, day.window, day.now) == before, "both routes are counted anyway"


def test_success_beside_the_baseline_hour_by_hour(day: Soak) -> None:
    day.segment = jobs(day, failed=range(100, 120))
    healthy_baseline(day)
    evidence, found = taken(day, gate_of(day.params, "success_rate", "baseline"))
    assert (found.other, found.absent, found.share, found.partial) == ("the baseline", "", 0.1, False)
    assert [parse(one.at) for one in found.hours] == [day.window.start + k * HOUR for k in range(24)]
    assert (
        (sum(one.bad for one in found.hours), sum(one.n for one in found.hours))
        == (20, 300)
        == (
            evidence.bad,
            evidence.n,
        )
    )
    assert {one.n for one in found.hours} <= {12, 13} and [k for k, one in enumerate(found.hours) if one.bad] == [8, 9]
    assert sum(one.other_n for one in found.hours) == pytest.approx(2700, rel=0.01)
    assert all(one.other_bad == one.other_most == 0 and one.bad == one.most for one in found.hours)


def test_a_baseline_that_answers_504_makes_it_no_gate(day: Soak) -> None:
    day.segment = jobs(day)
    gate = gate_of(day.params, "success_rate", "baseline")
    evidence, _ = taken(day, gate)
    found = judge(gate, evidence, look=LOOK)
    assert found.gate.muted == "the baseline is itself broken" and "0.0 %" in found.reason


def test_what_it_sees_decides(day: Soak) -> None:
    gate = gate_of(day.params, "success_rate", "baseline", margin=0.02)
    day.segment = jobs(day)
    healthy_baseline(day)
    assert judge(gate, taken(day, gate)[0], look=LOOK).verdict is Verdict.PASS
    day.segment = jobs(day, failed=range(40, 100))
    assert judge(gate, day.evidence()["success"], look=None).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"weight": 100.0}, "at a weight of 100 % nobody is sent to the baseline"),
        ({"weight": 0.0}, "at a weight of 0 % nobody is on async"),
    ],
)
def test_where_nobody_is_sent_there_is_no_baseline(day: Soak, state: dict[str, Any], told: str) -> None:
    day.traffic = day.traffic.model_copy(update=state)
    day.segment = jobs(day)
    assert taken(day, gate_of(day.params, "success_rate", "baseline"))[1].absent == told


def test_a_baseline_that_is_not_seen_is_no_data_and_one_that_is_seen_in_part_is_partial(day: Soak) -> None:
    day.segment = jobs(day)
    gate = gate_of(day.params, "success_rate", "baseline")
    day.status[label("sync_5xx")] = "PartialData"
    healthy_baseline(day)
    assert taken(day, gate)[1].partial
    day.drop("sync_requests", "sync_5xx")
    assert judge(gate, day.evidence()["success"], look=LOOK).verdict is Verdict.NO_DATA


def test_what_has_no_time_is_held_against_a_pass_and_not_for_a_fail(day: Soak) -> None:
    """4xx that no access log tells apart: nobody knows when, or whether, they were refusals."""
    day.segment = jobs(day)
    healthy_baseline(day)
    at = day.window.start + 30 * MINUTE
    day.values[label("async_4xx")] = [(at, 9.0)]
    day.values[label("async_requests")] = [*day.values[label("async_requests")], (at + MINUTE, 9.0)]
    evidence, found = taken(day, gate_of(day.params, "success_rate", "baseline"))
    assert evidence.bad and evidence.doubtful
    assert sum(one.most for one in found.hours) == evidence.bad and sum(one.n for one in found.hours) == evidence.n
    assert sum(one.bad for one in found.hours) <= evidence.bad - evidence.doubtful


def test_errors_of_submissions_are_compared_and_polls_are_not(day: Soak) -> None:
    healthy_baseline(day, 0.1)
    _, found = taken(day, gate_of(day.params, "error_rate", "baseline"))
    assert sum(one.n for one in found.hours) == 288, "12.5 an hour, as whole numbers"
    assert sum(one.other_bad for one in found.hours) == pytest.approx(270, rel=0.05)


def latencies(day: Soak, arm: Percentiles, n: float, slow: range) -> None:
    """Each five minutes of the soak has `n` samples; in those of the hours in `slow` the slowest takes 9 s."""
    for stat in (*LEVELS, "SampleCount"):
        points = []
        for place in range(288):
            high = 9000.0 if place // 12 in slow and stat == "Maximum" else 800.0
            points.append((day.window.start + 5 * place * MINUTE, n if stat == "SampleCount" else high))
        day.values[arm.level(stat)] = points


def test_latencies_are_bounded_by_the_percentiles_of_each_five_minutes(day: Soak) -> None:
    gate = gate_of(day.params, "submit_latency", "baseline", margin=0.05)
    comparing(day, gate)
    latencies(day, questions.LATENCY, 10, range(20, 22))
    latencies(day, questions.BASELINE_LATENCY, 90, range(0))
    found = next(one for one in day.evidence()["submit_latency"].arms if one.gate == gate.id)
    assert [(one.bad, one.most) for one in found.hours] == [(12, 12) if k in (20, 21) else (0, 0) for k in range(24)]
    assert {(one.n, one.other_n, one.other_most) for one in found.hours} == {(120, 1080, 0)}


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=60),
    st.floats(0, 10),
    st.sampled_from(["linear", "lower", "higher", "hazen", "weibull", "median_unbiased", "interpolated_inverted_cdf"]),
    st.sets(st.sampled_from(LEVELS)),
)
def test_at_most_and_at_least_so_many_are_beyond(
    samples: list[float], limit: float, method: Any, known: set[str]
) -> None:
    """Whatever CloudWatch's way to interpolate, and whichever statistics it gave."""
    levels = {
        "Minimum": min(samples),
        "Maximum": max(samples),
        **{f"p{p}": float(np.percentile(samples, p, method=method)) for p in (50, 90)},
    }
    beyond = {name: value > limit for name, value in levels.items() if name in known}
    truth = sum(value > limit for value in samples)
    assert courses.beyond_at_least(len(samples), beyond) <= truth <= courses.beyond_at_most(len(samples), beyond)


def before(day: Soak, *gates: Gate, hours: int = 24) -> dict[str, Any]:
    """This soak as the phase before of another, as a record has it."""
    comparing(day, *gates)
    evidence = day.evidence()
    seen = Answered(day.answers(), day.segment, day.live, day.traffic, day.params, day.window, day.now, day.look)
    told = arms.told(seen, evidence, "06_phase1_10_percent")
    assert told is not None
    for gate in told["gates"].values():
        gate["hours"] = gate["hours"][:hours]
    known: dict[str, Any] = json.loads(json.dumps(told))
    return known


def test_the_phase_before_is_paired_by_the_hour_of_the_day_each_hour_once(day: Soak, params: Params) -> None:
    gates = [gate_of(params, own, "phase_before") for own in ("success_rate", "generation_time", "llm_quota")]
    day.segment = jobs(day, failed=range(10), slow=range(290, 300))
    told = before(day, *gates, hours=20)
    assert (told["phase"], told["weight"]) == ("06_phase1_10_percent", 10)
    day.live[arms.BEFORE] = told
    day.traffic = day.traffic.model_copy(update={"weight": 30.0})
    day.segment = jobs(day)
    evidence = day.evidence()
    success, slow, quota = (evidence[gate.measure].arms[0] for gate in gates)
    assert (success.other, success.absent, success.share) == ("the phase before", "", 0.75)
    assert [one.other_n > 0 for one in success.hours] == [True] * 20 + [False] * 4
    assert sum(one.other_bad for one in success.hours) == 10 and not any(one.bad for one in success.hours)
    assert sum(one.other_bad for one in slow.hours) == 0, "they were slow in the hours that are not known"
    assert slow.value == 40 and sum(one.n for one in quota.hours) == 300


def test_a_first_phase_has_none_before_it_and_a_record_that_cannot_be_read_is_no_data(day: Soak) -> None:
    gate = gate_of(day.params, "success_rate", "phase_before")
    day.segment = jobs(day)
    evidence, found = taken(day, gate)
    assert found.absent == "no phase before this one is known" and judge(gate, evidence, look=LOOK).gate.muted
    day.live[arms.BEFORE] = {"phase": "06", "weight": 0.0, "gates": {}}
    assert judge(gate, day.evidence()["success"], look=LOOK).verdict is Verdict.NO_DATA


def test_every_measure_that_may_be_compared_is_taken(day: Soak) -> None:
    assert arms._OWN.keys() == {one for names in COMPARABLE.values() for one in names}
    assert arms._BASELINE.keys() == set(COMPARABLE["baseline"])
    assert all(MEASURES[one] in ("rate", "quantile") for one in arms._OWN)


def test_the_answers_give_the_same_arms_again(day: Soak) -> None:
    gates = [gate_of(day.params, "success_rate", arm) for arm in ("baseline", "phase_before")]
    day.segment = jobs(day, failed=range(4))
    told = before(day, *gates)
    day.live[arms.BEFORE] = told
    first = day.evidence()["success"]
    assert len(first.arms) == 2 and iso(day.window.start) == first.arms[0].hours[0].at
    assert Evidence.model_validate(json.loads(first.model_dump_json())) == first == day.evidence()["success"]
