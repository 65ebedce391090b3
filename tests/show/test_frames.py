"""pandas tables in a notebook: one head, times for people, and what is large is left to pandas."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import HTMLFormatter

from runbook_lib.show import frames

TIMES = pd.to_datetime(["2026-11-08T04:15:00Z", None], utc=True)
FRAME = pd.DataFrame({"title": ["a <b>", "b"], "time": TIMES, "value": [60.5, float("nan")], "jobs": [1200, 0]})


def cells(markup: str, tag: str) -> list[str]:
    return [re.sub("<[^>]+>", "", one) for one in re.findall(rf"<{tag}\b.*?</{tag}>", markup)]


def test_times_are_for_people_and_the_number_of_a_row_is_not_shown() -> None:
    markup = frames.markup(FRAME)
    assert cells(markup, "th") == ["title", "time", "value", "jobs"]
    assert cells(markup, "td") == ["a &lt;b&gt;", "2026-11-08 04:15 UTC", "60.5", "1200", "b", "", "", "0"]


def test_the_names_of_the_index_are_in_the_one_head() -> None:
    markup = frames.markup(FRAME.groupby(["title", "jobs"])[["value"]].max())
    assert cells(markup, "th") == ["title", "jobs", "value"] and markup.count("<thead>") == 1
    assert markup.count("<tr") == 3


def test_an_index_that_says_more_than_a_number_is_shown() -> None:
    """A turned table was a column of values without labels."""
    turned = frames.markup(pd.DataFrame({"user": ["ada"], "jobs": [3]}).T)
    assert cells(turned, "t[dh]") == ["", "0", "user", "ada", "jobs", "3"]
    twice = pd.DataFrame({"title": ["x"]}, index=pd.Index(["y"], name="title"))
    assert cells(frames.markup(twice), "td") == ["y", "x"]


def test_without_rows_it_says_so_and_a_large_one_is_pandas_own() -> None:
    assert "nothing to show" in frames.markup(FRAME.iloc[:0])
    large = pd.concat([FRAME] * 40)
    assert large._repr_html_() in frames.markup(large)


@pytest.mark.parametrize("times", [1, 70])
def test_a_table_of_any_size_turns_no_text_and_sets_no_formula(times: int) -> None:
    markup = frames.markup(pd.DataFrame({"said": ["$5 \u202e $6"] * times}))
    assert "$5 \\u202e $6" in markup and markup.startswith('<div class="mathjax_ignore">')


def test_a_kernel_shows_a_table_so_and_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    formatter = HTMLFormatter()
    shell = SimpleNamespace(display_formatter=SimpleNamespace(formatters={"text/html": formatter}))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    frames.install()
    assert formatter(FRAME) == FRAME._repr_html_()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    frames.install()
    assert formatter(FRAME) == frames.markup(FRAME) != FRAME._repr_html_()


def test_any_value_of_a_cell_is_shown() -> None:
    frame = pd.DataFrame({"at": [pd.Timestamp("2026-11-08 04:15")], "many": [np.array([1, 2])], "none": [pd.NA]})
    assert cells(frames.markup(frame), "td") == ["2026-11-08 04:15 UTC", "[1 2]"]
