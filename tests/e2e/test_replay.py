"""`runbook replay`: what a phase sealed comes out again from the record alone; what was forged does not."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.cli.app import app
from runbook_lib.params.load import read_yaml
from runbook_lib.params.sane_gates import READ_BY
from runbook_lib.record.archive import Archive
from runbook_lib.record.place import CASE, RecordRef
from runbook_lib.record.record import Record
from runbook_lib.record.seal import file_hash, record_hash, written
from runbook_lib.rollout.replay import replay, replay_all
from tests.archives import relogged

from .conftest import ROOT, Rollout

pytestmark = [pytest.mark.emulator, pytest.mark.slow]
SETTLED = dt.timedelta(minutes=7)


@pytest.fixture(scope="module")
def soaked(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> Rollout:
    """Plan, shift, an interim look, and the declared look of a soak with too few requests."""
    rollout = Rollout(stage, "replayed", tmp_path_factory.mktemp("replay") / "archive").begin()
    rollout.quiet()
    world = rollout.world("low_traffic")
    world.advance_by(hours=1, minutes=5)
    assert rollout.by_hand().decision == "PLANNED"
    assert rollout.by_hand(**rollout.apply).decision == "SOAK"
    set_at = dt.datetime.fromisoformat(rollout.state().since)
    world.advance(set_at + dt.timedelta(hours=8))
    assert rollout.by_hand().moment == "during"
    world.advance(set_at + dt.timedelta(hours=24) + SETTLED)
    assert rollout.by_hand().moment == "after"
    return rollout


def last(rollout: Rollout) -> RecordRef:
    return max(rollout.refs())


def call(*words: str | Path) -> Result:
    done = CliRunner().invoke(app, ["replay", *map(str, words)], env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_everything_comes_out_as_it_was_sealed(soaked: Rollout) -> None:
    found = [replay(soaked.archive, ref) for ref in soaked.refs()]
    assert [one.identical for one in found] == [True] * 4, [one.differences for one in found]
    assert [one.now for one in found] == [one.sealed for one in found] == ["PLANNED", "SOAK", "SOAK", "SOAK"]
    # The evidence is made from the raw answers; a shift that was applied had nothing to judge.
    assert [one.measures for one in found] == [15, 0, 15, 15]
    assert [one.gates for one in found] == [0, 0, 13, 13]


def test_the_command_says_so_and_ends_with_0(soaked: Rollout) -> None:
    done = call(last(soaked).run_id, "--archive", soaked.folder)
    assert done.exit_code == 0
    assert "identical: 15 measures from the raw answers, the verdict of 13 gates, and the decision SOAK" in done.stdout
    every = json.loads(call("--all", "--archive", soaked.folder, "--json").stdout)
    mine = [one for one in every if one["kind"]]
    assert len(mine) == 4 and all(one["identical"] for one in mine)
    assert {one["note"] for one in every if not one["kind"]} == {
        "nothing was judged, or it was sealed by a version that kept no case"
    }


def other(tmp_path: Path, **gates: Any) -> Path:
    """Our policy, with these fields in every gate of a kind that reads them."""
    policy = read_yaml(ROOT / "params" / "gates.yaml")
    for gate in policy["gates"]:
        gate |= {
            name: value for name, value in gates.items() if gate["kind"] in READ_BY.get(name, ((gate["kind"],), ""))[0]
        }
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(policy, allow_unicode=True))
    return path


def test_another_policy_is_told_apart_by_what_flips(soaked: Rollout, tmp_path: Path) -> None:
    lax = other(tmp_path, evidence="point", min_samples=1)
    done = json.loads(call(last(soaked).run_id, "--policy", lax, "--archive", soaked.folder, "--json").stdout)
    assert (done["sealed"], done["now"], done["flips"]) == ("SOAK", "PROMOTE", True)
    turned = {one["gate"]: (one["sealed"], one["now"]) for one in done["turned"]}
    assert turned["success_rate"] == ("INCONCLUSIVE", "PASS")
    assert "dlq" not in turned
    shown = call("--all", "--policy", lax, "--archive", soaked.folder)
    assert shown.exit_code == 0
    assert "1 would decide otherwise" in shown.stdout

    # A limit that nothing meets; the time beyond it is counted anew, from the raw answers.
    strict = other(tmp_path, required=False)
    policy = yaml.safe_load(strict.read_text())
    for gate in policy["gates"]:
        if gate["id"] == "generation_time":
            gate |= {"required": True, "target": "< 5", "alert": "> 10"}
    strict.write_text(yaml.safe_dump(policy, allow_unicode=True))
    done = json.loads(call(last(soaked).run_id, "--policy", strict, "--archive", soaked.folder, "--json").stdout)
    assert (done["now"], done["flips"]) == ("HOLD", True), "slow reports with a short queue: no rollback cures it"
    assert {one["gate"]: one["now"] for one in done["turned"]}["generation_time"] == "FAIL"


def forged(soaked: Rollout, tmp_path: Path, change: Any) -> tuple[Archive, RecordRef]:
    """A copy of the archive whose last record was changed and sealed again, with its log, by somebody who knows how."""
    folder = tmp_path / "forged"
    shutil.copytree(soaked.folder, folder)
    archive = Archive(folder)
    ref = max(ref for ref in archive.records() if ref.run_id == last(soaked).run_id)
    raw = json.loads((ref.folder / "record.json").read_text())
    change(ref.folder, raw)
    raw["files"] = {name: file_hash(ref.folder / name) for name in raw["files"]}
    raw["hash"] = record_hash(raw)
    (ref.folder / "record.json").write_bytes(written(raw))
    (ref.folder.parent / "HEAD").write_text(raw["hash"] + "\n")
    relogged(archive)
    return archive, ref


def test_a_forged_verdict_does_not_come_out(soaked: Rollout, tmp_path: Path) -> None:
    def promote(folder: Path, raw: dict[str, Any]) -> None:
        raw["decision"] = raw["outcome"]["decision"] = "PROMOTE"

    archive, ref = forged(soaked, tmp_path, promote)
    done = replay(archive, ref)
    assert not done.identical
    assert done.differences == ("the run decided PROMOTE, its verdict and checks give SOAK",)
    assert (done.sealed, done.now) == ("PROMOTE", "SOAK")
    assert call(ref.run_id, "--archive", archive.root).exit_code == 3


def test_forged_evidence_is_not_what_the_raw_answers_give(soaked: Rollout, tmp_path: Path) -> None:
    def embellish(folder: Path, raw: dict[str, Any]) -> None:
        kept = json.loads((folder / CASE).read_text())
        kept["case"]["evidence"]["success"]["n"] += 1000
        (folder / CASE).write_text(json.dumps(kept))

    archive, ref = forged(soaked, tmp_path, embellish)
    done = replay(archive, ref)
    assert done.differences[:2] == (
        "the evidence for 'success' is not what the raw answers give",
        "the verdict is not what evidence and policy give",
    )


def test_an_altered_record_is_an_error_alone_and_a_line_among_all(soaked: Rollout, tmp_path: Path) -> None:
    folder = tmp_path / "altered"
    shutil.copytree(soaked.folder, folder)
    archive = Archive(folder)
    ref = max(ref for ref in archive.records() if ref.run_id == last(soaked).run_id)
    with (ref.folder / "answers.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ArchiveError, match="was altered after it was sealed"):
        replay(archive, ref)
    found = {one.run_id: one for one in replay_all(archive, archive.records())}
    assert "was altered" in found[ref.run_id].differences[0]
    assert sum(one.identical for one in found.values()) == len(found) - 1
    assert call("--all", "--archive", folder).exit_code == 1


def test_one_or_all(soaked: Rollout) -> None:
    with pytest.raises(UsageError, match="name one record, or say --all"):
        call("--archive", soaked.folder)
    with pytest.raises(ArchiveError, match="no record starts with 'ffff'"):
        call("ffff", "--archive", soaked.folder)
    with pytest.raises(UsageError, match=r"nowhere\.yaml: no such file"):
        call("--all", "--policy", "nowhere.yaml", "--archive", soaked.folder)


def test_a_run_that_died_has_no_verdict(soaked: Rollout) -> None:
    ref = soaked.seal("06_phase1_10_percent")
    record: Record = soaked.archive.load(ref)
    assert CASE not in record.files
    assert replay(soaked.archive, ref).kind == ""


def test_a_rollback_is_replayed_as_well(soaked: Rollout) -> None:
    record = soaked.by_hand(ROOT / "notebooks" / "rollback_1_async_failing.ipynb")
    assert record.decision == "PLANNED"
    done = replay(soaked.archive, soaked.archive.find(record.run_id))
    assert (done.kind, done.identical, done.now) == ("rollback", True, "PLANNED")
