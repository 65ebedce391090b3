"""The time since the judged hours: what of it takes a promotion back, and what does not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.window import Window, iso
from runbook_lib.judge.model import Evidence, GateResult, Outcome
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.params.load import load_file
from runbook_lib.rollout import present
from runbook_lib.rollout.present import Present

PARAMS = load_file(Path(__file__).resolve().parents[2] / "params" / "prod.yaml")
END = dt.datetime(2026, 11, 24, 3, tzinfo=dt.UTC)
NOW = END + dt.timedelta(hours=4)
WINDOW = Window(END, NOW)
PROMOTE = Outcome(decision=Decision.PROMOTE, reason="all passed", next="go on")
QUIET = Outcome(decision=Decision.SOAK, reason="nothing has failed so far", next="later")


def outcome(decision: str) -> Outcome:
    scenario: Any = "rollback_1" if decision == "ROLLBACK" else None
    return Outcome(decision=Decision(decision), reason=f"{decision}: 31 of 31 failed", next="act", scenario=scenario)


def row(gate: str, verdict: Verdict) -> GateResult:
    declared = PARAMS.policy.gate(gate)
    seen = Evidence(measure=declared.measure, kind=declared.kind, start=iso(END), end=iso(NOW), query="by hand")
    return GateResult(
        gate=declared,
        verdict=verdict,
        value=None,
        low=None,
        high=None,
        n=None,
        reason=f"{declared.title}: no data.",
        evidence=seen,
    )


def seen(
    whole: Outcome | None = QUIET, since: Outcome | None = QUIET, guards: tuple[str, ...] = (), owed: float = 50.0
) -> Present:
    return Present(WINDOW, whole, since, guards, owed)


def test_a_quiet_present_leaves_the_promotion() -> None:
    assert present.stands(PROMOTE, seen()) is PROMOTE
    assert present.told(seen()).ok


@pytest.mark.parametrize("where", ["whole", "since"])
@pytest.mark.parametrize("decision", ["ROLLBACK", "HOLD"])
def test_a_fail_up_to_now_wins(where: str, decision: str) -> None:
    found = present.stands(PROMOTE, seen(**{where: outcome(decision)}))
    assert (found.decision, found.reason) == (Decision(decision), f"{decision}: 31 of 31 failed")
    assert not present.told(seen(**{where: outcome(decision)})).ok


def test_a_guard_in_alarm_holds() -> None:
    guards = present.first_wrong([("a-guard", "OK"), ("b-guard", "ALARM"), ("c-guard", "INSUFFICIENT_DATA")])
    found = present.stands(PROMOTE, seen(guards=guards))
    assert found.decision is Decision.HOLD
    assert "b-guard is in ALARM now" in found.reason and "a-guard" not in found.reason
    assert not present.told(seen(guards=guards)).ok


@pytest.mark.parametrize(("owed", "decision"), [(19.9, Decision.PROMOTE), (20.0, Decision.HOLD)])
def test_darkness_holds_where_requests_should_have_come(owed: float, decision: Decision) -> None:
    dark = QUIET.model_copy(update={"results": (row("success_rate", Verdict.NO_DATA),)})
    found = present.stands(PROMOTE, seen(since=dark, owed=owed))
    assert found.decision is decision
    assert present.told(seen(since=dark, owed=owed)).ok is (decision is Decision.PROMOTE)


def test_an_advisory_gate_without_data_holds_nothing() -> None:
    aside = row("success_rate", Verdict.NO_DATA)
    aside = aside.model_copy(update={"gate": aside.gate.model_copy(update={"required": False})})
    assert present.stands(PROMOTE, seen(since=QUIET.model_copy(update={"results": (aside,)}))) is PROMOTE


def test_what_has_not_settled_is_not_looked_at() -> None:
    settle = present.settle(PARAMS)
    assert not present.worth_looking(Window(END, END + settle + dt.timedelta(minutes=4)), PARAMS)
    assert present.worth_looking(Window(END, END + settle + dt.timedelta(minutes=5)), PARAMS)


@given(n=st.integers(1, 10_000), hours=st.floats(0.2, 48))
def test_what_is_owed_follows_the_rate_that_was_judged(n: int, hours: float) -> None:
    judged = Evidence(
        measure="success",
        kind="rate",
        start=iso(END - dt.timedelta(hours=24)),
        end=iso(END),
        query="by hand",
        bad=0,
        n=n,
    )
    window = Window(END, END + dt.timedelta(hours=hours) + present.settle(PARAMS))
    assert present.owed(judged, window, PARAMS) == pytest.approx(n / 24 * hours, rel=1e-6)


def test_nothing_is_owed_where_nothing_is_known() -> None:
    assert present.owed(None, WINDOW, PARAMS) == 0.0


@given(owed=st.floats(0, 1000))
def test_users_who_could_not_be_seen_since_hold(owed: float) -> None:
    """The failed jobs had left the table before anybody looked: nothing fails, and nothing was seen."""
    users = row("success_rate", Verdict.INCONCLUSIVE)
    gone = "184 of 488 jobs could not be seen"
    users = users.model_copy(update={"evidence": users.evidence.model_copy(update={"partial": True, "unseen": gone})})
    since = QUIET.model_copy(update={"results": (users,)})
    found = present.stands(PROMOTE, seen(since=since, owed=owed))
    if owed < present.OWED:
        assert found is PROMOTE
        return
    assert found.decision is Decision.HOLD
    assert gone in found.reason
    assert not present.told(seen(since=since, owed=owed)).ok


@pytest.mark.parametrize(("no_data", "decision"), [("hold", Decision.HOLD), ("ignore_after_first", Decision.PROMOTE)])
def test_a_gate_whose_silence_is_ignored_after_the_first_look_takes_nothing_back(
    no_data: str, decision: Decision
) -> None:
    silent = row("lambda_errors", Verdict.NO_DATA)
    silent = silent.model_copy(update={"gate": silent.gate.model_copy(update={"no_data": no_data})})
    dark = QUIET.model_copy(update={"results": (silent,)})
    assert present.stands(PROMOTE, seen(since=dark)).decision is decision
