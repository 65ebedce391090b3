"""Users who stopped coming within the judged hours: silence is no evidence of how the service is now."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.evidence import door, rates, silence
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.metrics.fetch import Answers, Series
from tests.observe.evidence.test_door import END, LOOK, START, census, gate, look_at

HOUR = dt.timedelta(hours=1)


def seen_until(stop_h: float, per_hour: float, before_per_hour: float, *, weight: float = 100.0) -> Answered:
    """`per_hour` submissions up to hour `stop_h` of 24; the synchronous route had `before_per_hour` for seven days."""
    n = round(per_hour * stop_h)
    seen = look_at(census(n), requests=n)
    minutes = [START + dt.timedelta(hours=stop_h) * (k + 0.5) / max(n, 1) for k in range(n)]
    came = tuple((at.replace(second=0, microsecond=0), 1.0) for at in minutes)
    before = tuple((START - dt.timedelta(days=7) + HOUR * k, before_per_hour) for k in range(7 * 24))
    found = dict(seen.answers.series)
    for label, points in (("async_requests:Sum", came), (f"{door.REFERENCE}sync_requests", before)):
        found[label] = Series(label, label, "Sum", 60, False, points, False, ())
    return replace(seen, answers=Answers([], found), traffic=seen.traffic.model_copy(update={"weight": weight}))


@settings(max_examples=60, deadline=None)
@given(stop=st.floats(1, 20), per_hour=st.floats(15, 125), low=st.floats(0.5, 1.0))
def test_traffic_that_stopped_never_passes(stop: float, per_hour: float, low: float) -> None:
    seen = seen_until(stop, per_hour, per_hour * low)
    if silence.owed(seen, seen.whole.since(START + dt.timedelta(hours=stop))) < silence.OWED + 1:
        return
    result = judge(gate("success_rate"), rates.success(seen), look=LOOK)
    assert result.verdict in (Verdict.INCONCLUSIVE, Verdict.NO_DATA)
    assert "no submission came between" in result.reason


@settings(max_examples=60, deadline=None)
@given(per_hour=st.floats(10, 125), before=st.floats(0, 200))
def test_traffic_to_the_end_is_no_silence_however_much_came_before(per_hour: float, before: float) -> None:
    assert not silence.silent(seen_until(24, per_hour, before), seen_until(24, per_hour, before).whole)


def test_where_the_days_before_are_silent_too_nothing_is_owed() -> None:
    """A service of office hours: nobody came at night before the rollout either."""
    seen = seen_until(12, 40, 0)
    assert silence.owed(seen, seen.whole) == 0
    assert not silence.silent(seen, seen.whole)


def test_what_is_owed_goes_by_the_hour_of_the_day_and_the_weight() -> None:
    seen = seen_until(12, 40, 30, weight=10)
    span = seen.whole.since(END - 2 * HOUR)
    assert abs(silence.owed(seen, span) - 2 * 30 * 0.1) < 0.5


@settings(max_examples=60, deadline=None)
@given(start=st.floats(1, 18), length=st.floats(1, 5), per_hour=st.floats(30, 125))
def test_a_hole_in_the_middle_is_silence_too(start: float, length: float, per_hour: float) -> None:
    """The address led nowhere for some hours by day, and then all was well again."""
    whole = seen_until(24, per_hour, per_hour)
    points = whole.answers.points("async_requests:Sum")
    low, high = START + HOUR * start, START + HOUR * (start + length)
    series = dict(whole.answers.series)
    kept = tuple(one for one in points if not low <= one[0] < high)
    series["async_requests:Sum"] = replace(series["async_requests:Sum"], points=kept)
    hole = replace(whole, answers=Answers([], series))
    if length * per_hour > silence.OWED + 5:
        assert "no submission came between" in silence.silent(hole, hole.whole)
    assert not silence.silent(whole, whole.whole)
