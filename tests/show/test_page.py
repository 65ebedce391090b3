"""The smaller pieces of a report: what they say in a terminal and in HTML."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.judge.model import Evidence
from runbook_lib.show.page import ONE_SHEET, Page, evidence_table, line, proof_table, seen, within

WINDOW = {"start": "2026-11-02T03:00:00Z", "end": "2026-11-03T03:00:00Z", "query": "asked <so>"}


def evidence(kind: Any, **more: Any) -> Evidence:
    return Evidence(**{"measure": "m", "kind": kind, **WINDOW, **more})


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (evidence("rate", bad=3, n=1200), "3 bad of 1,200"),
        (evidence("rate"), "no data"),
        (evidence("split", bad=30, n=300), "30 async of 300"),
        (evidence("gauge", values=(0, 4, 2), live=1), "peak 4 over 3 periods, live 1"),
        (evidence("gauge", live=0), "no points, live 0"),
        (evidence("quantile", value=0.412, n=300), "0.41 s (n = 300)"),
        (evidence("amount"), "no data"),
    ],
)
def test_what_was_seen_in_a_few_words(item: Evidence, text: str) -> None:
    assert seen(item) == text


def test_the_evidence_table_escapes_and_names_the_proof_of_a_zero() -> None:
    shown = evidence_table({"dlq_depth": evidence("gauge", live=0, proven_zero_by="read <live>", partial=True)})
    page = shown._repr_html_()
    assert "zero because: read &lt;live&gt;" in page and "asked &lt;so&gt;" in page
    assert "<live>" not in page
    assert "partial" in str(shown)


def test_a_line_is_escaped() -> None:
    assert "&lt;b&gt;" in line("<b>")._repr_html_()


class State:
    dial_percent, weight, switch_on, dial_deployment = 10.0, 10.0, True, None


def test_the_proof_shows_before_and_after() -> None:
    text = str(proof_table(State(), State(), None))
    assert "weight in force" in text and "10 %" in text
    assert "once the shift is in effect" in text


def test_a_page_is_markdown_for_a_notebook_and_itself_for_a_terminal() -> None:
    page = Page("# Sign here")
    assert page._repr_markdown_() == ("# Sign here", {})
    assert (str(page), repr(page)) == ("# Sign here",) * 2
    assert Page("# Sign here", one_sheet=True)._repr_markdown_()[1] == {ONE_SHEET: True}


def test_a_page_within_a_report_has_lower_headings_and_no_html() -> None:
    page = within("# One\n\n## Two\n\n| `a <n> b` | <script>x & y</script> # 3 |\n")
    assert page._repr_markdown_()[0] == ("#### One\n\n##### Two\n\n| `a <n> b` | &lt;script>x & y&lt;/script> # 3 |\n")
