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
from runbook_lib.cli import cost as cost_noun
from runbook_lib.cli import replay as replay_noun
from runbook_lib.cli import watch as watch_noun
from runbook_lib.cli.app import _show_status, app
from runbook_lib.commands.doctor.model import Found
from runbook_lib.commands.init.folder import File
from runbook_lib.commands.params_check import Found as Checked
from runbook_lib.commands.release import Release
from runbook_lib.commands.watch_look import Look
from runbook_lib.judge.incidents.deviation import Deviation
from runbook_lib.judge.money.projection import BreakEven, Month
from runbook_lib.observe.jobs.dlq import Found as Letters
from runbook_lib.observe.jobs.dlq import Letter, Rest
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.rollout import deviations
from runbook_lib.rollout.replay import Replayed
from tests.cli.test_app import STATUS, names
from tests.cli.test_archive import sealed_with
from tests.commands.test_cost import LINES, NOW, report
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
    patch.setattr("runbook_lib.commands.dlq.listed", lambda *_: Letters([failed, foreign], Rest()))
    call("dlq", "list", "--params", str(own_project(folder)))
    return (
        f"{JOB}: FAILED, sent 2026-11-20 12:00 UTC",
        JOB[::-1],
        "no message of this service",
        "2 dead letters in the queue",
    )


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
    next_ = ("Run rollback_1. The command:", STATUS.next)
    return ("2026-11-09 04:01 UTC", "ROLLBACK", "rollback_1_async_failing", f"{RUN})", *next_, str(LOOK.record))


