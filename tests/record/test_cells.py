"""What a notebook's markup may not do in a report: an attached notebook is somebody's."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.record.cells import contained, pieces
from runbook_lib.record.record import Record
from runbook_lib.record.report import report_html

RUNS = re.compile(r"<(?:script|meta|base|link|iframe|object|embed)\b", re.I)
PIECES = [
    "<",
    ">",
    "me",
    "ta",
    "meta ",
    "<base>",
    "<script></script>",
    "scr",
    "ipt",
    "</script>",
    ' content="0;url=x"',
    "x",
]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
@example("<me<base>ta http-equiv=refresh content=0>")
@example("<scr<script></script>ipt>1</script>")
@example('<meta http-equiv=refresh content="0;url=x"')
def test_what_is_taken_out_makes_nothing_new_of_what_was_around_it(markup: str) -> None:
    assert not RUNS.search(contained(markup)), contained(markup)


@pytest.mark.parametrize("rule", ["default-src 'none'", "base-uri 'none'", "form-action 'none'"])
def test_a_report_sends_nothing_anywhere(rule: str) -> None:
    assert rule in report_html({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, Record())


def test_a_command_in_an_error_is_a_command() -> None:
    output = {
        "output_type": "error",
        "ename": "RedVerdict",
        "evalue": "HOLD: run `runbook status` <b>",
        "traceback": [],
    }
    cell = {"cell_type": "code", "source": "run.close(outcome)", "outputs": [output]}
    (piece,) = pieces({"cells": [cell]})
    assert "HOLD: run <code>runbook status</code> &lt;b&gt;" in piece.body
