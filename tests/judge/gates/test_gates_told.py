"""Rows of the gate table that the configured gates never show, and the edges of what is read: each to the letter."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from runbook_lib.judge.gates import reading
from runbook_lib.judge.gates.gates import judge, judge_all
from runbook_lib.judge.gates.reading import Rules
from runbook_lib.judge.model import Evidence, Gate, GateResult, Look, bad_side
from runbook_lib.judge.terms import Verdict
from runbook_lib.judge.threshold import Threshold

Run = Callable[..., GateResult]
AT5 = Look(hours=24, alpha=0.05)


def gate(kind: str, **fields: Any) -> Gate:
    base: dict[str, Any] = {
        "rate": {"unit": "ratio", "target": "< 0.01", "alert": ">= 0.05"},
        "gauge": {"title": "Age of the oldest", "unit": "s", "target": "< 10", "alert": "> 50", "steady": 0.75},
        "quantile": {"unit": "s", "target": "< 3", "alert": "> 5", "quantile": 0.95},
        "amount": {"title": "Price", "unit": "USD", "target": "< 1", "alert": "> 5", "min_samples": 10},
        "split": {"unit": "ratio", "target": "<= 1"},
    }[kind]
    given = {"id": "g", "title": "Errors", "kind": kind, "measure": "m", "why": "test", **base, **fields}
    return Gate.model_validate(given)


def seen(kind: str, **fields: Any) -> Evidence:
    window = {"start": "2026-11-23T00:00:00Z", "end": "2026-11-24T00:00:00Z", "query": "by hand"}
    return Evidence.model_validate({"measure": "m", "kind": kind, **window, **fields})


def told(declared: Gate, look: Look | None = AT5, **fields: Any) -> GateResult:
    return judge(declared, seen(declared.kind, **fields), look=look)


def row(found: GateResult) -> tuple[Any, ...]:
    return str(found.verdict), found.value, found.low, found.high, found.n


AGE = gate("gauge")
EACH = gate("gauge", steady=None)
GAUGES: list[tuple[Gate, dict[str, Any], tuple[Any, ...], str]] = [
    (
        AGE,
        {"values": (1.0, 2.0, 3.0, 11.0), "expected": 4, "live": 4.0},
        ("PASS", 3.0, 1.0, 11.0, 4),
        "age of the oldest: peak 11.0 s, 4.00 s now, 3 of 4 points < 10 s, expects 75 % of them.",
    ),
    (
        AGE,
        {"values": (1.0, 12.0, 13.0, 11.0), "expected": 4},
        ("INCONCLUSIVE", 12.0, 1.0, 13.0, 4),
        "age of the oldest: peak 13.0 s, 1 of 4 points < 10 s, expects 75 % of them.",
    ),
    (
        AGE,
        {"values": (1.0, 2.0, 51.5), "expected": 4, "live": 0.5},
        ("FAIL", 51.5, 0.5, 51.5, 3),
        "age of the oldest peaked at 51.5 s, 0.50 s now, alert limit > 50 s.",
    ),
    (
        AGE,
        {"values": (1.0, 2.0, 3.0), "expected": 4, "look": None},
        ("INCONCLUSIVE", 3.0, 1.0, 3.0, 3),
        "soaking: age of the oldest so far peak 3.00 s, 3 of 4 points < 10 s.",
    ),
    (
        AGE,
        {"values": (), "expected": 4, "live": 12.5},
        ("NO_DATA", None, None, None, None),
        "age of the oldest: no data, only the live reading 12.5 s, nothing of the window.",
    ),
    (
        AGE,
        {"values": (), "expected": 4},
        ("NO_DATA", None, None, None, None),
        "age of the oldest: no data, no valid point in the window.",
    ),
    (
        AGE,
        {"values": (1.0, 2.0), "expected": 4},
        ("INCONCLUSIVE", 2.0, 1.0, 2.0, 2),
        "age of the oldest: 2 of 4 points are missing (peak 2.00 s, 2 of 4 points < 10 s).",
    ),
    (
        AGE,
        {"values": (1.0, 2.0), "expected": 10, "proven_zero_by": "no job"},
        ("PASS", 0.0, 0.0, 2.0, 10),
        "age of the oldest: peak 2.00 s, 10 of 10 points < 10 s, expects 75 % of them (absent points are zero, "
        "proven by no job).",
    ),
    (
        AGE,
        {"values": (7.5,) * 30, "expected": 30},
        ("INCONCLUSIVE", 7.5, 7.5, 7.5, 30),
        "age of the oldest stood at exactly 7.50 s all the time: stuck? (peak 7.50 s, 30 of 30 points < 10 s).",
    ),
    (
        EACH,
        {"values": (1.0, 20.0), "expected": 2, "live": 2.0},
        ("INCONCLUSIVE", 20.0, 1.0, 20.0, 2),
        "age of the oldest: peak 20.0 s, 2.00 s now, 1 of 2 points < 10 s.",
    ),
    (
        EACH,
        {"values": (1.0, 2.0), "expected": 2, "live": 20.0},
        ("INCONCLUSIVE", 20.0, 1.0, 20.0, 2),
        "age of the oldest: peak 20.0 s, 20.0 s now, 2 of 2 points < 10 s.",
    ),
    (
        EACH,
        {"values": (1.0, 2.0), "expected": 2},
        ("PASS", 2.0, 1.0, 2.0, 2),
        "age of the oldest: peak 2.00 s, 2 of 2 points < 10 s.",
    ),
    (
        EACH,
        {"values": (), "expected": 10, "proven_zero_by": "no job"},
        ("PASS", 0.0, 0.0, 0.0, 10),
        "age of the oldest: peak 0.00 s, 10 of 10 points < 10 s (absent points are zero, proven by no job).",
    ),
]


@pytest.mark.parametrize(("declared", "fields", "wanted", "reason"), GAUGES)
def test_gauges(declared: Gate, fields: dict[str, Any], wanted: tuple[Any, ...], reason: str) -> None:
    found = told(declared, **fields)
    assert (row(found), found.reason) == (wanted, reason)


@pytest.mark.parametrize("values", [(6.0,) + (7.0,) * 39, (7.0,) * 39 + (8.0,), (7.0,) * 29, (0.0,) * 40])
def test_a_level_that_moved_or_is_nothing_is_not_stuck(values: tuple[float, ...]) -> None:
    assert told(AGE, values=values, expected=len(values)).verdict is Verdict.PASS


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_level_that_cannot_be_is_no_point_and_no_live_reading(value: float) -> None:
    found = told(AGE, values=(1.0, 2.0, 3.0, value), expected=4)
    assert row(found) == ("PASS", 3.0, 1.0, 3.0, 3)
    live = told(AGE, values=(1.0, 2.0, 3.0, value), expected=4, live=value)
    assert row(live) == ("INCONCLUSIVE", 3.0, 1.0, 3.0, 3)
    assert f"the level read now, {value}, is impossible" in live.reason


def test_half_a_message_is_no_level_and_half_a_second_is() -> None:
    values = (1.0, 2.0, 3.0, 0.5)
    assert told(AGE, values=values, expected=4).n == 4
    assert told(gate("gauge", unit="messages"), values=values, expected=4).n == 3


def test_the_collapse_of_a_gauge_is_its_peak_beyond_it() -> None:
    steep = gate("gauge", collapse="> 100")
    assert told(steep, values=(1.0, 1.0, 1.0, 101.0), expected=4).collapsed
    assert not told(steep, values=(1.0, 1.0, 1.0, 99.0), expected=4).collapsed
    assert not told(AGE, values=(1.0, 1.0, 1.0, 101.0), expected=4).collapsed
    assert not told(steep, values=(1.0, 1.0, 1.0, 2.0), expected=4).collapsed


def test_proven_and_nothing_expected_is_nothing_to_judge() -> None:
    found = told(AGE, values=(), proven_zero_by="no job")
    assert (row(found), found.reason) == (
        ("PASS", None, None, None, 0),
        "age of the oldest: nothing to judge, proven by no job.",
    )
    assert told(AGE, None, values=(), proven_zero_by="no job").verdict is Verdict.INCONCLUSIVE
    split = {"bad": 0, "n": 0, "weight": 0.1, "proven_zero_by": "no users"}
    assert told(gate("split"), **split).verdict is Verdict.PASS
    assert told(gate("split"), None, **split).verdict is Verdict.INCONCLUSIVE
    assert told(gate("rate"), bad=0, n=0, proven_zero_by="no users").n == 0


@pytest.mark.parametrize(
    ("kind", "fields"), [("quantile", {"value": math.nan, "n": 10}), ("rate", {"bad": 3, "n": 0}), ("amount", {"n": 5})]
)
def test_nonsense_is_not_excused_by_a_proof_that_there_was_nothing(kind: str, fields: dict[str, Any]) -> None:
    assert told(gate(kind), **fields, proven_zero_by="no job").verdict is Verdict.NO_DATA


@pytest.mark.parametrize(
    ("declared", "fields", "reason"),
    [
        (gate("split"), {"bad": 1, "n": 10, "weight": 1.5}, "the weight in force is not known"),
        (gate("split"), {"bad": 1, "n": 10}, "the weight in force is not known"),
        (gate("split"), {"n": 10, "weight": 0.1}, "no request was seen in the window"),
        (gate("split"), {"bad": 1, "weight": 0.1}, "no request was seen in the window"),
        (gate("split"), {"bad": 400, "n": 300, "weight": 0.1}, "400 async of 300 requests are impossible"),
        (gate("rate"), {"n": 0, "bad": 0}, "nothing was counted in the window"),
        (gate("rate"), {"n": 4, "bad": 5}, "5 failures of 4 requests are impossible"),
        (gate("quantile"), {"n": 0, "value": 1}, "nothing was measured in the window"),
        (gate("quantile"), {"n": 9, "value": -1}, "a quantile of -1.0 over 9 samples is impossible"),
        (gate("quantile"), {"n": 9, "value": 1, "bad": 10}, "10 of 9 samples beyond 5 s are impossible"),
        (gate("amount"), {"n": 9}, "no amount could be computed for the window"),
        (gate("amount"), {"n": 9, "value": -1}, "an amount of -1.0 is impossible"),
        (
            gate("quantile", implausible="< 0.01"),
            {"n": 300, "value": 0.008, "upper": 1},
            "0.008 s is not plausible (< 0.01 s is not believed): is the unit right?",
        ),
    ],
)
def test_why_it_is_no_data(declared: Gate, fields: dict[str, Any], reason: str) -> None:
    found = told(declared, **fields)
    title = declared.title[0].lower() + declared.title[1:]
    ending = "" if reason.endswith("?") else "."
    assert (row(found), found.reason) == (("NO_DATA", None, None, None, None), f"{title}: no data, {reason}{ending}")


def test_what_was_not_asked_says_so_in_its_evidence() -> None:
    found = judge_all((gate("rate"),), {}, look=AT5)[0].evidence
    assert (found.start, found.end, found.query) == ("", "", "not asked")


def test_the_split_is_judged_from_its_least_samples_on_and_interim_by_its_own_test() -> None:
    few = gate("split", min_samples=30)
    assert told(few, bad=3, n=30, weight=0.1).verdict is Verdict.PASS
    assert told(few, bad=3, n=29, weight=0.1).verdict is Verdict.INCONCLUSIVE
    assert told(few, bad=242, n=3000, weight=0.1).verdict is Verdict.FAIL
    assert told(few, None, bad=242, n=3000, weight=0.1).verdict is Verdict.INCONCLUSIVE, "p is not for any look"


def test_partial_data_is_said_after_what_was_seen(run: Run) -> None:
    whole, part = (run("success_rate", n=300, bad=0, partial=partial) for partial in (False, True))
    doubt = ", but part of the window could not be seen, and partial data never passes."
    assert (whole.verdict, part.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)
    assert part.reason == whole.reason.removesuffix(".") + doubt


def test_a_value_is_written_so_that_it_differs_from_the_line_it_is_held_against(run: Run) -> None:
    assert "success rate 97.96 % (" in run("success_rate", n=5000, bad=102).reason, "not the 98 % that it misses"
    assert "success rate 98.96 % (" in run("success_rate", n=5000, bad=52).reason, "not the 99 % that it misses"


def test_a_bound_is_written_so_that_it_differs_from_what_it_clears(run: Run) -> None:
    assert "its 95 % bound 98.01 % clears the alert limit 98 %" in run("success_rate", n=149, bad=0).reason


def test_a_point_has_nothing_to_prove_and_wants_no_more_than_its_least(run: Run) -> None:
    point = {"evidence": "point"}
    assert run("success_rate", look=None, changed=point, n=110, bad=0).needed is None
    assert run("success_rate", look=None, changed=point, n=90, bad=0).needed == 10
    assert run("success_rate", look=None, n=110, bad=0).needed == 64, "174 in all, at the first look's 3 %"


def test_an_amount_without_interval_and_units_stands_alone() -> None:
    found = told(gate("amount"), None, value=0.25)
    assert found.reason.startswith("soaking: price $0.2500 so far, in order (target < $1)")
    assert (found.n, found.bound) == (0, 0.25)
    short = told(gate("amount"), None, value=2).reason
    assert short == "soaking: price $2.00 so far, short of the target < $1."
    bad = told(gate("amount"), None, value=6).reason
    assert (
        bad == "soaking: price $6.00 so far, above the alert limit $5, but there are too few requests yet to be sure."
    )


def test_how_many_more_units_of_an_amount() -> None:
    """They are called as the evidence calls them: the judge knows no service."""
    few = told(gate("amount"), value=0.25, n=3, extra={"unit": "VPR"})
    assert few.reason == (
        "price $0.2500 (n = 3) rests on fewer than 10 samples; 7 more VPRs (2.3 days at the rate seen) would decide it "
        "if nothing changes."
    )
    none = told(gate("amount"), value=0.25)
    assert (none.needed, none.needed_hours) == (10, None)
    assert none.reason.endswith("; 10 more jobs would decide it if nothing changes.")


def test_only_an_amount_with_an_interval_and_units_enough_fails_early() -> None:
    beyond = {"value": 6, "low": 5.5, "high": 7}
    assert told(gate("amount"), None, **beyond, n=10).verdict is Verdict.FAIL
    assert told(gate("amount"), None, **beyond, n=9).verdict is Verdict.INCONCLUSIVE
    assert told(gate("amount", min_samples=1), None, **beyond).verdict is Verdict.INCONCLUSIVE
    assert told(gate("amount"), value=0, n=10).verdict is Verdict.PASS, "nothing spent is an amount"


def test_failure_rates_are_held_by_their_upper_bound() -> None:
    errors = gate("rate")
    assert told(errors, n=59, bad=0).verdict is Verdict.PASS
    few = told(errors, n=58, bad=0)
    assert (few.verdict, few.needed) == (Verdict.INCONCLUSIVE, 1)
    assert few.bound == pytest.approx(1 - 0.05 ** (1 / 58))
    bad = told(errors, n=300, bad=24)
    assert bad.reason == "errors 8.0 % (95 % 5.2-11.7 %, n = 300) is at or above the alert limit 5 %."
    assert bad.bound is not None and 0.05 < bad.bound < 0.08
    early = told(errors, None, n=10, bad=6)
    assert early.verdict is Verdict.FAIL and "6 of 10 failed" in early.reason


def test_too_few_samples_between_the_lines_want_just_the_least(run: Run) -> None:
    """More of the same would not decide it: no proof is counted on top."""
    assert run("success_rate", n=67, bad=1).needed == 33


def test_more_are_wanted_at_the_rate_seen_where_there_is_one(run: Run) -> None:
    half = run("success_rate", n=148, bad=0, end="2026-11-23T00:30:00Z")
    assert half.needed_hours == pytest.approx(0.5 / 148)
    assert half.reason.endswith("at the rate seen) would decide it if nothing changes.")


def test_what_a_later_look_would_pass_as_it_is_wants_no_more() -> None:
    """A look may spend more than the one before: 200 of 200 are enough at 5 %, not at 1 %."""
    first, later = Look(hours=24, alpha=0.01), Look(hours=30, alpha=0.05)
    up = gate("rate", target="> 0.99", alert="< 0.98")
    found = judge(up, seen("rate", n=200, bad=0), look=first, looks=(first, later))
    assert (found.verdict, found.needed, found.needed_hours) == (Verdict.INCONCLUSIVE, None, None)
    assert found.reason.endswith(" does not clear the alert limit 98 %.")


def test_quantiles_at_their_edges() -> None:
    slow = gate("quantile")
    assert told(slow, value=1, n=1).reason.startswith("errors 1.00 s (n = 1) meets the target < 3 s, but there are too")
    assert told(slow, value=0, n=300, upper=1).verdict is Verdict.PASS, "no time at all is a time"
    assert told(slow, value=9, n=300, bad=300).verdict is Verdict.FAIL, "all of them beyond the limit is a count"
    median = gate("quantile", alert=None, quantile=0.5)
    assert told(median, value=1, n=3).needed == 2, "five samples bound a median"


def test_quantiles_where_more_is_better() -> None:
    up = gate("quantile", target="> 10", alert="< 5", quantile=0.05)
    assert told(up, value=12, low=6, upper=20, n=300).verdict is Verdict.PASS
    assert told(up, value=12, low=4, upper=20, n=300).verdict is Verdict.INCONCLUSIVE
    assert told(up, value=3, low=2, upper=6, n=300).verdict is Verdict.INCONCLUSIVE
    assert told(up, value=12, n=59, bad=0).verdict is Verdict.PASS
    assert told(up, value=12, n=58, bad=0).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("n", "needed"), [(58, 1), (59, None), (300, None)])
def test_a_quantile_without_bounds_wants_as_many_as_a_bound_takes(n: int, needed: int | None) -> None:
    rules = Rules(AT5, (AT5,), 0.95, 0.01, (1.0, 9.0))
    read = reading.quantile(gate("quantile"), seen("quantile", value=1, n=n), rules)
    assert not isinstance(read, str)
    assert read.needed == needed


@pytest.mark.parametrize(("target", "bad"), [("> 1", "<="), (">= 1", "<"), ("< 1", ">="), ("<= 1", ">")])
def test_without_an_alert_limit_whatever_misses_the_target_is_bad(target: str, bad: Any) -> None:
    assert bad_side(gate("rate", target=target, alert=None)) == Threshold(op=bad, limit=1)


def test_a_level_that_should_stand_still_is_not_stuck(run: Callable[..., GateResult]) -> None:
    hosts = {"unit": "hosts", "target": ">= 3", "alert": "< 2", "steady": None}
    still: dict[str, Any] = {"values": (3.0,) * 288, "expected": 288}
    assert run("queue_depth", changed=hosts, **still).verdict is Verdict.INCONCLUSIVE
    found = run("queue_depth", changed={**hosts, "constant": True}, **still)
    assert found.verdict is Verdict.PASS
    assert "peak 3 hosts, 288 of 288 points >= 3 hosts" in found.reason
