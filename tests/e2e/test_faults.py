"""The runbook's own bad days: AWS throttles, fails, is silent or forbids in the middle of a shift; a process is killed.

After each: AWS is where the last line of the record says, running again completes the shift, and the archive has one
record for each run.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import ArchiveError, Refused
from runbook_lib.record import journal, staging
from runbook_lib.record.home import folder
from runbook_lib.record.home.folder import Folder
from runbook_lib.record.record import Record
from tests.disk import full_disk
from tests.e2e import wire
from tests.e2e.conftest import NOTEBOOK, by_a_fork
from tests.e2e.test_killed import with_cell

pytestmark = [pytest.mark.emulator, pytest.mark.slow]
HERE = Path(__file__).with_name("wire.py")
EVERY = range(1, len(wire.WRITES) + 1)
ONCE = (wire.throttled, wire.server_error, wire.lost, wire.unreached, wire.too_late)
FOR_EVER = 1000


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore waits up to seconds before it tries again, which shows nothing more."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)


def by_hand(rollout: Any) -> Record:
    """One applied run, whether it ends well or not; its record."""
    return rollout.by_hand_or_failed(**rollout.apply)


def claimed(record: Record) -> float | None:
    """The dial as the last line about a change has it; None: it claims nothing, and says so by being open."""
    if not record.changes:
        return 0.0
    last = record.changes[-1]
    if last.outcome is None:
        return None
    # Where nothing of the change is to be seen, the dial is what it was before.
    return float((last.outcome["read_back"] or {}).get("percent", last.intent["before"]["percent"]))


def assert_it_goes_on(rollout: Any, first: Record) -> None:
    """AWS is where the record says; one more run completes the shift; nothing is lost or doubled."""
    said = claimed(first)
    assert said is None or rollout.state().dial_percent == said
    again = rollout.by_hand(**rollout.apply)
    assert (again.decision, rollout.state().weight) == ("SOAK", 10)
    records = rollout.records()
    assert [record.run_id for record in records] == [first.run_id, again.run_id]
    assert again.previous == first.hash
    shifts = [one for one in rollout.state().history if rollout.release in one.description and one.percent == 10]
    assert len([one for one in shifts if one.in_force]) == 1


@pytest.mark.parametrize("nth", EVERY, ids=wire.WRITES)
@pytest.mark.parametrize("fault", ONCE, ids=lambda fault: fault.__name__)
def test_a_write_that_meets_trouble_once_is_made_once(rollout: Any, fault: wire.Fault, nth: int) -> None:
    rollout.quiet()
    with wire.wire(fault, nth) as met:
        done = by_hand(rollout)
    assert met == [nth]
    assert rollout.records() == [done]
    assert claimed(done) == rollout.state().dial_percent
    if done.decision == "SOAK":
        assert rollout.state().weight == 10
        mine = [one.percent for one in rollout.state().history if rollout.release in one.description]
        assert mine == [10, 0], "each step is deployed once"
    else:
        assert_it_goes_on(rollout, done)


@pytest.mark.parametrize("fault", [wire.unreached, wire.too_late], ids=lambda fault: fault.__name__)
def test_every_question_that_times_out_once_is_asked_again(rollout: Any, fault: wire.Fault) -> None:
    rollout.quiet()
    with wire.each_once(fault, lambda request: not wire.is_shift(request)) as met:
        done = by_hand(rollout)
    services = {
        word for word in ("appconfig", "deployments", "DescribeAlarms", "GetCallerIdentity") if word in str(met)
    }
    assert len(met) > 20 and {"deployments", "GetCallerIdentity"} <= services, met
    assert (done.decision, rollout.state().weight) == ("SOAK", 10)
    assert rollout.records() == [done]
    assert [change.outcome["ok"] for change in done.changes if change.outcome] == [True, True]


@pytest.mark.parametrize("nth", EVERY, ids=wire.WRITES)
@pytest.mark.parametrize(
    "fault", [wire.denied, wire.throttled, wire.timeout], ids=lambda fault: f"{fault.__name__} for ever"
)
def test_where_aws_goes_on_refusing_the_run_says_so_and_the_next_one_completes_it(
    rollout: Any, fault: wire.Fault, nth: int
) -> None:
    rollout.quiet()
    with wire.wire(fault, nth, FOR_EVER) as met:
        broken = by_hand(rollout)
    assert met and met[0] == nth
    assert broken.status == "failed"
    assert broken.error is not None and "\n" not in broken.error.sentence
    assert rollout.state().weight == 0, "in the middle of a shift the weight is 0"
    assert_it_goes_on(rollout, broken)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("how", "nth"),
    [(how, nth) for nth in EVERY for how in ("killed_before", "killed_after")],
    ids=[f"{when} {name}" for name in wire.WRITES for when in ("before", "after")],
)
def test_killed_between_intent_and_record(rollout: Any, tmp_path: Path, how: str, nth: int) -> None:
    rollout.quiet()
    cell = f"import runpy\nw = runpy.run_path({str(HERE)!r})\nw['install'](w[{how!r}], {nth})"
    finished = rollout.run(with_cell(tmp_path, cell, after="phase.plan()"), **rollout.apply)
    (died,) = rollout.records()
    assert (died.status, finished.exit_code) == ("died", 1)
    assert len(died.open_changes) == 1 and died.changes[-1].open, "what was begun is written down, and is open"
    assert_it_goes_on(rollout, died)


DIES_AFTER = """
import os, signal
from runbook_lib.record import journal

