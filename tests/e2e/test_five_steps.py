"""A rollout of five steps through the same notebooks: `rollout_step` says which one a notebook carries out."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.commands.status import rollout_status
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive
from runbook_lib.rehearse.play import director, play
from runbook_lib.rehearse.play.board import Board
from runbook_lib.rehearse.play.director import Scene
from runbook_lib.rehearse.world import scenario as scenarios
from runbook_lib.rollout.timeline import story
from runbook_lib.run.launch import Finished
from tests.kernels import Lent
from tests.steps_of_five import FIVE, NOTEBOOK, PERCENT, project

pytestmark = [pytest.mark.emulator, pytest.mark.kernel, pytest.mark.slow]
WELL = "{name: well, title: Well, requests_per_day: 4000, looks_h: [12], expected: {decisions: [PROMOTE]}}"


class Budgeted(play.Play):
    """The play, after a first run under a budget that no shift can hold."""

    refused: Finished | None = None

    def _phases(self) -> Finished:
        path = self.stage.root / "params" / "gates.yaml"
        text = path.read_text(encoding="utf-8")
        raw = yaml.safe_load(text)
        path.write_text(yaml.safe_dump({**raw, "harm": {"users": 1}}, sort_keys=False), encoding="utf-8")
        self.refused = self.stage.run(Scene(FIVE[0], what="a budget of one user"))
        path.write_text(text, encoding="utf-8")
        return super()._phases()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The rehearsal, from 5 % to the end of 100 %; its AWS is alive while the tests ask about it."""
    folder = project(tmp_path_factory.mktemp("five"))
    (folder / "well.yaml").write_text(WELL)
    patch = pytest.MonkeyPatch()
    patch.setattr(scenarios, "FOLDER", folder)
    patch.setattr(director, "Nursery", Lent)
    patch.chdir(folder)
    try:
        with director.raised("well", 7, Board(quiet=True)) as rehearsal:
            assert rehearsal.root == folder, "the project of this test alone is written to"
            budgeted = Budgeted(rehearsal, scenarios.load("well"), "06")
            ended = budgeted.play()
            accepted = rehearsal.run(Scene("11_acceptance", apply=False))
            file = folder / "params" / "prod.yaml"
            values = {**director.overlay_only(rehearsal.release)}
            yield rehearsal, ended, (budgeted.refused, accepted), rollout_status(file, values), load_file(file, values)
    finally:
        patch.undo()


def test_it_promotes_step_by_step_and_each_has_records_of_its_own(done: Any) -> None:
    rehearsal, ended, _, _, params = done
    assert (ended.decision, ended.reason) == ("PROMOTE", ended.reason), ended.reason
    archive = Archive(rehearsal.root / params.archive)
    for name, percent in PERCENT.items():
        records = [archive.load(ref) for ref in archive.records("prod", params.release, name)]
        promoted = [one for one in records if one.decision == "PROMOTE"]
        assert promoted, name
        assert {one.params["rollout_step"] for one in records} == {name if name in NOTEBOOK else ""}
        assert {(one.traffic_before or {}).get("dial_percent") for one in promoted} <= {float(percent), 0.0}
        for ref in archive.records("prod", params.release, name):
            archive.verify(ref)


def test_each_step_asks_for_the_one_before_it(done: Any) -> None:
    rehearsal, _, _, _, params = done
    archive = Archive(rehearsal.root / params.archive)
    for before, name in zip(PERCENT, list(PERCENT)[1:], strict=False):
        record = archive.load(archive.records("prod", params.release, name)[0])
        asked = {one["id"]: one["verdict"] for one in record.checks}
        assert asked[f"previous.{before}"] == "PASS"


def test_status_timeline_and_acceptance_follow_the_declared_steps(done: Any) -> None:
    rehearsal, _, (_, accepted), status, params = done
    lines = {(one.notebook, one.env): one for one in status.lines}
    assert [one.notebook for one in status.lines if one.notebook in PERCENT] == list(PERCENT)
    assert all(lines[name, "prod"].state == "passed" for name in PERCENT)
    assert lines[FIVE[0], "prod"].title == "Phase 1a: 5 % of traffic"
    archive = Archive(rehearsal.root / params.archive)
    records = [archive.load(ref) for ref in archive.records(release=params.release)]
    weights = [percent for _, percent in story(records).weights["prod"]]
    assert [one for one in dict.fromkeys(weights) if one] == [float(one) for one in PERCENT.values()]
    said = {one["title"]: one["verdict"] for one in archive.load(archive.find(accepted.run_id)).checks}
    for criterion in (
        "Phase 1 (10% traffic) successful for 24 hours",
        "Phase 3 (100% traffic) successful for 48 hours",
    ):
        assert said[criterion] == "PASS"
    assert said["The verdicts, made again"] == said["The chain of records"] == "PASS"
    assert accepted.decision == "HOLD", "what comes after the phases was not played"


def test_what_a_failure_would_cost_is_in_each_record_before_the_shift(done: Any) -> None:
    rehearsal, _, _, _, params = done
    archive = Archive(rehearsal.root / params.archive)
    for name in PERCENT:
        records = [archive.load(ref) for ref in archive.records("prod", params.release, name)]
        found = [one for record in records for one in record.checks if one["id"] == f"harm.{name}"]
        assert found and all(len(one["facts"]["rows"]) == 12 for one in found)
        assert found[-1]["verdict"] == "PASS"


def test_a_shift_that_cannot_hold_the_budget_is_refused(done: Any) -> None:
    _, _, (refused, _), _, _ = done
    assert refused.decision == "HOLD" and "and the budget is 1 user (gates.yaml, harm)" in refused.reason


def test_a_step_that_is_declared_of_another_notebook_is_refused(done: Any) -> None:
    rehearsal, _, _, _, _ = done
    before = len(rehearsal.runs)
    with pytest.raises(UsageError, match="06_phase1_10_percent carries out, not 08_phase3_100_percent"):
        rehearsal.run(Scene("08_phase3_100_percent"), rollout_step=FIVE[0])
    assert len(rehearsal.runs) == before, "no kernel, and no record"
