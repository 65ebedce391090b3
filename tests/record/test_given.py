from __future__ import annotations

from nbformat.v4 import new_code_cell, new_notebook

from runbook_lib.record.given import parameters


def test_parameters_are_read_without_running_anything() -> None:
    cells = [
        new_code_cell("injected = 1\nenv = 'prod'", metadata={"tags": ["injected-parameters"]}),
        new_code_cell(
            "env = 'dev'\nn: int = 3\na = b = -1.5\nx = open('y')\nm: int\nf(1)", metadata={"tags": ["parameters"]}
        ),
        new_code_cell("env = 'other'"),
        new_code_cell("env = (", metadata={"tags": ["parameters"]}),
    ]
    assert parameters(new_notebook(cells=cells)) == {"env": "prod", "n": 3, "a": -1.5, "b": -1.5, "injected": 1}
