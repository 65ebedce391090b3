"""Whether the peak fits through the door: factors by hand, and what holds for any load and limit."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.planning.door import LIMITS, DoorPlan, Limits, Manner, Peak, Throttle, door_checks, per_second
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.traffic.peak import grid, peak_of

GOLDEN = Path(__file__).with_name("door.yaml")
MANNER = Manner(
    burst=3,
    headroom=2,
    generation_s=45,
    poll_every_s=5,
    workers=5,
    handler_s={"submit": 1, "status": 0.3, "sync": 60},
)
PEAK = Peak(per_minute=12, per_hour=240, per_day=3000)
"""3,000 requests a day, as the service sees them."""
WIDE = Limits(
    stage=Throttle(rate=10_000, burst=5000),
    account=Throttle(rate=10_000, burst=5000),
    unreserved=900,
    reserved={"sync": None, "submit": None, "status": None, "worker": 5},
)


def judged(limits: Limits, percent: float = 100, peak: Peak | None = PEAK, manner: Manner = MANNER) -> dict[str, Check]:
    return {one.id.removeprefix("door."): one for one in door_checks(limits, peak, percent, manner)}


def test_the_load_by_hand() -> None:
    # 12 a minute are 0.2 a second; 45 s in flight at one poll each 5 s are 9 polls a job.
    assert per_second(PEAK, 100, MANNER) == pytest.approx({"sync": 0, "submit": 0.2, "status": 1.8})
    assert per_second(PEAK, 10, MANNER) == pytest.approx({"sync": 0.18, "submit": 0.02, "status": 0.18})


def test_the_real_stage_throttles_the_polls_of_phase_3() -> None:
    """2 requests a second, burst 10: 1.8 polls a second fit once, and nothing is left."""
    tight = WIDE.model_copy(update={"stage": Throttle(rate=2, burst=10)})
    one = judged(tight)["stage"]
    assert (one.verdict, one.required, one.facts["factor"]) == (Verdict.INCONCLUSIVE, False, pytest.approx(1.111, 0.01))
    assert "2 requests/s, burst 10" in one.reason and "(status)" in one.reason
    one = judged(tight, peak=PEAK.model_copy(update={"per_minute": 24.0}))["stage"]
    assert (one.verdict, one.required) == (Verdict.FAIL, True)
    assert "only 56% of the peak fits" in one.reason
    assert judged(tight, 10)["stage"].ok


def test_a_wide_door_passes_and_shows_each_limit() -> None:
    found = judged(WIDE)
    assert list(found) == list(LIMITS)
    assert {id for id, one in found.items() if not one.ok} == {"workers"}
    assert found["workers"].facts["factor"] == pytest.approx(5 / 3, 0.001)  # 240 an hour x 45 s are 3 workers busy
    assert found["route_submit"].found == "no limit here"


def test_the_pool_is_shared_by_those_without_a_reserve() -> None:
    # 0.18 a second for 60 s with one second of three times as many; the short handlers see the peak second alone.
    busy = 0.18 * (60 + 2) + 3 * (0.02 * 1 + 0.18 * 0.3)
    assert judged(WIDE, 10)["lambda_pool"].facts["factor"] == pytest.approx(900 / busy, 0.001)
    kept = WIDE.model_copy(update={"reserved": {**WIDE.reserved, "sync": 10}})
    assert judged(kept, 10)["lambda_sync"].verdict is Verdict.FAIL
    assert judged(kept, 10)["lambda_pool"].facts["factor"] > 900


@pytest.mark.parametrize("quota", [{"quota": 29_999, "period": "DAY"}, {"quota": 209_999, "period": "WEEK"}])
def test_a_quota_below_a_day_fails_where_keys_are_asked_for(quota: dict[str, object]) -> None:
    plan = DoorPlan.model_validate({"name": "callers", **quota})
    bound = WIDE.model_copy(update={"plans": (plan,), "keyed": ("sync", "submit", "status")})
    one = judged(bound)["usage_plans"]
    assert (one.verdict, one.required) == (Verdict.FAIL, True)
    assert "30,000 on the busiest day" in one.reason
    assert judged(bound.model_copy(update={"keyed": ()}))["usage_plans"].ok


def test_a_plans_throttle_of_one_route_counts() -> None:
    plan = DoorPlan(name="callers", routes={"submit": Throttle(rate=0.1, burst=0)})
    bound = WIDE.model_copy(update={"plans": (plan,), "keyed": ("submit",)})
    assert judged(bound)["usage_plans"].verdict is Verdict.FAIL


def test_without_traffic_nothing_is_known() -> None:
    for peak in (None, Peak(per_minute=0, per_hour=0, per_day=0)):
        found = judged(WIDE, peak=peak)
        assert {(one.verdict, one.required) for one in found.values()} == {(Verdict.NO_DATA, False)}


def test_what_aws_does_not_tell_is_no_limit_that_holds() -> None:
    found = judged(Limits(reserved=WIDE.reserved))
    assert {id for id, one in found.items() if one.verdict is Verdict.NO_DATA} == {"account", "lambda_pool"}
    assert found["account"].required


@given(st.sampled_from(sorted(LIMITS)), st.floats(1, 100))
def test_a_limit_that_was_not_seen_never_passes(id: str, percent: float) -> None:
    one = judged(WIDE.model_copy(update={"unseen": {id: "denied"}}), percent)[id]
    assert (one.verdict, one.required) == (Verdict.NO_DATA, True)
    assert "denied" in one.reason


RATE = st.floats(0.001, 1e4)
LOADS = st.builds(
    lambda minute, hours, days: Peak(per_minute=minute, per_hour=minute * hours, per_day=minute * hours * days),
    RATE,
    st.floats(1, 60),
    st.floats(1, 24),
)
SOME = st.builds(
    lambda stage, burst, account, pool, worker, quota: Limits(
        stage=Throttle(rate=stage, burst=burst),
        account=Throttle(rate=account, burst=account),
        unreserved=pool,
        reserved={"worker": worker},
        keyed=("sync", "submit", "status"),
        plans=(DoorPlan(name="p", quota=quota),),
    ),
    RATE,
    RATE,
    RATE,
    st.integers(1, 1000),
    st.integers(1, 100),
    RATE,
)


@given(SOME, LOADS, st.floats(1, 100), st.floats(1.1, 10))
def test_more_traffic_never_fits_better(limits: Limits, peak: Peak, percent: float, times: float) -> None:
    more = Peak(**{name: getattr(peak, name) * times for name in ("per_minute", "per_hour", "per_day")})
    before, after = judged(limits, percent, peak), judged(limits, percent, more)
    for id in LIMITS:
        was, now = before[id].facts["factor"], after[id].facts["factor"]
        assert (was is None) == (now is None)
        if was is not None:
            assert now <= was
            # The load is linear in the traffic, so the factor shrinks by as much.
            assert math.isclose(now, was / times, rel_tol=0.01, abs_tol=0.001)


@given(SOME, LOADS, st.floats(1, 100))
def test_the_verdict_follows_the_factor(limits: Limits, peak: Peak, percent: float) -> None:
    for one in judged(limits, percent, peak).values():
        factor = one.facts["factor"]
        assume(factor is None or min(abs(factor - 1), abs(factor - 2)) > 0.001)
        wanted = Verdict.PASS if factor is None or factor > 2 else Verdict.FAIL if factor < 1 else Verdict.INCONCLUSIVE
        assert (one.verdict, one.required) == (wanted, wanted is not Verdict.INCONCLUSIVE)


@given(LOADS, st.floats(1, 100), st.sampled_from(["stage", "account", "workers", "lambda_pool"]))
def test_a_limit_of_zero_always_fails(peak: Peak, percent: float, id: str) -> None:
    shut = {
        "stage": {"stage": Throttle(rate=0, burst=0)},
        "account": {"account": Throttle(rate=0, burst=0)},
        "workers": {"reserved": {**WIDE.reserved, "worker": 0}},
        "lambda_pool": {"unreserved": 0},
    }[id]
    assert judged(WIDE.model_copy(update=shut), percent, peak)[id].verdict is Verdict.FAIL


START = dt.datetime(2026, 11, 10, tzinfo=dt.UTC)


def at(second: int, value: float) -> tuple[dt.datetime, float]:
    return START + dt.timedelta(seconds=second), value


def test_the_hours_sum_in_one_minute_is_no_peak_minute() -> None:
    hourly = [at(3600 * n, 120.0) for n in range(24)]
    assert grid(hourly, 60) == 3600
    assert peak_of(hourly, 3600) == Peak(per_minute=2, per_hour=120, per_day=2880, period_s=3600)
    fine = [*hourly, at(60, 3.0)]
    assert grid(fine, 60) == 60
    assert grid(hourly[:3], 60) == 60, "three points say nothing about how they were made"


def test_a_coarse_peak_says_so() -> None:
    peak = peak_of([at(300 * n, 10.0) for n in range(20)], 300)
    assert peak is not None
    assert peak.words == "2.0 submissions in the peak minute (a mean over 5 minutes: no finer points are kept)"


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 50)), min_size=1, unique_by=lambda one: one[0]))
def test_the_peak_of_any_minutes(minutes: list[tuple[int, int]]) -> None:
    points = sorted(at(60 * place, float(value)) for place, value in minutes)
    peak = peak_of(points, 60)
    assert peak is not None
    assert peak.per_minute == max(value for _, value in minutes)
    hour = max(sum(v for m, v in minutes if first <= m < first + 60) for first, _ in minutes)
    assert peak.per_hour == hour
    assert peak.per_minute <= peak.per_hour <= peak.per_day <= sum(value for _, value in minutes)


def test_nothing_submitted_has_no_peak() -> None:
    assert peak_of([], 60) is None
    assert peak_of([at(0, 0.0)], 60) is None


KEYS = Limits(
    stage=Throttle(rate=2, burst=10),
    routes={"submit": Throttle(rate=1), "status": Throttle(burst=20)},
    account=Throttle(rate=10_000, burst=5000),
    unreserved=900,
    reserved={"sync": 10, "submit": None, "status": None, "worker": 7},
    keyed=("sync", "submit"),
    plans=(
        DoorPlan(
            name="p",
            throttle=Throttle(rate=1),
            routes={"sync": Throttle(rate=0.5, burst=1), "status": Throttle(rate=0.001)},
            quota=50_000,
            period="WEEK",
        ),
        DoorPlan(name="q", quota=1e6, period="MONTH"),
        DoorPlan(name="r"),
    ),
)
"""A limit of each sort."""
ALL = Limits(
    stage=Throttle(rate=1),
    routes={name: Throttle(rate=0.5, burst=0.25) for name in ("sync", "submit", "status")},
    reserved={"sync": 0, "submit": 1, "status": 2, "worker": 0},
    unreserved=0,
    keyed=("status", "another"),
    plans=(DoorPlan(name="r"), DoorPlan(name="s")),
    unseen={"account": "denied"},
)
ASKED: dict[str, tuple[Limits, Peak | None, float, Manner]] = {
    "a limit of each sort": (KEYS, PEAK, 10, MANNER),
    "a wide door": (WIDE, PEAK, 100, MANNER),
    "none that AWS tells, and a plan without keys": (
        Limits(keyed=("x",), plans=(DoorPlan(name="r"),)),
        PEAK.model_copy(update={"period_s": 300}),
        50,
        MANNER,
    ),
    "every route its own, and plans without limits": (ALL, PEAK, 50, MANNER),
    "no traffic": (KEYS, None, 100, MANNER),
}


def told(name: str) -> list[list[object]]:
    return [
        [one.id, str(one.verdict), one.required, one.reason, one.expected, one.found, one.facts.get("factor")]
        for one in door_checks(*ASKED[name])
    ]


@pytest.mark.parametrize("name", ASKED)
def test_each_limit_to_the_letter(name: str) -> None:
    assert told(name) == yaml.safe_load(GOLDEN.read_text("utf-8"))[name]


@pytest.mark.parametrize(
    ("rate", "burst", "mean", "peak", "factor"),
    [
        (None, None, 1, 3, None),
        (2, None, 1, 3, 2 / 3),
        (2, None, 1, 0, 2),
        (2, 10, 1, 3, 2),
        (2, 5, 1, 4, 5 / 4),
        (None, 6, 1, 3, 2),
        (None, 6, 1, 0, None),
        (2, 1, 0, 1, 2),
        (0, 0, 1, 3, 0),
        (2, 10, 0, 0, None),
    ],
)
def test_how_often_a_load_fits_by_hand(
    rate: float | None, burst: float | None, mean: float, peak: float, factor: float | None
) -> None:
    assert Throttle(rate=rate, burst=burst).factor(mean, peak) == factor


@pytest.mark.parametrize(
    ("quota", "period", "per_day", "words"),
    [
        (None, "DAY", None, "usage plan p: no rate, burst not set, no quota"),
        (3000.0, "DAY", 3000, "usage plan p: no rate, burst not set, 3,000 requests a day"),
        (21.0, "WEEK", 3, "usage plan p: no rate, burst not set, 21 requests a week"),
        (62.0, "MONTH", 2, "usage plan p: no rate, burst not set, 62 requests a month"),
    ],
)
def test_a_plans_quota_a_day(quota: float | None, period: str, per_day: float | None, words: str) -> None:
    plan = DoorPlan.model_validate({"name": "p", "quota": quota, "period": period})
    assert (plan.per_day, plan.words) == (per_day, words)
