"""Arguments that cannot be: an error in words or a right value, never nan, whatever stands in their place.

The table names every public function of the modules that reckon; a function that is added without a row fails.
"""

from __future__ import annotations

import datetime as dt
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, example, find, given, settings
from hypothesis import strategies as st

from runbook_lib.judge import numbers, words
from runbook_lib.judge.gates import (
    beside,
    change,
    compare,
    older,
    sequence,
    sequential,
    statistics,
    two_arms,
    two_arms_change,
)
from runbook_lib.judge.incidents import backlog, capacity
from runbook_lib.judge.model import Gate, Look
from runbook_lib.judge.money import cost, projection, statement
from runbook_lib.judge.planning import alarm_math, door, guard_math, load, power, weekly

Args = st.SearchStrategy[Any]
NASTY = [math.nan, math.inf, -math.inf, -1, 0, 1, -0.5, 0.5, 2, 1e308, -0.0, 5e-324]
odd = st.one_of(st.sampled_from(NASTY), st.integers(-3, 300), st.floats(-1, 2))
"""What can stand in any place of a number, right or not."""
half = st.one_of(st.sampled_from([0.95, 0.05, 0.01, 0.5]), odd)
"""More often a probability, so that what lies behind the first guard is reached too."""
some = st.one_of(st.integers(1, 300), odd)
"""More often a count."""
small = st.one_of(st.integers(1, 12), st.sampled_from([math.nan, math.inf, -1, 0, 2.5, 1e308]))
both_arms = st.lists(st.tuples(odd, some, odd, some), max_size=4)
values = st.lists(st.one_of(st.floats(0, 100), odd), max_size=12)
rates = st.one_of(
    st.lists(st.one_of(st.floats(0, 5), st.sampled_from([math.nan, math.inf, -1, 0.0, 1e308])), max_size=3),
    st.lists(st.floats(0, 5), min_size=24, max_size=24),
)


def usually(value: Any, else_: Args = odd) -> Args:
    """Two times of three the usual value: then a draw goes wrong in one place, and not in all of them."""
    return st.one_of(st.just(value), st.just(value), else_)


prior = st.one_of(st.just((1.0, 9.0)), st.tuples(odd, odd))
points = st.lists(st.tuples(odd, odd), max_size=6)
START = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
hourly = st.lists(st.one_of(st.floats(0, 100), odd), max_size=200).map(
    lambda found: [(START + dt.timedelta(hours=place), value) for place, value in enumerate(found)]
)
unit = st.sampled_from(["ratio", "s", "USD", "messages"])


class _Prices:
    """A tenth of a dollar for anything."""

    def of(self, _item: str, quantity: float, /) -> float:
        return quantity / 10

    def month(self, _item: str, quantity: float, /) -> float:
        return quantity / 10


GATE = Gate.model_validate(
    {
        "id": "g",
        "title": "G",
        "kind": "rate",
        "measure": "m",
        "unit": "ratio",
        "target": "> 0.99",
        "alert": "< 0.98",
        "why": "",
    }
)
LOOK = Look(hours=24, alpha=0.05)
USAGE = cost.Usage(path="async", successes=3, lines=(cost.UsageLine(service="s", item="i", quantity=2),))


def _demand(per_s: float) -> capacity.Demand:
    return capacity.Demand(per_s=per_s, consumed_per_s=0.0, throttled=0.0, at=None)


def _charged(quantity: float, successes: int, hours: float, times: float) -> projection.Month:
    line = cost.CostLine(service="s", item="i", quantity=quantity, usd=0.0, fixed=False, llm=False)
    return projection.month([line], successes, hours, _Prices(), times)


def _demands(target: float, within: float, daytime: tuple[int, int], delay: float) -> guard_math.Demands:
    return guard_math.Demands(target, 0.02, 0.2, 0.01, 0.1, within, daytime, delay)


def _arms(rows: list[tuple[float, float, float, float]]) -> Any:
    """Failures and requests of both arms, one list each."""
    return [[row[at] for row in rows] for at in range(4)]


def _load(waiting: float, arrivals: float, service: float, workers: int) -> backlog.Load:
    return backlog.Load(waiting=waiting, arrivals_per_s=arrivals, service_s=service, workers=workers)


