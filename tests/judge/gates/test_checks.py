"""Checks and the decision made of them: what is missing is told first, and how much more."""

from __future__ import annotations

import pytest

from runbook_lib.judge.gates.checks import Check, check, decide_checks, unmet
from runbook_lib.judge.terms import Decision, Verdict

FINE = check("a.fine", "Fine", True, "it is fine")
WRONG = check("a.wrong", "Wrong", False, "the queue keeps 1 h; set 4 h.")
UNSEEN = check("a.unseen", "Unseen", None, "the table cannot be read")
UNSURE = FINE.model_copy(update={"id": "a.unsure", "verdict": Verdict.INCONCLUSIVE, "reason": "too few to say"})
TO_DO = check("a.todo", "To do", False, "the alarm is not there yet", mends=True)
ADVICE = check("a.advice", "Advice", False, "no runbook link", required=False)


def decided(*checks: Check, applied: bool = True) -> tuple[Decision, str, str]:
    outcome = decide_checks(checks, applied=applied, done="dev is deployed", then="Go on.")
    return outcome.decision, outcome.reason, outcome.next


def test_a_check_says_what_was_found() -> None:
    plain = check("a.b", "A", True, "it is so")
    assert (plain.verdict, plain.expected, plain.found) == (Verdict.PASS, "", "")
    assert (plain.required, plain.attested, plain.mends, plain.facts) == (True, False, False, {})
    full = check("a.b", "A", None, "?", required=False, expected=4, found=None, attested=True, mends=True, took_s=3)
    assert (full.verdict, full.expected, full.found) == (Verdict.NO_DATA, "4", "None")
    assert (full.required, full.attested, full.mends, full.facts) == (False, True, True, {"took_s": 3})
    assert plain.ok and not full.ok and not WRONG.ok


def test_what_is_unmet_comes_worst_first_and_advice_not_at_all() -> None:
    assert unmet([FINE, UNSURE, ADVICE, UNSEEN, WRONG]) == [WRONG, UNSEEN, UNSURE]
    assert unmet([UNSURE, UNSEEN]) == [UNSEEN, UNSURE]
    assert unmet([FINE, ADVICE]) == []


def test_all_required_passed_and_applied_promotes() -> None:
    told = "dev is deployed; all 2 required checks passed"
    assert decided(FINE, FINE, ADVICE) == (Decision.PROMOTE, told, "Go on.")


def test_nothing_checked_is_no_promotion() -> None:
    again = "Put that right, then run it again."
    for applied in (True, False):
        assert decided(applied=applied) == (Decision.HOLD, "nothing was checked", again)


def test_what_is_wrong_holds_with_the_worst_and_how_many_more() -> None:
    again = "Put that right, then run it again."
    told = "the queue keeps 1 h; set 4 h."
    assert decided(FINE, WRONG) == (Decision.HOLD, told, again)
    assert decided(UNSEEN, WRONG)[1] == f"{told} (and 1 more)"
    assert decided(UNSEEN, WRONG, UNSURE)[1] == f"{told} (and 2 more)"
    assert decided(FINE, WRONG, applied=False)[1] == told
    mine = decide_checks([WRONG], applied=True, done="", then="", again="Ask the team.")
    assert mine.next == "Ask the team."


def test_what_applying_mends_is_a_plan_until_it_was_applied() -> None:
    read = "Read the plan, then run this notebook with mode='apply' and confirm."
    assert decided(FINE, applied=False) == (Decision.PLANNED, "1 required check passes", read)
    told = "1 required check passes; applying would bring about 2 more"
    assert decided(FINE, TO_DO, TO_DO, ADVICE, applied=False) == (Decision.PLANNED, told, read)
    assert decided(FINE, TO_DO, applied=True)[:2] == (Decision.HOLD, "the alarm is not there yet")
    assert decided(TO_DO, UNSEEN, applied=False)[:2] == (Decision.HOLD, "the table cannot be read")


@pytest.mark.parametrize("one", [WRONG, UNSEEN, UNSURE])
@pytest.mark.parametrize("applied", [True, False])
def test_nothing_but_pass_promotes(one: Check, applied: bool) -> None:
    assert decided(FINE, one, applied=applied)[0] is Decision.HOLD
