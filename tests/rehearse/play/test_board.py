"""What a rehearsal shows: plain lines where nobody redraws, a table of steps that knows what was decided."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from rich.console import Console

from runbook_lib.rehearse.play.board import Board

NOW = dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)
STEPS = [("06@prod", "Phase 1"), ("07@prod", "Phase 2")]


def board(terminal: bool = False) -> tuple[Board, io.StringIO]:
    made, out = Board(), io.StringIO()
    made.console = Console(file=out, width=120, force_terminal=terminal, color_system=None)
    return made, out


def drawn(shown: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=140, color_system=None).print(shown)
    return out.getvalue()


def test_a_step_is_a_line_with_what_was_said_and_how_long() -> None:
    made, out = board()
    with made.step("deploying") as said:
        said.append("3 stacks")
    assert out.getvalue().startswith("✔ deploying: 3 stacks (0.")


def test_the_table_keeps_the_last_decision_of_each_step_and_counts_runs() -> None:
    made, _ = board()
    with made.showing(STEPS, lambda: NOW):
        for decision in ("SOAK", "PROMOTE"):
            with made.step("look", "06@prod") as said:
                said.append(decision)
        with made.step("running", "07@prod"):
            assert "… running" in drawn(made.summary())
    row = next(line for line in drawn(made.summary()).splitlines() if "06@prod" in line)
    assert "PROMOTE" in row
    assert " 2 " in row
    assert "16 Jun 03:00" in row


def test_a_step_that_fails_is_marked_and_the_error_goes_on() -> None:
    made, out = board()
    with made.showing(STEPS, lambda: NOW), pytest.raises(RuntimeError, match="no"), made.step("look", "06@prod"):
        raise RuntimeError("no")
    assert out.getvalue().startswith("✘ look")
    assert "… look" not in drawn(made.summary())


def test_on_a_terminal_the_table_is_redrawn_and_lines_stay() -> None:
    made, out = board(terminal=True)
    with made.showing(STEPS, lambda: NOW), made.step("look", "06@prod") as said:
        said.append("SOAK")
    assert "✔ look: SOAK" in out.getvalue()
    assert "Mon 16 Jun 03:00 UTC (virtual)" in out.getvalue()
