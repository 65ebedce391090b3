"""How scenarios end, in words; and that each fault that is promised has its scenario."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median

import pytest

from runbook_lib.rehearse.play.played import Ended, expected_words, found_words
from runbook_lib.rehearse.world.scenario import Expected, Scenario, load, names, played
from tests.benchmarks.kept import read

DOCS = Path(__file__).resolve().parents[3] / "docs"
WELL = Scenario(name="well", title="Well", expected=Expected(decisions=("PROMOTE",)))
BAD = Scenario(
    name="bad",
    title="Bad",
    explanation="It fails.",
    expected=Expected(decisions=("ROLLBACK", "HOLD"), phases=("06", "07"), rollback=(1,), recovers="it is off"),
)


def end(scenario: str, seed: int, **found: object) -> Ended:
    usual = {"decision": "ROLLBACK", "phase": "06", "by": "watch", "rollback": 1, "detect_s": 60.0 * seed}
    return Ended(**{"scenario": scenario, "seed": seed, "recovered": True, "reason": "ROLLBACK: why", **usual, **found})  # type: ignore[arg-type]


PROMOTED = {"decision": "PROMOTE", "phase": "", "by": "", "rollback": None, "detect_s": None, "recovered": None}


def test_the_words_of_an_end() -> None:
    assert expected_words(Expected(decisions=("HOLD",), phases=("06",))) == "HOLD in 06"
    assert found_words(end("bad", 1)) == "ROLLBACK 1 in 06"
    assert found_words(end("well", 1, **PROMOTED)) == "PROMOTE"


def test_every_scenario_is_played_or_for_other_tests_alone() -> None:
    others = {name for name in names() if load(name).expected is None}
    assert others == {"staging"}
    assert all(one.explanation for one in played())


FAULTS = {
    "async failing hard": ("async_failing", "async_crashing"),
    "failing slowly": ("failing_slowly",),
    "silent failure": ("async_failing",),
    "queue backlog by traffic spike and by slow LLM": ("backlog_by_spike", "backlog_slow_llm", "backlog_llm_limited"),
    "LLM rate limiting": ("llm_rate_limited",),
    "DynamoDB throttling of the table and of the GSI only": ("throttling_table", "throttling_index"),
    "slow generation": ("slow_generation",),
    "submit latency": ("submit_latency",),
    "cost overrun": ("cost_overrun",),
    "low traffic, no traffic": ("low_traffic", "no_traffic"),
    "missing metric, late metrics": ("missing_metric", "late_metrics"),
    "traffic not shifted": ("traffic_not_shifted", "old_clients"),
    "worker concurrency removed": ("concurrency_removed", "workers_gone"),
    "poison message": ("poison_message",),
    "baseline broken, baseline healthy": ("baseline_broken", "baseline_healthy"),
    "two faults at once": ("two_faults",),
    "a fault that heals by itself": ("heals_by_itself",),
    "a fault that starts at hour 23": ("starts_at_hour_23",),
    "submissions answered 5xx": ("submit_5xx",),
    "AppConfig's own rollback, to 0 and to 10 %": ("taken_back_at_night", "taken_back_to_10"),
    "at 100 %, after the migration, after the deprecation": (
        *("fails_at_full_weight", "fails_after_migration"),
        "fails_in_the_first_week",
    ),
    "refused by the gateway": ("refused_429", "refused_5xx_2_percent", "refused_5xx_after_migration"),
    "jobs lost, and never written": ("jobs_lost", "accepted_lost"),
    "the LLM's quota": ("llm_quota",),
    "faults with a shape": ("slow_ramp", "nightly_dip"),
    "a share that fails late": ("late_5_percent", "late_10_percent", "late_20_percent"),
    "what the fuzzer found": (
        *("refused_in_pulses", "latency_in_wrong_unit", "few_users", "more_than_the_workers_serve"),
    ),
    "none": ("healthy", "throttled_and_retried", "duplicates", "callers_mistakes"),
}


def test_every_fault_that_the_rehearsal_promises_has_its_scenario_and_none_is_beside_them() -> None:
    assert {name for names in FAULTS.values() for name in names} == {one.name for one in played()}


@pytest.mark.parametrize("scenario", [one for one in played() if one.expected and one.expected.within_min], ids=str)
def test_a_fault_is_found_in_the_time_that_follows_from_the_figures(scenario: Scenario) -> None:
    """Half of the plays that were kept, by `docs/scenarios.json`."""
    assert scenario.expected and scenario.expected.within_min
    kept = [one for one in read(DOCS / "scenarios.json").in_process if one.scenario == scenario.name]
    minutes = [math.inf if one.detect_s is None else one.detect_s / 60 for one in kept]
    assert len(minutes) >= 20 and median(minutes) <= scenario.expected.within_min


def test_every_phase_and_what_comes_after_has_a_fault_that_begins_in_it() -> None:
    begins = {fault.after for one in played() for fault in one.faults}
    assert {"06", "07", "08", "migration", "09"} <= begins


def test_a_play_that_ended_before_its_fault_says_where_to_begin() -> None:
    """At 2,000 requests a day a healthy 06 has some 300 at 10 %: the judge rightly says that this is not enough."""
    scenario = load("backlog_by_spike")
    (said,) = end(scenario.name, 7, phase="06", decision="HOLD", rollback=None).wrong(scenario)
    assert said.startswith("06 ended with HOLD before any fault was there: the first comes in 07; `--start-phase 07`")
    assert end(scenario.name, 7, phase="07", rollback=2).wrong(scenario) == []
    assert "06" not in str(end("well", 1, phase="").wrong(WELL))
