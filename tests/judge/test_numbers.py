"""Arguments that cannot be: an error in words or a right value, never nan, whatever stands in their place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge import alarm_math, sequential, statistics

odd = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, -1, 0, 1, -0.5, 0.5, 2, 1e308]),
    st.integers(-3, 300),
    st.floats(-1, 2),
)
whole = st.integers(-3, 300)

FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "upper_bound": (statistics.upper_bound, (odd, odd, odd)),
    "lower_bound": (statistics.lower_bound, (odd, odd, odd)),
    "clopper_pearson": (statistics.clopper_pearson, (odd, odd, odd)),
    "wilson": (statistics.wilson, (odd, odd, odd)),
    "poisson_interval": (statistics.poisson_interval, (odd, odd)),
    "binomial_p": (statistics.binomial_p, (whole, whole, odd)),
    "more_needed": (statistics.more_needed, (whole, whole, odd, odd)),
    "needed": (statistics.needed, (whole, odd, odd)),
    "split_log_e": (sequential.split_log_e, (whole, whole, st.floats(0, 1))),
}


def _numbers(value: Any) -> list[float]:
    return [float(one) for one in (value if isinstance(value, tuple) else (value,)) if one is not None]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_it_is_a_value_or_an_error_in_words(name: str, data: st.DataObject) -> None:
    function, arguments = FUNCTIONS[name]
    given_ = [data.draw(one) for one in arguments]
    try:
        found = function(*given_)
    except ValueError as error:
        assert str(error)
        return
    assert not any(math.isnan(one) for one in _numbers(found)), (name, given_, found)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (statistics.poisson_interval, (-1, 0.95)),
        (statistics.upper_bound, (1, math.inf, 0.05)),
        (statistics.lower_bound, (math.nan, 10, 0.05)),
        (statistics.clopper_pearson, (1, 10, 1.5)),
        (statistics.wilson, (1, math.inf, 0.95)),
        (statistics.binomial_p, (1, 10, math.nan)),
    ],
)
def test_what_cannot_be_is_refused(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"is no "):
        function(*arguments)


@pytest.mark.parametrize("changed", [{"per_s": []}, {"per_s": [math.nan]}, {"per_s": [-1.0]}, {"least": 0},
                                     {"window_s": 0.0}, {"bad": 2.0}])  # fmt: skip
def test_odds_of_no_traffic_are_an_error_in_words(changed: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"least": 5, "window_s": 3600.0, "per_s": [0.03], "healthy": 0.01, "bad": 0.2}
    assert 0 <= alarm_math.count_odds(**usual).per_day <= 1
    with pytest.raises(ValueError, match=r"wants|fires always|cannot be"):
        alarm_math.count_odds(**{**usual, **changed})
