"""`runbook archive verify`, as it is typed: exit codes, `--json`, and each damage with its place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from runbook_lib.base.errors import ArchiveError, Unsure
from runbook_lib.cli.app import app
from runbook_lib.commands.archive import sign, sync, verify
from runbook_lib.record import staging
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.record.log.telling import UNANNOUNCED
from runbook_lib.record.place import RecordRef, new_run_id
from tests.disk import full_disk


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    (tmp_path / "service.yaml").write_text(
        yaml.safe_dump({"archive": {"folder": str(tmp_path / "archive"), "witness": [str(tmp_path / "seen")]}})
    )
    monkeypatch.setenv("RUNBOOK_PARAMS", str(tmp_path))
    return Archive(tmp_path / "archive")


@pytest.fixture
def seal(archive: Archive) -> Callable[..., RecordRef]:
    def build(notebook: str = "06_phase1_10_percent") -> RecordRef:
        staging = archive.stage("dev", "r1", notebook, new_run_id(), "interactive")
        params = {"env": "dev", "release": "r1"}
        Journal(staging).append("opened", run_id=staging.name, notebook=notebook, params=params)
        return seal_staged(archive, staging, status="failed")

    return build


def call(archive: Archive, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["archive", "verify", "--archive", str(archive.root), *words])
    return done.exit_code, done.stdout


def test_intact_damaged_and_cannot_tell(archive: Archive, seal: Callable[..., RecordRef], tmp_path: Path) -> None:
    refs = [seal(), seal("07_phase2_50_percent")]
    code, said = call(archive)
    assert code == 0 and said.startswith("intact: 2 records, 2 in the log; signature not checked")
    assert "has seen 2 records, and agrees" in said and "note: the checkpoint is not signed" in said
    code, said = call(archive, "--json", "--witness", str(tmp_path / "nobody" / "seen"))
    told = json.loads(said)
    assert (code, told["state"], told["damage"]) == (3, "cannot tell", []) and "no such folder" in told["unknown"][0]
    shutil.rmtree(refs[1].folder.parent)
    code, said = call(archive, "--json")
    told = json.loads(said)
    assert (code, told["exit_code"]) == (1, 1)
    place = refs[1].folder.relative_to(archive.root).as_posix()
    assert told["damage"] == [
        {"place": place, "sentence": f"{refs[1].folder.name}: it was removed; the archive's log has it"}
    ]
    assert f"damaged: {place}: " in call(archive)[1].replace("\n", "")


def test_what_was_removed_is_in_list_and_replay_too(archive: Archive, seal: Callable[..., RecordRef]) -> None:
    seal()
    gone = seal("07_phase2_50_percent")
    shutil.rmtree(gone.folder.parent)
    for words in (["archive", "list", "--json"], ["replay", "--all", "--json"]):
        done = CliRunner().invoke(app, [*words, "--archive", str(archive.root)])
        rows = {row.get("run") or row["run_id"]: row for row in json.loads(done.stdout)}
        assert done.exit_code == 1 and "it was removed" in json.dumps(rows[gone.run_id])


def test_an_archive_that_is_gone_cannot_be_told_but_by_the_witness(
    archive: Archive, seal: Callable[..., RecordRef]
) -> None:
    seal()
    shutil.rmtree(archive.root)
    code, said = call(archive)
    assert code == 1 and "knows a log of 1 records, and there is none" in said.replace("\n", " ")
    (archive.root.parent / "service.yaml").write_text("{}")
    code, said = call(archive)
    assert code == 3 and "is not a folder: another one is meant, or the archive was removed" in said.replace("\n", " ")
    assert not archive.root.exists()


def test_a_seal_that_was_cut_short_is_told_by_list_and_completed_by_sync(
    archive: Archive, seal: Callable[..., RecordRef]
) -> None:
    seal()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("runbook_lib.record.log.ledger.Ledger.append", raising)
        seal()
    done = CliRunner().invoke(app, ["archive", "list", "--archive", str(archive.root)])
    assert isinstance(done.exception, Unsure) and "`runbook archive sync`" in str(done.exception)
    assert len(sync(archive.root).sealed) == 1
    assert verify(archive.root).exit_code == 0 and sync(archive.root).sealed == []
    assert notes(archive) == [f"{archive.records()[1].path} {LATE}"]


LATE = "was sealed, and a crash kept it from the log: it was logged now"


def notes(archive: Archive) -> list[str]:
    """What the archive itself says of its seals, in a note or in a record's warnings."""
    records = [archive.load(ref) for ref in archive.records()]
    said = [str(one.entry["text"]) for one in records if one.entry and one.entry["by"] == "runbook"]
    return said + [warning for one in records for warning in one.warnings]


