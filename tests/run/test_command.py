"""A command's own record is sealed however the command ends."""

from __future__ import annotations

import datetime as dt
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import NOTHING, ArchiveError, AwsError
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.record.index.tables import rows_of
from runbook_lib.record.journal import read_events
from runbook_lib.record.listing import list_rows, show_record
from runbook_lib.record.markdown import markdown
from runbook_lib.record.record import Record
from runbook_lib.record.report import report_html
from runbook_lib.record.site.pages import Pages
from runbook_lib.rollout.timeline import story
from runbook_lib.run import command
from runbook_lib.run.command import CommandRun
from runbook_lib.run.launch import finished
from tests import quick_versions

ROOT = Path(__file__).resolve().parents[2]
IDENTITY: Any = SimpleNamespace(account="000000000303", arn="arn:ann", now=dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC))
AWS: Any = SimpleNamespace(endpoint="http://127.0.0.1:1")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    file, settings = ROOT / "params" / "prod.yaml", read_yaml(ROOT / "params" / "rehearsal.yaml")
    params = load_file(file, {**settings, "archive": str(tmp_path)})
    yield lambda: CommandRun(params, "dlq", AWS, IDENTITY)


def sealed(own: CommandRun) -> Record:
    archive = Archive(own.archive.root)
    ref = archive.find(own.run_id)
    archive.verify(ref)
    assert str(ref.folder) == own.folder
    assert list(archive.staging.glob("*")) == []
    return archive.load(ref)


def test_what_came_of_it_and_who_did_it(opened: Any) -> None:
    with opened() as own:
        own.say("3 messages driven again")
    record = sealed(own)
    assert (record.status, record.notes, record.error) == ("completed", ("3 messages driven again",), None)
    assert (record.caller_arn, record.origin, record.notebook) == ("arn:ann", "command", "dlq")


def test_an_error_is_in_the_record_and_goes_on_to_the_caller(opened: Any) -> None:
    own = opened()
    with pytest.raises(AwsError, match="AWS refused"), own:
        raise AwsError("AWS refused")
    record = sealed(own)
    assert record.status == "failed" and record.error is not None
    assert (record.error.type, record.error.sentence) == ("AwsError", "AWS refused")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(final: Path, *_: Any) -> None:
        if ".staging" not in final.parts:
            raise ArchiveError(f"{final} cannot be written (No space left on device)")

    monkeypatch.setattr("runbook_lib.record.home.folder.write_folder", no_room)


@pytest.mark.usefixtures("full")
def test_a_seal_that_finds_no_room_says_that_it_was_done_and_keeps_the_journal(opened: Any) -> None:
    own = opened()
    with pytest.raises(ArchiveError, match=r"it was done, but .*No space left.*kept in .*the next run seals it"), own:
        own.say("3 messages driven again")
    assert "3 messages" in (own.staging / "journal.jsonl").read_text()


@pytest.mark.usefixtures("full")
def test_what_went_wrong_first_is_what_the_caller_hears(opened: Any, capsys: Any) -> None:
    own = opened()
    with pytest.raises(AwsError, match="AWS refused"), own:
        raise AwsError("AWS refused")
    assert str(own.staging) in capsys.readouterr().err


