"""Tables keep ids whole at every width, a pipe gets a record a line, and text of others steers nothing."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.cli import terminal
from runbook_lib.cli.archive import _RECORDS
from runbook_lib.cli.terminal import Column, agreed, asks, facts, fitted, prose, say, say_json, table

CLI = Path(__file__).resolve().parents[2] / "runbook_lib" / "cli"
COLUMNS = (Column("run", "run"), Column("step", "step", rank=1), Column("why", "why", prose=True))
ROW = {
    "run": "4f1c9a7be210",
    "sealed": "20261123T030000.000Z",
    "env": "staging",
    "release": "2026.11-vpr-async",
    "notebook": "rollback_3_dynamodb_throttling",
    "mode": "apply",
    "status": "completed",
    "decision": "PROMOTE",
    "as_of": "2026-11-23T03:00:00+00:00",
    "intact": "yes",
    "problem": "",
}


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_run_ids_are_whole_and_rows_are_one_line(width: int) -> None:
    head, *lines = fitted(_RECORDS, [ROW, ROW], width)
    assert len(lines) == 2
    for line in lines:
        assert ROW["run"] in line and ROW["notebook"] in line and ROW["decision"] in line and len(line) <= width
    assert ("release" in head) == (width == 200) and "problem" not in head


def test_prose_goes_beside_or_below() -> None:
    rows = [{"run": "4f1c9a7be210", "step": "s" * 40, "why": "because of this and that " * 5}]
    wide, narrow = fitted(COLUMNS, rows, 120), fitted(COLUMNS, rows, 60)
    assert wide[0].split() == ["run", "step", "why"] and "because" in wide[1]
    assert "because" not in narrow[1] and narrow[2].startswith("    why: because")
    assert all(len(line) <= 120 for line in wide) and all(len(line) <= 60 for line in narrow)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "run": st.text("0123456789abcdef", min_size=12, max_size=12),
                "step": st.text("ab_", max_size=60),
                "why": st.text("ab \n", max_size=90),
            }
        ),
        max_size=4,
    ),
    st.integers(20, 160),
)
def test_at_any_width_every_id_stands_whole_on_a_line(rows: list[dict[str, str]], width: int) -> None:
    lines = fitted(COLUMNS, [{**row, "why": " ".join(row["why"].split())} for row in rows], width)
    assert all(any(row["run"] in line for line in lines) for row in rows)
    words = " ".join(lines)
    assert all(word in words.replace(" ", "") for row in rows for word in ["".join(row["why"].split())[:3]])


@given(
    st.lists(st.text("ab-_/", min_size=1, max_size=40), min_size=1, max_size=12), st.sampled_from([60, 80, 100, 200])
)
def test_no_word_is_ever_cut(words: list[str], width: int) -> None:
    """Ids, paths and commands have hyphens: each stands whole on one line, beside its row or below it."""
    lines = fitted(COLUMNS, [{"run": "4f1c9a7be210", "step": "s", "why": " ".join(words)}], width)
    assert {word for line in lines for word in line.split()} >= set(words)
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_sentence_is_wrapped_between_its_words_on_a_terminal_alone(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "next: 06_phase1_10_percent in prod: " + "the weight was taken back by rollback_1_async_failing; " * 4
    prose(told.strip(), indent="  ")
    assert capsys.readouterr().out == f"  {told.strip()}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    prose(told.strip(), indent="  ")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert all(len(line) <= width for line in lines) and " ".join(lines).split() == told.split()


def test_a_pipe_gets_one_record_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    table("Records", COLUMNS, [{"run": "a", "step": None, "why": "b\tc\nd"}, {"run": "e", "step": True}])
    assert capsys.readouterr().out == "a\t\tb c d\ne\tyes\t\n"


def test_a_terminal_gets_a_head(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    table("Records", COLUMNS, [{"run": "4f1c9a7be210", "step": "[/x]", "why": "\x1b[2J[bold]"}])
    out = re.sub(r"\x1b\[[0-9]+m", "", capsys.readouterr().out)
    assert out.splitlines()[0] == "Records" and "[/x]" in out and r"\x1b[2J[bold]" in out


@given(st.text(st.characters(codec="utf-8")))
def test_what_is_said_steers_nothing(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        told: list[str] = []
        patch.setattr(terminal.typer, "secho", lambda said, **_: told.append(said))
        say(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", told[0])


@pytest.mark.parametrize("text", ["password=Zq7vK2mXw9LpR4tB", "https://ada:Zq7vK2mXw9LpR4tB@example.org/"])
def test_a_secret_that_was_typed_is_printed_by_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(f"no record of {text}", err=True)
    say_json({"kind": "note", "text": text, "link": [text]})
    said = capsys.readouterr()
    assert "Zq7vK2mXw9LpR4tB" not in said.out + said.err
    assert json.loads(said.out)["kind"] == "note"
    say_json({"text": text}, sealed=True)  # what a record has is masked, and need not be searched again
    assert json.loads(capsys.readouterr().out) == {"text": text}


def test_no_command_prints_by_another_way() -> None:
    """CSV is for machines, and escapes by itself; JSON goes by `say_json`, unless it must not be changed."""
    fine = (
        "json.dumps(attest(",
        "nl=False",
        "terminal(",
        "interrupted",
        "off.sentence",
        "one_line_each(",
        "{UNTOUCHED}",
    )
    wrong = [
        f"{path.name}: {line.strip()}"
        for path in CLI.glob("*.py")
        if path.name not in ("terminal.py", "policies.py")
        for line in path.read_text().splitlines()
        if re.search(r"typer\.(?:echo|secho)\(|(?<![.\w])print\(", line) and not any(word in line for word in fine)
    ]
    assert not wrong


def test_a_sentence_stands_in_the_empty_cells_at_its_row_s_end_where_it_fits() -> None:
    columns = (
        Column("run", "run"),
        Column("last record", "last"),
        Column("sealed", "at"),
        Column("why", "why", prose=True),
    )
    full = {"run": "06", "last": "ROLLBACK", "at": "2026-11-02 04:09 UTC", "why": "because of this and that, too"}
    rows = [full, {"run": "07", "last": "", "at": "", "why": "waits for 06"}]
    *_, below, second = fitted(columns, rows, 44)
    assert (below, second) == ("    why: because of this and that, too", "07   waits for 06")
    assert len(fitted(columns, [{**rows[1], "why": "w " * 30}], 44)) == 4


def test_facts_stand_beside_their_names_and_what_is_not_known_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"reason": "a b c " * 20, "problem": None, "report": "/p" * 60, "intact": True}
    facts("Record", values)
    assert capsys.readouterr().out.splitlines()[1] == "problem\t"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    facts("Record", values)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("reason  a b") and lines[2].startswith("        ") and "intact  yes" in lines
    assert not any("problem" in line for line in lines) and "  " + "/p" * 60 in lines


def test_a_command_among_facts_is_pasted_and_without_columns_there_is_no_empty_head(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    command = "runbook run 06_phase1_10_percent --params /a/long/folder/params/prod.yaml"
    facts("", {"reason": "why", "next": f"Run this notebook again. The command: `{command}`"})
    assert command in capsys.readouterr().out.splitlines()
    both = (Column("changed", "a", prose=True), Column("from", "b", prose=True))
    table("Changes", both, [{"a": "dial " * 12, "b": "x"}, {"a": "switch", "b": "y"}])
    told = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out).splitlines()
    assert told[0] == "Changes" and told[1].startswith("    changed: dial")


ENTERED: dict[bytes, object] = {
    b"y\n": True,
    b" YES \n": True,
    b"n\n": False,
    b"\n": False,
    b"junk\nno\n": False,
    b"\xff\xfe\xc3\ny\n": True,
    b"a\nb\nc\ny\n": "no answer was y or n",
    b"y\x04\x04": "nobody answered",
    b"\x04": "nobody answered",
    b"y\x00\n\x1b[A\nye\n": "no answer was y or n",
}


@pytest.mark.parametrize("typed", ENTERED, ids=repr)
def test_only_a_yes_is_a_yes(typed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, typed)
    wanted = ENTERED[typed]
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        if isinstance(wanted, bool):
            assert agreed("Really?") is wanted
        else:
            with pytest.raises(UsageError, match=str(wanted)):
                agreed("Really?")
    os.close(ours)


def test_a_terminal_that_is_gone_has_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    os.close(ours)
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(UsageError, match="nobody answered"):
            agreed("Really?")
        monkeypatch.setattr(typer, "echo", Gone())  # it shows nothing any more, either
        with pytest.raises(UsageError, match="nobody answered"):
            agreed("Really?")


class Gone:
    """Shows the question, and has no terminal after it."""

    def __call__(self, *text: str, **_: bool) -> None:
        if not text:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_ctrl_c_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped:
        @property
        def buffer(self) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            return self

        def readline(self) -> bytes:
            return b"y\n"

    monkeypatch.setattr(sys, "stdin", Stopped())
    with pytest.raises(KeyboardInterrupt):
        agreed("Really?")


def test_nobody_can_be_asked_where_standard_input_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert not asks()
