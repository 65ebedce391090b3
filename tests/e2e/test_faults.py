"""The runbook's own bad days: AWS throttles, fails, is silent or forbids in the middle of a shift; a process is killed.

After each: AWS is where the last line of the record says, running again completes the shift, and the archive has one
record for each run.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.record.record import Record
from tests.e2e import wire
from tests.e2e.test_killed import with_cell

pytestmark = [pytest.mark.emulator, pytest.mark.slow]
HERE = Path(__file__).with_name("wire.py")
EVERY = range(1, len(wire.WRITES) + 1)
FOR_EVER = 1000


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
@pytest.mark.parametrize("fault", [wire.throttled, wire.server_error, wire.lost], ids=lambda fault: fault.__name__)
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


def test_a_full_disk_makes_no_raise_and_is_said(rollout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout.quiet()
    from runbook_lib.record import journal

    real = journal.Journal.append

    def full(self: Any, event: str, **data: Any) -> Any:
        if event == "intent":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(self, event, **data)

    with monkeypatch.context() as disk:
        disk.setattr(journal.Journal, "append", full)
        refused = by_hand(rollout)
    assert refused.status == "failed" and refused.error is not None
    assert "the intent cannot be recorded" in refused.error.sentence
    assert "No space left on device" in refused.error.sentence
    assert rollout.state().dial_percent == 0 and refused.changes == ()
    assert_it_goes_on(rollout, refused)
