"""`runbook watch` beside a rollout on the embedded AWS: a whole soak, a slow failure, interruptions."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import Overtaken
from runbook_lib.commands.rollback import rollback_1
from runbook_lib.commands.status import rollout_status
from runbook_lib.commands.watch import Clock, Watch, exit_code
from runbook_lib.commands.watch_look import ORIGIN, Look
from runbook_lib.observe.traffic.state import handles
from runbook_lib.record.archive import Archive
from runbook_lib.record.journal import read_events
from runbook_lib.record.predecessors import predecessors
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.world.behaviour import Fault
from runbook_lib.rehearse.world.scenario import Scenario

from .conftest import PHASE2, PHASE3

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PHASE = "06_phase1_10_percent"
SLOW = Scenario(
    name="slow_failing",
    title="Two jobs in five fail, too few an hour for any guard",
    requests_per_day=800,
    faults=(Fault(name="the worker fails some jobs", start=0, set={"job_failed": 0.4}, reason="LLMError: 500"),),
)
COMMAND = (
    "import runbook_lib.cli.app as cli, runbook_lib.cli.watch as watch\n"
    "if not any(one.callback is watch.watch for one in cli.app.registered_commands): watch.register(cli.app)\n"
    "cli.main()\n"
)
"""The `runbook` command, whether or not it knows `watch` already."""
Make = Callable[..., Watch]


@pytest.fixture
def watching(rollout: Any) -> Iterator[Make]:
    """Makes a watch for which `world` lives on while it waits."""

    def make(world: Any, minutes: float, auto: bool = False, phase: str = "06") -> Watch:
        clock = Clock(sleep=lambda seconds: world.advance_by(minutes=seconds / 60), monotonic=lambda: 0.0)
        values = {**rollout.values, **({"confirm": "prod"} if auto else {})}
        return Watch(rollout.file, values, phase, interval_s=minutes * 60, auto_rollback=auto, clock=clock)

    with only(rollout.aws.env), contextlib.chdir(ROOT):
        yield make
        rollout.on_again()


def shifted(rollout: Any, scenario: Any = "healthy") -> Any:
    """A world in which the phase's soak has begun."""
    rollout.quiet()
    world = rollout.world(scenario)
    world.advance_by(hours=1, minutes=5)
    assert rollout.by_hand(**rollout.apply).decision == "SOAK"
    world.advance_by(minutes=10)
    return world


def promoted(rollout: Any) -> bool:
    (finding,) = predecessors(rollout.archive, [f"{PHASE}@prod"], rollout.release)
    return finding.ok


def test_a_whole_soak_with_a_restart(rollout: Any, watching: Make) -> None:
    world = shifted(rollout)
    state = rollout.state()
    first = watching(world, 120).looks()
    seen = [next(first) for _ in range(2)]
    first.close()
    world.advance_by(hours=6)

    second = watching(world, 120)
    again: list[Look] = list(second.looks())
    missed = [look for look in again if look.back_filled]
    assert 2 <= len(missed) <= 3
    assert all(look.decision == "SOAK" for look in (*seen, *again[:-1]))
    assert (again[-1].decision, exit_code(second.last)) == ("PROMOTE", 0)
    assert f"runbook run {PHASE}" in again[-1].next
    now = rollout.state()
    assert (now.weight, now.switch_on, len(now.history)) == (10, True, len(state.history)), "nothing was changed"

    # It never lets the next phase begin: only the notebook does, and the watch does not take that back.
    assert not promoted(rollout)
    ours = [record for record in rollout_records(rollout) if record.origin == ORIGIN]
    assert {record.decision for record in ours} == {None}
    assert {record.status for record in ours} == {"completed"}
    assert ours[-1].moment == "after"
    assert len(ours[-1].gates) == len(ours[-1].policy["gates"])
    assert any("back-filled: nobody looked between" in note for record in ours for note in record.notes)
    assert sum(segment["completed"] for record in ours for segment in record.census) > 100
    assert rollout.by_hand().decision == "PROMOTE"
    assert promoted(rollout)
    list(watching(world, 60).looks(once=True))
    assert promoted(rollout)


