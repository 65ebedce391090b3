"""Two operators on two machines, one bucket: one log, whatever fails, whoever is killed, whoever is first."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook
from typer.testing import CliRunner

from runbook_lib.base import telling
from runbook_lib.base.errors import ArchiveError
from runbook_lib.cli.app import app
from runbook_lib.commands.archive import verify
from runbook_lib.params.keeping import Keeping
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.audit import audit
from runbook_lib.record.home import bucket as module
from runbook_lib.record.home.mirror import FILE, REMOVED
from runbook_lib.record.home.s3 import Store
from runbook_lib.record.log import ledger
from runbook_lib.record.log.files import read_log
from runbook_lib.record.predecessors import predecessors
from runbook_lib.record.sealing import sealed
from runbook_lib.rehearse.emulator.embedded import REGION, EmbeddedAws
from tests.archives import Machine

Machines = Callable[[str], Machine]


def test_two_operators_on_two_machines_make_one_log(
    machine: Machines, s3: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "PART_OF", 2)
    ada, bob = machine("ada"), machine("bob")
    refs = [one.seal(notebook) for one, notebook in ((ada, "06"), (bob, "06"), (bob, "07"), (ada, "07"), (ada, "06"))]
    for one in (ada, bob):
        done = one.audit()
        assert (done.state, done.records, done.size) == ("intact", 5, 5), done.damage
        assert [ref.run_id for ref in one.archive.records()] == sorted(
            (ref.run_id for ref in refs), key=[ref.run_id for ref in refs].index
        )
    # The layout is that of a folder: a plain copy of the objects is an archive.
    for one in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        file = tmp_path / "copy" / one["Key"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read())
    assert audit(Archive(tmp_path / "copy" / "team")).state == "intact"


def test_another_machine_sees_the_teams_records_and_copies_its_own_release_only(machine: Machines) -> None:
    ada, bob = machine("ada"), machine("bob")
    ada.seal("06_phase1")
    old = ada.seal("06_phase1", "HOLD", "r0")
    bob.archive.refresh("r1")
    assert predecessors(bob.archive, ["06_phase1@dev"], "r1")[0].ok
    assert not list(bob.archive.root.glob("env=*/release=r0")) and bob.archive.lost() == []
    ada.seal("06_phase1", "ROLLBACK")
    assert not predecessors(bob.archive, ["06_phase1@dev"], "r1")[0].ok
    bob.archive.home.refresh(whole=True)
    assert bob.archive.find(old.run_id).release == "r0"


def test_records_that_may_not_be_the_newest_let_no_phase_pass(
    machine: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = machine("ada")
    ada.seal("06_phase1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    told: list[str] = []
    monkeypatch.setattr(Store, "_client", Store("s3://none", Keeping()).opened())
    later = Archive(ada.archive.root, told=told.append)
    later.refresh("r1")
    monkeypatch.setattr(Store, "get", lambda *_: pytest.fail("a bucket that does not answer was asked again"))
    (found,) = predecessors(later, ["06_phase1@dev"], "r1")
    assert not found.ok and "may not be the newest ones" in found.sentence and "does not answer" in told[0]


def test_a_copy_that_is_up_to_date_is_told_so_by_one_answer(machine: Machines, s3: Any) -> None:
    """Asked again five times, as if a proxy had spoilt the answer: each command waited 15 s."""
    ada = machine("ada")
    ada.seal()
    asked = list[str]()
    with pytest.MonkeyPatch.context() as patched:
        client = Store(ada.archive.home.uri, Keeping()).opened()  # type: ignore[attr-defined]
        client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.url))
        patched.setattr(Store, "_client", client)
        patched.setattr(telling, "tellers", [pytest.fail])
        Archive(ada.archive.root, told=pytest.fail).refresh("r1")
        assert len(asked) == 1
        ada.seal()
    assert (
        len([one for one in asked if one.endswith("log/checkpoint")]) == 4
    )  # asked before the seal, and at its begin and end; put


class _Counted:
    """Counts the requests of this process that write, and kills it before one of them, or right after it."""

    def __init__(self, at: int, then: Callable[[], object], *, after: bool) -> None:
        self.at, self.count, self.then, self.after = at, 0, then, after

    def __call__(self, whole: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            self.count += 1
            if self.count == self.at and not self.after:
                self.then()
            answer = whole(*args, **more)
            if self.count == self.at and self.after:
                self.then()
            return answer

        return call


def _broken(*_: object) -> None:
    raise ArchiveError("the network is gone")


def _in_a_child(one: Machine, staging: Path, at: int, *, after: bool) -> bool:
    """Whether the child came to its end before it was killed."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the seal failed: its error is on standard error"
        return os.WIFEXITED(status)
    try:
        step = _Counted(at, lambda: os.kill(os.getpid(), signal.SIGKILL), after=after)
        for name in ("put", "delete"):
            setattr(Store, name, step(getattr(Store, name)))
        seal_staged(one.archive, staging, status="completed")
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


