"""Where a run was when it ended: what papermill noted at the cells is told, whatever the cells are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import v4

from runbook_lib.record.ended import Terminated, begun, cut_short, deferring_signals, running
from tests.moments import answered_and_so_is_the_next

ENDED = ("completed", "failed")


def notebook(*codes: str) -> Any:
    """Code cells of that status by papermill's word, with prose between them."""
    cells = []
    for status in codes:
        cell = v4.new_code_cell("1")  # type: ignore[no-untyped-call]
        cell.metadata["papermill"] = {"status": status, "start_time": None if status == "pending" else "2026"}
        prose = v4.new_markdown_cell("prose")  # type: ignore[no-untyped-call]
        prose.metadata["papermill"] = {"status": "completed", "start_time": "2026"}
        cells += [prose, cell]
    return v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("codes", "cell", "where"),
    [
        ((), None, "before the first cell ran"),
        (("pending", "pending"), None, "before the first cell ran"),
        (("completed", "pending", "pending"), None, "between code cells 1 and 2 of 3"),
        (("completed", "failed", "pending"), 2, "while code cell 2 of 3 ran"),
        (("completed", "completed"), None, "after the last cell"),
    ],
)
def test_where_it_was(codes: tuple[str, ...], cell: int | None, where: str) -> None:
    nb = notebook(*codes)
    assert running(nb) == (cell, where)
    status, told = cut_short(nb, DeadKernelError("Kernel died"))
    assert (status, told.sentence, told.cell) == ("died", f"the kernel died {where}", cell)


@given(st.integers(0, 6), st.integers(0, 6))
def test_nobody_is_told_that_no_cell_ran_when_one_did(ran: int, left: int) -> None:
    nb = notebook(*["completed"] * ran, *["pending"] * left)
    assert begun(nb) == ran
    assert (running(nb)[1] == "before the first cell ran") == (ran == 0)


def test_a_cell_that_took_too_long_is_one_line() -> None:
    _, told = cut_short(notebook("completed", "failed"), CellTimeoutError("timed out\n---\nx = 1"))
    assert told.sentence.endswith("--execution-timeout allows, while code cell 2 of 2 ran") and told.cell == 2


@pytest.mark.parametrize("at", range(1, 7))
def test_a_signal_between_two_lines_is_answered_and_so_is_the_next(at: int) -> None:
    answered_and_so_is_the_next(at, deferring_signals(), (KeyboardInterrupt, Terminated))
