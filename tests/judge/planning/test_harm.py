"""What a failure costs: the plays against closed forms, the guards' own arithmetic and plays that were not counted."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runbook_lib.base.project import params_dir
from runbook_lib.judge.gates import change
from runbook_lib.judge.planning import harm
from runbook_lib.judge.planning.guard_math import Demands, figures
from runbook_lib.judge.planning.harm import SHARES, Harm, Pair, _pair, _rank, forecast
from runbook_lib.judge.planning.harm_play import Played, _course, _declared, _judged, _watched
from runbook_lib.judge.planning.harm_terms import Traffic, Watch, late
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.load import load_file

PARAMS = load_file(params_dir() / "prod.yaml")
GATE = PARAMS.policy.gate("success_rate")
LOOKS = PARAMS.policy.phases["07_phase2_50_percent"].looks


def watch(every_min: float = 5.0, guards: tuple[tuple[int, float], ...] = ()) -> Watch:
    return Watch(
        gate=GATE,
        looks=LOOKS,
        every_min=every_min,
        guards=guards,
        alpha_early=0.01,
        prior=(1.0, 9.0),
        confidence=0.95,
        settle_s=300,
        delay_s=300,
        clear_s=60,
    )


def traffic(per_day: float = 3000, weight: float = 0.5, **more: float) -> Traffic:
    return Traffic((per_day / 86_400,), weight, **more)


def row(rows: tuple[Harm, ...], share: float, begins: float = 0.0) -> Harm:
    return next(one for one in rows if (one.share, one.begins_h) == (share, begins))


@pytest.fixture(scope="module")
def usual() -> tuple[Harm, ...]:
    return forecast(traffic(baseline=0.96), watch(guards=((5, 1200.0),)))


@pytest.mark.slow
def test_every_share_at_once_and_late(usual: tuple[Harm, ...]) -> None:
    half = late(watch())
    assert half == 12
    assert [(one.share, one.begins_h) for one in usual] == [(s, b) for b in (0.0, half) for s in SHARES]
    for one in usual:
        assert math.isclose(sum(one.stopped_by.values()) + one.goes_on, 1)
        if one.users.most is not None and one.requests.most is not None and one.users.median is not None:
            assert one.users.median <= one.users.most <= one.requests.most
            assert one.baseline is not None and one.baseline.most == pytest.approx(0.96 * one.requests.most)


@pytest.mark.slow
def test_a_record_says_the_same_again(usual: tuple[Harm, ...]) -> None:
    again = forecast(traffic(baseline=0.96), watch(guards=((5, 1200.0),)), shares=(0.2,), begins=(0.0,))
    assert again[0] == row(usual, 0.2)
    assert Harm.model_validate_json(again[0].model_dump_json()) == again[0]


@pytest.mark.slow
def test_the_worse_it_is_the_sooner_it_is_stopped(usual: tuple[Harm, ...]) -> None:
    waits = [row(usual, share).minutes.median or math.inf for share in SHARES]
    assert waits == sorted(waits, reverse=True)


def test_everything_failing_takes_the_looks_requests_and_the_time_until_they_are_seen() -> None:
    """Three failures of three show more than 2 % at 1 % (half of it on the start): then settling, watch and polling."""
    found = forecast(traffic(86_400, 1.0), watch(every_min=1), shares=(1.0,), begins=(0.0,))[0]
    # One a second: known after 300 s and the next look; then 60 s until the last client has left.
    assert found.users.median == pytest.approx(300 + 60 + 60, abs=40)
    assert found.stopped_by == {"guard": 0, "watch": 1, "look": 0}


@pytest.mark.slow
def test_nobody_looking_leaves_it_to_the_declared_look() -> None:
    found = forecast(traffic(), watch(every_min=0), shares=(0.5,), begins=(0.0,))[0]
    assert found.stopped_by == {"guard": 0, "watch": 0, "look": 1}
    assert found.minutes.median == pytest.approx(24 * 60 + 5)
    assert found.users.median == pytest.approx(0.5 * 1500, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("least", "window_s", "bad"), [(5, 1200.0, 0.2), (7, 1200.0, 0.5), (4, 5400.0, 0.1)])
def test_guards_stop_it_when_their_own_arithmetic_says(least: int, window_s: float, bad: float) -> None:
    """Half of the plays are within the median: so says the chance of `guard_math` that a fault is noticed by then."""
    quiet = Traffic((3000 / 86_400,), 0.5, failing=0.0)
    asked = {"shares": (bad,), "begins": (0.0,), "plays": 200}
    median = forecast(quiet, watch(0, ((least, window_s),)), **asked)[0].minutes.median  # type: ignore[arg-type]
    assert median is not None
    demands = Demands(0.01, 0.02, bad, 0.01, 0.1, median, (0, 24), 300)
    assert figures(least, window_s, [1500 / 86_400], demands).within == pytest.approx(0.5, abs=0.12)


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    per_day=st.sampled_from([300.0, 3000.0, 30_000.0]),
    weight=st.sampled_from([0.1, 0.5, 1.0]),
    share=st.sampled_from([0.1, 0.2, 0.5, 1.0]),
    begins=st.sampled_from([0.0, 12.0]),
)
@example(per_day=3000.0, weight=0.5, share=0.1, begins=12.0)
def test_other_plays_stay_within_what_is_said(per_day: float, weight: float, share: float, begins: float) -> None:
    """Of plays that the forecast did not see, the figure at 85 % is within its figure at 95 %."""
    setting = (Traffic((per_day / 86_400,), weight), watch(guards=((5, 1200.0),)))
    said = forecast(*setting, shares=(share,), begins=(begins,))[0].users.most
    assert said is not None
    others = forecast(*setting, shares=(share,), begins=(begins,), confidence=0.85, seed=99)[0].users.most
    assert others is not None and others <= said


@pytest.mark.mutants
@pytest.mark.slow
def test_fewer_users_are_harmed_by_a_smaller_step_a_shorter_watch_and_a_guard() -> None:
    """What a refusal proposes is an improvement in each of its three ways."""
    asked = {"shares": (1.0,), "begins": (0.0,)}
    usual = forecast(traffic(30_000), watch(), **asked)[0].users.most or 0  # type: ignore[arg-type]
    for better in (
        forecast(traffic(30_000, 0.1), watch(), **asked),  # type: ignore[arg-type]
        forecast(traffic(30_000), watch(every_min=1), **asked),  # type: ignore[arg-type]
        forecast(traffic(30_000), watch(guards=((5, 600.0),)), **asked),  # type: ignore[arg-type]
    ):
        assert (better[0].users.most or math.inf) < usual


def test_the_declared_look_sees_every_request_of_the_soak() -> None:
    """Parts without a failure are in its course too: 1.8 % failing in all is short of the alert limit, and no FAIL."""
    times, n = np.arange(0.0, 86_400, 60), np.ones(1440, dtype=np.int64)
    bad = np.where(times % 3300 == 0, 1, 0)
    course = _course(times, bad, n)
    assert (sum(k for _, k, _ in course), sum(m for _, _, m in course)) == (27, 1440)
    assert all(a[1] or b[1] for a, b in pairwise(course)), "what lies between failures is joined"
    assert _declared(times, bad, n, LOOKS[0], watch(), quiet=False) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("plays", "rank"), [(59, 59), (60, 60), (93, 92), (124, 122)])
def test_the_rank_is_that_of_the_tables(plays: int, rank: int) -> None:
    """Wilks: 59, 93 and 124 values for the largest, the second and the third of them, at 95 % and 95 %."""
    assert _rank(plays, 0.95) == rank


def test_where_nobody_comes_nobody_is_harmed() -> None:
    found = forecast(traffic(0), watch(), shares=(1.0,), begins=(0.0,))[0]
    assert (found.users.most, found.goes_on) == (0, 0), "a soak without a request is held at its last look"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"shares": (1.5,)}, "1.5"),
        ({"begins": (40.0,)}, "40 h"),
        ({"confidence": 1.0}, "confidence"),
        ({"plays": 0}, "plays"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, float], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        forecast(traffic(), watch(), **given)  # type: ignore[arg-type]


def test_a_watch_wants_a_rate_and_looks() -> None:
    with pytest.raises(ValueError, match="rate"):
        Watch(PARAMS.policy.gate("dlq"), LOOKS, 5, (), 0.01, (1, 9), 0.95, 300, 300, 60)
    with pytest.raises(ValueError, match="look"):
        Watch(GATE, (), 5, (), 0.01, (1, 9), 0.95, 300, 300, 60)
    with pytest.raises(ValueError, match="rates"):
        Traffic((1.0, 2.0), 1.0)


@settings(max_examples=40)
@given(data=st.data())
def test_whoever_watches_finds_it_at_the_look_at_which_the_test_itself_first_says_so(data: st.DataObject) -> None:
    """By asking at every look in turn, which takes a hundred times as long."""
    count = data.draw(st.integers(1, 400))
    n = np.asarray(data.draw(st.lists(st.integers(1, 3), min_size=count, max_size=count)))
    share = data.draw(st.sampled_from([0.02, 0.05, 0.1, 0.5, 1.0]))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    times = np.cumsum(rng.integers(1, 30, count)) * 10.0
    begin_s = data.draw(st.sampled_from([0.0, float(times[-1]) / 2]))
    bad = rng.binomial(n, np.where(times >= begin_s, share, 0.002))
    who = watch(data.draw(st.sampled_from([0.7, 5.0, 30.0])))
    start, until = data.draw(st.sampled_from([0.0, 600.0])), float(times[-1]) * 1.2
    spans = (times, times + 10.0)
    every_s, mine = who.every_min * 60, times >= start

    def says(number: int) -> bool:
        known = mine & (spans[1] <= number * every_s - who.settle_s)
        if not bad[known].any():
            return False
        found = change.tested(bad[known], n[known], who.limit, who.prior, who.alpha_early)
        return found.log_e >= -math.log(who.alpha_early)

    numbers = range(math.floor(max(start, begin_s) / every_s) + 1, math.ceil(until / every_s))
    expected = next((number * every_s for number in numbers if says(number)), None)
    found, ever = _watched(spans, bad, n, (start, until), begin_s, who)
    assert found == expected
    if ever is not None:
        most = change.tested(cast("Any", bad), cast("Any", n), who.limit, who.prior, who.alpha_early).log_e
        assert start == 0 and math.exp(most) <= (ever + 1 - change.START_SHARE) * (1 + 1e-9)


@settings(max_examples=60)
@given(
    gaps=st.lists(st.integers(1, 200), min_size=1, max_size=150),
    share=st.sampled_from([0.002, 0.01, 0.02, 0.05, 0.3]),
    late=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_declared_look_says_what_the_gate_says_of_the_whole_course(
    gaps: list[int], share: float, late: bool, seed: int
) -> None:
    times = np.cumsum(np.asarray(gaps)) * 10.0
    n = np.random.default_rng(seed).integers(1, 30, len(times))
    bad = np.random.default_rng(seed + 1).binomial(n, np.where(times >= times[-1] / 2 * late, share, 0.002))
    who, look = watch(), LOOKS[0]
    mine = times < look.hours * 3600
    whole = _judged(who, look, _course(times[mine], bad[mine], n[mine]), int(bad[mine].sum()), int(n[mine].sum()))
    assert _declared(times, bad, n, look, who, quiet=False) is whole


def plays(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Plays that are told and not simulated: each, by its number, costs as much; gives what was asked of them."""
    asked: list[Any] = []

    def play(rng: np.random.Generator, came: Any, part_s: float, failure: Any, traffic: Any, watch: Any) -> Played:
        asked.append((rng.integers(10**9), int(came.sum()), part_s, failure))
        place = len(asked)
        by = ("guard", "watch", "look", None)[place % 4]
        return Played(by, 60.0 * place, place, place + 0.25, place + 0.5, place + 0.75, place % 5 > 0)  # type: ignore[arg-type]

    monkeypatch.setattr(harm, "play", play)
    return asked


