"""What a notebook's markup may not do in a report: an attached notebook is somebody's."""

from __future__ import annotations

import pytest

from runbook_lib.record.cells import pieces
from runbook_lib.record.record import Record
from runbook_lib.record.report import report_html


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
