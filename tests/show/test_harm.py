"""The harm forecast as a table and a chart."""

from __future__ import annotations

import re

from runbook_lib.judge.planning.harm import Harm, Pair
from runbook_lib.show.harm import NEVER, harm_chart, harm_table

ROW = Harm(
    share=0.05,
    begins_h=0.0,
    requests=Pair(median=313, most=921),
    minutes=Pair(median=170, most=545),
    users=Pair(median=16, most=38),
    baseline=Pair(median=300, most=884),
    by_looks=Pair(median=23, most=41),
    unseen=Pair(median=110, most=120),
    stopped_by={"guard": 0.65, "watch": 0.35, "look": 0.0},
    goes_on=0.0,
    plays=60,
)
ENDLESS = ROW.model_copy(
    update={"share": 0.02, "begins_h": 12.0, "users": Pair(median=9, most=None), "baseline": None, "goes_on": 0.1}
)


def test_a_row_says_who_how_long_and_what_it_costs() -> None:
    text = " ".join(str(harm_table([ROW, ENDLESS], percent=50, confidence=0.95, note="as played")).split())
    for part in (
        "5 %, at once",
        "313 / 921",
        "2.8 h / 9.1 h",
        "16 / 38",
        "300 / 884",
        "23 / 41",
        "(forecast: median / at 95 %",
    ):
        assert part in text, part
    assert f"9 / {NEVER}" in text and "2 %, after 12 h" in text
    shown = harm_table([ROW, ENDLESS], percent=50, confidence=0.95, note="")._repr_html_()
    told = re.sub("<[^>]+>", "", shown)
    assert "guard 65 %, a look of the watch 35 %" in told and f"{NEVER} 10 %" in told


def test_the_chart_has_words_an_axis_with_a_unit_and_the_budget() -> None:
    figure = harm_chart([ROW, ENDLESS], percent=50, confidence=0.95, users=50)
    axes = figure.axes[0]
    assert axes.get_ylabel() == "users" and "share" in axes.get_xlabel()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "budget 50" in labels and any("baseline" in one for one in labels)
    assert "5 % failing at once: 16 / 38" in figure.get_label()