def test_the_figures_are_those_of_the_plays_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = plays(monkeypatch)
    rates = Traffic((0.001,), 0.5, baseline=0.5)
    (one,) = forecast(rates, watch(), shares=(0.3,), begins=(0.5,), confidence=0.5, plays=8, seed=3)
    # Of the 8 plays, 3 and 7 are promoted: the rank of the median is the 5th, that of the limit at 50 % the 7th.
    assert one.model_dump() == {
        "share": 0.3,
        "begins_h": 0.5,
        "requests": {"median": 6, "most": None},
        "minutes": {"median": 6, "most": None},
        "users": {"median": 6.25, "most": None},
        "baseline": {"median": 3, "most": None},
        "by_looks": {"median": 6.5, "most": 8.5},
        "unseen": {"median": 5.75, "most": 7.75},
        "stopped_by": {"guard": 0.25, "watch": 0.25, "look": 0.25},
        "goes_on": 0.25,
        "plays": 8,
    }
    assert [each for *_, each in asked] == [(1800.0, 0.3)] * 8
    assert {part_s for _, _, part_s, _ in asked} == {10}
    (none,) = forecast(Traffic((0.001,), 0.5), watch(), shares=(0.3,), begins=(0.5,), confidence=0.5, plays=8)
    assert none.baseline is None


