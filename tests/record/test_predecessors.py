"""The rule for what a step's records say together."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.place import RecordRef
from runbook_lib.record.predecessors import after, only_planned, predecessors
from runbook_lib.record.record import Change, Record

PHASE = "06_phase1_10_percent"
SEALED = "2026-11-23T03:00:00.000+00:00"
Seal = Callable[..., RecordRef]
Plan = Callable[[str], RecordRef]


@pytest.fixture
def plan(archive: Archive, stage: Callable[..., Path], opened: dict[str, Any]) -> Plan:
    """A sealed run in plan mode, before the shift."""

    def build(decision: str) -> RecordRef:
        told = {"decision": decision, "reason": "it was planned", "next": "go on"}
        events = (("decision", {"moment": "before", "outcome": told}), ("closed", {"decision": decision}))
        opened["params"]["mode"] = "plan"
        staging = stage(*events)
        opened["params"]["mode"] = "apply"
        return seal_staged(archive, staging, status="completed")

    return build


class TestPredecessors:
    def find(self, archive: Archive) -> tuple[bool, str]:
        finding = predecessors(archive, [f"{PHASE}@dev"], "r1")[0]
        assert finding.as_dict()["requires"] == f"{PHASE}@dev"
        return finding.ok, finding.sentence

    def test_none(self, archive: Archive) -> None:
        assert self.find(archive) == (False, f"no sealed record of {PHASE}@dev for release r1")

    def test_promoted(self, archive: Archive, sealed: Seal) -> None:
        sealed("SOAK")
        sealed("PROMOTE")
        sealed("PLANNED")
        sealed("HOLD", status="failed")
        ok, sentence = self.find(archive)
        assert ok and "says PROMOTE" in sentence

    def test_a_plan_that_holds_takes_no_promotion_back(self, archive: Archive, sealed: Seal, plan: Plan) -> None:
        first = sealed("PROMOTE")
        plan("HOLD")
        plan("HOLD")
        assert self.find(archive)[0] and predecessors(archive, [f"{PHASE}@dev"], "r1")[0].record == first.run_id
        sealed("HOLD")
        assert not self.find(archive)[0], "a look has judged"
        last = plan("HOLD")
        (found,) = predecessors(archive, [f"{PHASE}@dev"], "r1")
        assert (found.ok, found.record) == (False, last.run_id), "it did not pass before: the newest reason is told"

    def test_a_plan_that_holds_takes_a_promotion_in_plan_mode_back(self, archive: Archive, plan: Plan) -> None:
        """01 changes nothing, so its runs are all of one rank: the newest counts."""
        plan("PROMOTE")
        assert self.find(archive)[0]
        last = plan("HOLD")
        (found,) = predecessors(archive, [f"{PHASE}@dev"], "r1")
        assert (found.ok, found.record) == (False, last.run_id)
        plan("PROMOTE")
        assert self.find(archive)[0]

    def test_a_plan_that_holds_is_told_where_nothing_was_applied(self, archive: Archive, plan: Plan) -> None:
        plan("HOLD")
        ok, sentence = self.find(archive)
        assert not ok and "says HOLD" in sentence

    @pytest.mark.parametrize("moment", ["during", "after", "taken_back", "void", "migrating"])
    def test_a_look_in_plan_mode_judges(self, moment: str) -> None:
        held = Record(mode="plan", decision="HOLD", moment=moment)
        assert not only_planned(held)
        assert only_planned(held.model_copy(update={"moment": "before"}))
        assert only_planned(held.model_copy(update={"moment": "step"})), "a step that is judged by checks"
        assert only_planned(held.model_copy(update={"moment": None}))
        assert not only_planned(held.model_copy(update={"moment": None, "gates": ({"verdict": "FAIL"},)})), "10 judges"
        assert not only_planned(held.model_copy(update={"moment": "before", "mode": "apply"}))
        assert not only_planned(held.model_copy(update={"moment": "before", "decision": "ROLLBACK"}))

    def test_the_latest_decision_counts(self, archive: Archive, sealed: Seal) -> None:
        sealed("PROMOTE")
        sealed("ROLLBACK")
        ok, sentence = self.find(archive)
        assert not ok and sentence.endswith("and has not passed") and "says ROLLBACK" in sentence

    def test_a_later_run_that_died_in_the_middle_of_a_change_takes_it_back(
        self, archive: Archive, sealed: Seal, stage: Callable[..., Path]
    ) -> None:
        sealed("PROMOTE")
        seal_staged(archive, stage(("intent", {"id": "a", "what": "dial"})), status="died")
        ok, sentence = self.find(archive)
        assert not ok and "begun and not read back: " in sentence

    @pytest.mark.parametrize("status", ["died", "failed", "cancelled"])
    def test_a_later_run_that_changed_something_and_did_not_end_takes_it_back(
        self, archive: Archive, sealed: Seal, stage: Callable[..., Path], status: Any
    ) -> None:
        """Killed after the shift of another attempt, and before its SOAK: the weight in force was never soaked."""
        sealed("PROMOTE")
        done = ("intent", {"id": "a", "what": "dial 10 %"}), ("outcome", {"intent": "a", "ok": True})
        seal_staged(archive, stage(*done), status=status)
        ok, sentence = self.find(archive)
        assert not ok and f" {status} (run " in sentence and "changed before that: " in sentence

    @pytest.mark.parametrize("status", ["died", "failed", "cancelled"])
    def test_a_judged_rollback_takes_it_back_however_its_run_ended(
        self, archive: Archive, sealed: Seal, stage: Callable[..., Path], status: Any
    ) -> None:
        sealed("PROMOTE")
        told = {"decision": "ROLLBACK", "reason": "it fails", "next": "turn it off"}
        refused = ("intent", {"id": "a", "what": "switch"}), ("outcome", {"intent": "a", "ok": False})
        seal_staged(archive, stage(("decision", {"moment": "after", "outcome": told}), *refused), status=status)
        ok, sentence = self.find(archive)
        assert not ok and f"judged ROLLBACK, and {status}" in sentence

    def test_an_altered_record_is_not_trusted(self, archive: Archive, sealed: Seal) -> None:
        path = sealed("ROLLBACK").folder / "record.json"
        path.write_text(path.read_text().replace("ROLLBACK", "PROMOTE"))
        ok, sentence = self.find(archive)
        assert not ok and "cannot be trusted" in sentence

    @pytest.mark.parametrize("what", ["the newest with HEAD", "the chain"])
    def test_records_that_were_removed_are_not_overlooked(self, archive: Archive, sealed: Seal, what: str) -> None:
        first, second = sealed("PROMOTE"), sealed("ROLLBACK")
        if what == "the chain":
            shutil.rmtree(first.folder.parent)
        else:
            shutil.rmtree(second.folder)
            (first.folder.parent / "HEAD").write_text(f"{archive.load(first).hash}\n")
        ok, sentence = self.find(archive)
        assert not ok and f"{second.folder.name} was removed; the log has it" in sentence

    def test_another_release_or_environment_does_not_count(self, archive: Archive, sealed: Seal) -> None:
        sealed("PROMOTE")
        assert not predecessors(archive, [f"{PHASE}@prod"], "r1")[0].ok
        assert not predecessors(archive, [f"{PHASE}@dev"], "r2")[0].ok


DONE = Change(intent={"raises": True}, outcome={"ok": True})
OPEN = Change(intent={"raises": True})
REFUSED = Change(intent={"raises": True}, outcome={"ok": False})
STANDS, OUT = "what was said before stands", "not passed"
ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "a shift": ({"mode": "apply", "decision": "SOAK", "moment": "before", "changes": (DONE,)}, OUT),
    "an interim look": ({"decision": "SOAK", "moment": "during"}, OUT),
    "the verdict": ({"decision": "PROMOTE", "moment": "after"}, "passed"),
    "the verdict, applied": ({"mode": "apply", "decision": "PROMOTE", "moment": "after"}, "passed, applied"),
    "a look that holds": ({"decision": "HOLD", "moment": "after"}, OUT),
    "a look that rolls back": ({"mode": "apply", "decision": "ROLLBACK", "moment": "during", "changes": (DONE,)}, OUT),
    "a plan": ({"decision": "PLANNED", "moment": "before"}, STANDS),
    "a plan that holds": ({"decision": "HOLD", "moment": "before"}, "not passed, unless it was applied"),
    "a plan of another attempt that holds": (
        {"decision": "HOLD", "moment": "before", "attempt": 2},
        "not passed, unless it was applied",
    ),
    "a failure without a change": ({"status": "failed", "mode": "apply"}, STANDS),
    "a refused change": ({"status": "failed", "mode": "apply", "decision": "PLANNED", "changes": (REFUSED,)}, STANDS),
    "killed in a shift": ({"status": "died", "mode": "apply", "decision": "PLANNED", "changes": (OPEN,)}, OUT),
    "killed after a shift": (
        {"status": "died", "mode": "apply", "decision": "PLANNED", "changes": (DONE,), "attempt": 2},
        OUT,
    ),
    "a rollback that failed": ({"status": "failed", "mode": "apply", "decision": "ROLLBACK"}, OUT),
    "the verdict as of an earlier instant": (
        {"decision": "PROMOTE", "as_of": "2026-11-23T02:00:00+00:00", "params": {"as_of": "2026-11-23T02:00:00+00:00"}},
        "passed, unless a later instant was judged",
    ),
    "a promotion that died": ({"status": "died", "decision": "PROMOTE", "moment": "after"}, STANDS),
}
"""What a record is, and what it makes of its step."""


OF_A_PLAN: dict[str, Any] = {"status": "completed", "mode": "plan", "sealed_at": SEALED, "as_of": SEALED}


class Shelf:
    """An archive of records that are all as they were sealed."""

    stale = ""

    def __init__(self, records: tuple[Record, ...]) -> None:
        self._records = records

    def records(self, *_: str) -> tuple[Record, ...]:
        return self._records

    def load(self, one: Record) -> Record:
        return one

    def verifier(self) -> Callable[[Record], None]:
        return lambda _: None

    def lost(self, *_: str) -> list[RecordRef]:
        return []

    def refresh(self, _: str) -> None: ...

    def chain(self, *_: str) -> Any:
        return SimpleNamespace(folder=Path("nowhere"))


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 2, 3])
def test_each_sequence_of_records_against_the_table(length: int) -> None:
    """Read from the newest, as a phase does, and one after the other, as `status` and pruning do."""
    for names in itertools.product(ROWS, repeat=length):
        told, before, judged = OUT, None, False
        records = [Record(**{**OF_A_PLAN, "run_id": f"{at}", **ROWS[name][0]}) for at, name in enumerate(names)]
        for name, record in zip(names, records, strict=True):
            before = after("06@prod", record, before)
            says = ROWS[name][1]
            if says == "passed, unless a later instant was judged":
                says = STANDS if judged else "passed"
            elif says != STANDS:
                judged = judged or not (says.endswith("unless it was applied") and told == "passed, applied")
            if says == "not passed, unless it was applied":
                says = STANDS if told == "passed, applied" else OUT
            told = told if says == STANDS else says
        (found,) = predecessors(cast(Archive, Shelf(tuple(records))), ["06@prod"], "r1")
        passed = told.startswith("passed")
        assert (found.ok, before is not None and before.ok) == (passed, passed), names
