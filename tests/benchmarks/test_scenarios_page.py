"""docs/scenarios.md: what was measured, and nothing that was not."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.rehearse.world.behaviour import Fault
from runbook_lib.rehearse.world.scenario import Expected, Scenario, played
from tests.benchmarks.kept import read
from tests.benchmarks.scenarios_page import page
from tests.rehearse.play.test_played import BAD, PROMOTED, WELL, end

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_a_row_counts_what_was_found_and_shows_median_and_worst() -> None:
    ended = [end("bad", seed, by="AppConfig" if seed == 3 else "watch") for seed in (1, 2, 3, 4, 10)]
    text = page([WELL, BAD], [end("well", 1, **PROMOTED), *ended], {})
    assert (
        "**6 of 6 plays ended as declared.** Of 5 faulty ones 0 were promoted; of the 5 whose fault begins before"
        in text
    )
    assert "100 % of the traffic, 0 reached it. Of 1 well ones, 0 were taken back" in text
    assert (
        "| `bad` | ROLLBACK 1 or HOLD in 06/07 | 5 of 5 | ROLLBACK 1 | 06 | watch (4), AppConfig (1) | 3, 10 |" in text
    )
    assert "| `well` | PROMOTE | 1 of 1 | PROMOTE |" in text
    assert "- `bad`: It fails." in text
    assert "Not measured." in text


def test_what_did_not_end_as_declared_is_on_the_page() -> None:
    ended = [end("bad", 1), end("bad", 2, **PROMOTED), end("bad", 3, recovered=False), end("well", 1)]
    text = page([WELL, BAD], ended, {"bad": end("bad", 7, recovered=False)})
    assert "**1 of 4 plays ended as declared.** Of 3 faulty ones 1 were promoted;" in text
    assert "- `bad`, seed 2: PROMOTE instead of ROLLBACK or HOLD; caught in no phase instead of 06 or 07" in text
    assert "- `bad`, seed 3: not seen: it is off" in text
    assert "- `well`, seed 1: ROLLBACK instead of PROMOTE" in text
    assert "Of 1 well ones, 1 were taken back (0 of them by AppConfig's guards)" in text
    assert "| `bad` | ROLLBACK 1 or HOLD in 06/07 | ROLLBACK 1 in 06 | watch | 7 | no | not seen: it is off |" in text
    assert "Not played through the notebooks: `well`." in text


def test_a_fault_that_begins_at_100_percent_is_told_apart_from_one_that_reached_it() -> None:
    late = Scenario(
        name="late",
        title="Late",
        faults=(Fault(name="late", after="08"),),
        expected=Expected(decisions=("ROLLBACK",), phases=("08",), rollback=(1,)),
    )
    text = page([late, BAD], [end("late", 1, phase="08"), end("bad", 1, phase="08")], {})
    assert (
        "Of 2 faulty ones 0 were promoted; of the 1 whose fault begins before 100 % of the traffic, 1 reached it"
        in text
    )


def test_what_is_found_after_phase_3_is_through_the_notebooks_only() -> None:
    week = Scenario(
        name="week",
        title="Week",
        faults=(Fault(name="w", after="09"),),
        expected=Expected(decisions=("HOLD",), phases=("10",)),
    )
    text = page([WELL, week], [end("well", 1, **PROMOTED)], {"week": end("week", 7, decision="HOLD", phase="10")})
    assert "| `week` | HOLD in 10 | through the notebooks only, see below |" in text
    assert "the first week, so `week` is played through the notebooks only." in text.replace("\n", " ")


def test_the_page_is_made_of_what_was_kept() -> None:
    kept, every = read(DOCS / "scenarios.json"), played()
    text = page(every, kept.in_process, kept.through)
    assert (DOCS / "scenarios.md").read_text() == text, "make bench-scenarios SEEDS=0"
    measured = {(one.scenario, one.seed) for one in kept.in_process}
    assert measured == {(one.name, seed) for one in every if not one.notebooks_only for seed in range(1, 21)}
    assert set(kept.through) == {one.name for one in every}