def test_each_share_is_played_with_the_same_requests_and_each_beginning_with_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = plays(monkeypatch)
    found = forecast(traffic(), watch(), shares=(0.1, 0.2), begins=(0.0, 12.0), confidence=0.5, plays=6)
    assert [(one.begins_h, one.share, one.plays) for one in found] == [
        (0, 0.1, 6),
        (0, 0.2, 6),
        (12, 0.1, 6),
        (12, 0.2, 6),
    ]
    drawn, came = ([one[place] for one in asked] for place in (0, 1))
    for each in (drawn, came):
        first, again, later, last = each[:6], each[6:12], each[12:18], each[18:]
        assert first == again and later == last and first != later and len(set(first)) == 6
    assert [failure for *_, failure in asked[::6]] == [(0, 0.1), (0, 0.2), (43_200, 0.1), (43_200, 0.2)]


@pytest.mark.parametrize(
    ("most", "plays_of", "per_day", "count"),
    [
        (400_000, 200, 3e6, 184),  # 2,165 parts, with a request in each
        (400_000, 184, 3e6, 184),
        (400_000, 183, 3e6, 183),
        (2165 * 70, 93, 3e6, 70),
        (2165 * 70 - 1, 93, 3e6, 69),
        (59, 93, 0, 59),
        (1, 93, 3e6, 59),  # never fewer than the limit takes
        (60, 93, 0, 60),
    ],
)
def test_with_much_traffic_there_are_fewer_plays(
    monkeypatch: pytest.MonkeyPatch, most: int, plays_of: int, per_day: float, count: int
) -> None:
    plays(monkeypatch)
    monkeypatch.setattr(harm, "_MOST_PARTS", most)
    (one,) = forecast(traffic(per_day, 1.0), watch(), shares=(1.0,), begins=(0.0,), plays=plays_of, seed=most)
    assert one.plays == count