def test_a_seal_that_never_came_to_its_record_is_no_record_that_sync_has_sealed(
    archive: Archive, seal: Callable[..., RecordRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`archive sync` named two folders for one run, of which one was never there."""
    seal()
    with full_disk(archive.root, "seal"), pytest.raises(ArchiveError, match="cannot be written"):
        seal()
    (left,) = archive.staging.glob("[!.]*")
    staging.keep_end(left, "failed", None, None)
    (named,) = sync(archive.root).sealed
    assert Path(named, "record.json").is_file() and left.name in named


@pytest.mark.parametrize("witnessed", [True, False])
@pytest.mark.parametrize("how", ["sync", "sign", "sweep", "seal"])
def test_whoever_completes_a_seal_that_was_cut_short_says_so_in_the_log(
    archive: Archive,
    seal: Callable[..., RecordRef],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    witnessed: bool,
) -> None:
    """And that no witness knew of it, if none did."""
    monkeypatch.setattr("runbook_lib.record.staging.alive", lambda *_: False)
    seal()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("runbook_lib.record.log.ledger.Ledger.append", raising)
        seal()
    if not witnessed:
        (tmp_path / "seen.begun").unlink()
    late = archive.records()[1].path
    if how == "sign":
        with pytest.raises(ArchiveError, match="nobody signs"):
            sign(archive.root)
    else:
        {"sync": lambda: sync(archive.root), "sweep": archive.sweep, "seal": seal}[how]()
    assert verify(archive.root).exit_code == 0
    assert notes(archive) == [f"{late} {LATE}" + ("" if witnessed else f"; {UNANNOUNCED}")]


def raising(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_service_yaml_that_says_nonsense_is_no_answer(archive: Archive, seal: Callable[..., RecordRef]) -> None:
    seal()
    (archive.root.parent / "service.yaml").write_text("archive: {witness: 7}")
    done = verify(archive.root)
    assert done.exit_code == 3 and "service.yaml, 'archive'" in done.unknown[0]


def test_a_record_is_proven_and_the_proof_checked_elsewhere(
    archive: Archive, seal: Callable[..., RecordRef], tmp_path: Path
) -> None:
    ref = seal()
    early = tmp_path / "early"
    shutil.copy(archive.root / "log" / "checkpoint", early)
    seal()

    def prove(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["archive", "prove", *words])
        return getattr(done.exception, "exit_code", done.exit_code), done.stdout or str(done.exception)

    code, text = prove(ref.run_id, "--archive", str(archive.root))
    assert code == 0 and len(text) < 2_000
    (tmp_path / "proof").write_text(text)
    code, said = prove("--check", str(tmp_path / "proof"))
    assert code == 0 and ref.folder.name in said.replace("\n", "") and "was not checked" in said.replace("\n", " ")
    code, text = prove("--since", str(early), "--archive", str(archive.root))
    assert code == 0 and text.startswith("old 1\n")
    assert prove()[0] == 2 and prove("--check", str(early))[0] == 1
    assert prove("--since", str(tmp_path / "none"), "--archive", str(archive.root))[0] == 1
