"""What a notebook's markup may not do in a report: an attached notebook is somebody's."""

from __future__ import annotations

import pytest

from runbook_lib.record.record import Record
from runbook_lib.record.report import report_html


@pytest.mark.parametrize("rule", ["default-src 'none'", "base-uri 'none'", "form-action 'none'"])
def test_a_report_sends_nothing_anywhere(rule: str) -> None:
    assert rule in report_html({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, Record())
