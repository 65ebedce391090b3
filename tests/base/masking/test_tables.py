"""Cells below a telling header, whatever they look like: a password may be named like one."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_lines, redact_text

TABLES = {
    "delimited": "user | password\n-----+----------\nada | {}\nbob | x\n",
    "a csv": "user,password\nada,{}\n",
    "to the left": "user      password\nada       {}\nbob       other-cell\n",
    "polars": "│ user ┆ password │\n╞══════╪══════════╡\n│ ada  ┆ {} │\n",
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


FRAMES = {
    "as text": str,
    "without an index": lambda frame: frame.to_string(index=False),
    "with the index of users": lambda frame: str(frame.set_index("user")),
    "html": pd.DataFrame.to_html,
    "html with the index of users": lambda frame: frame.set_index("user").to_html(),
    "a csv": lambda frame: frame.to_csv(index=False),
    "tabs": lambda frame: frame.to_csv(sep="\t", index=False),
}
SECRETS = st.from_regex(r"v[a-z]{3,9}(?:-[a-z]{3,9}|[0-9]{2})", fullmatch=True)


@pytest.mark.parametrize("form", FRAMES)
@given(
    st.lists(st.tuples(st.from_regex(r"u[a-z]{1,14}", fullmatch=True), SECRETS), min_size=1, max_size=4),
    st.permutations(["user", "password", "n"]),
    st.sampled_from(["n", "id", "role", "email"]),
)
@example([("ua", "vaaa-aaaaaa")], ["user", "n", "password"], "role")  # a gap of five blanks between two headers
def test_a_frame_keeps_its_names_and_its_other_cells(form: str, rows: Any, order: list[str], other: str) -> None:
    frame = pd.DataFrame({"user": [row[0] for row in rows], "password": [row[1] for row in rows], "n": "wxyz"})[order]
    text = FRAMES[form](frame.rename(columns={"n": other}))
    for shown in (redact_text(text), "".join(redact_lines(text.splitlines(keepends=True)))):
        assert not [one for one in frame["password"] if one in shown]
        assert all(one in shown for one in ["user", "password", other, "wxyz", *frame["user"]]), shown


def _widths(rows: list[list[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _row(cells: list[str], widths: list[int], gap: str = "  ") -> str:
    return gap.join(map(str.ljust, cells, widths)).rstrip()


def _padded(rows: list[list[str]], gap: str, *, rule: str = "") -> str:
    widths = _widths(rows)
    lines = [_row(row, widths, gap) for row in rows]
    ruled = _row([rule * width for width in widths], widths, gap)
    return "\n".join([lines[0], *([ruled] if rule else []), *lines[1:]])


def _grid(rows: list[list[str]], *, sign: str = "=") -> str:
    widths = _widths(rows)
    lines = [f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows]
    rule = f"+{'+'.join('-' * (width + 2) for width in widths)}+"
    return "\n".join([rule, lines[0], rule.replace("-", sign), *(f"{line}\n{rule}" for line in lines[1:])])


def _framed(rows: list[list[str]]) -> str:
    widths = _widths(rows)
    rule, lines = " ".join("=" * width for width in widths), [_row(row, widths, " ") for row in rows]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def _latex(rows: list[list[str]]) -> str:
    head, *lines = (" & ".join(row).replace("_", "\\_") + " \\\\" for row in rows)
    return "\n".join(["\\begin{tabular}{ll}", "\\toprule", head, "\\midrule", *lines, "\\bottomrule", "\\end{tabular}"])


DRAWN = {
    "columns": lambda rows: _padded(rows, "  "),
    "columns with a rule": lambda rows: _padded(rows, "  ", rule="-"),
    "columns one blank apart": lambda rows: _padded([[f"{cell}  " for cell in rows[0]], *rows[1:]], " "),
    "columns as wide as their names": lambda rows: "\n".join(
        _row(row, [len(name) + 2 for name in rows[0]], " ") for row in rows
    ),
    "markdown": lambda rows: "\n".join(
        f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    ),
    "a grid": _grid,
    "a table of mysql": lambda rows: _grid(rows, sign="-"),
    "restructured text": _framed,
    "latex": _latex,
    "tabs": lambda rows: "\n".join(map("\t".join, rows)),
}
PLAIN_NAMES = ["user", "host", "role", "n", "state", "region", "email", "id"]


@pytest.mark.slow
@pytest.mark.parametrize("form", DRAWN)
@given(data=st.data())
def test_a_table_that_is_drawn_keeps_its_other_cells_and_no_secret(form: str, data: Any) -> None:
    names = data.draw(st.lists(st.sampled_from(PLAIN_NAMES), min_size=1, max_size=3, unique=True))
    at = data.draw(st.integers(0, len(names)))
    names.insert(at, data.draw(st.sampled_from(["password", "token", "api_key", "db_password", "secret"])))
    rows = [
        [
            data.draw(st.from_regex(rf"{'v' if which == at else 'u'}[a-p]{{2,{most}}}", fullmatch=True))
            for which, most in enumerate(data.draw(st.integers(3, 12)) for _ in names)
        ]
        for _ in range(data.draw(st.integers(1, 4)))
    ]
    if form == "columns as wide as their names":  # one sign wider at the most
        rows = [[cell[: max(4, len(name) + 1)] for cell, name in zip(row, names, strict=True)] for row in rows]
        assume(all(len(cell) <= len(name) + 1 for row in rows for cell, name in zip(row, names, strict=True)))
    rows = [
        [f"{cell}{number}7" if which == at else cell for which, cell in enumerate(row)]
        for number, row in enumerate(rows)
    ]
    shown = redact_text(f"first of all\n\n{DRAWN[form]([names, *rows])}\n\nand so on\n")
    words = shown.replace("|", " ").replace("&", " ").replace("\\_", "_").split()
    assert not [row[at] for row in rows if row[at] in shown], shown
    assert not {cell for row in [names, *rows] for cell in row if cell not in words} - {row[at] for row in rows}, shown
    assert redact_text(shown) == shown


def test_lines_of_as_many_words_as_those_before_are_no_table() -> None:
    for text in ("the password\nhas expired\n", "a token count\nis shown below\n"):
        assert redact_text(text) == text


CELLS = st.lists(st.from_regex(r"v[a-z]{3,9}-[a-z]{3,9}", fullmatch=True), min_size=1, max_size=4).map("\n".join)


@pytest.mark.parametrize("sign", [",", ";"])
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3))
def test_a_cell_of_several_lines_is_one(sign: str, rows: Any) -> None:
    frame = pd.DataFrame(
        {"note": [row[0].replace("v", "u") for row in rows], "password": [row[1] for row in rows], "n": "wxyz"}
    )
    text = frame.to_csv(sep=sign, index=False)
    shown = redact_text(text)
    assert not [line for one in frame["password"] for line in one.split("\n") if line in shown]
    assert redact_text(shown) == shown and shown.count("\n") == text.count("\n")
    again = pd.read_csv(io.StringIO(shown), sep=sign)
    assert list(again["note"]) == list(frame["note"]) and list(again["n"]) == list(frame["n"])


def test_a_quote_that_is_of_a_cell_ends_no_row() -> None:
    shown = redact_text('size,password\n5" pipe,amber-falcon\n6" pipe,otter-lamp\n')
    assert shown == f'size,password\n"5"" pipe",{MASK}\n"6"" pipe",{MASK}\n'


LISTED = "Name              Value\n----              -----\n"


@pytest.mark.parametrize("head", ["", LISTED])
@pytest.mark.parametrize("word", ["zebra", "zebra7"])
def test_a_list_of_variables_is_no_table(head: str, word: str) -> None:
    """Its second name was masked as a cell below the first, and the value was not."""
    text = f"{head}DB_PASSWORD       {{}}\nPATH              C:\\Windows\n"
    assert redact_text(text.format(word)).replace(" ", "") == text.format(MASK).replace(" ", "")


@pytest.mark.parametrize("text", ["password  hunter\n", "DB_PASSWORD  hunter\nAPI_TOKEN  [redacted]\n"])
def test_a_word_beside_its_name_without_a_table_is_the_value(text: str) -> None:
    assert "hunter" not in redact_text(text)