write, left = journal.Journal._append, [{times}]

def append(self, entry):
    written = write(self, entry)
    left[0] -= entry["event"] == {event!r}
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return written

journal.Journal._append = append
"""


def assert_the_soak_goes_on(rollout: Any, died: Record) -> None:
    """Everything was done when it died: the next run finds the soak, and changes nothing."""
    assert died.open_changes == () and claimed(died) == 10
    assert rollout.state().weight == 10
    assert_it_goes_on(rollout, died)
    assert rollout.records()[-1].changes == ()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("event", "times"), [("outcome", 2), ("decision", 1), ("closed", 1)], ids=["the outcome", "the verdict", "the end"]
)
def test_killed_between_the_outcome_and_the_seal(rollout: Any, tmp_path: Path, event: str, times: int) -> None:
    rollout.quiet()
    cell = DIES_AFTER.format(event=event, times=times)
    finished = rollout.run(with_cell(tmp_path, cell, after="phase.plan()"), **rollout.apply)
    (died,) = rollout.records()
    assert (died.status, died.error.type, finished.exit_code) == ("died", "DeadKernelError", 1)
    assert_the_soak_goes_on(rollout, died)


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def by_the_engine(rollout: Any, _: str) -> int:
    """The exit code of a process that runs the notebook by our engine and dies while it seals the record."""

    def dies() -> None:
        folder.write_folder = die  # type: ignore[assignment]
        rollout.run(**rollout.apply)

    return by_a_fork(dies)


def by_itself(rollout: Any, when: str) -> int:
    """The same of one that runs it as JupyterLab does, where the run seals itself."""
    place, name = {"behind": (Folder, "write"), "tidy": (staging, "remove")}[when]

    def dies() -> None:
        whole = getattr(place, name)

        def at_the_head(*given: Any) -> Any:
            if when == "tidy" or str(given[1]).endswith("/HEAD"):
                die()
            return whole(*given)

        setattr(place, name, at_the_head)
        rollout.by_hand_unchecked(**rollout.apply)

    return by_a_fork(dies)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("way", "when", "status"),
    [(by_the_engine, "before", "died"), (by_itself, "behind", "completed"), (by_itself, "tidy", "completed")],
    ids=["before", "behind", "tidy"],
)
def test_killed_while_the_record_is_sealed(
    rollout: Any, way: Callable[[Any, str], int], when: str, status: str
) -> None:
    rollout.quiet()
    assert way(rollout, when) == -signal.SIGKILL
    (staged,) = [path for path in rollout.archive.staging.iterdir() if not path.name.startswith(".")]
    assert '"event":"closed"' in (staged / "journal.jsonl").read_text()
    rollout.archive.sweep()
    (died,) = rollout.records()
    assert (died.run_id, died.status) == (staged.name, status)
    assert_the_soak_goes_on(rollout, died)


def test_a_full_disk_makes_no_raise_and_is_said(rollout: Any) -> None:
    rollout.quiet()
    with full_disk(rollout.folder, "intent", only=True):
        refused = by_hand(rollout)
    assert refused.status == "failed" and refused.error is not None
    assert "the intent cannot be recorded" in refused.error.sentence
    assert "No space left on device" in refused.error.sentence
    assert rollout.state().dial_percent == 0 and refused.changes == ()
    assert_it_goes_on(rollout, refused)


@pytest.mark.parametrize("kept", [True, False])
def test_an_outcome_that_finds_no_room_is_said_and_in_the_record_if_it_was_kept(
    kept: bool, rollout: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(_: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    rollout.quiet()
    if not kept:  # the temporary folder is full, too
        monkeypatch.setattr(journal, "_spare", nowhere)
    with full_disk(rollout.folder, "outcome", only=True):
        done = by_hand(rollout)
    said = capsys.readouterr().err
    assert said.count("No space left on device") == 2 and said.count('"event":"outcome"') == 2
    assert (done.status, done.decision) == ("completed", "SOAK")
    assert len(done.open_changes) == (0 if kept else 2)
    assert any("lacks event" in warning for warning in done.warnings) is not kept
    assert_it_goes_on(rollout, done)


@pytest.mark.parametrize(("nth", "percent", "error"), [(1, 0, Refused), (2, 10, ArchiveError)], ids=wire.WRITES)
def test_a_disk_that_is_full_from_the_outcome_on_loses_nothing(
    rollout: Any, capsys: Any, nth: int, percent: float, error: type[Exception]
) -> None:
    rollout.quiet()
    with full_disk(rollout.folder, "outcome", nth), pytest.raises(error) as told:
        rollout.by_hand_unchecked(**rollout.apply)
    assert_says_where_it_is(rollout, str(told.value))
    assert f'"percent":{percent}' in capsys.readouterr().err
    assert_the_next_run_seals_it(rollout, "cancelled", percent)


def test_a_seal_that_finds_no_room_is_said_and_the_journal_stays(rollout: Any) -> None:
    rollout.quiet()
    with full_disk(rollout.folder, "seal"), pytest.raises(ArchiveError) as told:
        rollout.by_hand_unchecked(**rollout.apply)
    assert_says_where_it_is(rollout, str(told.value))
    assert_the_next_run_seals_it(rollout, "completed", 10)


FULL_IN_THE_KERNEL = """
import errno, os
from runbook_lib.record import journal