def test_a_pair_is_the_middle_one_and_the_one_of_the_rank() -> None:
    values = [float(one) for one in range(100, 40, -1)]
    assert _pair(values, 0.95) == Pair(median=71, most=100)
    assert _pair([*values[1:], math.inf], 0.95) == Pair(median=71, most=None)
    assert _pair([*values[:31], *[math.inf] * 29], 0.95) == Pair(median=100, most=None)
    assert _pair([math.inf] * 31 + values[:29], 0.95) == Pair(median=None, most=None)


def test_one_play_is_enough_for_a_small_share_of_soaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 0.05 of all soaks, the first play is the limit with certainty 0.95: and none is no number of plays."""
    plays(monkeypatch)
    (one,) = forecast(traffic(), watch(), shares=(1.0,), begins=(0.0,), confidence=0.05, plays=1)
    assert (one.plays, one.unseen) == (1, Pair(median=1.75, most=1.75))


def test_what_is_unseen_costs_something_where_it_is_promoted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    plays(monkeypatch)
    (one,) = forecast(traffic(), watch(), shares=(1.0,), begins=(0.0,), confidence=0.95, plays=59)
    assert (one.users, one.unseen) == (Pair(median=40.25, most=None), Pair(median=30.75, most=59.75))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"begins": (0.0, -0.5)}, "a failure that begins after -0.5 h begins in no soak of 36 h"),
        ({"begins": (36 + 300 / 3600,)}, "a failure that begins after 36.0833 h begins in no soak of 36 h"),
        ({"shares": (0.5, 1.01)}, "share 1.01 is no share from 0 to 1"),
    ],
)
def test_what_is_refused_to_the_letter(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=" no ") as refused:
        forecast(traffic(), watch(), **given)
    assert str(refused.value) == why
