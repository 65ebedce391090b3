"""A cell that takes long is told, in a process that asks for it and in no other."""

from __future__ import annotations

import time
from typing import Any

import pytest
from nbformat import NotebookNode, v4

from runbook_lib.base import patience
from runbook_lib.record.manager import heading_of, manager_class


@pytest.mark.parametrize(
    ("source", "heading"),
    [("# A\nb\n## 4. What is true\ntext", "4. What is true"), ("no heading", ""), ("## " + "x" * 99, "x" * 60)],
)
def test_the_heading_is_the_last_one_above_the_cell(source: str, heading: str) -> None:
    assert heading_of(source) == heading


@pytest.mark.parametrize("tells", [True, False])
def test_a_cell_that_takes_long_is_told_until_it_ends(monkeypatch: pytest.MonkeyPatch, tells: bool) -> None:
    """`runbook run` said nothing for two minutes while AWS did not answer its kernel."""
    monkeypatch.setattr(patience, "TELL_AFTER_S", 0.01)
    told: list[str] = []
    patience.tellers[:] = [told.append]
    cells: list[Any] = [v4.new_markdown_cell("## 4. What is true"), v4.new_code_cell("1"), v4.new_code_cell("2")]
    for cell in cells:
        cell.metadata.papermill = NotebookNode()
    manager = manager_class()(v4.new_notebook(cells=cells, metadata={"papermill": {}}), progress_bar=False)
    manager.tells = tells
    for number, cell in enumerate(cells):
        manager.cell_start(cell, number)
        end = time.monotonic() + (5 if number == 1 else 0)
        while tells and not told and time.monotonic() < end:
            time.sleep(0.005)
        manager.cell_complete(cell, number)
    time.sleep(0.03)
    assert told == (["cell 2 of 3 ('4. What is true') is running ..."] if tells else [])