def begun(rollout: Any, notebook: Path, before: tuple[float, str], role: str) -> Any:
    """A world in which the soak of a later phase has begun."""
    rollout.quiet()
    rollout.passed(notebook.stem)
    rollout.approve(notebook.stem, role)
    rollout.dial(*before)
    world = rollout.world()
    world.advance_by(minutes=10)
    assert rollout.by_hand(notebook, **rollout.apply).decision == "SOAK"
    world.advance_by(minutes=10)
    return world


def test_phase_2_to_its_end(rollout: Any, watching: Make) -> None:
    world = begun(rollout, PHASE2, (10, PHASE), "engineering lead")
    one = watching(world, 240, phase="07")
    looks = list(one.looks())
    assert (looks[-1].decision, looks[-1].moment, exit_code(one.last)) == ("PROMOTE", "after", 0)
    assert {look.decision for look in looks[:-1]} == {"SOAK"}
    assert {look.weight for look in looks} == {50}
    assert not any(look.back_filled for look in looks)
    assert rollout.by_hand(PHASE2).decision == "PROMOTE"


def test_phase_3_with_its_migration_and_the_48_hours_after_it(rollout: Any, watching: Make) -> None:
    """Each watch ends where a person must apply; the next one takes up what is in force then."""
    world = begun(rollout, PHASE3, (50, PHASE2.stem), "product team")

    def watched(minutes: float) -> list[Look]:
        looks = list(watching(world, minutes, auto=True, phase="08").looks())
        assert {look.decision for look in looks[:-1]} <= {"SOAK"}
        assert not any(look.action for look in looks)
        return looks

    try:
        *_, last = watched(240)
        assert (last.decision, last.moment, last.weight) == ("PLANNED", "after", 100)
        assert "makes /api/vpr asynchronous" in last.reason
        assert rollout.state().migrated is False, "a watch changes nothing"
        assert rollout.by_hand(PHASE3, **rollout.apply).decision == "SOAK"

        *before, last = watched(5)
        assert {look.moment for look in (*before, last)} == {"migrating"}
        assert before, "clients may still hold the old weight"
        assert last.decision == "PLANNED" and "applying removes POST /api/vpr-async" in last.reason
        assert rollout.state().temporary_route is True
        assert rollout.by_hand(PHASE3, **rollout.apply).decision == "SOAK"

        soak = watching(world, 240, phase="08").looks()
        assert [next(soak).decision for _ in range(2)] == ["SOAK", "SOAK"]
        soak.close()
        world.advance_by(hours=14)
        looks = watched(240)
        missed = [look for look in looks if look.back_filled]
        assert 2 <= len(missed) <= 3
        assert (looks[-1].decision, looks[-1].moment) == ("PROMOTE", "after"), looks[-1].reason
        assert rollout.by_hand(PHASE3).decision == "PROMOTE"
    finally:
        deploy(rollout.aws, rollout.params)


def rollout_records(rollout: Any) -> list[Any]:
    """Every record, verified; a watch that was killed may have left a staging folder, which the next one sweeps."""
    archive: Archive = rollout.archive
    for ref in archive.records():
        archive.verify(ref)
    return [archive.load(ref) for ref in archive.records()]


def test_a_failure_too_slow_for_the_guards_is_found_and_taken_back(rollout: Any, watching: Make) -> None:
    world = shifted(rollout, SLOW)
    one = watching(world, 30, auto=True)
    looks = list(one.looks())
    last = looks[-1]
    assert (last.decision, exit_code(one.last)) == ("ROLLBACK", 4)
    assert "success_rate" in last.failing
    assert "async is off" in last.action
    state = rollout.state()
    assert (state.switch_on, state.dial_deployment.state) == (False, "BAKING"), "no guard had fired"
    *_, back, ours = rollout_records(rollout)
    assert (back.notebook, back.mode) == ("rollback_1_async_failing", "apply")
    said = [change.intent["what"].partition(" ")[0] for change in back.changes]
    assert said == ["switch", "notify"], "and people are told"
    assert back.changes[0].outcome["ok"] is True
    assert (ours.origin, ours.decision, ours.moment, ours.changes) == (ORIGIN, "ROLLBACK", "during", ())
    assert last.action in ours.notes
    assert (Path(last.record or "") / "report.html").is_file()
    # Users are back on the synchronous path, and the next look says why it is red.
    (after,) = watching(world, 30).looks(once=True)
    assert (after.decision, after.weight) == ("HOLD", 0)
    assert "the switch is off" in after.reason