def _curve(waiting: float, arrivals: float, horizon: float, step: float) -> Any:
    queue = _load(waiting, arrivals, 45.0, 5)
    # A drawing of at most so many points: how many are asked for is not what this is about.
    if step >= 1e-12 and horizon <= 2**53 and horizon / step > 1000:
        return 0.0
    return backlog.curve(backlog.forecast(queue, backlog.options(queue, 10)[0]), horizon, step)


def _door(minute: float, percent: float, generation: float, poll: float) -> dict[str, float]:
    peak = door.Peak(per_minute=minute, per_hour=1.0, per_day=1.0)
    manner = door.Manner(burst=1, headroom=1, generation_s=generation, poll_every_s=poll, handler_s={}, workers=1)
    return door.per_second(peak, percent, manner)


def _powers(found: Any, percent: float, samples: float, sure: float, looks: list[Look]) -> Any:
    return power.powers(found, [GATE], phase="p", percent=percent, looks=looks, samples={"m": samples}, power=sure)


def _watch(events: Any, since: float, until: float, minutes: float, settle: float, proven: bool) -> Any:
    return capacity.watch(
        {"a": events}, since=since, seen_until=until, minutes=minutes, settle_min=settle, proven=proven
    )


class Row(NamedTuple):
    """A function, what stands in its arguments' places, and why its answer may be infinite, if it may."""

    call: Callable[..., Any]
    arguments: tuple[Args, ...]
    infinite: str = ""


