"""The skeleton of a post-mortem: filled with what the records know, honest about the rest."""

from __future__ import annotations

import datetime as dt
from typing import Any

import mistune

from runbook_lib.judge.gates.checks import check
from runbook_lib.judge.incidents.incident import Clock
from runbook_lib.rollout.timeline import Decided, Story
from runbook_lib.steps.rollbacks.post_mortem import TO_FILL_IN, Facts, post_mortem

AT = dt.datetime(2026, 11, 23, 3, 12, tzinfo=dt.UTC)
CLOCK = Clock(decided_at="2026-11-23T03:12:00Z", set_at="2026-11-23T03:12:01Z", effective_at="2026-11-23T03:13:01Z")


def facts(**more: Any) -> Facts:
    values: dict[str, Any] = {
        "title": "Scenario 1",
        "env": "prod",
        "release": "r",
        "attempt": 1,
        "operator": "ann",
        "reason": "",
        "run_id": "abc",
        "clock": CLOCK,
        "limit_min": 5,
        "decision": "SOAK: async is off",
    }
    return Facts(**(values | more))


def decided(hours: float, reason: str) -> Decided:
    at = AT + dt.timedelta(hours=hours)
    return Decided(at, "06_phase1_10_percent", "prod", "SOAK", "SOAK", "apply", "run1", reason)


def story(*decisions: Decided) -> Story:
    return Story({"prod": [(AT - dt.timedelta(hours=2), 10.0), (AT, 0.0)]}, decisions, ((AT, "ann", "pager was slow"),))


def test_times_and_timeline_are_filled_in_in_order() -> None:
    own = [(AT, "decided to roll back")]
    told = post_mortem(facts(own=own), story(decided(-90, "too old"), decided(-1, "a | b\nc")))
    assert "In effect at 2026-11-23 03:13:01 UTC, 61 s after the decision; the limit is 5 min" in told
    rows = [line for line in told.splitlines() if line.startswith("| 2026")]
    assert [row[:21] for row in rows] == sorted(row[:21] for row in rows) and len(rows) == 5
    assert "too old" not in told
    assert "SOAK: a \\| b c | run1 |" in told
    assert "pager was slow" in told and "weight in prod: 0 %" in told


def test_the_same_decision_again_and_again_is_one_row() -> None:
    told = post_mortem(
        facts(), story(*(decided(hours, "still 8 jobs a minute") for hours in (0, 1, 2)), decided(3, "x"))
    )
    rows = [line for line in told.splitlines() if "still 8 jobs" in line]
    assert len(rows) == 1
    assert rows[0].startswith("| 2026-11-23 03:12:00 UTC |")
    assert "(and 2 times more, until 2026-11-23 05:12 UTC)" in rows[0]


def test_what_lies_after_now_belongs_to_another_story() -> None:
    told = post_mortem(
        facts(until=AT + dt.timedelta(hours=1)), story(decided(1, "now"), decided(72, "taken as passed"))
    )
    assert "SOAK: now" in told and "taken as passed" not in told


def test_changes_stand_in_the_timeline() -> None:
    changes = ((AT + dt.timedelta(minutes=1), "switch off", "run1", "prod"),)
    told = post_mortem(facts(), Story({}, (), (), changes))
    assert "| 2026-11-23 03:13:00 UTC | switch off | run1 |" in told


def test_changes_of_another_environment_and_batches_of_one_command_fill_no_timeline() -> None:
    """29 batches of a redrive in staging stood in the post-mortem of prod."""
    each = [(AT + dt.timedelta(minutes=n), "redrive 10 dead letters") for n in range(5)]
    changes = [(at, what, run, env) for run, env in (("run1", "staging"), ("run2", "prod")) for at, what in each]
    told = post_mortem(facts(), Story({}, (), (), tuple(sorted(changes))))
    rows = [line for line in told.splitlines() if "redrive" in line]
    again = "(and 4 times more, until 2026-11-23 03:16 UTC)"
    assert rows == [f"| 2026-11-23 03:12:00 UTC | redrive 10 dead letters {again} | run2 |"]


def test_a_move_of_the_dial_is_not_told_as_this_rollbacks_own() -> None:
    told = post_mortem(facts(moved=[(AT, "dial set to 10 %, deployment 3")]), story())
    assert "| 2026-11-23 03:12:00 UTC | dial set to 10 %, deployment 3 | AppConfig |" in told


def test_within_one_second_causes_come_before_what_follows_from_them() -> None:
    changes = ((AT, "the switch is turned off", "run1", "prod"),)
    told = post_mortem(
        facts(own=[(AT, "z: decided to roll back")]),
        Story({"prod": [(AT, 0.0)]}, (decided(0, "a verdict"),), ((AT, "ann", "a note"),), changes),
    )
    rows = [line for line in told.splitlines() if line.startswith("| 2026")]
    order = ("z: decided", "switch is turned", "weight in prod", "a verdict", "a note")
    assert all(word in row for word, row in zip(order, rows, strict=True)), rows


def test_what_nobody_knows_is_asked_for_and_not_made_up() -> None:
    told = post_mortem(facts(), story())
    for heading in TO_FILL_IN:
        assert f"## {heading}" in told
    assert "no reason was given" in told


def test_a_plan_has_no_times() -> None:
    told = post_mortem(facts(clock=None, decision=""), story(decided(-90, "old but shown")))
    assert "Nothing has been decided yet." in told and "old but shown" in told


def test_sections_and_checks() -> None:
    found = check("rollback_1.off", "Async is off", True, "it is off")
    told = post_mortem(facts(checks=[found], sections={"Failures": ["- one"], "Jobs": []}), story())
    assert "## Failures\n\n- one" in told and "## Jobs\n\nNothing was seen." in told
    assert "| PASS | Async is off | it is off |" in told


def test_text_of_others_stays_text() -> None:
    bad = "<img src=x onerror=alert(1)> `x` | [a](javascript:b)\n# head"
    wrong = check("x", bad, False, bad)
    told = post_mortem(facts(reason=bad, operator=bad, decision=bad, checks=[wrong]), story(decided(-1, bad)))
    drawn = mistune.create_markdown(escape=False, plugins=["table"])(told)
    assert drawn.count("&lt;img src=x onerror=alert(1)&gt; `x`") == 6
    assert "<img" not in drawn and "<a " not in drawn and "<code>" not in drawn and drawn.count("<h1>") == 1
