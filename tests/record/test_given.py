from __future__ import annotations

from contextlib import nullcontext

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from runbook_lib.base.errors import UsageError
from runbook_lib.record.given import assigned, parameters


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


@pytest.mark.parametrize(
    "source",
    ["%cd x", "a = '\0'", "a = " + "1+" * 50_000 + "1", "a = " + "-" * 100_000 + "1"],
    ids=["a magic", "a null byte", "a long sum", "many signs"],
)
def test_a_cell_that_python_cannot_read_assigns_nothing(source: str) -> None:
    assert list(assigned(source)) == []


@pytest.mark.parametrize(
    ("name", "odd"), [("a b", True), ("import", True), ("1", True), ("", True), ("ä", False), ("env", False)]
)
def test_a_name_that_no_cell_can_assign_is_refused(name: str, odd: bool) -> None:
    nb = new_notebook(metadata={"papermill": {"parameters": {"env": "prod", name: 1}}})
    with pytest.raises(UsageError, match=f"'{name}' cannot be") if odd else nullcontext():
        parameters(nb)