def test_what_a_killed_command_left_open_is_closed_by_the_next(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = opened()
    monkeypatch.setattr("runbook_lib.record.staging.alive", lambda who, folder: folder != killed.staging)
    with opened() as own:
        own.say("done")
    archive = Archive(own.archive.root)
    died, done = (archive.load(ref) for ref in archive.records(notebook="dlq"))
    assert (died.run_id, died.status, done.run_id, done.previous) == (killed.run_id, "died", own.run_id, died.hash)


class Killed(BaseException):
    """The process ends here, and seals nothing."""


ENDS = (KeyboardInterrupt(), AwsError("AWS refused"), Killed())


@pytest.mark.slow
@given(st.integers(1, 40), st.sampled_from(ENDS), st.lists(st.booleans(), min_size=1, max_size=4))
def test_what_is_read_first_says_what_was_changed_as_the_journal_has_it(
    when: int, end: BaseException, lands: list[bool]
) -> None:
    """A rollback that had turned async off was CANCELLED: interrupted, and not a word of it on the first screen."""
    left = when

    def beat() -> None:
        nonlocal left
        left -= 1
        if not left:
            raise end

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        applied = {"archive": folder, "mode": "apply", "confirm": "prod", "account_id": IDENTITY.account}
        settings = read_yaml(ROOT / "params" / "rehearsal.yaml")
        own = CommandRun(load_file(ROOT / "params" / "prod.yaml", {**settings, **applied}), "dlq", AWS, IDENTITY)
        act(own, lands, beat, end)
        patch.setattr("runbook_lib.record.staging.alive", lambda *_: False)
        archive = Archive(own.archive.root)
        archive.sweep()
        (ref,) = archive.records(notebook="dlq")
        record, events = archive.load(ref), read_events(ref.folder)
        ok = {one["intent"]: one["ok"] for one in events if one["event"] == "outcome"}
        came = [(one["what"], ok.get(one["id"])) for one in events if one["event"] == "intent"]
        assert record.acted == tuple(tuple(what for what, ok in came if ok is how) for how in (True, None, False))
        if record.status == "completed":
            return
        (row,), (listed,) = rows_of(record.dump(), "folder")["runs"], list_rows(archive)
        screens = {
            "show": show_record(archive, record.run_id)["reason"],
            "list": listed["reason"],
            "summary": markdown(record).splitlines()[2],
            "report": report_html(None, record).partition("</section>")[0].partition("<section")[2],
            "site": Pages("..")._run(row | {"at": "2026-11-23T03:00:00Z"})["reason"],
            "terminal": finished(archive, ref).reason,
            "timeline": "".join(one.reason for one in story([record]).decisions) or NOTHING,
        }
        for name, told in screens.items():
            assert (NOTHING in told) == (not came), name
            for words, how in SAID.items():
                within = told.partition(words)[2].partition(";")[0] if words in told else ""
                several = [what for what, ok in came if ok is how]
                assert bool(several) == bool(within) and (not several or several[0] in within), (name, told)
                assert all(what in told for what in several), (name, told)


SAID = {"changed before that: ": True, "begun and not read back: ": None, "tried, and not read back as meant: ": False}


def act(own: CommandRun, lands: list[bool], beat: Any, end: BaseException) -> None:
    """Makes a change for each of `lands`, which says whether AWS has it then; `beat` may end the run at any moment."""
    append = own.journal.append_or_stderr

    def note(event: str, **data: Any) -> Any:
        each = (lambda: None) if isinstance(end, Exception) else beat
        each()
        done = append(event, **data)
        each()
        return done

    def changes() -> None:
        for number, lands_so in enumerate(lands):
            seen = {"value": number if lands_so else -1}
            own.guard.change(
                f"set number {number}",
                before={"value": -1},
                after={"value": number},
                undo="none",
                do=beat,
                read_back=lambda seen=seen: beat() or seen,
                raises=False,
            )

    with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt, AwsError, Killed):
        patch.setattr(own.journal, "append_or_stderr", note)
        with nullcontext() if isinstance(end, Killed) else own:
            changes()


def test_ctrl_c_is_a_record_that_says_so(opened: Any) -> None:
    own = opened()
    with pytest.raises(KeyboardInterrupt), own:
        raise KeyboardInterrupt
    record = sealed(own)
    assert record.status == "cancelled" and record.error is not None
    assert record.error.sentence == "interrupted"


WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder; git is asked each time, as everywhere but in tests."""
    monkeypatch.setattr(command, "subprocess", subprocess)
    monkeypatch.setattr(command, "metadata", metadata)
    monkeypatch.setattr(command, "project_root", lambda: tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", folder, *WHO, *words], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.slow
def test_the_commit_and_whether_files_differ_from_it(folder: Path) -> None:
    assert command.versions()["commit"] == "unknown", "no repository"
    git(folder, "init", "-q")
    assert command.versions()["commit"] == "unknown", "no commit"
    (folder / "file").write_text("a")
    git(folder, "add", "file")
    git(folder, "commit", "-qm", "first")
    head = git(folder, "rev-parse", "HEAD")
    assert command.versions()["commit"] == head
    for name in ("new", "file"):
        (folder / name).write_text("b")
        assert command.versions()["commit"] == f"{head} (dirty)", name
        git(folder, "clean", "-fq")
    git(folder, "checkout", "-q", "--detach")
    git(folder, "checkout", "-q", "file")
    assert command.versions()["commit"] == head, "on no branch"


def test_it_takes_no_lock_of_the_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that is stopped while git is slow would leave `index.lock`, and nobody could commit."""
    asked: list[list[str]] = []

    def slow(words: list[str], **_: Any) -> Any:
        asked.append(words)
        raise subprocess.TimeoutExpired(words, 5)

    monkeypatch.setattr(command.subprocess, "run", slow)
    assert command.versions()["commit"] == "unknown" and "--no-optional-locks" in asked[0]


@pytest.mark.slow
def test_without_git_it_is_unknown_and_a_package_that_is_missing_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(command, "_PACKAGES", ("pydantic", "no-such-package"))
    found = command.versions()
    assert (found["commit"], found["no-such-package"]) == ("unknown", "absent")
    assert found["python"] == platform.python_version() and found["pydantic"][0].isdigit()


def test_in_tests_git_is_asked_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_versions.install()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    first = command.versions()
    (folder / "new").touch()
    assert command.versions() == first and first["commit"] == git(folder, "rev-parse", "HEAD")
