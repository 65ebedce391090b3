"""The verdict of a phase without AWS: what stops a shift first, when to come back, what came since, the way back."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.window import Window, iso, parse
from runbook_lib.judge.case import settled
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision
from runbook_lib.observe.alarms import declared as alarms
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.load import load_file
from runbook_lib.rollout import present
from runbook_lib.rollout.moment import Moment
from runbook_lib.steps.phase import verdict
from runbook_lib.steps.phase.look import Stand

PARAMS = load_file(Path(__file__).resolve().parents[3] / "params" / "prod.yaml")
NOTEBOOK = "06_phase1_10_percent"
NOW = dt.datetime(2026, 11, 2, 3, tzinfo=dt.UTC)
PLANNED = verdict.planned_because("the shift to 10 %", "Run it again with mode=apply.")


def stand(name: Any = "before", *, deployed: bool = True, migrated: bool = False, weight: float = 0) -> Stand:
    state = TrafficState(dial_percent=weight, switch_on=True, weight=weight, migrated=migrated)
    spec = PARAMS.policy.phases[NOTEBOOK]
    return Stand(PARAMS, spec, NOW, state, deployed=deployed, moment=Moment(name, "", weight))


def run(*checks: Check, missing: tuple[str, ...] = ()) -> Any:
    return SimpleNamespace(
        params=PARAMS,
        notebook=NOTEBOOK,
        checks={one.id: one for one in checks},
        missing_to_shift=list(missing),
        archive=SimpleNamespace(),
    )


WRONG = check("a.b", "A check", False, "a check does not hold")
MENDS = check("a.c", "Another", False, "applying mends it", mends=True)


@pytest.mark.parametrize(
    ("checks", "deployed", "differs", "missing", "blocked", "says"),
    [
        ((WRONG,), False, True, ("no alarms",), ("a guard",), ("HOLD", "a check does not hold")),
        ((MENDS,), False, False, ("no alarms",), ("a guard",), ("PLANNED", "the new resources are not deployed yet")),
        ((), True, True, ("no alarms",), ("a guard",), ("PLANNED", "the new resources are not deployed yet")),
        ((), True, False, ("no alarms",), ("a guard",), ("PLANNED", "no async request possible; no alarms")),
        ((), True, False, (), ("a guard", "a weight"), ("HOLD", "a guard")),
        ((MENDS,), True, False, (), (), ("PLANNED", "the shift to 10 %")),
    ],
)
def test_what_stops_a_shift_is_said_in_this_order_and_the_guards_are_asked_last(
    monkeypatch: pytest.MonkeyPatch,
    checks: tuple[Check, ...],
    deployed: bool,
    differs: bool,
    missing: tuple[str, ...],
    blocked: tuple[str, ...],
    says: tuple[str, str],
) -> None:
    monkeypatch.setattr(verdict, "predecessors", lambda *_: [])
    asked: list[str] = []

    def blockers() -> list[str]:
        asked.append("guards")
        return list(blocked)

    here = stand(deployed=deployed)
    found = verdict.before_shift(run(*checks, missing=missing), here, PLANNED, differs=differs, blockers=blockers)
    assert found.decision == says[0] and says[1] in found.reason
    assert bool(asked) == (deployed and not differs and not missing)


def test_a_record_that_cannot_be_trusted_is_a_reason_to_hold_not_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    altered = SimpleNamespace(ok=False, record="20261102-abc", sentence="altered")
    monkeypatch.setattr(verdict, "predecessors", lambda *_: [altered])
    found = verdict.before_shift(
        run(missing=("03 was altered",)), stand(), PLANNED, differs=False, blockers=lambda: ["03 was altered"]
    )
    assert found.decision is Decision.HOLD and "03 was altered" in found.reason


@given(
    back_h=st.floats(0, 200) | st.none(),
    counted_h=st.floats(0, 60) | st.none(),
)
def test_the_next_look_comes_before_jobs_leave_the_table_wherever_that_is_still_possible(
    back_h: float | None, counted_h: float | None
) -> None:
    here, service = stand("during", weight=10), PARAMS.service
    at = iso((NOW + dt.timedelta(hours=back_h)).replace(microsecond=0)) if back_h is not None else None
    soak = Outcome(decision=Decision.SOAK, reason="goes on", next="Later.", come_back_at=at)
    end = NOW - dt.timedelta(hours=counted_h or 0)
    seen: Any = SimpleNamespace(segment=SimpleNamespace(end_settled=end)) if counted_h is not None else None
    found = verdict.before_jobs_are_gone(here, soak, seen)
    gone = end + dt.timedelta(seconds=service.job_ttl_s - service.job_deadline_s)
    if found is not soak:
        assert at is not None and parse(found.come_back_at or "") < parse(at), "only ever earlier"
        assert NOW < parse(found.come_back_at or "") < gone
    elif at is not None and parse(at) >= gone:
        assert gone - verdict.MARGIN <= NOW, "too late for it"
    assert verdict.before_jobs_are_gone(here, found, seen) == found
    assert found.decision is Decision.SOAK and found.reason == soak.reason


@pytest.mark.parametrize("migrated", [False, True])
def test_after_the_migration_a_rollback_says_what_it_does(migrated: bool) -> None:
    rolls = Outcome(decision=Decision.ROLLBACK, reason="it fails", next="Run rollback_1.", scenario="rollback_1")
    found = verdict.way_back(stand("during", migrated=migrated), rolls).next
    assert found.startswith("Run rollback_1.")
    assert ("cdk deploy" in found) == migrated


@pytest.mark.parametrize("decides", [False, True])
def test_a_look_back_that_decides_nothing_leaves_the_case_that_was_judged(
    monkeypatch: pytest.MonkeyPatch, decides: bool
) -> None:
    """`runbook replay` makes the verdict again from the case that the record keeps."""
    bad = Outcome(decision=Decision.ROLLBACK, reason="it fails now", next="Run rollback_1.")
    noted: list[Check] = []
    here: Any = SimpleNamespace(
        now=NOW,
        case={"case": "judged"},
        check=noted.append,
        aws=SimpleNamespace(client=lambda _: None),
        journal=SimpleNamespace(append=lambda *_, **__: None),
    )

    def looked(window: Window, *_: Any, **__: Any) -> present.Present:
        here.case = {"case": "interim"}
        return present.Present(window, None, bad if decides else None, (), 0.0)

    monkeypatch.setattr(alarms, "states", lambda *_: [])
    monkeypatch.setattr(present, "looked", looked)
    look: Any = SimpleNamespace(run=here, params=PARAMS, stand=stand("after", weight=10))
    good = Outcome(decision=Decision.PROMOTE, reason="passed", next="Go on.")
    found = verdict.borne_out(look, good, Window(NOW - dt.timedelta(hours=2), NOW))
    assert found is (bad if decides else good)
    assert here.case == {"case": "interim" if decides else "judged"}
    assert [one.ok for one in noted] == [not decides]


def test_nothing_is_promoted_while_only_some_clients_have_the_newest_weight() -> None:
    now = stand("after", weight=10)
    assert verdict.all_alike(now) == []
    off = Deployment(number=9, state="DEPLOYING", enabled=False, reached=10.0)
    moving = replace(now, state=now.state.model_copy(update={"switch_deployment": off}))
    told = settled(Outcome(decision=Decision.PROMOTE, reason="", next=""), verdict.all_alike(moving))
    assert told.decision is Decision.HOLD
    assert "the switch goes off by deployment 9: 10 % of the clients have it" in told.reason
