"""When time may be moved an hour at once, and when it may not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runbook_lib.judge.threshold import Threshold
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.rehearse.world.lookahead import Guard, LookAhead
from runbook_lib.rehearse.world.rows import Rows

PARAMS = load_file(params_dir() / "prod.yaml")


def failed(*at: float) -> Rows:
    return Rows.of("jobs_failed", np.array(at), 1.0)


def guard(limit: float = 3, is_sum: bool = True, signal: str = "jobs_failed") -> Guard:
    return Guard(signal, is_sum, 3600, Threshold(op=">=", limit=limit))


def test_a_sum_breaches_with_the_failure_that_makes_it_full() -> None:
    assert guard().breaches(failed(10, 20, 4000, 30)) == 30
    assert guard().breaches(failed(10, 2000, 4000, 7000)) == math.inf


def test_what_was_published_before_counts_until_it_leaves_the_window() -> None:
    seen = guard()
    seen.remember(failed(10, 20), now=100)
    assert seen.breaches(failed(200)) == 200
    assert seen.breaches(Rows.empty()) == math.inf
    seen.remember(failed(200), now=300)
    assert seen.breaches(Rows.empty()) < math.inf
    seen.remember(Rows.empty(), now=300 + 3700)
    assert seen.breaches(Rows.empty()) == math.inf


def test_of_a_level_one_value_over_the_limit_is_enough() -> None:
    deep = guard(limit=50, is_sum=False, signal="queue_visible")
    assert deep.breaches(Rows.of("queue_visible", np.array([60.0, 120.0]), np.array([49.0, 51.0]))) == 120
    assert deep.breaches(failed(*range(100))) == math.inf


def test_the_guards_are_those_of_the_policy() -> None:
    ahead = LookAhead.of(PARAMS)
    assert not ahead.blind
    alarms = [alarm for alarm in PARAMS.policy.alarms if alarm.guard]
    counts = [len(set(alarm.phases.values())) or 1 for alarm in alarms]
    assert len(ahead.guards) == sum(counts), "whatever phase is in force"
    counted = next(a for a in alarms if a.id == "guard_failed_jobs").phases.values()
    limit = int(min(one.threshold for one in counted))
    assert ahead.breaches(failed(*range(limit - 1))) == math.inf
    assert ahead.breaches(failed(*range(limit))) == limit - 1


def test_an_unknown_metric_makes_it_blind_not_bold() -> None:
    alarms = tuple(a.model_copy(update={"metric": "table_reads"}) if a.guard else a for a in PARAMS.policy.alarms)
    policy = PARAMS.policy.model_copy(update={"alarms": alarms})
    assert LookAhead.of(PARAMS.model_copy(update={"policy": policy})).blind


@pytest.mark.parametrize("op", [">", ">="])
def test_the_comparison_is_the_alarms_own(op: str) -> None:
    seen = Guard("jobs_failed", True, 3600, Threshold(op=op, limit=2))
    assert (seen.breaches(failed(1, 2)) < math.inf) == (op == ">=")
