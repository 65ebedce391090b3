"""A witness of annotated tags: one for each checkpoint, none ever moved, and all of them compared."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from runbook_lib.base.errors import ArchiveError
from runbook_lib.commands.archive import verify
from runbook_lib.record import verify_standalone
from runbook_lib.record.archive import Archive
from runbook_lib.record.log import witness_git
from runbook_lib.record.log.note import Checkpoint, parsed
from runbook_lib.record.log.witness import each_kept, kept, witness
from runbook_lib.record.log.witness_git import GitWitness
from runbook_lib.record.place import RecordRef
from tests.archives import relogged

Seal = Callable[..., RecordRef]


def git(at: Path, *words: str, given: bytes = b"") -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    done = subprocess.run(["git", "-C", str(at), *who, *words], input=given, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare repository that the archive's checkpoints are witnessed in."""
    there, params = tmp_path / "witness.git", tmp_path / "project"
    subprocess.run(["git", "init", "-q", "--bare", str(there)], check=True)
    params.mkdir()
    (params / "service.yaml").write_text(yaml.safe_dump({"archive": {"witness": [f"git:{there}#ours"]}}))
    monkeypatch.setenv("RUNBOOK_PARAMS", str(params))
    return there


def tags(repository: Path) -> dict[str, str]:
    listed = git(repository, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/tags")
    return dict(line.split(" ") for line in listed.splitlines())


@pytest.mark.slow
def test_each_seal_is_a_tag_whose_message_is_the_checkpoint(archive: Archive, sealed: Seal, repository: Path) -> None:
    for _ in range(3):
        sealed()
    assert list(tags(repository)) == [f"ours/00000000000{size}" for size in range(4)]
    said = git(repository, "tag", "-l", "--format=%(contents)", "ours/000000000003")
    assert said == (archive.root / "log" / "checkpoint").read_text().strip()
    done = verify(archive.root)
    assert done.state == "intact" and done.witnessed == {f"git:{repository}#ours": 3}
    auditor = "git cat-file tag ours/000000000003 | sed '1,/^$/d'"  # as docs/audit.md says
    file = repository.parent / "by-hand"
    file.write_bytes(subprocess.run(auditor, shell=True, cwd=repository, capture_output=True, check=True).stdout)
    assert verify_standalone.main([str(archive.root), "--witness", str(file)]) == 0
    assert [one.size for one in each_kept(witness(f"git:{repository}#ours"))[0]] == [0, 1, 2, 3]


@pytest.mark.slow
def test_what_was_rolled_back_or_replaced_is_found_and_moves_no_tag(
    archive: Archive, sealed: Seal, repository: Path
) -> None:
    told: list[str] = []
    archive.told = told.append
    for _ in range(3):
        sealed()
    before = tags(repository)
    shutil.rmtree(archive.records()[-1].folder)
    relogged(archive)
    sealed()
    assert "its first 3 records were others" in told[-1] and tags(repository) == before
    assert verify(archive.root).exit_code == 1
    shutil.rmtree(archive.root)
    sealed()
    assert "of another log" in told[-1] and tags(repository) == before
    assert "the archive was replaced" in verify(archive.root).damage[0].sentence


@pytest.mark.slow
def test_who_may_push_but_not_delete_takes_nothing_back(archive: Archive, sealed: Seal, repository: Path) -> None:
    """A history written anew, with a tag of its own for its newest checkpoint: the older tags contradict it."""
    for _ in range(3):
        sealed()
    shutil.rmtree(archive.records()[0].folder)
    relogged(archive)
    archive.told = lambda _: None
    for _ in range(3):
        sealed()
    here = (archive.root / "log" / "checkpoint").read_bytes()
    GitWitness(f"{repository}#ours").write(here)
    newest = kept(witness(f"git:{repository}#ours"))
    assert newest is not None and newest.same_tree(parsed(here))
    done = verify(archive.root)
    assert "the first 1 of this log are not those that were sealed" in done.damage[-1].sentence


@pytest.mark.slow
def test_a_tag_that_is_there_stays(repository: Path) -> None:
    one = witness(f"git:{repository}#ours")
    first, other = (Checkpoint("x/y", 7, bytes([each]) * 32) for each in (1, 2))
    one.write(first.note())
    before = tags(repository)
    one.write(first.signed([("x/y", b"12345")]).note())
    with pytest.raises(ArchiveError, match="its tag ours/000000000007 is of other records"):
        one.write(other.note())
    assert tags(repository) == before


@pytest.mark.slow
@pytest.mark.parametrize("planted", ["light", "renamed", "another size", "no checkpoint", "huge"])
def test_a_tag_that_is_no_witness_is_not_believed(
    archive: Archive, sealed: Seal, repository: Path, planted: str
) -> None:
    sealed()
    blob = git(repository, "hash-object", "-w", "--stdin", given=b"x")
    name = "ours/000000000009"
    note = Checkpoint("x/y", 8, b"\1" * 32).note().decode()
    match planted:
        case "light":
            git(repository, "update-ref", f"refs/tags/{name}", blob)
        case "renamed":
            git(repository, "update-ref", f"refs/tags/{name}", tags(repository)["ours/000000000001"])
        case _:
            text = {"another size": note, "no checkpoint": "hello", "huge": "x" * 20_000}[planted]
            git(repository, "tag", "-a", "-m", text, name, blob)
    done = verify(archive.root)
    assert done.exit_code == 3 and not done.witnessed and name in done.unknown[0], done
    shutil.rmtree(archive.records()[-1].folder)
    relogged(archive)
    done = verify(archive.root)
    assert done.exit_code == 1 and "ours knows 1 records, this log has 0" in str(done.damage), "it hides nothing"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("git:", "expects git:REPOSITORY"),
        ("git:--upload-pack=touch x", "expects git:REPOSITORY"),
        ("git:ext::sh -c touch% x", "expects git:REPOSITORY"),
        ("git:/tmp#a b", "expects git:REPOSITORY"),
        ("git:/tmp#../heads", "expects git:REPOSITORY"),
    ],
)
def test_a_name_that_is_no_repository_is_refused(name: str, says: str) -> None:
    with pytest.raises(ArchiveError, match=says):
        witness(name)


def test_one_that_cannot_be_asked_is_one_sentence_without_a_login(
    archive: Archive, sealed: Seal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed()
    for name in (f"git:{tmp_path}/gone.git", "git:http://me:geheim@127.0.0.1:9/x.git"):
        done = verify(archive.root, witnesses=[name])
        assert done.exit_code == 3 and "git cannot use" in done.unknown[0] and "geheim" not in str(done.as_dict())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no program `git`" in verify(archive.root, witnesses=["git:/x.git"]).unknown[0]


@pytest.mark.slow
def test_a_host_that_is_silent_leaves_no_process_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent, its = tmp_path / "silent", tmp_path / "its"
    silent.write_text(f"#!/bin/sh\necho $$ >{its}\nexec sleep 600\n")
    silent.chmod(0o700)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(silent))
    monkeypatch.setattr(witness_git, "WAIT_S", 1.0)
    with pytest.raises(ArchiveError, match="no answer within 1 s"):
        witness("git:ssh://host.invalid/witness.git").read()
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(int(its.read_text()), 0)
            time.sleep(0.02)


def test_it_keeps_nothing_yet(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags of others are nobody's checkpoint, and a hook's own repository is not asked."""
    git(repository, "tag", "-a", "-m", "x", "v1", git(repository, "hash-object", "-w", "--stdin", given=b"x"))
    git(repository, "tag", "-a", "-m", "x", "ours/v1", "v1")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert kept(witness(f"git:{repository}#ours")) is None
