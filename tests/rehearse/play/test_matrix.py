"""The matrix page: what was measured, and nothing that was not."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median

import pytest

from runbook_lib.rehearse.play.matrix import expected_words, found_words, matrix
from runbook_lib.rehearse.play.played import Ended
from runbook_lib.rehearse.world.behaviour import Fault
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


def test_a_row_counts_what_was_found_and_shows_median_and_worst() -> None:
    ended = [end("bad", seed, by="AppConfig" if seed == 3 else "watch") for seed in (1, 2, 3, 4, 10)]
    page = matrix([WELL, BAD], [end("well", 1, **PROMOTED), *ended], {})
    assert (
        "**6 of 6 plays ended as declared.** Of 5 faulty ones 0 were promoted; of the 5 whose fault begins before"
        in page
    )
    assert "100 % of the traffic, 0 reached it. Of 1 well ones, 0 were taken back" in page
    assert (
        "| `bad` | ROLLBACK 1 or HOLD in 06/07 | 5 of 5 | ROLLBACK 1 | 06 | watch (4), AppConfig (1) | 3, 10 |" in page
    )
    assert "| `well` | PROMOTE | 1 of 1 | PROMOTE |" in page
    assert "- `bad`: It fails." in page
    assert "Not measured." in page


def test_what_did_not_end_as_declared_is_on_the_page() -> None:
    ended = [end("bad", 1), end("bad", 2, **PROMOTED), end("bad", 3, recovered=False), end("well", 1)]
    page = matrix([WELL, BAD], ended, {"bad": end("bad", 7, recovered=False)})
    assert "**1 of 4 plays ended as declared.** Of 3 faulty ones 1 were promoted;" in page
    assert "- `bad`, seed 2: PROMOTE instead of ROLLBACK or HOLD; caught in no phase instead of 06 or 07" in page
    assert "- `bad`, seed 3: not seen: it is off" in page
    assert "- `well`, seed 1: ROLLBACK instead of PROMOTE" in page
    assert "Of 1 well ones, 1 were taken back (0 of them by AppConfig's guards)" in page
    assert "| `bad` | ROLLBACK 1 or HOLD in 06/07 | ROLLBACK 1 in 06 | watch | 7 | no | not seen: it is off |" in page
    assert "Not played through the notebooks: `well`." in page


def test_a_fault_that_begins_at_100_percent_is_told_apart_from_one_that_reached_it() -> None:
    late = Scenario(
        name="late",
        title="Late",
        faults=(Fault(name="late", after="08"),),
        expected=Expected(decisions=("ROLLBACK",), phases=("08",), rollback=(1,)),
    )
    page = matrix([late, BAD], [end("late", 1, phase="08"), end("bad", 1, phase="08")], {})
    assert (
        "Of 2 faulty ones 0 were promoted; of the 1 whose fault begins before 100 % of the traffic, 1 reached it"
        in page
    )


def test_what_is_found_after_phase_3_is_through_the_notebooks_only() -> None:
    week = Scenario(
        name="week",
        title="Week",
        faults=(Fault(name="w", after="09"),),
        expected=Expected(decisions=("HOLD",), phases=("10",)),
    )
    page = matrix([WELL, week], [end("well", 1, **PROMOTED)], {"week": end("week", 7, decision="HOLD", phase="10")})
    assert "| `week` | HOLD in 10 | through the notebooks only, see below |" in page
    assert "the first week, so `week` is played through the notebooks only." in page.replace("\n", " ")


def test_the_words_of_an_end() -> None:
    assert expected_words(Expected(decisions=("HOLD",), phases=("06",))) == "HOLD in 06"
    assert found_words(end("bad", 1)) == "ROLLBACK 1 in 06"
    assert found_words(end("well", 1, **PROMOTED)) == "PROMOTE"


def test_every_scenario_is_for_the_matrix_or_for_other_tests_alone() -> None:
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


def test_the_page_is_made_of_what_was_kept() -> None:
    kept, every = read(DOCS / "scenarios.json"), played()
    page = matrix(every, kept.in_process, kept.through)
    assert (DOCS / "scenarios.md").read_text() == page, "make bench-scenarios SEEDS=0"
    measured = {(one.scenario, one.seed) for one in kept.in_process}
    assert measured == {(one.name, seed) for one in every if not one.notebooks_only for seed in range(1, 21)}
    assert set(kept.through) == {one.name for one in every}


def test_a_play_that_ended_before_its_fault_says_where_to_begin() -> None:
    """At 2,000 requests a day a healthy 06 has some 300 at 10 %: the judge rightly says that this is not enough."""
    scenario = load("backlog_by_spike")
    (said,) = end(scenario.name, 7, phase="06", decision="HOLD", rollback=None).wrong(scenario)
    assert said.startswith("06 ended with HOLD before any fault was there: the first comes in 07; `--start-phase 07`")
    assert end(scenario.name, 7, phase="07", rollback=2).wrong(scenario) == []
    assert "06" not in str(end("well", 1, phase="").wrong(WELL))
