"""Who decided to turn async off, where a phase's notebook did it and rollback 1 only verifies it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.act.guard import Guard
from runbook_lib.base.window import iso, parse
from runbook_lib.judge.incidents.incident import time_to_effect
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import new_run_id
from runbook_lib.record.record import Change, Record
from runbook_lib.rollout.rollbacks import Rollbacks, _unfinished, switched_off
from runbook_lib.steps.rollbacks.async_failing import AsyncFailing

PARAMS = load_file(Path(__file__).resolve().parents[2] / "params" / "prod.yaml", {"mode": "apply", "confirm": "prod"})
PHASE, ROLLBACK = "06_phase1_10_percent", "rollback_1_async_failing"
DECIDED = dt.datetime(2026, 11, 23, 3, 12, tzinfo=dt.UTC)


def phase(archive: Archive, deployment: int, took: float = 2.0, *, old: bool = False, ok: bool = True) -> None:
    """Leaves the record of a phase that decided to roll back and turned the switch off.

    Args:
        took: seconds until AWS had it.
        old: sealed before the intent kept when it was decided.
    """
    run_id = new_run_id()
    staging = archive.stage(PARAMS.env, PARAMS.release, PHASE, run_id, "papermill")
    journal = Journal(staging)
    flat = PARAMS.flat.model_dump(mode="json")
    journal.append("opened", run_id=run_id, notebook=PHASE, origin="papermill", params=flat)
    began = DECIDED + dt.timedelta(seconds=0 if old else 9)
    facts = {} if old else {"decided_at": DECIDED.isoformat()}
    intent = {"id": "a", "what": "switch off", "before": {"enabled": True}, "after": {"enabled": False}}
    journal.append("intent", **intent, **facts, aws_at=began.isoformat())
    done = {"enabled": False, "deployment": deployment} if ok else {"enabled": True, "deployment": deployment}
    at = began + dt.timedelta(seconds=took)
    journal.append("outcome", intent="a", read_back=done, ok=ok, aws_at=at.isoformat())
    seal_staged(archive, staging, status="completed")


def verifying(archive: Archive, state: TrafficState) -> tuple[AsyncFailing, list[str]]:
    """Rollback 1's notebook, which finds async off."""
    run_id = new_run_id()
    staging = archive.stage(PARAMS.env, PARAMS.release, ROLLBACK, run_id, "test")
    journal = Journal(staging, lenient=True)
    guard = Guard(PARAMS, SimpleNamespace(account=PARAMS.account_id, arn="arn:ann", now=DECIDED), journal)
    aws = SimpleNamespace(client=lambda _: None)
    run: Any = SimpleNamespace(
        notebook=ROLLBACK, params=PARAMS, archive=archive, journal=journal, guard=guard, aws=aws, run_id=run_id
    )
    made = AsyncFailing(run)
    made.seen.traffic = state, True
    return made, guard.warnings


def off(number: int, at: dt.datetime) -> TrafficState:
    by = Deployment(number=number, state="COMPLETE", enabled=False, started_at=iso(at))
    return TrafficState(dial_percent=10, switch_on=False, weight=0, switch_deployment=by)


@pytest.mark.parametrize("old", [True, False])
def test_what_a_phase_decided_and_did_is_measured_from_its_decision(tmp_path: Path, old: bool) -> None:
    archive = Archive(tmp_path / "archive")
    phase(archive, 4, old=old)
    made, _ = verifying(archive, off(4, DECIDED + dt.timedelta(seconds=10)))
    made._resume()
    clock = made.incident.clock
    assert clock is not None and parse(clock.decided_at) == DECIDED and not clock.undecided
    told = time_to_effect("rollback_1", clock, 5)
    assert (told.verdict, told.facts["seconds_to_effect"]) == (Verdict.PASS, (2 if old else 11) + 60)


@pytest.mark.parametrize(("number", "ok"), [(5, True), (4, False)])
def test_another_deployment_or_one_that_failed_is_nobodys_decision(tmp_path: Path, number: int, ok: bool) -> None:
    archive = Archive(tmp_path / "archive")
    phase(archive, 4, ok=ok)
    made, _ = verifying(archive, off(number, DECIDED))
    made._resume()
    assert made.incident.clock is not None and made.incident.clock.undecided


@settings(max_examples=8)
@given(st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans()), max_size=4), st.integers(1, 4))
def test_the_record_that_has_the_deployment_is_found_whatever_else_there_is(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[int, bool, bool]], wanted: int
) -> None:
    archive = Archive(tmp_path_factory.mktemp("archive"))
    for number, old, ok in found:
        phase(archive, number, old=old, ok=ok)
    clock = switched_off(archive, PARAMS, str(wanted), lambda _: None, but=ROLLBACK)
    assert (clock is not None) == any(number == wanted and ok for number, _, ok in found)
    assert clock is None or (clock.measures and clock.key == str(wanted))


@pytest.mark.parametrize(("on", "says"), [(False, "is not proven yet: async is off"), (True, "the switch is on again")])
def test_a_switch_that_is_on_again_is_not_said_to_be_off(tmp_path: Path, on: bool, says: str) -> None:
    state = TrafficState(dial_percent=0, switch_on=on, weight=0, temporary_route=False)
    told = {"decision": "SOAK", "said": None, "reason": "async is off and read back", "next": "", "come_back_at": None}
    given = {"run_id": "abc123", "env": "prod", "release": "r1", "notebook": ROLLBACK, "status": "completed"}
    pending = Record.model_validate({**given, "decision": "SOAK", "outcome": told})
    found = Rollbacks(PARAMS, Archive(tmp_path), state, pending).unfinished()
    assert found is not None and found.number == 1 and says in found.words


@pytest.mark.parametrize("decision", [None, "SOAK", "HOLD"])
def test_one_that_was_interrupted_is_told_with_what_it_changed_and_not_with_its_decision(decision: str | None) -> None:
    done = Change(intent={"what": "switch off"}, outcome={"ok": True})
    facts = {"run_id": "r", "status": "cancelled", "decision": decision, "changes": (done,)}
    told = _unfinished(1, Record.model_validate({**facts, "outcome": {"decision": decision, "reason": "so it was"}}))
    assert told.words == "rollback 1 (run r) cancelled on the way; changed before that: switch off"
    assert (told.back, told.held) == (None, False)
