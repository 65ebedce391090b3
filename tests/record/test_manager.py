"""What is said of a notebook that runs."""

from __future__ import annotations

from typing import Any

import pytest
from nbformat import NotebookNode, v4

from runbook_lib.record.manager import heading_of, manager_class


@pytest.mark.parametrize(
    ("source", "heading"),
    [("# A\nb\n## 4. What is true\ntext", "4. What is true"), ("no heading", ""), ("## " + "x" * 99, "x" * 60)],
)
def test_the_heading_is_the_last_one_above_the_cell(source: str, heading: str) -> None:
    assert heading_of(source) == heading


def test_it_says_which_cell_runs() -> None:
    cells: list[Any] = [v4.new_markdown_cell("## 4. What is true"), v4.new_code_cell("1"), v4.new_code_cell("2")]
    for cell in cells:
        cell.metadata.papermill = NotebookNode()
    manager = manager_class()(v4.new_notebook(cells=cells, metadata={"papermill": {}}), progress_bar=False)
    told = [manager.doing]
    for number, cell in enumerate(cells):
        manager.cell_start(cell, number)
        told.append(manager.doing)
        manager.cell_complete(cell, number)
    assert manager.doing == "the record is sealed"
    which = [f"cell {number} of 3 ('4. What is true') is running" for number in (2, 3)]
    assert told == ["the kernel starts", "the kernel starts", *which]
