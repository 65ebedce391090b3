"""The measures' names in words."""

from __future__ import annotations

import pytest

from runbook_lib.judge.measures import COMPARABLE, MEASURES, told


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ("success", "success"),
        ("lost_jobs", "lost jobs"),
        ("llm_quota", "LLM quota"),
        ("dlq_depth", "DLQ depth"),
        ("async_5xx", "async 5xx"),
        ("cost_per_vpr", "cost per success"),
        ("cost_per_vpr_sync", "cost per success, sync"),
        ("a_measure_of_a_team", "a measure of a team"),
    ],
)
def test_a_measure_in_words(measure: str, words: str) -> None:
    assert told(measure) == words


def test_what_can_be_compared_is_a_share() -> None:
    assert {MEASURES[one] for several in COMPARABLE.values() for one in several} == {"rate", "quantile"}
