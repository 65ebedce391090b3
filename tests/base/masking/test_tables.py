"""Cells below a telling header, whatever they look like: a password may be named like one."""

from __future__ import annotations

import pytest

from runbook_lib.base.redact import redact_text

TABLES = {
    "delimited": "user | password\n-----+----------\nada | {}\nbob | x\n",
    "a csv": "user,password\nada,{}\n",
    "to the left": "user      password\nada       {}\nbob       other-cell\n",
    "html": "<table><tr><th>user</th><th>password</th></tr><tr><td>ada</td><td>{}</td></tr></table>",
}


@pytest.mark.parametrize("cell", ["dev-secret", "admin_password", "the token", "zebra"])
@pytest.mark.parametrize("table", TABLES)
def test_a_cell_that_is_named_like_a_secret_is_one(table: str, cell: str) -> None:
    assert cell not in redact_text(TABLES[table].format(cell))


def test_a_log_line_that_stands_twice_is_no_table() -> None:
    """Its name was masked as if it were a cell."""
    twice = "10:00 ERROR x password\n" * 2
    assert redact_text(twice) == twice
