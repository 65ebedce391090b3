"""What people read in a terminal is whole at every width and in a pipe: no id is folded, nothing shown as Python."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from runbook_lib.cli import archive as archive_noun
from runbook_lib.cli import watch as watch_noun
from runbook_lib.cli.app import _show_status, app
from runbook_lib.commands.watch_look import Look
from runbook_lib.judge.incidents.deviation import Deviation
from runbook_lib.judge.money.projection import BreakEven, Month
from runbook_lib.observe.jobs.dlq import Letter
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.rollout import deviations
from tests.cli.test_app import STATUS
from tests.cli.test_archive import sealed_with
from tests.commands.test_cost import NOW, report
from tests.project import own_project

WIDTHS = (60, 80, 100, 200, None)
"""None: a pipe."""
RUN, JOB = "4f1c9a7be210", "5d3f2c1e-8a7b-4c6d-9e0f-123456789abc"
WHY = "the weight was taken back by rollback_1_async_failing (run 4f1c9a7be210), on prod-alarm-async-5xx; " * 2
PASTED = ("runbook ", "  next:", "  record:")
"""A command or a path to be pasted stands on one line, however long."""
Shown = Callable[[pytest.MonkeyPatch, Path], tuple[str, ...]]


def call(*words: str) -> None:
    """The command, in this process: what it prints goes where `capsys` reads it."""
    app(list(words), standalone_mode=False)


def status(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    _show_status(STATUS)
    return ("06_phase1_10_percent", "rollback_1_async_failing", f"{RUN})", "✘ hold", "weight in force 0 %", STATUS.next)


def archive_list(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    ref = sealed_with(folder, WHY)
    said = Entry(kind="attestation", item="on_call_present", by="Ana", at="2026-11-20T12:00:00Z")
    sealed(Archive(folder / "archive"), {"env": "dev", "release": "r1"}, said)
    archive_noun.archive_list(folder / "archive")
    wide = sys.stdout.isatty() and int(os.environ["COLUMNS"]) >= 80
    person = ("on_call_present", "ATTESTED") if sys.stdout.isatty() else ("entry", "2026-11-20T12:00:00Z")
    return (ref.run_id, "06_phase1_10_percent", "HOLD", *person, *(("2026-11-20 12:00",) if wide else ()))


def archive_show(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    ref = sealed_with(folder, WHY)
    archive_noun.archive_show(ref.run_id, folder / "archive")
    return (
        ref.run_id,
        "06_phase1_10_percent",
        "HOLD",
        "rollback_1_async_failing",
        "prod-alarm-async-5xx",
        "report.html",
    )


def deviation_list(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    file = own_project(folder)
    patch.chdir(folder)
    params = load_file(file)
    for check, was, now in (
        ("inventory.worker.reserved_concurrency", None, 10),
        ("inventory.table.billing", {"mode": "PAY_PER_REQUEST", "on": True}, ["PROVISIONED", 60, None]),
    ):
        one = Deviation(
            check=check, title=check, was=was, value=now, by="Ana", at="2026-11-09T04:01:00Z", why=WHY, incident=RUN
        )
        deviations.say(Archive.of(params), params, "opened", one, by="Ana", at=one.at, arn="arn:test")
    call("deviation", "list", "--params", str(file))
    return (
        "inventory.worker.reserved_concurrency:",
        "inventory.table.billing:",
        "none -> 10",
        RUN,
        "2026-11-09 04:01 UTC",
    )


def dlq_list(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    common = {"receives": 0, "bytes": 2, "sha256": "0" * 64, "body": "{}"}
    failed = Letter(message_id="m-1", job_id=JOB, sent_at=NOW, status="FAILED", error=WHY, **common)
    foreign = Letter(message_id=JOB[::-1], job_id=None, sent_at=None, **common)
    patch.setattr("runbook_lib.commands.dlq.listed", lambda *_: [failed, foreign])
    call("dlq", "list", "--params", str(own_project(folder)))
    return (f"{JOB}: FAILED, sent 2026-11-20 12:00 UTC", JOB[::-1], "no message of this service", "2 in the queue")


def cost(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    month = Month(times=10, successes=912_345, infrastructure=1234.5, llm=98_765.4, fixed=12.3, variable=99_987.6)
    even = BreakEven(on_demand=12.3, provisioned=45.6, units=60, times=3.7, fits=True, write_share=0.3, read_share=0.1)
    made = replace(report(runbook=report().own.extra["lines"]), months=(month,), even=even)
    patch.setattr("runbook_lib.commands.cost.report", lambda *_: made)
    call("cost", "--params", str(own_project(folder)))
    return (
        "infrastructure",
        "subtotal",
        "0.333333",
        "912,345",
        "98,765.40",
        "What watching costs",
        "3 successful jobs",
    )


LOOK = Look(
    "2026-11-09T04:01:00Z",
    "during",
    "ROLLBACK",
    WHY,
    f"Run rollback_1. The command: `{STATUS.next}`",
    action=f"async is off; topic was told (record: {RUN})",
    gates=({"title": "Success rate", "verdict": "FAIL", "reason": WHY},),
    record=f"archive/env=prod/release=2026.11-vpr-async/06_phase1_10_percent/20261109T040100.000Z-{RUN}",
)


def watch_once(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    watch_noun.told(LOOK)
    return ("2026-11-09 04:01 UTC", "ROLLBACK", "rollback_1_async_failing", f"{RUN})", LOOK.next, str(LOOK.record))


def watch_live(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    width = int(os.environ["COLUMNS"]) if sys.stdout.isatty() else 200
    gate = {"title": "Submissions that end in a report", "verdict": "FAIL", "value": "98.76 %", "reason": WHY}
    gate |= {"interval": "98.12-99.43 %", "n": "12,345", "target": "> 99 %"}
    one: Any = SimpleNamespace(notebook="06_phase1_10_percent", params=load_file(own_project(folder)))
    Console(width=width, force_terminal=False).print(watch_noun.screen(one, [replace(LOOK, gates=(gate,))], width))
    return ("ROLLBACK", "rollback_1_async_failing", "Submissions that end in a report", "98.76 %", f"{RUN})")


COMMANDS: tuple[Shown, ...] = (
    status,
    archive_list,
    archive_show,
    deviation_list,
    dlq_list,
    cost,
    watch_once,
    watch_live,
)


def shown(
    command: Shown, width: int | None, capsys: pytest.CaptureFixture[str], folder: Path
) -> tuple[str, tuple[str, ...]]:
    with pytest.MonkeyPatch.context() as patch:
        if width is not None:
            patch.setattr(sys.stdout, "isatty", lambda: True)
            patch.setenv("COLUMNS", str(width))
        capsys.readouterr()
        wanted = command(patch, folder)
    return capsys.readouterr().out, wanted


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.__name__)
def test_it_is_whole_at_any_width_and_in_a_pipe(
    command: Shown, width: int | None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out, wanted = shown(command, width, capsys, tmp_path)
    text = re.sub(r"\x1b\[[0-9;]*m", "", out)
    lines, told = text.splitlines(), " ".join(text.split())
    for words in wanted:
        assert " ".join(words.split()) in told, words
    for word in {word for words in wanted for word in words.split() if len(word) > 20}:
        assert any(word in line for line in lines), f"{word} is folded"
    for line in lines:
        assert not re.search(r"[{\[]'|\bNone\b|\bTrue\b|\bFalse\b|<\w+ object|datetime\.", line), line
        assert width is None or len(line) <= width or len(line.split()) == 1 or line.startswith(PASTED), line
    if width is None:
        assert "\x1b" not in out