WRITES = 12
"""Of one upload: `writer.json`, `sealing.json`, four files, HEAD, leaf, tree, checkpoint, and two deletions."""
BEFORE = [(at, False) for at in range(1, WRITES + 2)]
AFTER = [(at, True) for at in (1, 2, 6, 8, 10)]
"""What is in the bucket by then, and not in the copy."""


LEAF = [(at, after, 1) for at in (8, 9) for after in (False, True)]
"""The leaf is the first of a new file."""


@pytest.mark.parametrize(("at", "after", "part_of"), [*((*one, 256) for one in [*BEFORE, *AFTER]), *LEAF])
def test_killed_at_any_step_of_an_upload_the_archive_verifies_and_nothing_is_lost_or_doubled(
    machine: Machines, monkeypatch: pytest.MonkeyPatch, at: int, after: bool, part_of: int
) -> None:
    monkeypatch.setattr(ledger, "PART_OF", part_of)
    ada, bob = machine("ada"), machine("bob")
    ada.seal()
    staging = ada.staged()
    ended = _in_a_child(ada, staging, at, after=after)
    assert ended == (at > WRITES)
    assert not bob.audit().damage
    bob.seal("07_phase2")
    monkeypatch.setattr("runbook_lib.record.staging.alive", lambda *_: False)
    ada.archive.sweep()
    for one in (ada, bob):
        done = one.audit()
        assert (done.state, done.records, done.size) == ("intact", 3, 3), (done.damage, done.unknown)
    assert [path.name for path in ada.archive.staging.glob("[!.]*")] == []