quiet_rates = st.lists(st.one_of(st.floats(0, 0.05), st.sampled_from([math.nan, -1, 0.0])), min_size=1, max_size=1)
"""Little traffic: the time that a search over counts takes grows with it, and the guards are the same."""
DEMANDS = (
    usually(0.01, half),
    usually(30.0),
    usually((7, 20), st.tuples(st.integers(-2, 26), st.integers(-2, 26))),
    usually(300.0),
)
TABLE: dict[str, Row] = {
    "statistics.upper_bound": Row(statistics.upper_bound, (odd, some, half)),
    "statistics.lower_bound": Row(statistics.lower_bound, (odd, some, half)),
    "statistics.clopper_pearson": Row(statistics.clopper_pearson, (odd, some, half)),
    "statistics.wilson": Row(statistics.wilson, (odd, some, half)),
    "statistics.poisson_interval": Row(statistics.poisson_interval, (odd, half)),
    "statistics.binomial_p": Row(statistics.binomial_p, (some, some, half)),
    "statistics.more_needed": Row(statistics.more_needed, (some, some, half, half)),
    "statistics.needed": Row(statistics.needed, (some, half, half)),
    "statistics.quantile_rank": Row(statistics.quantile_rank, (some, half, half)),
    "statistics.quantile_low_rank": Row(statistics.quantile_low_rank, (some, half, half)),
    "statistics.percentile": Row(statistics.percentile, (some, some)),
    "sequential.log_e": Row(sequential.log_e, (odd, some, half, prior), "a failure at limit 0 is proof"),
    "sequential.early_fail_log_e": Row(sequential.early_fail_log_e, (odd, some, half, prior), "as log_e"),
    "older.change_log_e": Row(older.change_log_e, (values, values, half, prior), "as log_e"),
    "change.tested": Row(lambda *a: change.tested(*a).log_e, (values, values, half, prior, half), "as log_e"),
    "change.after_failures": Row(lambda *a: sum(change.after_failures(*a)[0]), (values, values, half, prior)),
    "change.counts": Row(lambda *a: sum(change.counts(*a)[1]), (values, values)),
    "older.at_the_end": Row(
        lambda k, m, *a: older.at_the_end(k, m, *a).log_e,
        (values, values, half, prior, st.tuples(some, some)),
        "as log_e",
    ),
    "change.moment": Row(lambda *a: change.moment(*a).first, (values, values, half, prior)),
    "change.weights": Row(change.weights, (st.integers(0, 50),), "-inf for no start"),
    "sequence.quantile_ranks": Row(lambda *a: sequence.quantile_ranks(*a)[1], (some, half, half, prior)),
    "sequence.quantile_band": Row(
        lambda times, n, q, looks, sure, p: sequence.quantile_band(
            times, [n], [True], q=q, looks=looks, confidence=sure, prior=p
        )[0][0],
        (values, some, half, small, half, prior),
    ),
    "sequence.so_far": Row(sequence.so_far, (odd, some, half, prior)),
    "sequence.at_declared": Row(sequence.at_declared, (some, some, half, some)),
    "sequence.band": Row(
        lambda k, n, looks, sure, p: sequence.band([k], [n], [True], looks=looks, confidence=sure, prior=p),
        (some, some, some, half, prior),
    ),
    "sequential.boundary": Row(sequential.boundary, (st.lists(some, max_size=3), half, half, prior)),
    "sequential.early_rank": Row(sequential.early_rank, (some, half, half, prior)),
    "sequential.split_log_e": Row(
        lambda k, n, weight, c, least: sequential.split_log_e(k, n, weight, c, least=least),
        (odd, some, half, some, st.one_of(st.none(), half)),
        "a request on the wrong side of weight 0 is proof",
    ),
    "two_arms.worse_log_e": Row(two_arms.worse_log_e, (values, values, values, values, half, half)),
    "two_arms.bets": Row(two_arms.bets, (values, values, values, values, half, half)),
    "two_arms_change.log_e": Row(
        lambda *a: two_arms_change.log_e(*a)[0], (values, values, values, values, half, half), "-inf for no start"
    ),
    "two_arms_change.tested": Row(
        lambda rows, margin, share, alpha: two_arms_change.tested(*_arms(rows), margin, share, alpha=alpha).log_e,
        (both_arms, half, half, half),
    ),
    "two_arms_change.moment": Row(
        lambda rows, margin, share: two_arms_change.moment(*_arms(rows), margin, share).first, (both_arms, half, half)
    ),
    "two_arms.difference": Row(
        lambda rows, alpha: (found := two_arms.difference(rows, alpha)) and (found.low, found.value, found.high),
        (both_arms, half),
    ),
    "compare.difference": Row(compare.difference, (odd, some, odd, some, half)),
    "compare.shift": Row(compare.shift, (values, values, half)),
    "alarm_math.count_odds": Row(
        lambda least, window, per_s, healthy, bad, delay: alarm_math.count_odds(
            least=least, window_s=window, per_s=per_s, healthy=healthy, bad=bad, delay_s=delay
        ),
        (small, usually(3600.0), rates, usually(0.01), usually(0.2), usually(300.0)),
        "without failures it never fires",
    ),
    "alarm_math.rate_odds": Row(
        lambda limit, window, per_s, healthy, bad, delay: alarm_math.rate_odds(
            limit=limit, window_s=window, per_s=per_s, healthy=healthy, bad=bad, delay_s=delay
        ),
        (half, usually(3600.0), rates, usually(0.01), usually(0.2), usually(300.0)),
        "without failures it never fires",
    ),
    "alarm_math.least_likely": Row(alarm_math.least_likely, (half, odd)),
    "alarm_math.least_count": Row(alarm_math.least_count, (st.sampled_from([">", ">=", "<", ""]), odd)),
    "backlog.most_arrivals_per_s": Row(backlog.most_arrivals_per_s, (odd, some, half)),
    "backlog.capacity_per_s": Row(backlog.capacity_per_s, (some, some, st.one_of(st.none(), odd))),
    "backlog.forecast": Row(
        lambda *given_: backlog.forecast(_load(*given_), backlog.options(_load(*given_), 10)[1]),
        (odd, odd, odd, st.integers(-1, 9)),
        "a queue that grows is never empty",
    ),
    "backlog.options": Row(
        lambda raised: backlog.options(_load(1.0, 0.1, 45.0, 5), raised),
        (st.integers(-3, 99),),
    ),
    "backlog.curve": Row(_curve, (odd, usually(0.1), usually(3600.0), usually(60.0))),
    "backlog.turn": Row(backlog.turn, (st.lists(st.tuples(st.floats(0, 9), odd), max_size=8),)),
    "capacity.peak": Row(capacity.peak, (points, points)),
    "capacity.wanted": Row(
        lambda read, write, least, times: capacity.wanted(
            _demand(read), _demand(write), at_least=least, times_peak=times
        ),
        (odd, odd, some, odd),
    ),
    "capacity.watch": Row(_watch, (points, usually(0), usually(300), usually(3), usually(1), st.booleans())),
    "projection.month": Row(_charged, (odd, some, odd, odd)),
    "projection.break_even": Row(
        lambda writes, reads, hours, units: projection.break_even(writes, reads, hours, units, _Prices()),
        (odd, odd, odd, odd),
    ),
    "cost.cost_per_vpr": Row(
        lambda confidence, n: cost.cost_per_vpr(USAGE, _Prices(), "total", periods=[USAGE] * n, confidence=confidence),
        (half, st.integers(0, 12)),
    ),
    "statement.exact": Row(statement.exact, (odd,)),
    "statement.parts": Row(statement.parts, (values,)),
    "guard_math.figures": Row(
        lambda least, window, per_s, *wanted: guard_math.figures(least, window, per_s, _demands(*wanted)),
        (small, usually(3600.0), rates, *DEMANDS),
    ),
    "guard_math.least_that_bears": Row(
        lambda period, per_s, *wanted: guard_math.least_that_bears(period, per_s, _demands(*wanted)),
        (usually(3600), quiet_rates, *DEMANDS),
    ),
    "guard_math.propose": Row(
        lambda per_s, *wanted: guard_math.propose(per_s, _demands(*wanted)),
        (quiet_rates, *DEMANDS),
    ),
    "weekly.mean": Row(weekly.mean, (hourly,)),
    "weekly.least": Row(weekly.least, (hourly, some)),
    "weekly.by_hour": Row(weekly.by_hour, (hourly,)),
    "weekly.quietest": Row(weekly.quietest, (hourly, small)),
    "load.quantile": Row(load.quantile, (values, half), "a value may be infinite"),
    "load.predicted_drain": Row(load.predicted_drain, (values, odd, small)),
    "load.clients_wait": Row(
        lambda *given_: load.clients_wait([], *given_),
        (some, odd, small, odd),
    ),
    "door.per_second": Row(_door, (odd, usually(10), usually(45.0), usually(5.0))),
    "power.powers": Row(_powers, (hourly, st.one_of(st.just(10), odd), odd, half, st.sampled_from([[], [LOOK]]))),
    "words.number": Row(words.number, (st.one_of(st.none(), odd), unit, st.one_of(st.none(), odd))),
    "words.limit": Row(words.limit, (odd, unit)),
    "words.interval": Row(words.interval, (st.one_of(st.none(), odd), st.one_of(st.none(), odd), unit)),
    "words.points": Row(lambda share, sign: words.points(share, sign=sign), (odd, st.booleans())),
    "words.sure": Row(words.sure, (odd,)),
    "words.hours": Row(words.hours, (odd,)),
    "words.verb": Row(words.verb, (st.integers(-3, 10**9), st.just("pass"))),
    "words.all_of": Row(words.all_of, (st.integers(-3, 10**9), st.just("required check"))),
    "words.count": Row(words.count, (st.integers(-3, 10**9), st.just("request"))),
}
DRAWN = {name: st.tuples(*row.arguments) for name, row in TABLE.items()}
"""The arguments of each in one draw, made once."""
NO_ARITHMETIC = {
    "beside.success",
    "beside.latency",
    "cost.invoice",
    "cost.scoped",
    "door.door_checks",
    "load.at_once",
    "load.served",
    "load.none_lost",
    "load.drain",
    "load.drained",
    "power.fewest",
    "statement.grouped",
    "statement.statement",
    "words.arms",
    "words.unit",
    "words.setting",
    "words.demand",
    "words.of_gate",
    "words.said",
    "words.comparison",
    "words.title",
    "words.instant",
    "words.shown",
    "words.sentence",
    "words.and_more",
    "words.person",
}
"""They take models or bills, which refuse by themselves, or texts; tested where their kind is."""
MODULES = (
    alarm_math,
    backlog,
    beside,
    capacity,
    change,
    compare,
    cost,
    door,
    guard_math,
    load,
    statement,
    power,
    projection,
    older,
    sequence,
    sequential,
    statistics,
    two_arms,
    two_arms_change,
    weekly,
    words,
)


