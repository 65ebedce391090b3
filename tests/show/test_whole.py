"""What is read as one stays on one line: in texts, and in markup of cells and pages."""

from __future__ import annotations

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.redact import redact_text
from runbook_lib.show.tables import Cell, inline
from runbook_lib.show.whole import KEPT, whole, whole_command, whole_markup
from tests.secrets import SECRETS


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("target < 90 s, alert > 120 s", ["< 90 s", "> 120 s"]),
        ("at most 1 point worse, >= 10", ["1 point", ">= 10"]),
        ("0.46 s (n = 31)", ["0.46 s", "n = 31"]),
        ("a job of 33 min, 5 days, +88.2 points", ["33 min", "5 days", "+88.2 points"]),
        ("31 async of 360, 5 dogs", []),
        ("12 NO DATA, 1 WATCH; reserved 5 -> 10, MaximumConcurrency 5 -> 10", ["12 NO DATA", "1 WATCH", "->", "->"]),
    ],
)
def test_a_number_and_its_unit_are_on_one_line(text: str, kept: list[str]) -> None:
    parts = [html.unescape(one.partition("</span>")[0]) for one in whole(html.escape(text)).split(KEPT)[1:]]
    assert parts == kept


@pytest.mark.parametrize(
    "kept",
    [
        "2026-11-08 03:23 UTC",
        "2026-11-08 03:23:59 UTC",
        "2026-11-01T08:30:51.601Z",
        "2026-11-08",
        "74.2-98.0 %",
        "0-20",
        "$0.01-$0.05",
        "--confirm",
        "--guards=",
    ],
)
def test_a_time_a_range_and_an_option_are_on_one_line(kept: str) -> None:
    assert whole(f"since {kept} ({kept}), {kept}.") == "since {0} ({0}), {0}.".format(f"{KEPT}{kept}</span>")


def test_what_only_looks_alike_is_left() -> None:
    for text in ("release 1.2-3.4-rc", "7935986e47af-2b21", "a--b", "archive/2026-11-08/run", "x = 5s", "10.0.0.1"):
        assert whole(text) == text


def test_a_long_name_may_end_after_each_part_and_an_arrow_nowhere() -> None:
    told = whole("inventory.worker.reserved_concurrency (reserved 5 -&gt; 10)")
    assert told == (f"inventory.<wbr>worker.<wbr>reserved_<wbr>concurrency (reserved 5 {KEPT}-&gt;</span> 10)")
    assert whole_markup(f"<p>{told}</p>") == f"<p>{told}</p>"
    for text in ("smoke.submit", "archive/prod/inventory.worker.reserved_concurrency", "rollback_1_async_failing"):
        assert whole(text) == text


def test_in_markup_code_stays_as_typed_and_nothing_is_kept_twice() -> None:
    code = '<pre style="a">5 s</pre><code>set 5 s</code><style>.a{}</style>'
    assert whole_markup(code) == code
    assert whole_markup("<code>run --set a=5 s</code>") == f"<code>run {KEPT}--set</span> a=5 s</code>"
    once = whole_markup("<td>5 s since 2026-11-08</td>")
    assert once == f"<td>{KEPT}5 s</span> since {KEPT}2026-11-08</span></td>"
    assert whole_markup(once) == once
    assert whole_markup("<th>2026-11-08 05:15 UTC</th>") == f"<th>{KEPT}2026-11-08</span> 05:15 UTC</th>"
    assert whole_markup(f"{KEPT}2026-11-08 05:15 UTC (24.0 h)</span>") == (
        f"{KEPT}2026-11-08 05:15 UTC</span> {KEPT}(24.0 h)</span>"
    )
    assert whole_markup('<img alt="5 s">') == '<img alt="5 s">'


@given(st.text())
def test_the_text_is_the_same(text: str) -> None:
    assert whole(html.escape(text)).replace(KEPT, "").replace("</span>", "") == html.escape(text)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SECRETS)
@settings(max_examples=2)
@given(data=st.data())
def test_no_secret_hides_behind_a_tag(kind: str, data: st.DataObject) -> None:
    """A failed job's error said `--api-key`, which was put into a tag before the output was searched for secrets."""
    text, secret = data.draw(SECRETS[kind])
    escaped = html.escape(text)
    shown = [whole(escaped), whole_command(escaped), whole_markup(f"<p>{escaped}</p>"), inline(text)]
    shown += [Cell(text).html, Cell(f"{'and more ' * 30}\n{text}").html]
    assert [one for one in shown if secret in redact_text(one)] == []
