"""The odds of the policy's alarms at the traffic that was seen: which are reckoned with, and what is said of guards."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.alarm_odds import AlarmOdds, Seen
from runbook_lib.params import load_file, params_dir

PARAMS = load_file(params_dir(Path(__file__).parent) / "prod.yaml")
FLAT = Seen((3000 / 86_400,), 0.52, known=True)


def test_the_guards_as_declared_are_quiet_and_quick_at_every_weight() -> None:
    odds = AlarmOdds.of(PARAMS, FLAT)
    assert odds.loud() == []
    assert odds.slow() == []
    assert 0 < odds.loudest() <= PARAMS.policy.alarm_math.false_per_day
    assert 0 < odds.slowest() <= PARAMS.policy.alarm_math.detect_within_h


def test_a_threshold_too_low_is_loud_and_one_too_high_is_slow() -> None:
    def bent(threshold: float) -> AlarmOdds:
        alarms = tuple(
            one.model_copy(update={"threshold": threshold}) if one.id == "guard_failed_jobs" else one
            for one in PARAMS.policy.alarms
        )
        policy = PARAMS.policy.model_copy(update={"alarms": alarms})
        return AlarmOdds.of(PARAMS.model_copy(update={"policy": policy}), FLAT)

    assert ("guard_failed_jobs", 100) in [(id, weight) for id, weight, _ in bent(2).loud()]
    assert ("guard_failed_jobs", 10) in [(id, weight) for id, weight, _ in bent(9).slow()]


def test_a_busy_hour_makes_a_guard_louder_than_the_mean_says() -> None:
    """The same requests a day, all within eight hours."""
    peak = Seen(tuple(3 * 3000 / 86_400 if hour < 8 else 0.0 for hour in range(24)), 0.52, known=True)
    even, busy = (AlarmOdds.of(PARAMS, seen).rows["guard_failed_jobs"][100] for seen in (FLAT, peak))
    assert busy.per_day > 2 * even.per_day


def test_a_rate_alarm_at_weight_10_fires_on_nearly_every_failure() -> None:
    """300 requests a day at 99.8 %: 1 - exp(-0.6) of the days."""
    assert AlarmOdds.of(PARAMS, FLAT).rows["worker_errors"][10].per_day == pytest.approx(0.451, abs=0.01)


def test_the_api_wide_alarm_is_on_as_long_as_the_baseline_is_broken() -> None:
    row = AlarmOdds.of(PARAMS, FLAT).rows["api_5xx"]
    assert row[10].per_day > 0.999
    assert row[100].per_day < row[10].per_day


def test_depths_and_throttles_are_no_counts_of_failures() -> None:
    rows = AlarmOdds.of(PARAMS, FLAT).rows
    assert not {"dlq", "guard_queue_depth", "worker_throttles", "table_system_errors"} & set(rows)
