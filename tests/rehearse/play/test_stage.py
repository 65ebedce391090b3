"""The stage of a rehearsal: production's own parameters, with an AWS and an archive of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runbook_lib.act import guard
from runbook_lib.base.errors import UsageError
from runbook_lib.commands.init.answers import Answers, of_flags
from runbook_lib.commands.init.folder import planned, write
from runbook_lib.params.phases import EnvironmentKind
from runbook_lib.record.archive import Archive
from runbook_lib.record.predecessors import predecessors
from runbook_lib.rehearse.play import stage
from runbook_lib.rehearse.play.director import Scene
from runbook_lib.rehearse.play.rollout import environments_of, left_out
from runbook_lib.rehearse.play.stage import params_of, places


def test_what_one_rehearsal_left_open_is_not_in_the_archive_of_the_next() -> None:
    one, two = (stage.params_of("prod", release) for release in ("rehearsal-1", "rehearsal-2"))
    assert one.archive != two.archive
    assert one.archive.startswith("archive/rehearsal/")


def test_a_run_is_given_the_archive_that_the_rehearsal_looks_into() -> None:
    assert stage.overlay_only("rehearsal-1")["archive"] == stage.params_of("prod", "rehearsal-1").archive


def test_the_projects_own_environments_are_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, planned(_answers({"qa": "development", "live-eu": "production"})))
    monkeypatch.chdir(tmp_path)
    assert places().every == ("qa", "live-eu")
    assert Scene("01_preflight").key == "01_preflight@live-eu"
    assert params_of(places().dev, "rehearsal").env == "qa"
    assert environments_of()[2:4] == (("03_dashboard", "qa"), ("04_alarms", "qa")) and left_out() == ()


def test_one_of_several_productions_is_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own: dict[str, EnvironmentKind] = {"qa": "development", "live-eu": "production", "live-us": "production"}
    write(tmp_path, planned(_answers(own)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(stage.PRODUCTION, "")  # put back after the test
    assert places().prod == "live-eu"
    stage.in_production("live-us")
    with ThreadPoolExecutor(1) as pool:  # two scenes are played side by side
        assert pool.submit(places).result().every == ("qa", "live-us")
    assert Scene("01_preflight").key == "01_preflight@live-us"
    known = params_of("live-us", "rehearsal")
    stage.take_as_passed(tmp_path / "archive", known, "06_phase1_10_percent", elsewhere=True)
    kept = Archive(tmp_path / "archive")
    assert [one.env for one in kept.records()] == ["live-eu"], "what the shared steps require of the other one"
    with pytest.raises(UsageError, match="--production is 'qa', which is not an environment with users here"):
        stage.in_production("qa")


def test_environments_in_several_regions_are_played_in_productions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, planned(_answers({"qa": "development", "live-eu": "production"})))
    monkeypatch.chdir(tmp_path)
    assert "region" not in stage.overlay_only("rehearsal-1"), "what a run is told is no longer than it must be"
    file = tmp_path / "params" / "live-eu.yaml"
    file.write_text(file.read_text().replace("region: us-east-1", "region: eu-west-3"))
    assert {params_of(env, "rehearsal-1").region for env in places().every} == {"eu-west-3"}
    assert stage.overlay_only("rehearsal-1")["region"] == "eu-west-3"


def _answers(environments: dict[str, EnvironmentKind]) -> Answers:
    answers = of_flags("orders", environments=environments)
    answers.complete()
    return answers


@pytest.mark.slow
def test_nothing_that_a_phase_stands_on_is_left_to_be_done_when_it_is_practised(tmp_path: Path) -> None:
    params = stage.params_of("prod", "rehearsal-1")
    for notebook in params.policy.phases_of("prod"):
        stage.take_as_passed(tmp_path / notebook, params, notebook)
        found, steps = stage.before(params.policy.steps, notebook), params.policy.steps
        assert {"03_dashboard@staging", "04_alarms@staging", "02_deploy_dev@dev"} <= set(found)
        for place, one in enumerate(found):
            step = steps[one.partition("@")[0]]
            assert {*step.requires, *step.requires_to_shift} <= set(found[:place]), "each after what it needs"
        assert all(one.ok for one in predecessors(Archive(tmp_path / notebook), found, params.release))
        last = stage.before(steps, "11_acceptance")
        assert next(one for one in last if one not in found) == f"{notebook}@prod", "so `status` proposes the phase"


def test_what_is_taken_as_passed_has_the_word_that_it_has_when_it_is_run(tmp_path: Path) -> None:
    stage.take_as_passed(tmp_path, params_of("prod", "r"), "06_phase1_10_percent")
    archive = Archive(tmp_path)
    told = {record.notebook: (record.decision, record.word) for record in map(archive.load, archive.records())}
    assert told["01_preflight"] == told["03_dashboard"] == ("PROMOTE", "DONE")
    assert told["05_staging"] == ("PROMOTE", "PROMOTE")


def test_what_is_changed_on_the_stage_is_no_change_of_the_command() -> None:
    """Ctrl-C in the lab said that the dial had been set to 10 %, and that `runbook status` shows what is in force."""
    guard.begun.append("before")
    try:
        with stage.only({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}):
            guard.begun.append("dial 0 % -> 10 %")
        assert guard.begun == ["before"]
    finally:
        guard.begun.remove("before")