def test_every_public_function_has_a_row() -> None:
    public = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in MODULES
        for name, one in vars(module).items()
        if inspect.isfunction(one) and one.__module__ == module.__name__ and not name.startswith("_")
    }
    assert public == TABLE.keys() | NO_ARITHMETIC
    assert not TABLE.keys() & NO_ARITHMETIC


def _numbers(value: Any) -> Iterator[float]:
    """Every number in an answer, however deep."""
    if isinstance(value, bool | str | dt.datetime) or value is None:
        return
    if isinstance(value, np.ndarray):
        yield from map(float, value.ravel())
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _numbers(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _numbers(one)
    elif hasattr(value, "__dict__") and not isinstance(value, int | float):
        yield from _numbers(vars(value))
    else:
        yield float(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _texts(one)
    elif hasattr(value, "__dict__"):
        yield from _texts(vars(value))


OURS = re.compile(r"cannot convert|math domain|invalid literal|arg is an empty|must not be empty|not supported")
"""What Python says when it breaks inside: no sentence for a reader."""


@pytest.mark.mutants
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TABLE))
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_it_is_a_value_or_an_error_in_words(name: str, data: st.DataObject) -> None:
    row = TABLE[name]
    given_ = data.draw(DRAWN[name])
    try:
        found = row.call(*given_)
    except ValueError as error:
        assert str(error) and not OURS.search(str(error)), (name, given_, str(error))
        return
    said = list(_numbers(found))
    assert not any(math.isnan(one) for one in said), (name, given_, found)
    assert row.infinite or all(map(math.isfinite, said)), (name, given_, found)
    for text in _texts(found):
        assert not re.search(r"\b(nan|inf)\b", text), (name, given_, text)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TABLE))
