"""The odds of the policy's alarms at the traffic that was seen: which are reckoned with, and what is said of guards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runbook_lib.params.alarms import Alarm, GuardCount
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.steps.alarm_odds import AlarmOdds, Submissions

PARAMS = load_file(params_dir(Path(__file__).parent) / "prod.yaml")
DAY = np.array(Scenario.model_fields["profile"].default)
FLAT = Submissions((3000 / 86_400,), 0.52, known=True)


def day(requests: float) -> Submissions:
    """The world's default day."""
    return Submissions(tuple(DAY / DAY.sum() * requests / 3600), 0.52, known=True)


def test_the_guards_as_declared_hold_all_three_in_every_phase() -> None:
    found = AlarmOdds.of(PARAMS, day(3000)).of_phases()
    assert {phase[:2] for _, phase in found} == {"06", "07", "08"}
    assert len(found) == 9
    assert {key: one.gives for key, one in found.items() if one.gives} == {}
    for one in found.values():
        assert 0 < one.at_target < one.at_limit <= 0.10


def test_one_count_for_all_weights_gives() -> None:
    """Five in an hour, as it was: at 100 % it takes back a service at its target."""
    old = GuardCount(threshold=5, period_s=3600)

    def bent(alarm: Alarm) -> Alarm:
        return alarm.model_copy(update={"phases": dict.fromkeys(alarm.phases, old)})

    policy = PARAMS.policy.model_copy(update={"alarms": tuple(map(bent, PARAMS.policy.alarms))})
    odds = AlarmOdds.of(PARAMS.model_copy(update={"policy": policy}), day(3000))
    found = odds.of_phases()["guard_failed_jobs", "08_phase3_100_percent"]
    assert found.at_target == pytest.approx(0.78, abs=0.03)
    assert "fires on" in found.gives[0]


@pytest.mark.slow
@pytest.mark.parametrize("requests", [300, 1000, 10_000, 100_000])
def test_far_from_the_traffic_they_were_designed_for_another_count_is_proposed(requests: float) -> None:
    odds = AlarmOdds.of(PARAMS, day(requests))
    assert any(one.gives for one in odds.of_phases().values())
    for one in odds.proposals().values():
        assert one.figures.at_target <= 0.01
        assert one.figures.at_limit <= 0.10
        assert one.figures.gives == () or requests < 3000, "at little traffic it is the time that gives"


def test_without_traffic_nothing_is_proposed() -> None:
    assert AlarmOdds.of(PARAMS, Submissions((0.0,), None, known=True)).proposals() == {}


def test_a_busy_hour_makes_a_guard_louder_than_the_mean_says() -> None:
    """The same requests a day, all within eight hours."""
    peak = Submissions(tuple(3 * 3000 / 86_400 if hour < 8 else 0.0 for hour in range(24)), 0.52, known=True)
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
