"""The matrix page: what was measured, and nothing that was not."""

from __future__ import annotations

import json
from pathlib import Path

from runbook_lib.rehearse.matrix import expected_words, found_words, matrix
from runbook_lib.rehearse.played import Ended
from runbook_lib.rehearse.scenario import Expected, Scenario, load, names, played

DOCS = Path(__file__).resolve().parents[2] / "docs"
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
    assert "**6 of 6 plays ended as declared.** 0 of 5 faulty ones went through to 100 %." in page
    assert "Of 1 well ones, 0 were taken back" in page
    assert (
        "| `bad` | ROLLBACK 1 or HOLD in 06/07 | 5 of 5 | ROLLBACK 1 | 06 | watch (4), AppConfig (1) | 3, 10 |" in page
    )
    assert "| `well` | PROMOTE | 1 of 1 | PROMOTE |" in page
    assert "- `bad`: It fails." in page
    assert "Not measured." in page


def test_what_did_not_end_as_declared_is_on_the_page() -> None:
    ended = [end("bad", 1), end("bad", 2, **PROMOTED), end("bad", 3, recovered=False), end("well", 1)]
    page = matrix([WELL, BAD], ended, {"bad": end("bad", 7, recovered=False)})
    assert "**1 of 4 plays ended as declared.** 1 of 3 faulty ones went through to 100 %." in page
    assert "- `bad`, seed 2: PROMOTE instead of ROLLBACK or HOLD; caught in no phase instead of 06 or 07" in page
    assert "- `bad`, seed 3: not seen: it is off" in page
    assert "- `well`, seed 1: ROLLBACK instead of PROMOTE" in page
    assert "Of 1 well ones, 1 were taken back (0 of them by AppConfig's guards)" in page
    assert (
        "| `bad` | ROLLBACK 1 or HOLD in 06/07 | ROLLBACK 1 in 06 | watch | 7, 7 | no | not seen: it is off |" in page
    )
    assert "Not played through the notebooks: `well`." in page


def test_the_words_of_an_end() -> None:
    assert expected_words(Expected(decisions=("HOLD",), phases=("06",))) == "HOLD in 06"
    assert found_words(end("bad", 1)) == "ROLLBACK 1 in 06"
    assert found_words(end("well", 1, **PROMOTED)) == "PROMOTE"


def test_every_scenario_is_for_the_matrix_or_for_other_tests_alone() -> None:
    others = {name for name in names() if load(name).expected is None}
    assert others == {"staging", "backlog_spike", "backlog_llm_limited"}
    assert all(one.explanation for one in played())


def test_the_page_is_made_of_what_was_kept() -> None:
    kept = json.loads((DOCS / "scenarios.json").read_text())
    ended = [Ended(**raw) for raw in kept["in_process"]]
    through = {raw["scenario"]: Ended(**raw) for raw in kept["notebooks"]}
    assert (DOCS / "scenarios.md").read_text() == matrix(played(), ended, through), "make bench-scenarios SEEDS=0"
    measured = {(one.scenario, one.seed) for one in ended}
    assert measured == {(one.name, seed) for one in played() for seed in range(1, 21)}
