"""The clock of an incident, and the decision of a rollback run."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.window import iso, when
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.incidents.incident import (
    Clock,
    NoWayBack,
    decide_rollback,
    first_decision,
    spell,
    time_to_effect,
)
from runbook_lib.judge.terms import Decision, Verdict, Word

AT, SAID = "2026-11-23T03:12:05Z", "2026-11-23 03:12:05 UTC"


def clock(set_at: str | None = None, effective_at: str | None = None) -> Clock:
    return Clock(decided_at=AT, set_at=set_at, effective_at=effective_at, key="4")


@pytest.mark.parametrize(
    ("effective_at", "verdict"),
    [
        (None, Verdict.INCONCLUSIVE),
        ("2026-11-23T03:13:06Z", Verdict.PASS),
        ("2026-11-23T03:17:04Z", Verdict.PASS),
        ("2026-11-23T03:17:05Z", Verdict.FAIL),  # less than five minutes, says the requirement
        ("2026-11-23T04:00:00Z", Verdict.FAIL),
    ],
)
def test_the_limit_is_exclusive_and_counts_from_the_decision(effective_at: str | None, verdict: Verdict) -> None:
    found = time_to_effect("rollback_1", clock("2026-11-23T03:12:06Z", effective_at), 5)
    assert (found.id, found.verdict, found.required) == ("rollback_1.time_to_effect", verdict, True)
    assert "5 min" in found.reason or effective_at is None


def test_nothing_decided_and_nothing_set_are_not_a_failure() -> None:
    assert time_to_effect("rollback_2", None, 10).verdict is Verdict.INCONCLUSIVE
    told = time_to_effect("rollback_2", clock(), 10)
    assert (told.verdict, told.facts["seconds_to_set"]) == (Verdict.INCONCLUSIVE, None)
    assert "not set yet" in told.reason


def test_the_facts_hold_what_the_record_must_tell() -> None:
    facts = time_to_effect("rollback_1", clock("2026-11-23T03:12:06Z", "2026-11-23T03:13:06Z"), 5).facts
    assert (facts["seconds_to_set"], facts["seconds_to_effect"], facts["limit_min"], facts["key"]) == (1, 61, 5, "4")


@pytest.mark.parametrize(
    ("clocked", "found", "reason"),
    [
        (None, "not yet", "nothing has been decided yet; from the decision on it must take less than 5 min"),
        (clock(), "not yet", f"decided at {SAID}, not set yet"),
        (clock("2026-11-23T03:12:06Z"), "not yet", f"decided at {SAID}, set 1 s later, not in effect yet"),
        (
            clock("2026-11-23T03:12:06Z", "2026-11-23T03:14:35Z"),
            "2.5 min",
            f"decided at {SAID}, set 1 s later, in effect after 2.5 min; the limit is 5 min",
        ),
    ],
)
def test_what_the_clock_says(clocked: Clock | None, found: str, reason: str) -> None:
    told = time_to_effect("rollback_1", clocked, 5)
    assert (told.title, told.expected, told.found) == ("Time from the decision to the effect", "< 5 min", found)
    assert told.reason == reason
    assert ("decided_at" in told.facts) == (clocked is not None)


def test_spelled() -> None:
    seconds = (0.4, 61, 119, 120, 450, 7199, 7200, 10_800, -119, -120, -7200, 3_600_000)
    assert [spell(each) for each in seconds] == [
        "0 s",
        "61 s",
        "119 s",
        "2.0 min",
        "7.5 min",
        "120.0 min",
        "2.0 h",
        "3.0 h",
        "-119 s",
        "-2.0 min",
        "-2.0 h",
        "1000.0 h",
    ]


def decided(*checks: Check, **more: Any) -> Any:
    words = {"acted": True, "would": "would do", "done": "async is off", "then": "find the cause", **more}
    return decide_rollback(checks, **words)


def one(id: str, ok: bool | None, **more: Any) -> Check:
    return check(id, f"title of {id}", ok, f"reason of {id}", **more)


def test_planned_while_nothing_was_done() -> None:
    outcome = decided(one("a", False), acted=False)
    assert (outcome.decision, outcome.told) == (Decision.PLANNED, "PLANNED: would do")


def test_complete_only_if_every_required_check_passes() -> None:
    outcome = decided(one("a", True), one("b", False, required=False))
    assert outcome.decision is Decision.PROMOTE
    assert "the rollback is complete: async is off" in outcome.reason
    assert outcome.next == "Find the cause."


def test_what_cannot_be_seen_yet_is_waited_for() -> None:
    outcome = decided(one("a", True), one("b", None), come_back_at=AT)
    assert (outcome.decision, outcome.come_back_at) == (Decision.SOAK, AT)
    assert "title of b" in outcome.reason and "at 2026-11-23 03:13 UTC" in outcome.next
    assert decided(one("b", None)).decision is Decision.HOLD


def test_what_people_read_of_a_rollback_in_force_is_its_own_word() -> None:
    seen = [one("a", True), one("b", None)]
    outcome = decided(*seen, come_back_at=AT, watched=Word.ASYNC_IS_OFF)
    assert (outcome.decision, outcome.word) == (Decision.SOAK, "ASYNC IS OFF")
    assert decided(*seen, come_back_at=AT).word == "SOAK", "as records of version 0.1 say it"
    assert decided(one("a", True), watched=Word.ASYNC_IS_OFF).word == "DONE"


def test_a_failure_is_not_waited_out() -> None:
    outcome = decided(one("b", None), one("a", False), one("c", False), come_back_at=AT)
    assert outcome.decision is Decision.HOLD
    assert outcome.told == "HOLD: async is off, but reason of a (and 2 more)"


def test_a_mitigation_that_does_not_cure_falls_through() -> None:
    outcome = decided(one("a", False), falls_to="rollback_1", then="turn async off")
    assert (outcome.decision, outcome.scenario) == (Decision.ROLLBACK, "rollback_1")
    assert outcome.next == "Turn async off."


def test_no_way_back_says_what_can_be_done_instead() -> None:
    outcome = decided(
        one("a", True), no_way=NoWayBack(why="the old endpoint is gone", then="deploy the archived function")
    )
    assert (outcome.decision, outcome.told) == (Decision.HOLD, "HOLD: the old endpoint is gone")
    assert outcome.next == "Deploy the archived function."


AGAIN = "Put that right, then run this notebook again."
TOLD: list[tuple[list[Check], dict[str, Any], str, str]] = [
    (
        [one("a", False)],
        {"acted": False},
        "PLANNED: would do",
        "Run it again with mode='apply' and confirm, now; nothing else holds it up.",
    ),
    (
        [one("a", True), one("b", True), one("c", None, required=False)],
        {"come_back_at": AT},
        "DONE: the rollback is complete: async is off; all 2 required checks passed",
        "Find the cause.",
    ),
    (
        [one("a", None), one("b", None)],
        {"come_back_at": AT},
        "SOAK: async is off; still to be seen: title of a, title of b",
        "Run this notebook again at 2026-11-23 03:13 UTC.",
    ),
    ([one("a", None)], {}, "HOLD: async is off, but reason of a", AGAIN),
    (
        [one("a", False), one("b", False)],
        {"again": "Look."},
        "HOLD: async is off, but reason of a (and 1 more)",
        "Look.",
    ),
    (
        [one("a", False)],
        {"falls_to": "rollback_1", "then": "turn async off."},
        "ROLLBACK: reason of a",
        "Turn async off.",
    ),
    (
        [one("a", None), one("b", False), one("c", False), one("d", False)],
        {"falls_to": "rollback_1"},
        "ROLLBACK: reason of b (and 2 more)",
        "Find the cause.",
    ),
    ([one("a", None)], {"falls_to": "rollback_1"}, "HOLD: async is off, but reason of a", AGAIN),
    ([], {"no_way": NoWayBack(why="it is gone")}, "HOLD: it is gone", AGAIN),
    ([], {"no_way": NoWayBack(why="it is gone", then="ask; then wait")}, "HOLD: it is gone", "Ask; then wait."),
]


@pytest.mark.parametrize(("checks", "more", "reason", "then"), TOLD)
def test_what_is_told(checks: list[Check], more: dict[str, Any], reason: str, then: str) -> None:
    outcome = decided(*checks, **more)
    assert (outcome.told, outcome.next) == (reason, then)
    assert outcome.scenario == (more.get("falls_to") if outcome.decision is Decision.ROLLBACK else None)
    assert outcome.come_back_at == (AT if reason.startswith("SOAK") else None)


BEGAN = dt.datetime(2026, 11, 23, 3, 0, tzinfo=dt.UTC)


def at(second: float) -> str:
    return iso(BEGAN + dt.timedelta(seconds=second))


ACTS = st.lists(st.sampled_from(["act", "repeat", "die"]), min_size=1, max_size=8)


@given(acts=ACTS, gaps=st.lists(st.integers(0, 400), min_size=8, max_size=8), decided=st.integers(-600, 600))
def test_no_order_of_decision_effect_and_repetition_makes_a_negative_time(
    acts: list[str], gaps: list[int], decided: int
) -> None:
    """The truth: the first decision after which it was set. Repetitions leave no clock, or that of a run that died."""
    clocks: list[Clock | None] = []
    when, first, set_at = 0, None, None
    for act, gap in zip(acts, gaps, strict=False):
        when += gap + 3
        if act == "act" and set_at is None:
            first, set_at = when, when + 1
            clocks.insert(0, Clock(decided_at=at(when), set_at=at(set_at), effective_at=at(set_at + 60), key="4"))
        elif act == "die":
            clocks.insert(0, Clock(decided_at=at(when)))
        else:
            clocks.insert(0, None)
    found = first_decision(clocks, "4", at(set_at) if set_at is not None else None)
    if first is not None:
        assert found is not None and found.decided_at == at(first) and found.to_effect_s == 61
    for one in [*clocks, Clock(decided_at=at(decided), set_at=at(0), effective_at=at(60))]:
        told = time_to_effect("rollback_1", one, 5)
        for key in ("seconds_to_set", "seconds_to_effect"):
            assert told.facts[key] is None or told.facts[key] >= 0
        assert "-" not in told.found


def test_a_decision_after_the_effect_measures_nothing_and_says_so() -> None:
    late = Clock(decided_at=at(63), set_at=at(0), effective_at=at(60), key="4")
    told = time_to_effect("rollback_1", late, 5)
    assert (told.verdict, told.required, told.found) == (Verdict.INCONCLUSIVE, False, "not measured")
    assert (
        told.reason
        == f"in force since {when(at(0), seconds=True)}, and no record says when that was decided: nothing is measured"
    )
    within = late.model_copy(update={"decided_at": at(7)})
    assert within.to_effect_s is None, "53 s to an effect that was brought about before"
    assert first_decision([late], "4") is late, "by its key it is the same act"
    nameless = Clock(decided_at=at(5), effective_at=at(60))
    assert first_decision([None, nameless], "4", at(7)) is nameless, "set after it was decided, so it may be the act"
    assert first_decision([None, Clock(decided_at=at(5))], "4", at(0)) is None


def test_clocks_of_aws_may_differ_by_a_second() -> None:
    early = Clock(decided_at=at(1), set_at=at(0), effective_at=at(60))
    assert (early.to_set_s, early.to_effect_s) == (0, 59)