write, seen = journal._write, []

def full(path, text):
    seen.extend(['"event":"outcome"'] * ('"event":"outcome"' in text))
    if len(seen) > 1 and path.name == journal.FILE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    write(path, text)

journal._write = full
"""


def full(final: Path, *_: object) -> None:
    raise ArchiveError(f"{final} cannot be written (No space left on device)")


@pytest.mark.kernel
@pytest.mark.parametrize("since", ["seal", "outcome"])
def test_the_command_says_that_the_disk_is_full_and_the_next_run_goes_on(
    rollout: Any, tmp_path: Path, since: str
) -> None:
    rollout.quiet()
    notebook = NOTEBOOK if since == "seal" else with_cell(tmp_path, FULL_IN_THE_KERNEL, after="phase.plan()")
    run = ["run", str(notebook), *rollout.settings(), "--apply", "--confirm", "prod"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "write_folder", full)
        told = rollout.command(*run)
    assert (told.returncode, "Traceback" in told.stdout + told.stderr) == (1, False), told.stderr
    assert told.stderr.count("No space left on device") == 1, "said once"
    assert_says_where_it_is(rollout, told.stderr.replace("\n", " "))
    rollout.archive.sweep()
    (died,) = rollout.records()
    assert died.status == ("completed" if since == "seal" else "failed"), "how it ended was kept beside its journal"
    assert [change.open for change in died.changes] == [False, False], "its outcome was kept beside the archive"
    assert rollout.state().weight == 10
    assert_it_goes_on(rollout, died)


def assert_says_where_it_is(rollout: Any, sentence: str) -> None:
    """One sentence: no room, where the journal is kept, what to do."""
    (staged,) = rollout.archive.staging.iterdir()
    assert "\n" not in sentence
    assert "No space left on device" in sentence and str(staged) in sentence
    assert "run it again" in sentence or "the next run seals it" in sentence


def assert_the_next_run_seals_it(rollout: Any, status: str, percent: float) -> None:
    """In the same kernel: what could not be sealed is, and then the rollout goes on."""
    assert rollout.state().weight == percent and rollout.refs() == []
    rollout.by_hand(**rollout.apply)
    first, _ = rollout.records()
    assert first.status == status
    assert claimed(first) in (None, percent)
    assert rollout.state().weight == 10
