"""docs/questions.md is made of what is declared."""

from __future__ import annotations

import sys

import pytest

from runbook_lib.base.project import project_root
from tests.questions_page import PAGE, columns, main, questions, renewed


def test_the_page_is_as_the_tables_make_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["page"])
    assert main() == 0 and capsys.readouterr().out == ""


def test_what_was_edited_by_hand_is_made_anew() -> None:
    text = (project_root() / PAGE).read_text(encoding="utf-8")
    assert renewed(text.replace("Run id.", "Run.")) == text and columns("costs") in text
    assert len(questions(text)) == 10 and all(sql.strip().endswith(";") for sql in questions(text).values())