def test_an_upload_that_fails_leaves_the_record_here_and_a_sweep_completes_it(
    machine: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = machine("ada"), machine("bob")
    ada.seal()
    for at in (1, 4, 7, 9):
        with monkeypatch.context() as patch:
            step = _Counted(at, _broken, after=False)
            patch.setattr(Store, "put", step(Store.put))
            ref, trouble = sealed(ada.archive, ada.staged(decision="HOLD"), "completed")
            assert ref is None and "the network is gone; the record is kept in" in trouble and "sync" in trouble
        bob.seal("07_phase2")
        ada.archive.sweep()
    records = [ada.archive.load(ref) for ref in ada.archive.records(notebook="06_phase1")]
    assert [(one.decision, one.status) for one in records] == [("PROMOTE", "completed"), *[("HOLD", "completed")] * 4]
    done = bob.audit()
    assert (done.state, done.size) == ("intact", 9), done.damage


def test_of_two_writers_one_waits_and_a_dead_one_is_not_waited_for(
    machine: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = machine("ada"), machine("bob")
    ada.seal()
    monkeypatch.setattr(module, "WAIT_S", 0.3)
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.0)
    told: list[str] = []
    monkeypatch.setattr(telling, "tellers", [told.append])
    with ada.archive.lock("r1"), pytest.raises(ArchiveError, match="is being written by process"):
        bob.seal()
    (said,) = [one for one in told if "writes" in one]
    assert said.startswith(f"waiting for process {os.getpid()} on ") and f"which writes {bob.archive.home.uri}" in said
    bob.archive.sweep()


def test_who_lost_the_race_for_the_next_leaf_is_behind_the_other(
    machine: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is broken while its owner is stopped in front of the leaf: his put is refused, and he begins again."""
    ada, bob = machine("ada"), machine("bob")
    ada.seal()
    put, raced = Store.put, []

    def slow(store: Store, path: str, content: bytes, over: str = "") -> str:
        if path == "log/leaves.jsonl" and not raced:
            raced.append(path)
            with monkeypatch.context() as patch:
                patch.setattr(module, "LEASE_S", -1.0)
                bob.seal()
        return put(store, path, content, over)

    monkeypatch.setattr(Store, "put", slow)
    ref = ada.seal()
    log = read_log(ada.archive.root)
    assert log is not None and [leaf.how for leaf in log.leaves] == ["sealed", "completed", "sealed"]
    assert ref.folder.name == log.leaves[1].name
    done = bob.audit()
    assert (done.state, done.records, done.size) == ("intact", 3, 3), done.damage


@pytest.mark.parametrize(
    "what", ["edited", "removed", "put there", "beside the log", "rolled back", "leaf edited", "leaves removed"]
)
def test_what_is_done_to_the_bucket_is_found(machine: Machines, s3: Any, bucket: str, what: str) -> None:
    ada = machine("ada")
    ref = ada.seal()
    path = f"team/{ref.folder.relative_to(ada.archive.root).as_posix()}"
    before = {name: s3.get_object(Bucket=bucket, Key=f"team/log/{name}")["Body"].read() for name in ("checkpoint",)}
    second = ada.seal()
    if what == "edited":
        s3.put_object(Bucket=bucket, Key=f"{path}/answers.json", Body=b"[3]")
    elif what == "leaf edited":
        leaves = s3.get_object(Bucket=bucket, Key="team/log/leaves.jsonl")["Body"].read()
        s3.put_object(Bucket=bucket, Key="team/log/leaves.jsonl", Body=leaves.replace(b"sealed", b"SEALED", 1))
    elif what == "leaves removed":
        s3.delete_object(Bucket=bucket, Key="team/log/leaves.jsonl")
    elif what == "removed":
        for one in s3.list_objects_v2(Bucket=bucket, Prefix=f"{path}/")["Contents"]:
            s3.delete_object(Bucket=bucket, Key=one["Key"])
    elif what == "beside the log":
        s3.put_object(Bucket=bucket, Key="team/log/record.json", Body=b"{}")
    elif what == "put there":
        for file in second.folder.iterdir():
            key = f"{path.rpartition('/')[0]}/20991123T030000.000Z-{'f' * 12}/{file.name}"
            s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    else:
        s3.put_object(Bucket=bucket, Key="team/log/checkpoint", Body=before["checkpoint"])
        with pytest.raises(ArchiveError, match="rolled back or replaced"):
            ada.audit()
        return
    for one in (ada, machine("bob")):
        assert one.audit().state == "damaged"
    if what == "beside the log":
        s3.delete_object(Bucket=bucket, Key="team/log/record.json")
        assert ada.audit().state == "intact", "the copy has no rest of it"
    shutil.rmtree(ada.archive.root)


COPY = ["a record", "a journal", "the checkpoint", "the leaves", "the tree", "HEAD"]


def _file(ref: Any, root: Path, what: str) -> Path:
    files = {"a record": ref.folder / "record.json", "a journal": ref.folder / "journal.jsonl"}
    log = {"the checkpoint": "checkpoint", "the leaves": "leaves.jsonl", "the tree": "tree.json"}
    files |= {name: root / "log" / file for name, file in log.items()}
    return (files | {"HEAD": ref.folder.parent / "HEAD"})[what]


def _spoil(ref: Any, root: Path, what: str, *, quietly: bool = False) -> None:
    """Writes over one file of the copy; `quietly`: as a disk does, so that only its content shows it."""
    file = _file(ref, root, what)
    was = file.stat()
    file.write_bytes(b"\xff" * was.st_size if quietly else b"\xffjunk")
    if quietly:
        os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))


@pytest.mark.parametrize("what", ["a record", "a journal", "the checkpoint", "the leaves", "HEAD"])
def test_damage_of_the_copy_alone_is_none_of_the_archive(machine: Machines, what: str) -> None:
    """A disk or a person spoilt the copy here: `verify` said that the team's archive was damaged."""
    ada = machine("ada")
    ref, root = ada.seal(), ada.archive.root
    ada.seal()
    _spoil(ref, root, what, quietly=True)
    done = verify(root)
    assert done.state == "intact", done.damage
    assert "of the copy here 1 file differed from the bucket: copied anew" in done.notes
    assert ada.audit().state == "intact"


@pytest.mark.parametrize("what", COPY)
def test_a_spoilt_copy_does_not_spoil_the_archive_at_the_next_seal(machine: Machines, what: str) -> None:
    """A record that followed was not logged, or followed a HEAD that was none: for ever, and for the whole team."""
    ada, bob = machine("ada"), machine("bob")
    ref = ada.seal()
    _spoil(ref, ada.archive.root, what)
    ada.seal()
    for one in (bob, ada):
        done = one.audit()
        assert (done.state, done.size) == ("intact", 2), done.damage


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("what", [*COPY, "the record", "the chain", "the log"])
def test_what_stands_in_the_place_of_a_copied_file_is_moved_aside(machine: Machines, what: str, full: bool) -> None:
    """A folder in the place of a file blocked each seal, `sync` and `verify`, and then the bucket was called silent."""
    ada = machine("ada")
    ref, root = ada.seal(), ada.archive.root
    place = (
        _file(ref, root, what)
        if what in COPY
        else {"the record": ref.folder, "the chain": ref.folder.parent}.get(what, root / "log")
    )
    if place.is_dir():
        shutil.rmtree(place)
        place.write_text("a person's" if full else "")
    else:
        place.unlink()
        place.mkdir()
        if full:
            (place / "note.txt").write_text("a person's")
    ada.seal()
    done = verify(root)
    assert (done.state, done.size) == ("intact", 2), done.damage
    if full:
        assert [file.read_text() for file in (root / REMOVED).rglob("*") if file.is_file()] == ["a person's"]


def test_a_fault_of_this_machine_is_not_remembered_as_a_silent_bucket(
    machine: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = machine("ada")
    ada.seal()
    with monkeypatch.context() as patched:
        patched.setattr(module, "pull", lambda *_, **__: _broken())
        with pytest.raises(ArchiveError, match="network is gone"):
            ada.archive.home.refresh(anew=True)
    ada.seal()
    assert ada.audit().state == "intact"


@pytest.mark.parametrize("left", [None, b"", b"junk" * 1000, b"SQLite format 3\0" + b"\xff" * 4000])
def test_without_what_the_copy_knows_the_next_seal_compares_it_with_the_bucket(
    left: bytes | None, machine: Machines
) -> None:
    """Its sentence says to remove the file; then each seal ended with "HEAD was written by another one"."""
    ada = machine("ada")
    ada.seal()
    (ada.archive.root / FILE).unlink()
    if left is not None:
        (ada.archive.root / FILE).write_bytes(left)
    Archive(ada.archive.root).refresh("r1")
    ada.seal()
    done = ada.audit()
    assert (done.state, done.size) == ("intact", 2), done.damage


def test_a_state_with_other_tables_is_begun_anew_and_one_that_stands_in_the_way_is_told(machine: Machines) -> None:
    """The bucket answers: once the file is gone, nobody waits until it may be asked again."""
    ada = machine("ada")
    ada.seal()
    file = ada.archive.root / FILE
    file.unlink()
    with contextlib.closing(sqlite3.connect(file)) as base, base:
        base.execute("CREATE TABLE etags (a)")
    ada.seal()
    file.unlink()
    file.mkdir()
    with pytest.raises(ArchiveError, match=r"mirror\.sqlite cannot be used .*remove it"):
        ada.seal()
    file.rmdir()
    ada.seal()
    done = ada.audit()
    assert (done.state, done.size) == ("intact", 3), done.damage


def test_a_log_of_two_operators_that_kms_signs_and_a_parameter_witnesses(
    machine: Machines, embedded: EmbeddedAws, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = embedded.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    uri = f"s3://{bucket}/team"
    said = {"folder": uri, "signing_key": f"awskms:{key}", "witness": [f"ssm:/{bucket}/checkpoint"], "region": REGION}

    def at(name: str) -> Machine:
        params = tmp_path / name / "params"
        if not params.is_dir():
            params.mkdir(parents=True)
            (params / "gates.yaml").write_text("")
            (params / "service.yaml").write_text(yaml.safe_dump({"archive": {**said, "retain_days": 400}}))
        monkeypatch.chdir(params.parent)
        return machine(name)

    for name in ("ada", "bob", "ada"):
        at(name).seal()
    with monkeypatch.context() as patch:
        patch.setattr(Store, "check", _broken)
        ref, _ = sealed(at("bob").archive, at("bob").staged(decision="HOLD"), "completed")
        assert ref is None
    module._DOWN.clear()
    call = CliRunner().invoke
    for words, told in (
        (["sync"], "1 record sealed, "),
        (["sync"], "0 records sealed, 0 files of others copied here"),
        (["verify"], "intact: 4 records, 4 in the log; signed"),
        (["list", "--json"], '"intact": true'),
    ):
        done = call(app, ["archive", *words, "--archive", uri])
        assert done.exit_code == 0 and told in done.output, done.output
    for decision, code in (("PROMOTE", 1), ("HOLD", 3)):  # the HOLD came later, by another machine
        ada = at("ada").archive
        run = next(one.run_id for one in ada.records() if ada.load(one).decision == decision)
        (tmp_path / "run.json").write_text(call(app, ["archive", "attest", run, "--archive", uri]).output)
        done = call(app, ["verify", str(tmp_path / "run.json"), "--archive", uri, "--newest"])
        assert (done.exit_code or getattr(done.exception, "exit_code", 0)) == code, done.output
    at("ada")
    assert "4 records, and agrees" in call(app, ["archive", "verify", "--archive", uri]).output
    assert "4 in the log; signed" in call(app, ["archive", "verify", "--archive", uri]).output


TINY = """import os
from runbook_lib.record.journal import Journal
journal = Journal(os.environ["RUNBOOK_STAGING"])
journal.append("opened", run_id=os.environ["RUNBOOK_RUN_ID"], notebook="tiny", origin=os.environ["RUNBOOK_ORIGIN"],
               params={"env": env, "release": release, "mode": mode, "operator": operator})
journal.append("closed", decision="PROMOTE", reason="r", next="n")"""


@pytest.mark.kernel
@pytest.mark.slow
def test_runs_of_two_operators_are_one_log_beside_papermills_own_output_in_the_bucket(
    machine: Machines, s3: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for operator in ("ada", "bob"):
        root = tmp_path / operator
        (root / "params").mkdir(parents=True)
        (root / "params" / "gates.yaml").write_text("")
        given = f'env = "dev"\nrelease = "r1"\nmode = "plan"\noperator = "{operator}"\narchive = "s3://{bucket}/team"'
        cells = [new_code_cell(given, metadata={"tags": ["parameters"]}), new_code_cell(TINY)]
        spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=cells, metadata=spec), root / "tiny.ipynb")
        monkeypatch.chdir(root)
        out = f"s3://{bucket}/out/{operator}.ipynb"
        papermill.execute_notebook("tiny.ipynb", out, engine_name="runbook", progress_bar=False)
        written = json.loads(s3.get_object(Bucket=bucket, Key=f"out/{operator}.ipynb")["Body"].read())
        assert written["metadata"]["papermill"]["exception"] is None
    for one in (machine("ada"), machine("bob"), machine("auditor")):
        done = one.audit()
        assert (done.state, done.records, done.size) == ("intact", 2, 2), done.damage
        first, second = (one.archive.load(ref) for ref in one.archive.records())
        assert (first.operator, second.operator, second.previous) == ("ada", "bob", first.hash)
