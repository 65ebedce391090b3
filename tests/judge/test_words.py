from __future__ import annotations

import math
import subprocess
import sys
import time

import pytest

from runbook_lib.judge import words
from runbook_lib.judge.model import Compared
from runbook_lib.judge.threshold import Threshold
from runbook_lib.params.policy import Policy


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0719, "ratio", "7.2 %"),
        (1.0, "ratio", "100.0 %"),
        (2.914, "s", "2.91 s"),
        (61.23, "s", "61.2 s"),
        (123.4, "s", "123 s"),
        (0.0013, "USD", "$0.0013"),
        (12.5, "USD", "$12.50"),
        (0.0000008, "USD", "$0.000001"),
        (0.0, "USD", "$0.0000"),
        (12.0, "messages", "12"),
        (1234.0, "messages", "1,234"),
        (1.25, "messages", "1.2"),
        (300, "requests", "300"),
        (None, "s", "no value"),
        (math.nan, "s", "no value"),
        (math.inf, "USD", "infinite"),
        (-math.inf, "USD", "minus infinite"),
        (-0.000001, "ratio", "0.0 %"),
        (100, "s", "100 s"),
        (10, "s", "10.0 s"),
        (1, "USD", "$1.00"),
        (0.001, "USD", "$0.0010"),
    ],
)
def test_number(value: float | None, unit: str, text: str) -> None:
    assert words.number(value, unit) == text


def test_a_number_never_looks_like_the_limit_it_misses() -> None:
    assert words.number(0.97996, "ratio", 0.98) == "97.996 %"
    assert words.number(0.9901, "ratio", 0.99) == "99.01 %"
    assert words.number(0.99, "ratio", 0.99) == "99.0 %"
    assert words.number(10.0001, "messages", 10) == "10.0001"
    assert words.number(2.9996, "s", 3) == "2.9996 s"
    assert words.number(0.049999, "USD", 0.05) == "$0.049999"
    assert words.number(1234.0, "messages", 1234.04) == "1234.00"
    assert words.number(0.99 + 1e-12, "ratio", 0.99) == "99.0000 %", "there is an end to it"


@pytest.mark.parametrize(
    ("op", "value", "unit", "text"),
    [
        (">", 0.99, "ratio", "> 99 %"),
        ("<", 3, "s", "< 3 s"),
        ("<", 0.01, "USD", "< $0.01"),
        (">=", 1, "messages", ">= 1"),
        ("<", 0.001, "ratio", "< 0.1 %"),
    ],
)
def test_comparison(op: str, value: float, unit: str, text: str) -> None:
    assert words.comparison(Threshold.model_validate({"op": op, "limit": value}), unit) == text


def test_interval() -> None:
    assert words.interval(0.051, 0.098, "ratio") == "5.1-9.8 %"
    assert words.interval(1.1, 1.5, "s") == "1.10-1.50 s"
    assert words.interval(0.001, 0.002, "USD") == "$0.0010-$0.0020"
    assert words.interval(0, 12, "messages") == "0-12"
    assert words.interval(None, 1, "s") == words.interval(1, math.nan, "s") == ""


def test_small_words(policy: Policy) -> None:
    assert words.sure(0.95) == "95 %" and words.sure(0.995) == "99.5 %"
    assert [words.title(policy.gate(i)) for i in ("success_rate", "dlq", "submit_latency")] == [
        "success rate",
        "DLQ depth",
        "P95 submit latency",
    ]
    assert words.count(1, "request") == "1 request" and words.count(1234, "request") == "1,234 requests"
    assert words.count(1.0, "request/s") == "1 request/s" and words.count(2.5, "request/s") == "2.5 requests/s"
    assert [words.hours(h) for h in (0.001, 0.5, 2.34, 72)] == ["1 min", "30 min", "2.3 h", "3.0 days"]
    assert [words.hours(h) for h in (1, 1.5, 47.9, 48)] == ["1.0 h", "1.5 h", "47.9 h", "2.0 days"]
    assert words.sentence("so it is; ") == words.sentence("so it is.") == "so it is."


@pytest.mark.mutants
@pytest.mark.slow
def test_nothing_slow_is_imported() -> None:
    """A verdict must not wait seconds for an import."""
    code = (
        "import sys; from runbook_lib.judge.gates import compare, decide, gates; "
        "from runbook_lib.judge.money import cost; "
        "print([m for m in ('scipy.stats', 'pandas', 'matplotlib', 'statsmodels', 'boto3') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2026-11-06T03:54:06.115Z", "2026-11-06 03:55 UTC"),
        ("2026-11-06T05:54:00+02:00", "2026-11-06 03:54 UTC"),
        ("2026-11-06T03:54:00.500Z", "2026-11-06 03:55 UTC"),
        (None, ""),
        ("when the alarm is quiet", "when the alarm is quiet"),
    ],
)
def test_a_time_to_come_back_is_whole_minutes_and_never_too_early(at: str | None, text: str) -> None:
    assert words.instant(at) == text


def test_a_time_to_come_back_is_utc_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert words.instant("2026-11-06T03:54:00Z") == "2026-11-06 03:54 UTC"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("the weight is in force.", "The weight is in force."),
        ("a soak runs", "A soak runs."),
        ("p95 of 100 submissions is 4.06 s", "p95 of 100 submissions is 4.06 s."),
        ("DLQ depth is 1", "DLQ depth is 1."),
    ],
)
def test_a_reason_stands_alone_as_a_sentence(reason: str, text: str) -> None:
    assert words.shown(reason) == text


@pytest.mark.parametrize(
    ("n", "checks", "all_of"),
    [(0, "0 checks pass", "no check"), (1, "1 check passes", "the only check"), (2, "2 checks pass", "all 2 checks")],
)
def test_one_is_no_plural(n: int, checks: str, all_of: str) -> None:
    assert f"{words.count(n, 'check')} {words.verb(n, 'pass')}" == checks
    assert words.all_of(n, "check") == all_of
    assert words.verb(1, "count") == "counts"


@pytest.mark.parametrize(
    ("share", "sign", "digits", "told"),
    [
        (0.01, False, 1, "1 point"),
        (0.005, False, 1, "0.5 points"),
        (-0.009, True, 2, "-0.90 points"),
        (0.0123, True, 1, "+1.2 points"),
    ],
)
def test_differences_are_points(share: float, sign: bool, digits: int, told: str) -> None:
    assert words.points(share, sign=sign, digits=digits) == told


def test_two_values_that_differ_look_different() -> None:
    both = Compared(
        other="the baseline", value=0.9993, other_value=0.9994, other_n=9, difference=-0.0001, low=-0.01, high=0.002
    )
    assert words.arms(both) == ("99.93 % against 99.94 %", "-0.01 points", "-1.00 to +0.20")
