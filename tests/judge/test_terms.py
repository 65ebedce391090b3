"""The words that people read: one set, explained in one table."""

from __future__ import annotations

import re

from runbook_lib.judge.terms import OF_CHECKS, Word
from runbook_lib.params.load import project_root

DOCS = project_root() / "docs"


def test_the_docs_have_one_table_of_all_words_in_the_order_of_every_table() -> None:
    rows = re.findall(r"^\| \*\*([A-Z0-9 ]+)\*\* \|", (DOCS / "verdicts.md").read_text(), re.MULTILINE)
    assert rows[: len(OF_CHECKS)] == [str(word) for word in OF_CHECKS]
    assert sorted(rows) == sorted(map(str, Word))


def test_the_glossary_has_the_words_of_the_trade() -> None:
    told = re.findall(r"^\| \*\*([^*]+)\*\* \|", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    words = ["dial", "switch", "weight", "bake", "guard", "soak", "look", "attempt", "deviation", "ledger", "VPR"]
    assert [word for word in words if word not in told] == []