def watch_live(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    width = int(os.environ["COLUMNS"]) if sys.stdout.isatty() else 200
    gate = {"title": "Submissions that end in a report", "verdict": "FAIL", "value": "98.76 %", "reason": WHY}
    gate |= {"interval": "98.12-99.43 %", "n": "12,345", "target": "> 99 %"}
    one: Any = SimpleNamespace(notebook="06_phase1_10_percent", params=load_file(own_project(folder)))
    Console(width=width, force_terminal=False).print(watch_noun.screen(one, [replace(LOOK, gates=(gate,))], width))
    return ("ROLLBACK", "rollback_1_async_failing", "Submissions that end in a report", "98.76 %", f"{RUN})")


def doctor(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    lines = (
        Found("OK", "read and cross-checked", id="params", title="Parameters"),
        Found("WRONG", WHY, "runbook policies --env prod --write iam/prod", "permissions", "Permissions"),
        Found("not asked", "what it needs is not there: Permissions", id="gates", title="Gates"),
    )
    patch.setattr("runbook_lib.commands.doctor.probes.doctor", lambda *_: iter(lines))
    call("doctor", "--params", str(own_project(folder)))
    return ("WRONG", "rollback_1_async_failing", "prod-alarm-async-5xx", lines[1].mend)


def plan_steps(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    rows = [
        {"step": f"{one} %", "begins": "2026-12-01 03:00", "soak": "4 h", "ends": "2026-12-01 07:06", "needed": "347"}
        | {"requests": "500", "guard": "15 in 10 min", "users": "195 (100 % failing)"}
        for one in (10, 40, 100)
    ]
    ends = SimpleNamespace(ends="2026-12-03T09:24:00Z", after_h=48.0)
    seen = SimpleNamespace(per_day=30_000.0, known=False)
    made = SimpleNamespace(rows=lambda: rows, confidence=0.95, seen=seen, users=None, schedule=ends)
    patch.setattr("runbook_lib.commands.plan_steps.planned", lambda *_: made)
    call("plan-steps", "--params", str(own_project(folder)))
    return ("2026-12-01 07:06", "195 (100 % failing)", "done: 2026-12-03 09:24 UTC, 48 h after the migration included")


def release(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    made = Release(Path("releases/worker-7/prod.yaml"), "worker", "live", "6", "7", "06_phase1", written=True)
    patch.setattr("runbook_lib.commands.release.prepare", lambda *_: made)
    call("release", "--params", str(own_project(folder)), "--function", "worker", "--version", "7")
    back = "runbook rollback 1 --params releases/worker-7/prod.yaml --apply --confirm prod"
    return ("version 7 instead of 6, through alias live", made.next, back)


FILES = [
    File("notebooks/06_phase1_10_percent.ipynb", "differs", "--- yours\n+++ installed\n-old\n+new\n"),
    *(File(f"notebooks/rollback_{one}_of_the_delivered.ipynb", "as it was") for one in (1, 2, 3)),
]


def init(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    patch.setattr("runbook_lib.commands.init.folder.write", lambda *_: FILES)
    patch.setattr("runbook_lib.commands.init.folder.planned", lambda *_: {})
    call("init", "--service", "orders-export", "--offline", "--into", str(folder))
    return ("account_id of dev", "--account dev=ID", "differs: notebooks/06_phase1_10_percent.ipynb", "+new")


def upgrade(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    patch.setattr("runbook_lib.commands.init.folder.upgraded", lambda *_, **__: FILES)
    call("upgrade")
    return ("notebooks/rollback_3_of_the_delivered.ipynb", "differs: notebooks/06_phase1_10_percent.ipynb", "+new")


def verify(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    known = {"decision": "HOLD", "reason": WHY, "env": "prod", "release": "2026.11-vpr-async", "attempt": 1}
    known |= {"notebook": "06_phase1_10_percent", "as_of": NOW, "sealed_at": NOW, "policy": "0" * 64}
    known |= {"mode": "apply", "run_id": RUN, "caller_arn": "arn:aws:sts::000000000103:assumed-role/Operators/ada"}
    patch.setattr("runbook_lib.commands.attestation.verify", lambda *_: SimpleNamespace(**known))
    call("verify", "run.json", "--key", "signer.pem")
    return ("HOLD: the weight", "2026.11-vpr-async", RUN, "0" * 64, str(known["caller_arn"]), "2026-11-20 12:00 UTC")


def params_explain(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    call("params", "explain", "harm")
    return ("users",)


def params_check(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    broken = Checked("prod.yaml", False, f"prod.yaml: {WHY}")
    patch.setattr("runbook_lib.commands.params_check.check", lambda *_: [broken])
    call("params", "check")
    return ("FAIL prod.yaml: the weight", "rollback_1_async_failing")


def replay(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    told = {"notebook": "06_phase1_10_percent", "env": "prod", "as_of": "2026-11-09T04:01:00Z", "kind": "gates"}
    made = Replayed(
        run_id=RUN, sealed="HOLD", now="HOLD", sealed_reason=WHY, differences=(WHY,), identical=False, **told
    )
    replay_noun._show(made, False)
    replay_noun._show_all([made], False)
    return (RUN, "06_phase1_10_percent", "differs: the weight", "rollback_1_async_failing")


def attest_list(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    row = {"role": "engineering lead", "state": "missing", "said": WHY, "title": "Approved by the engineering lead"}
    phases = ("07_phase2_50_percent", "08_phase3_100_percent")
    rows = [{"item": "approval", "notebook": name, **row} for name in phases]
    rows += [{"item": "announcement_of_completion", "notebook": "09_deprecate_sync", **row}]
    patch.setattr("runbook_lib.cli.people._rows", lambda *_: (rows, []))
    call("attest", "--list", "--params", str(own_project(folder)))
    named = [f"approval of {name}" for name in phases] if sys.stdout.isatty() else phases
    return (*named, "announcement_of_completion", f"{RUN})")


def rehearse_list(patch: pytest.MonkeyPatch, folder: Path) -> tuple[str, ...]:
    call("rehearse", "--list")
    legend = ("the weight stays, and people decide", "where users came from.") if sys.stdout.isatty() else ()
    return (*legend, "backlog_llm_limited", "3 % of the accepted submissions leave no job")


CASES: dict[str, tuple[Shown, ...]] = {
    "status": (status,),
    "archive list": (archive_list,),
    "archive show": (archive_show,),
    "deviation list": (deviation_list,),
    "dlq list": (dlq_list,),
    "cost": (cost,),
    "watch": (watch_once, watch_live),
    "doctor": (doctor,),
    "plan-steps": (plan_steps,),
    "release": (release,),
    "init": (init,),
    "upgrade": (upgrade,),
    "verify": (verify,),
    "params check": (params_check,),
    "params explain": (params_explain,),
    "replay": (replay,),
    "attest": (attest_list,),
    "rehearse": (rehearse_list,),
}
SENTENCES = {
    *("run", "rollback", "approve", "note", "probe", "lab"),
    *("dlq redrive", "dlq export", "deviation undo", "deviation adopt"),
    *(
        "archive attach",
        "archive verify",
        "archive sync",
        "archive prune",
        "archive sign",
        "archive site",
        "archive export",
    ),
}
"""They print sentences and paths one by one, by `prose` and `say`, and their tables are those of other commands."""
DOCUMENTS = {"archive query", "archive prove", "archive attest", "policies"}
"""They print what was asked for, or a document for machines."""
COMMANDS = tuple(one for each in CASES.values() for one in each)


def test_every_command_has_its_case_or_says_why_it_needs_none() -> None:
    assert sorted([*CASES, *SENTENCES, *DOCUMENTS]) == sorted(names(app))


def test_no_two_rows_of_a_bill_read_alike_at_60_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = {"item": "x", "quantity": 1.0, "usd": 0.1, "llm": False, "service": "queue"}
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    cost_noun._show(report(lines=[*LINES, queue | {"fixed": True}, queue | {"fixed": False}]))
    shown = capsys.readouterr().out
    assert "queue, fixed" in shown and "queue, by use" in shown


def test_status_says_a_reason_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    why = STATUS.lines[0].words
    seen = replace(STATUS, next_words=f"06_phase1_10_percent in prod: {why}; only when the cause is fixed.")
    _show_status(replace(seen, next_beside=STATUS.next_words))
    assert capsys.readouterr().out.count(why) == 1


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


@pytest.mark.slow
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