def test_the_table_reaches_behind_the_guards(name: str) -> None:
    """A row whose arguments are always refused would show nothing."""
    row = TABLE[name]

    def answers(given_: tuple[Any, ...]) -> bool:
        try:
            row.call(*given_)
        except ValueError:
            return False
        return True

    only = settings(max_examples=3000, database=None, derandomize=True, phases=[Phase.generate])
    find(st.tuples(*row.arguments), answers, settings=only)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (statistics.poisson_interval, (-1, 0.95)),
        (statistics.upper_bound, (1, math.inf, 0.05)),
        (statistics.lower_bound, (math.nan, 10, 0.05)),
        (statistics.clopper_pearson, (1, 10, 1.5)),
        (statistics.wilson, (1, math.inf, 0.95)),
        (statistics.binomial_p, (1, 10, math.nan)),
        (statistics.quantile_rank, (10, math.nan, 0.05)),
        (statistics.percentile, (0, 0)),
        (statistics.needed, (1.5, 0.02, 0.05)),
        (statistics.more_needed, (1, 10.5, 0.02, 0.05)),
        (sequential.log_e, (1, math.nan, 0.02, (1.0, 9.0))),
        (sequential.log_e, (1, 2, math.nan, (1.0, 9.0))),
        (sequential.log_e, (1, 2, 0.9999, (1.0, 1000.0))),
        (sequential.boundary, ([10], 0.02, 0.0, (1.0, 9.0))),
        (sequential.early_rank, (1e308, 0.95, 0.05, (1.0, 9.0))),
        (sequential.split_log_e, (1, 2, math.nan)),
        (backlog.most_arrivals_per_s, (3, 0.0, 0.95)),
        (backlog.capacity_per_s, (5, math.nan)),
        (load.predicted_drain, ([0.0], 45.0, 0)),
        (statement.exact, (math.nan,)),
        (weekly.least, ([], 0)),
        (alarm_math.least_count, ("<", 5)),
    ],
)
def test_what_cannot_be_is_refused(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r" is no | is a whole number|(?:wants|expects) "):
        function(*arguments)


@pytest.mark.parametrize(
    "changed",
    [
        {"per_s": []},
        {"per_s": [math.nan]},
        {"per_s": [-1.0]},
        {"least": 0},
        {"window_s": 0.0},
        {"bad": 2.0},
        {"least": 1e9},
        {"per_s": [1e9]},
        {"least": 2.5},
        {"delay_s": math.nan},
    ],
)
def test_odds_of_no_traffic_are_an_error_in_words(changed: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"least": 5, "window_s": 3600.0, "per_s": [0.03], "healthy": 0.01, "bad": 0.2}
    assert 0 <= alarm_math.count_odds(**usual).per_day <= 1
    with pytest.raises(ValueError, match=r"wants|expects|always fires|cannot be calculated|cannot be|is no "):
        alarm_math.count_odds(**{**usual, **changed})