def test_an_off_that_some_clients_do_not_have_does_not_disarm_it(rollout: Any, watching: Make) -> None:
    """Somebody began to turn it off in the console, step by step: the watch said HOLD, "the switch is off"."""
    world = shifted(rollout, SLOW)
    *_, before = watching(world, 60).looks()
    assert before.decision == "ROLLBACK"
    client = rollout.aws.client("appconfig")
    known = handles(client, rollout.params)
    client.start_deployment(
        ApplicationId=known.application,
        EnvironmentId=known.switch_environment,
        ConfigurationProfileId=known.switch_profile,
        DeploymentStrategyId="AppConfig.Canary10Percent20Minutes",
        ConfigurationVersion="1",
    )
    (look,) = watching(world, 60, auto=True).looks(once=True)
    assert (look.decision, look.moment) == ("ROLLBACK", "during"), look.reason
    assert "async is off by the switch" in look.action
    assert rollout.state().is_off and not rollout.state().under_way


def test_a_rollback_with_its_notebook_says_what_all_of_it_did(rollout: Any, watching: Make) -> None:
    """It ended with "the dial is as it was", and its notebook had brought the dial to 0."""
    shifted(rollout, SLOW)
    done = rollback_1(rollout.file, {**rollout.values, "mode": "apply", "confirm": "prod"}, notebook=True)
    assert rollout.state().dial_percent == 0
    assert done.dial == "the dial went from 10 % to 0 %" and done.dial in done.sentence and done.dial in done.headline
    assert "as it was" not in done.sentence
    own, verified = (Path(folder or "").name for folder in (done.run_record, done.record))
    assert own.endswith(done.run_id) and verified.endswith((done.verified or {})["run_id"])


def test_without_leave_it_only_says_so(rollout: Any, watching: Make) -> None:
    world = shifted(rollout, SLOW)
    one = watching(world, 60)
    *_, last = one.looks()
    assert (last.decision, last.action, exit_code(one.last)) == ("ROLLBACK", "", 4)
    assert "runbook rollback 1" in last.next
    assert (rollout.state().switch_on, rollout.state().weight) == (True, 10)


def start(rollout: Any, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "watch", "06", *rollout.settings(), *arguments],
        env=rollout.aws.environ(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def first_line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_ctrl_c_leaves_a_sealed_record_and_says_where(rollout: Any, number: signal.Signals) -> None:
    shifted(rollout)
    rollout_watch = start(rollout, "--json")
    while (look := json.loads(first_line(rollout_watch)))["back_filled"]:
        pass
    os.kill(rollout_watch.pid, number)
    out, err = rollout_watch.communicate(timeout=30)
    assert (rollout_watch.returncode, out) == (128 + number, "")
    assert "Traceback" not in err
    told = next(line for line in err.splitlines() if line.startswith("record: ")).removeprefix("record: ")
    assert told == look["record"]
    record = rollout.records()[-1]
    assert (record.origin, record.status, record.moment) == (ORIGIN, "completed", "during")


def test_a_watch_that_was_killed_is_closed_as_died_by_the_next(rollout: Any, watching: Make) -> None:
    world = shifted(rollout)
    list(watching(world, 5).looks(once=True))
    child = start(rollout, "--json")
    first_line(child)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=30)
    (staged,) = rollout.archive.staging.glob("*")
    assert [event["event"] for event in read_events(staged)] == []
    list(watching(world, 5).looks(once=True))
    died = rollout.records()[-1]
    assert (died.run_id, died.status, died.origin, died.decision) == (staged.name, "died", ORIGIN, None)


