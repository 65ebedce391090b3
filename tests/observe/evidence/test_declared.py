"""Evidence of measures that gates.yaml declares: any kind, by the same rules of absence as the runbook's own."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from operator import itemgetter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base.window import Window
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.evidence.course import COURSE, course
from runbook_lib.observe.evidence.course import asks as course_asks
from runbook_lib.observe.evidence.declared import label
from runbook_lib.observe.evidence.measure import asks, asks_bounds
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.params.load import Params, load_file
from tests import own_gates

MINUTE = dt.timedelta(minutes=1)
LOOK = Look(hours=24, alpha=0.03)


@pytest.fixture(scope="session")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    """Ours, with a gate of each kind on metrics of our own."""
    return load_file(own_gates.project(tmp_path_factory.mktemp("shop")))


def gauged(window: Window, value: float) -> list[tuple[dt.datetime, float]]:
    return [(window.start + 5 * place * MINUTE, value) for place in range(288)]


@pytest.fixture
def shop(day: Any) -> Any:
    """A good day of the shop, too."""
    start = day.window.start
    each = [start + place * MINUTE for place in range(1440)]
    day.values |= {
        label("declined", "of"): [(at, 2.0) for at in each],
        label("declined", "zero_while"): [(at, 2.0) for at in each],
        label("declined", "bad"): [(at, 1.0) for at in each[::100]],
        label("served", "good"): [(at, 3.0) for at in each],
        label("served", "of"): [(at, 3.0) for at in each],
        label("connections", "value"): [(at, 30.0 + place % 3) for place, (at, _) in enumerate(gauged(day.window, 0))],
        label("search_time", "value"): 500.0,
        f"{label('search_time', 'value')}:n": 3000.0,
        label("basket", "value"): 12_000.0,
        label("basket", "of"): 400.0,
        f"{label('basket', 'value')}:quarters": [(start, 120.0), (start + 15 * MINUTE, 90.0)],
        f"{label('basket', 'of')}:quarters": [(start, 4.0), (start + 15 * MINUTE, 0.0)],
    }
    day.bounds |= {f"{label('search_time', 'value')}:upper": 540.0, f"{label('search_time', 'value')}:low": 460.0}
    return day


def verdict(day: Any, name: str) -> tuple[Verdict, str]:
    gate = next(one for one in day.params.policy.gates if one.measure == name)
    result = judge(gate, day.evidence()[name], look=LOOK, looks=(LOOK,))
    return result.verdict, result.reason


def seen(day: Any) -> Answered:
    return Answered(day.answers(), day.segment, day.live, day.traffic, day.params, day.window, day.now, day.look)


@pytest.mark.slow
@pytest.mark.parametrize("name", own_gates.MEASURES)
def test_a_good_day_passes_and_says_what_was_asked(shop: Any, name: str) -> None:
    assert verdict(shop, name)[0] is Verdict.PASS, verdict(shop, name)
    found: Evidence = shop.evidence()[name]
    assert not found.partial and found.query.startswith("CloudWatch ")
    assert "Shop/Checkout" in found.query or "AWS/RDS" in found.query


def test_the_figures_are_those_of_the_declaration(shop: Any) -> None:
    found = shop.evidence()
    assert (found["declined"].bad, found["declined"].n) == (15, 2880)
    assert (found["served"].bad, found["served"].n) == (0, 4320)
    assert (found["search_time"].value, found["search_time"].upper, found["search_time"].n) == (0.5, 0.54, 3000)
    assert (found["basket"].value, found["basket"].n) == (30.0, 400)
    assert set(found["connections"].values) == {30.0, 31.0, 32.0} and found["connections"].expected == 288
    assert "Shop/Checkout Sum of Declined {Service=shop-prod} / " in found["declined"].query
    assert sum(bad for _, bad, _ in found["declined"].course) == 15


@pytest.mark.slow
@pytest.mark.parametrize("name", own_gates.MEASURES)
@pytest.mark.parametrize("how", ["silent", "partial"])
def test_what_was_not_seen_never_passes(shop: Any, name: str, how: str) -> None:
    for one in [one for one in shop.values if one.startswith(f"own:{name}:")]:
        if how == "silent":
            shop.values[one] = []
        else:
            shop.status[one] = "PartialData"
    assert verdict(shop, name)[0] is (Verdict.NO_DATA if how == "silent" else Verdict.INCONCLUSIVE)


def test_a_counter_without_points_is_zero_only_where_the_declaration_names_the_proof(shop: Any) -> None:
    shop.values[label("declined", "bad")] = []
    found = shop.evidence()["declined"]
    assert (found.bad, found.n) == (0, 2880)
    assert any("proven by Attempts, which was published meanwhile" in note for note in found.notes)
    shop.values[label("declined", "zero_while")] = []
    assert verdict(shop, "declined")[0] is Verdict.NO_DATA
    shop.values[label("served", "good")] = []
    found = shop.evidence()["served"]
    assert found.bad is None and any("no point of `good`" in note for note in found.notes)


def test_each_has_its_course_in_the_unit_of_its_gate(shop: Any) -> None:
    charts = shop.answered(
        course_asks(shop.params, shop.window, shop.now),
        {f"{COURSE}{label('search_time', 'value')}": [(shop.window.start, 700.0)]},
    )
    told = seen(shop)
    told = replace(told, answers=told.answers + charts)
    went = {name: course(name, told) for name in own_gates.MEASURES}
    assert went["search_time"].periods["every 15 min"] == ((shop.window.start, 0.7),)
    assert went["declined"].counts["so far"][-1][1:] == (15, 2880)
    assert went["connections"].periods["every 5 min"][0][1] == 30.0
    assert [value for _, value in went["basket"].periods["every 15 min"]] == [30.0], "nothing is divided by 0"


def test_only_what_a_gate_is_judged_on_is_asked(params: Params, soak: Window, now: dt.datetime) -> None:
    gates = tuple(gate for gate in params.policy.gates if gate.measure != "connections")
    fewer = params.model_copy(update={"policy": params.policy.model_copy(update={"gates": gates})})
    mine = {ask.metric_id for ask in asks(params, soak, now)}
    assert mine - {ask.metric_id for ask in asks(fewer, soak, now)} == {"connections.value"}
    assert {"declined.bad", "declined.of", "served.good", "shop_searches", "search_time.value"} <= mine


def test_a_service_without_measures_asks_what_it_always_asked(shop: Any, soak: Window, now: dt.datetime) -> None:
    policy = shop.params.policy
    gates = tuple(gate for gate in policy.gates if gate.measure not in policy.measures)
    plain = shop.params.model_copy(update={"policy": policy.model_copy(update={"measures": {}, "gates": gates})})
    assert not [ask for ask in asks(plain, soak, now) if ask.label.startswith("own:")]
    assert not [ask for ask in asks_bounds(shop.answers(), plain, soak, now) if ask.label.startswith("own:")]


COUNTS = st.lists(st.tuples(st.integers(0, 1439), st.integers(0, 9), st.integers(0, 9)), max_size=40)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=COUNTS)
def test_good_of_and_bad_of_are_two_ways_to_say_one_thing(shop: Any, counts: list[tuple[int, int, int]]) -> None:
    """Whatever was counted, minute by minute: the same failures of the same whole, and the same course."""
    start, per = shop.window.start, dict[int, tuple[int, int]]()
    for minute, good, bad in counts:
        per[minute] = (good, bad)
    rows = [(start + minute * MINUTE, good, bad) for minute, (good, bad) in sorted(per.items())]
    for name, side in (("declined", "bad"), ("served", "good")):
        shop.values[label(name, "of")] = [(at, float(good + bad)) for at, good, bad in rows]
        shop.values[label(name, side)] = [(at, float(bad if side == "bad" else good)) for at, good, bad in rows]
    one, other = itemgetter("declined", "served")(shop.evidence())
    n = sum(good + bad for _, good, bad in rows)
    expected = (sum(bad for _, _, bad in rows), n) if n else (None, None)
    assert (one.bad, one.n) == (other.bad, other.n) == expected
    assert one.course == other.course
    assert not n or sum(bad for _, bad, _ in one.course) == expected[0]


def test_good_ones_that_are_counted_later_than_their_requests_have_no_course(shop: Any) -> None:
    """Each is good, two minutes later: minute by minute it would look as if all failed."""
    requests = [(shop.window.start + minute * MINUTE, 3.0) for minute in range(0, 1400, 7)]
    shop.values[label("served", "of")] = requests
    shop.values[label("served", "good")] = [(at + 2 * MINUTE, n) for at, n in requests]
    found = shop.evidence()["served"]
    assert (found.bad, found.n, found.course) == (0, 600, ())
    assert any("later than their requests" in note for note in found.notes)
    assert verdict(shop, "served")[0] is Verdict.PASS


def test_a_second_between_request_and_answer_keeps_the_course(shop: Any) -> None:
    """Of 40 requests a minute one is answered in the next minute, now and then; the last 30 minutes fail."""
    rng = np.random.default_rng(3)
    later = rng.binomial(1, 0.4, 1400)
    good = 40 - later + np.roll(later, 1)
    good[-30:] = 0
    times = [shop.window.start + minute * MINUTE for minute in range(1400)]
    shop.values[label("served", "of")] = [(at, 40.0) for at in times]
    shop.values[label("served", "good")] = [(at, float(n)) for at, n in zip(times, good, strict=True)]
    found = shop.evidence()["served"]
    assert found.course and not any("later than" in note for note in found.notes)
    assert verdict(shop, "served")[0] is Verdict.FAIL
