"""A reader that went away, a full disk and a descriptor that was closed end no command half-way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runbook_lib.cli.streams import usual_width

COMMAND = """
import sys
from pathlib import Path
from runbook_lib.act.guard import begun
from runbook_lib.cli.guarded import guarded
from runbook_lib.cli.streams import lasting

lasting()

def command():
    if "changes" in sys.argv:
        begun.append("a change")
    for _ in range(2000):
        print("what was done " * 10)
        print("what is waited for", file=sys.stderr)
    Path(sys.argv[1]).write_text("sealed")
    return int(sys.argv[2])

guarded(command)
"""


def shell(line: str, done: Path, code: int = 0, *more: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in a line of bash, as `"$@"`; its own exit code is the shell's."""
    command = [sys.executable, "-c", COMMAND, str(done), str(code), *more]
    return subprocess.run(["bash", "-c", line, "bash", *command], capture_output=True, text=True, check=False)


UNREAD = '"$@" | true; exit ${PIPESTATUS[0]}'
BOTH = '"$@" 2>&1 | true; exit ${PIPESTATUS[0]}'


@pytest.mark.slow
@pytest.mark.parametrize("line", [UNREAD, BOTH, '"$@" >/dev/full', '"$@" >/dev/full 2>&1', '"$@" >&- 2>&- <&-'])
@pytest.mark.parametrize("code", [0, 4])
def test_everything_is_done_and_then_the_exit_code(line: str, code: int, tmp_path: Path) -> None:
    done = shell(line, tmp_path / "done", code, "changes")
    assert (done.returncode, (tmp_path / "done").read_text()) == (code, "sealed")
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("to", "why"), [("/dev/full", "No space left on device"), ("&-", "it is closed")])
def test_what_could_not_be_printed_is_told_and_fails_what_only_shows(tmp_path: Path, to: str, why: str) -> None:
    """A closed standard output ended in 0 and silence."""
    changed = shell(f'"$@" >{to}', tmp_path / "done", 0, "changes")
    shown = shell(f'"$@" >{to}', tmp_path / "done")
    assert (changed.returncode, shown.returncode) == (0, 1)
    for one in (changed, shown):
        assert one.stderr.endswith(f"runbook: not everything could be printed ({why})\n")


def test_nothing_is_missed_on_a_closed_output_where_nothing_is_printed() -> None:
    quiet = "from runbook_lib.cli.guarded import guarded; from runbook_lib.cli.streams import lasting\nlasting()\n"
    command = [sys.executable, "-c", f"{quiet}guarded(lambda: 0)"]
    done = subprocess.run(["bash", "-c", '"$@" >&-', "bash", *command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_had_enough_is_no_error(tmp_path: Path) -> None:
    done = shell('"$@" 2>/dev/null | head -1; exit ${PIPESTATUS[0]}', tmp_path / "done")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("what was done")


def test_a_closed_descriptor_becomes_no_file_that_is_opened_later(tmp_path: Path) -> None:
    done = shell('"$@" >&- 2>&-', tmp_path / "done")
    assert (done.returncode, (tmp_path / "done").read_text()) == (1, "sealed"), "and nobody could be told"


def test_a_pipe_that_does_not_block_gets_everything(tmp_path: Path) -> None:
    unblock = "import os, sys; os.set_blocking(1, False); os.execvp(sys.argv[1], sys.argv[1:])"
    line = f'"{sys.executable}" -c "{unblock}" "$@" 2>/dev/null | (sleep 0.5; wc -l)'
    assert shell(line, tmp_path / "done").stdout.strip() == "2000"


@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
@pytest.mark.parametrize(
    "said", ["20", "9999", "0", "-5", "", "wide", "\u00b2", "\u0662\u0660", "999999999", "9" * 5000]
)
def test_a_terminal_of_a_size_that_none_has_is_taken_for_a_usual_one(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """'\u00b2' is a digit to Python and no number; 5,000 digits are more than it reads."""
    monkeypatch.setenv(name, said)
    usual_width()
    assert os.environ.get(name) == (said if said in ("20", "9999") else None)


def test_a_narrow_terminal_is_taken_for_a_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "19")
    usual_width()
    assert "COLUMNS" not in os.environ


@pytest.mark.slow
@pytest.mark.parametrize("coding", ["ascii", "latin-1", "utf-8"])
def test_a_reader_that_had_enough_changes_no_code_in_any_encoding(coding: str, tmp_path: Path) -> None:
    """click takes a stream of ASCII for a mistake, and writes past it."""
    by_click = COMMAND.replace("print(", "typer.echo(", 1).replace("import sys", "import sys, typer", 1)
    command = [sys.executable, "-c", by_click, str(tmp_path / "done"), "3"]
    line = f'PYTHONIOENCODING={coding} "$@" 2>/dev/null | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", line, "bash", *command], capture_output=True, text=True, check=False)
    assert (done.returncode, (tmp_path / "done").read_text()) == (3, "sealed")


def test_what_an_encoding_does_not_hold_is_escaped() -> None:
    code = "import typer\nfrom runbook_lib.cli.streams import lasting\nlasting()\ntyper.echo('5 \\u20ac \\u2026')"
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=True)
    assert done.stdout == b"5 \\u20ac \\u2026\n"