def test_before_the_shift_there_is_nothing_to_watch_and_nothing_to_keep(rollout: Any, watching: Make) -> None:
    rollout.quiet()
    one = watching(rollout.world(), 30)
    (look,) = one.looks()
    assert (look.decision, look.moment, look.weight, exit_code(one.last)) == ("PLANNED", "before", 0, 0)
    assert "nothing to watch: before the shift to 10 %" in look.reason
    assert (rollout.records(), look.record) == ([], None)


def test_an_archive_that_cannot_be_written_is_no_reason_not_to_look_or_to_take_back(
    rollout: Any, watching: Make
) -> None:
    world = shifted(rollout, "async_failing")
    world.advance_by(hours=1)
    rollout.values["archive"] = str(rollout.file)  # a file where the folder should be
    try:
        (look,) = watching(world, 30, auto=True).looks()
    finally:
        rollout.values["archive"] = str(rollout.folder)
    assert look.decision == "ROLLBACK"
    assert rollout.state().switch_on is False
    assert "runbook-archive-" in (look.record or "")
    record = Archive(Path(look.record or "").parents[3])
    assert any("the record of this look is in" in warning for warning in record.load(record.records()[-1]).warnings)


def test_a_terminal_gets_one_live_screen(rollout: Any) -> None:
    """Through a real terminal: the table is drawn, and Ctrl-C still leaves a record."""
    shifted(rollout)
    parent, terminal = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "watch", "06", *rollout.settings()],
        env={**rollout.aws.environ(), "TERM": "xterm", "COLUMNS": "120", "LINES": "50"},
        cwd=ROOT,
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(terminal)
    seen, deadline = b"", time.monotonic() + 60
    while b"record: " not in seen and time.monotonic() < deadline:
        if select.select([parent], [], [], 0.2)[0]:
            seen += os.read(parent, 65536)
    os.kill(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=30)
    os.close(parent)
    text = seen.decode(errors="replace")
    for said in ("Gates as of", "Success rate", "SOAK", "nothing has failed so far"):
        assert said in text
    assert child.returncode == 130
    assert "record: " in err


def test_nothing_is_ended_for_what_ended_another_attempt(
    rollout: Any, watching: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attempt 1 had been taken back: a watch that was told no attempt turned a healthy attempt 2 off for it."""
    world = shifted(rollout)
    rollback_1(rollout.file, {**rollout.values, **rollout.apply}, notebook=True)
    rollout.quiet()
    world.advance_by(minutes=5)
    assert rollout.by_hand(attempt=2, **rollout.apply).decision == "SOAK"
    world.advance_by(minutes=10)
    for look in watching(world, 5, auto=True).looks(once=True):
        assert (look.decision, look.action, look.weight) == ("SOAK", "", 10), look.reason

    rollout.values["attempt"] = 1  # told so
    before = len(rollout.refs())
    with pytest.raises(Overtaken, match="--set attempt=2"):
        list(watching(world, 5, auto=True).looks(once=True))
    assert len(rollout.refs()) == before
    for asked in ({}, rollout.apply):
        refused = rollout.by_hand_or_failed(**asked)
        assert (refused.status, refused.decision, refused.changes) == ("failed", None, ())
        assert "attempt=2" in refused.failed()
    del rollout.values["attempt"]
    with monkeypatch.context() as patch, pytest.raises(Overtaken, match="is under way, and nothing of release another"):
        patch.setitem(rollout.values, "release", "another")
        list(watching(world, 5, auto=True).looks(once=True))
    assert (rollout.state().switch_on, rollout.state().weight) == (True, 10)
    shown = rollout_status(rollout.file, rollout.values)
    line = next(one for one in shown.lines if (one.notebook, one.env) == (PHASE, "prod"))
    assert line.state == "soaking" and "attempt=2" in line.command