@given(odd)
@example(math.nan)
def test_the_guards_know_what_they_let_through(value: float) -> None:
    def passes(guard: Callable[..., None], *least: float) -> bool:
        try:
            guard(*least, it=value)
        except ValueError as error:
            assert str(error).startswith(f"it {value} is no ")
            return False
        return True

    most = 2**53
    assert passes(numbers.finite) == (-most <= value <= most)
    assert passes(numbers.finite, 0.0) == (0 <= value <= most)
    assert passes(numbers.positive) == (1e-15 <= value <= most)
    assert passes(numbers.share) == (0 <= value <= 1)
    assert passes(numbers.chance) == (1e-15 <= value < 1)
    assert passes(numbers.count) == (0 <= value <= most and value % 1 == 0)
    assert passes(numbers.count, 1) == (1 <= value <= most and value % 1 == 0)


def test_an_hour_that_holds_no_number_was_not_seen() -> None:
    seen = [(START + dt.timedelta(hours=h), value) for h, value in enumerate([3.0, math.nan, 5.0, 7.0, -1.0])]
    assert weekly.mean(seen) == 5.0
    assert weekly.least(seen, 2) == 12.0, "the stretches with the unseen hours do not count"
    assert weekly.by_hour(seen) == {0: 3.0, 2: 5.0, 3: 7.0}
    assert weekly.quietest(seen, 3) is None


def test_a_throttle_metric_that_is_no_number_resolves_nothing() -> None:
    usual: dict[str, Any] = {"since": 0.0, "seen_until": 3600.0, "minutes": 30, "settle_min": 5, "proven": True}
    assert capacity.watch({"a": [(600.0, 0.0)]}, **usual).state == "resolved"
    assert capacity.watch({"a": [(600.0, math.nan)]}, **usual).state == "unseen"
    assert capacity.watch({"a": [(600.0, math.nan), (660.0, 2.0)]}, **usual).state == "throttled"


def test_a_level_that_is_no_number_hides_in_no_turn() -> None:
    hidden = [(0.0, 5.0), (60.0, 0.0), (120.0, math.nan), (180.0, 0.0)]
    found = backlog.turn(hidden)
    assert found is not None and not found.drained, "only three seen points, the first of them is the peak"
    assert backlog.turn([(0.0, math.nan)]) is None


def test_a_long_wait_is_said_as_what_it_is() -> None:
    told = [words.hours(days * 24) for days in (1.5, 29.9, 30, 45, 729, 1361.5, 40_000)]
    assert told == [
        "36.0 h",
        "29.9 days",
        "about 30 days",
        "about 45 days",
        "about 729 days",
        "about 4 years",
        "about 110 years",
    ]
    assert words.hours(math.inf) == "for ever" and words.hours(math.nan) == "an unknown time"


LARGEST = 2**53


@pytest.mark.parametrize(
    ("check", "fits", "refused"),
    [
        (numbers.finite, [-LARGEST, -1.5, 0, LARGEST], {math.nan: "", math.inf: "", LARGEST + 2: "", -LARGEST - 2: ""}),
        (numbers.positive, [1e-15, LARGEST], {0: " above 0", 9e-16: " above 0", LARGEST + 2: " above 0"}),
    ],
)
def test_which_numbers_fit_and_how_another_is_refused(
    check: Callable[..., None], fits: list[float], refused: dict[float, str]
) -> None:
    for one in fits:
        check(it=one)
    for one, why in refused.items():
        with pytest.raises(ValueError, match="it ") as said:
            check(it=one)
        assert str(said.value) == f"it {one} is no number{why}"


@pytest.mark.parametrize(
    ("check", "given", "why"),
    [
        (lambda it: numbers.finite(0.5, it=it), 0.4, "it 0.4 is no number of 0.5 or more"),
        (numbers.share, 1.1, "it 1.1 is no share from 0 to 1"),
        (numbers.chance, 0, "it 0 is no probability between 0 and 1"),
        (numbers.chance, 1, "it 1 is no probability between 0 and 1"),
        (numbers.count, 0.5, "it 0.5 is no count"),
        (numbers.count, -1, "it -1 is no count"),
        (lambda it: numbers.count(2, it=it), 1, "it 1 is no count of 2 or more"),
    ],
)
def test_how_a_number_is_refused(check: Callable[..., None], given: float, why: str) -> None:
    with pytest.raises(ValueError, match="it ") as said:
        check(it=given)
    assert str(said.value) == why
    for ends, fits in ((numbers.share, (0, 1)), (numbers.chance, (1e-15, 0.999)), (numbers.count, (0, LARGEST))):
        for one in fits:
            ends(it=one)
