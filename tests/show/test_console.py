"""Live output: the last lines while something runs, folded away afterwards; nothing is taken for markup."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.show import console
from runbook_lib.show.console import Live, folded

NASTY = "<script>alert('x')</script>"


def test_folded_is_a_title_with_lines_below() -> None:
    shown = folded(f"title {NASTY}", ["one", NASTY])
    assert str(shown) == f"title {NASTY}\n  one\n  {NASTY}"
    markup = shown._repr_html_()
    assert "<script>" not in markup
    assert "<details style" in markup
    assert "<details open" in folded("t", [], opened=True)._repr_html_()


class Display:
    """IPython's, as far as it is used."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def display(self, bundle: dict[str, str], raw: bool, display_id: bool) -> Display:
        self.shown.append(bundle)
        return self

    def update(self, bundle: dict[str, str], raw: bool) -> None:
        self.shown.append(bundle)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Display:
    display = Display()
    monkeypatch.setattr(console, "_EVERY_S", 0.0)
    fake: Any = SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    return display


def test_in_a_notebook_one_display_is_kept_up_to_date_and_taken_away(notebook: Display) -> None:
    live = Live("Deploying")
    for number in range(20):
        live(f"line {number}")
    assert len(notebook.shown) == 20
    last = notebook.shown[-1]["text/plain"].splitlines()
    assert last == ["Deploying", *(f"  line {number}" for number in range(12, 20))]
    live.close()
    assert notebook.shown[-1] == {"text/html": "", "text/plain": ""}


def test_elsewhere_the_lines_are_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    monkeypatch.setattr(console, "_EVERY_S", 0.0)
    live = Live("Deploying")
    live("one")
    live("two")
    live.close()
    assert capsys.readouterr().out == "one\ntwo\n"


def test_what_is_quick_is_not_shown_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    live = Live("Quick")
    live("one")
    live.close()
    assert capsys.readouterr().out == ""


def test_a_line_that_only_repeats_the_title_is_not_said_again() -> None:
    assert str(folded("nothing to ask for", ["nothing to ask for"])) == "nothing to ask for"
    assert "<details" not in folded("nothing to ask for", ["nothing to ask for"])._repr_html_()
    assert str(folded("from 5 to 10", ["from 5 to 10", "1. the worker"])) == "from 5 to 10\n  1. the worker"


def test_a_long_title_is_cut_between_words_and_unfolds_as_a_whole() -> None:
    guards = ",".join(f"arn:aws:cloudwatch:alarm-{n}" for n in range(12))
    command = f"deploy --guards={guards}: exit status 0 after 2 s"
    shown = folded(command, ["done"])
    title, _, body = shown._repr_html_().partition("</summary>")
    assert " … " in title and title.endswith("exit status 0 after 2 s") and "arn:aws:cloudwatch:alarm-11" not in title
    assert command in body and "done" in body
    assert str(shown) == f"{command}\n  done"
