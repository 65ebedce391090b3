"""A figure as a picture: described, sized, and closed behind itself."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot
from PIL import Image

from runbook_lib.params.load import project_root
from runbook_lib.show.picture import NARROW_IN, WIDTH_IN, drawing, framed, image, narrow, slim, width
from runbook_lib.show.style import NO_LOOKS


def test_a_picture_says_what_it_shows_to_who_cannot_see_it() -> None:
    with drawing() as plot:
        figure, _ = plot.subplots(figsize=(WIDTH_IN, 2))
        figure.set_label("made with it")
        markup = image(lambda: figure, 'told "so"')._repr_html_()
        assert 'alt="told &quot;so&quot;"' in markup and "max-width:1000px" in markup
        assert str(image(lambda: figure)) == "made with it"
    data = re.search(r"base64,([A-Za-z0-9+/=]+)", markup)
    assert data is not None
    with Image.open(io.BytesIO(base64.b64decode(data[1]))) as png:
        png.load()
        assert (png.format, png.mode, png.info["Description"]) == ("PNG", "P", 'told "so"')


def test_figures_of_others_and_their_style_are_left_alone() -> None:
    mine, grid = pyplot.figure(), mpl.rcParams["figure.dpi"]
    with drawing() as plot:
        plot.figure()
    assert pyplot.get_fignums() == [mine.number]
    assert mpl.rcParams["figure.dpi"] == grid
    pyplot.close(mine)


@pytest.mark.slow
def test_a_chart_is_the_same_whatever_this_user_has_set() -> None:
    """With `text.usetex` of a matplotlibrc no chart came about, and the run of the notebook failed."""

    def seen() -> dict[str, Any]:
        with drawing():
            return {name: value for name, value in mpl.rcParams.items() if name not in NO_LOOKS}

    plain = seen()
    for name, value in mpl.rcParamsDefault.items():
        if name not in NO_LOOKS and isinstance(value, bool | float):
            with mpl.rc_context({name: not value if isinstance(value, bool) else value / 2 + 0.25}):
                assert seen() == plain, name


def test_a_printed_page_may_end_where_a_picture_is_cut_and_nothing_of_it_is_lost() -> None:
    with drawing() as plot:
        figure, _ = plot.subplots(figsize=(WIDTH_IN, 4))
        whole, cut = (
            [
                Image.open(io.BytesIO(base64.b64decode(data)))
                for data in re.findall(r"src=\"data:image/png;base64,([A-Za-z0-9+/=]+)", markup)
            ]
            for markup in (
                image(lambda: figure, "whole")._repr_html_(),
                image(lambda: figure, cuts=[(1.5, "above"), (4.0, "below")])._repr_html_(),
            )
        )
        markup = image(lambda: figure, cuts=[(1.5, "above"), (4.0, "below")])._repr_html_()
    assert [part.info["Description"] for part in cut] == ["above", "below"]
    assert sum(part.height for part in cut) == whole[0].height
    assert cut[0].height == round(whole[0].height * 1.5 / 4)
    together = Image.new("RGB", whole[0].size)
    for part, top in zip(cut, (0, cut[0].height), strict=True):
        together.paste(part.convert("RGB"), (0, top))
    assert together.tobytes() == whole[0].convert("RGB").tobytes()
    assert markup.count("--drawn:1000px") == 1, "they are one picture in one frame"


def test_a_telephone_is_shown_a_figure_that_was_drawn_for_it() -> None:
    drawn = []

    def draw() -> object:
        with drawing() as plot:
            figure, _ = plot.subplots(figsize=(width(), 2))
        drawn.append(narrow())
        return figure

    markup = image(draw, "told")._repr_html_()
    assert drawn == [False, True] and width() == WIDTH_IN, "the width is a page's again"
    assert markup.count('<source media="screen and (max-width: 640px)"') == markup.count("<img ") == 1
    small, large = (
        Image.open(io.BytesIO(base64.b64decode(data))).width for data in re.findall(r"base64,([A-Za-z0-9+/=]+)", markup)
    )
    assert round(large / small, 1) == round(WIDTH_IN / NARROW_IN, 1), "letters are as high on both"
    assert slim(width) == NARROW_IN


def test_a_chart_says_how_it_looks_in_the_dark_theme_of_jupyterlab_as_the_report_does() -> None:
    (rule,) = re.findall(r"\.chart img\{filter:([^}]+)\}", framed("", 100))
    css = (project_root() / "runbook_lib" / "record" / "templates" / "report.css").read_text()
    assert f".chart img, img.drawn {{ filter: {rule}; }}" in css
