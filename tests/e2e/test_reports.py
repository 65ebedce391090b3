"""Every kind of report in a real browser: on a desk, on a telephone, in the dark and on paper, for every reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote, urlsplit

import pypdfium2
import pytest
from axe_playwright_python.base import AXE_SCRIPT

from runbook_lib.judge.gates.checks import check
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision
from runbook_lib.record.entry import Kind
from runbook_lib.run.launch import START
from runbook_lib.show.checks import checks_table
from runbook_lib.show.picture import NARROW_IN
from runbook_lib.show.tables import edged, mark, table
from runbook_lib.show.verdicts import verdict_banner
from tests.axe import axe, contrast
from tests.reports import unpacked

NOTEBOOKS = sorted({path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb")} - {START})
KINDS = [*NOTEBOOKS, "approval", "attestation", "note", "deviation"]
SIGNED = "11_acceptance"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
LEAST_PX = 11
"""Height of type that can be read on a telephone."""
MARGIN_PT = 13 / 25.4 * 72
"""On both sides of a printed page, as `report.css` says."""
LEAST_WORDS = 12
"""On the last printed page: a line or two that were left over are no page."""
PAPER = re.compile(r"rgb\((\d+), (\d+), (\d+)\)")

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return unpacked(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def tab(browser: Any) -> Iterator[Any]:
    """One tab, in which each report is opened after the other: what the browser has compiled of axe it keeps."""
    context = browser.new_context(viewport=DESK, bypass_csp=True)
    tab = context.new_page()
    tab.on("request", lambda asked: tab.asked.append(asked.url))
    tab.on("console", lambda said: tab.complaints.append(said.text))
    yield tab
    context.close()


@pytest.fixture(scope="module", params=KINDS)
def page(tab: Any, reports: dict[str, Path], request: pytest.FixtureRequest) -> Any:
    """The report of one kind, opened from disk."""
    tab.kind, tab.file, tab.asked, tab.complaints = request.param, reports[request.param], [], []
    tab.goto(tab.file.as_uri())
    tab.evaluate(AXE_SCRIPT)
    return tab


@pytest.fixture(autouse=True)
def as_it_was(page: Any) -> Iterator[None]:
    yield
    page.emulate_media(media="screen", color_scheme="light")
    page.set_viewport_size(DESK)


def too_wide(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_on_a_desk_nothing_is_amiss_for_any_reader(page: Any) -> None:
    assert axe(page, but=("color-contrast",)) == []
    assert contrast(page) == []
    assert too_wide(page) <= 0
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []


def test_the_dark_is_dark_and_can_be_read_charts_too(page: Any) -> None:
    page.emulate_media(color_scheme="dark")
    paper = PAPER.match(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert paper is not None and max(map(int, paper.groups())) < 40
    assert contrast(page) == []
    filters = page.evaluate("[...document.querySelectorAll('main img')].map(one => getComputedStyle(one).filter)")
    assert set(filters) <= {"invert(0.92) hue-rotate(180deg)"}
    assert bool(filters) == bool(page.locator("main img").count())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_link_on_a_verdicts_colour_can_be_read(page: Any, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    shown = verdict_banner(Outcome(decision=Decision.PROMOTE, reason="By run x.", next="y"))._repr_html_()
    shown = f'<div class="output" id="linked">{shown.replace("By run x", "<a href=#linked>By run x</a>")}</div>'
    page.evaluate("shown => document.querySelector('main').insertAdjacentHTML('beforeend', shown)", shown)
    colour = "one => getComputedStyle(document.querySelector(one)).color"
    link, letters = (page.evaluate(colour, f"#linked {where}") for where in ("a", "[role=status]"))
    page.evaluate("document.querySelector('#linked').remove()")
    assert link == letters


def test_on_a_telephone_the_page_does_not_scroll_sideways_and_everything_can_be_read(page: Any) -> None:
    page.set_viewport_size(PHONE)
    assert too_wide(page) <= 0
    assert axe(page, only=("scrollable-region-focusable", "target-size")) == []
    small = page.evaluate(
        """telephones => [...document.querySelectorAll('.chart img')].filter(one => {
        const wide = parseFloat(one.closest('.chart').style.getPropertyValue('--drawn'));
        const drawn = one.closest('picture') ? telephones : wide;
        return one.getBoundingClientRect().width < drawn - 1;  // at that width the smallest letters are 11 px
    }).length""",
        100 * NARROW_IN,
    )
    assert small == 0
    text = page.evaluate("""() => Math.min(...[...document.querySelectorAll('main *')]
        .filter(one => one.checkVisibility())
        .filter(one => [...one.childNodes].some(node => node.nodeType == 3 && node.data.trim()))
        .map(one => parseFloat(getComputedStyle(one).fontSize)))""")
    assert text >= LEAST_PX
    for gate in page.locator("tr.gate").all():
        why = gate.locator("xpath=following-sibling::tr[contains(@class, 'why')]")
        if why.count():
            above, below = gate.bounding_box(), why.bounding_box()
            assert below["y"] >= above["y"] + above["height"] - 1
            assert below["x"] >= 0 and below["x"] + below["width"] <= PHONE["width"]


def test_no_word_is_wider_than_a_telephone(page: Any) -> None:
    """A path, a hash, an address: whatever sentence it stands in."""
    page.set_viewport_size(PHONE)
    places = "[...document.querySelectorAll(':is(p, li, dd, dt, summary, h1):not(td *, .word)')]"
    page.evaluate(
        f"{places}.forEach(one => one.append(Object.assign(document.createElement('i'), "
        "{id: 'long', textContent: '/a-folder'.repeat(30)})))"
    )
    wide = too_wide(page)
    page.evaluate("document.querySelectorAll('i#long').forEach(one => one.remove())")
    assert wide <= 0
    # What cells print is no paragraph: the banner, and the line at the end, with the command that is next.
    asked = f"The command: `runbook run 06 --set release={'r' * 90} --set archive={'/a-folder' * 20}`."
    told = Outcome(decision=Decision.SOAK, reason=asked, next=asked)
    shown = f'<div class="output">{verdict_banner(told)._repr_html_()}{edged(asked)._repr_html_()}</div>'
    page.evaluate("shown => document.querySelector('main').insertAdjacentHTML('beforeend', shown)", shown)
    wide = too_wide(page)
    page.evaluate("document.querySelector('main').lastElementChild.remove()")
    assert wide <= 0


def test_on_a_telephone_nothing_of_a_change_or_a_check_is_out_of_sight(page: Any) -> None:
    long = check("a.b", "Alarm on the queue: exists", False, "must be made by this step " * 9, expected="x", found="y")
    shown = f'<div class="output">{checks_table([long], "Alarms")._repr_html_()}</div>'
    page.evaluate("shown => document.querySelector('main').insertAdjacentHTML('beforeend', shown)", shown)
    page.set_viewport_size(PHONE)
    cells = page.evaluate("""() => [...document.querySelectorAll(':is(.changes, .checks) tbody tr > *')]
        .filter(one => one.checkVisibility() && one.textContent.trim())
        .map(one => [one, one.getBoundingClientRect()])
        .map(([one, box]) => [one.textContent.slice(0, 40), box.right,
            one.parentElement.getBoundingClientRect().right, box.width])""")
    page.evaluate("document.querySelector('main').lastElementChild.remove()")
    assert len(cells) >= 5
    assert [one for one in cells if one[1] > min(one[2] + 1, PHONE["width"]) or one[3] < 20] == []


def test_on_a_telephone_a_wide_table_is_stacked_and_a_row_says_what_each_value_is(page: Any) -> None:
    head, row = ("", "What", "Share", "Finding"), [mark(True), "05_staging@staging", "9.3 %", "says DONE, sealed " * 6]
    shown = f'<div class="output" id="wide">{table(head, [row, row], caption="Wide")._repr_html_()}</div>'
    page.evaluate("shown => document.querySelector('main').insertAdjacentHTML('beforeend', shown)", shown)
    page.set_viewport_size(PHONE)
    scrolls = page.evaluate("(one => one.scrollWidth - one.clientWidth)(document.querySelector('#wide > div'))")
    told = page.evaluate(
        """[...document.querySelectorAll('#wide tbody tr:first-child td')]
            .map(one => getComputedStyle(one, '::before').content)"""
    )
    page.evaluate("document.querySelector('#wide').remove()")
    assert scrolls <= 0
    assert [one.strip('"').strip() for one in told] == ["none", "none", "Share", "Finding"]


def test_every_link_leads_somewhere(page: Any) -> None:
    addresses = page.evaluate("[...document.querySelectorAll('a')].map(one => one.getAttribute('href'))")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    assert {one[1:] for one in addresses if one.startswith("#")} <= set(ids)
    runs = [one for one in addresses if not one.startswith("#")]
    assert not any(urlsplit(one).scheme or one.startswith("/") for one in runs)
    assert [one for one in runs if not (page.file.parent / unquote(one)).is_file()] == []
    if page.kind in NOTEBOOKS:
        contents = page.locator("nav.contents a")
        assert contents.count() >= page.locator("main h2").count() >= 8
    if page.kind in ("07_phase2_50_percent", SIGNED, "approval"):
        assert runs, "what came before it can be opened from it"


def test_on_paper_pages_are_full_and_nothing_is_cut(page: Any) -> None:
    page.emulate_media(media="print")
    assert not page.get_by_text("Show code").first.is_visible()
    document = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
    sheets = [document[place] for place in range(len(document))]
    signed = [place for place, one in enumerate(sheets) if "Signed:" in one.get_textpage().get_text_range()]
    if page.kind == SIGNED:
        assert len(signed) == 1
        assert "Acceptance of" in sheets[signed[0]].get_textpage().get_text_range(), "it is one page"
    for place, sheet in enumerate(sheets):
        width, height = sheet.get_size()
        assert (round(width), round(height)) == (595, 842)
        assert out_of(sheet) == [], f"words are cut on page {place + 1}"
        for one in sheet.get_objects(filter=[3]):  # pictures
            left, bottom, right, top = one.get_bounds()
            assert left >= -1 and right <= width + 1 and bottom >= -1 and top <= height + 1, f"cut on page {place + 1}"
        if place + 1 < len(sheets) and place + 1 not in signed:
            assert filled(sheet) > 0.5, f"page {place + 1} of {len(sheets)} is half empty"
    last = sheets[-1].get_textpage().get_text_range()
    assert len(last.split()) > LEAST_WORDS, f"the last page is all but empty: {last!r}"


def out_of(sheet: Any) -> list[str]:
    """The words of a page that reach into its right margin, or beyond the sheet."""
    text, width = sheet.get_textpage(), sheet.get_width()
    boxes = [text.get_rect(place) for place in range(text.count_rects())]
    cut = [
        box for box in boxes if box[0] < width < box[2] + MARGIN_PT - 1
    ]  # a ligature is said to lie beyond the sheet
    return [text.get_text_bounded(*box) for box in cut]


def filled(sheet: Any) -> float:
    """How far down a page is something."""
    picture = sheet.render(scale=0.25).to_pil().convert("L").point(lambda grey: 255 * (grey < 250))
    box = picture.getbbox()
    return float(box[3] / picture.height) if box else 0.0


def test_every_kind_is_here() -> None:
    unmade = {"attachment", "tombstone"}  # a rehearsal attaches and prunes nothing
    assert set(get_args(Kind)) - unmade <= set(KINDS)
    assert len(NOTEBOOKS) == 14
