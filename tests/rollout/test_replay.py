"""Which decisions a verdict leads to: a run may say less than its verdict, and never more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runbook_lib.judge.case import Case
from runbook_lib.judge.model import Arms, Evidence, GateResult, Outcome
from runbook_lib.judge.terms import RULES, Verdict
from runbook_lib.record.record import Record
from runbook_lib.rollout.replay import Replayed, _again, _follows, _same, _without_words
from tests.judge.gates import test_against as against


def outcome(decision: str) -> Outcome:
    return Outcome.model_validate({"decision": decision, "reason": "so", "next": "on"})


@pytest.mark.parametrize(
    ("verdict", "checked", "decided", "follows"),
    [
        ("PROMOTE", "PROMOTE", "PROMOTE", True),
        ("PROMOTE", "HOLD", "HOLD", True),
        ("PROMOTE", "HOLD", "SOAK", True),  # the migration goes on, its own checks still to come
        ("PROMOTE", "HOLD", "PROMOTE", False),  # a check did not hold: forged
        ("PROMOTE", "PROMOTE", "PLANNED", True),
        ("PLANNED", "PLANNED", "HOLD", True),
        ("PLANNED", "PLANNED", "PROMOTE", False),
        ("SOAK", "SOAK", "SOAK", True),
        ("SOAK", "SOAK", "PROMOTE", False),
        ("SOAK", "SOAK", "PLANNED", False),
        ("ROLLBACK", "ROLLBACK", "ROLLBACK", True),
        ("ROLLBACK", "ROLLBACK", "SOAK", False),
        ("ROLLBACK", "ROLLBACK", "HOLD", False),
        ("HOLD", "HOLD", "SOAK", False),
        ("SOAK", "SOAK", None, True),  # a watch: its record carries no decision that a phase could count on
    ],
)
def test_what_a_verdict_leads_to(verdict: str, checked: str, decided: str | None, follows: bool) -> None:
    assert _follows(outcome(verdict), outcome(checked), Record(decision=decided)) is follows


def replayed(rules: int, change: Callable[[GateResult], GateResult] = lambda one: one) -> Replayed:
    """A late change of two arms, judged by those rules and sealed as `change` makes it."""
    hours = (*against.hours(0, 30, 2, 270)[:18], *against.hours(12, 30, 2, 270)[18:])
    evidence = against.seen(against.RATE, Arms(gate=against.RATE.id, other="the baseline", share=0.1, hours=hours))
    case = Case(
        rules=rules, gates=(against.RATE,), evidence={"success": evidence}, looks=against.LOOKS, moment="during"
    )
    verdict = case.verdict()
    results = tuple(change(one) for one in verdict.results)
    sealed = {**verdict.model_dump(mode="json"), "results": [one.model_dump(mode="json") for one in results]}
    record = Record(decision=verdict.decision, gates=tuple(sealed["results"]))
    about = Replayed("1", "06_phase1_10_percent", "prod", "", "gates", str(verdict.decision))
    return _again(about, case, sealed, record, dict(case.evidence), ())


def test_a_record_is_the_same_to_the_letter() -> None:
    assert replayed(RULES).identical and replayed(RULES - 1).identical
    said = replayed(RULES, lambda one: one.model_copy(update={"reason": "in other words."}))
    assert not said.identical and "the verdict is not what evidence and policy give" in said.differences


@pytest.mark.parametrize("rules", range(1, RULES))
def test_one_of_earlier_rules_may_say_it_in_other_words_and_nothing_else(rules: int) -> None:
    assert replayed(rules, lambda one: one.model_copy(update={"reason": "in other words."})).identical
    for other in ({"verdict": Verdict.PASS}, {"value": 0.5}, {"since": "2026-01-05T17:00:00Z"}, {"doubted": True}):
        assert not replayed(rules, lambda one, other=other: one.model_copy(update=other)).identical  # type: ignore[misc]


def test_what_raw_answers_give_is_compared_and_not_the_words_of_the_question() -> None:
    day = {"start": "2026-11-09T03:00:00Z", "end": "2026-11-10T03:00:00Z"}
    one = Evidence.model_validate({"measure": "success", "kind": "rate", "query": "COMPLETED", "n": 3, "bad": 1, **day})
    assert _same(_without_words(one), _without_words(one.model_copy(update={"query": "PRINTED in time"})))
    assert not _same(_without_words(one), _without_words(one.model_copy(update={"bad": 2})))
    assert _without_words(None) is None


def test_an_older_version_may_have_written_the_times_inside_its_sentences_for_machines() -> None:
    old = {"notes": ["no census of 2026-11-09T04:01:30Z to 2026-11-09T05:00:00.250Z: nothing"], "n": 3}
    new = {"notes": ["no census of 2026-11-09 04:01 UTC to 2026-11-09 05:00 UTC: nothing"], "n": 3}
    assert _same(old, new) and not _same(old, {**new, "n": 4})
    assert not _same({"start": "2026-11-09T04:01:30Z"}, {"start": "2026-11-09T04:01:31Z"}), "a time of its own is data"
