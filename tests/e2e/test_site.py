"""The site in a real browser, from disk: filters, search, rollouts, gates, two runs side by side; no network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from runbook_lib.record.archive import Archive
from runbook_lib.record.site.build import build
from tests.axe import axe, contrast

PACKED = Path(__file__).parents[1] / "fixtures" / "records-0.1" / "archive.tar.xz"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    shutil.unpack_archive(PACKED, folder)
    root = next(one for one in sorted(folder.rglob("env=*"))).parent
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(folder / name))
        return build(Archive(root), folder / "site", lambda told: None).page.parent


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    asked, complaints = [], []
    page.on("request", lambda one: asked.append(one.url))
    page.on("console", lambda one: complaints.append(one.text))
    page.on("pageerror", lambda one: complaints.append(str(one)))
    yield page
    assert complaints == [] and all(url.startswith("file:") for url in asked)
    context.close()


def test_the_runs_are_filtered_and_searched_and_the_address_keeps_it(page: Any, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    rows = page.locator("#runs tr")
    many = rows.count()
    word = page.locator("select[name=word] option").nth(1).text_content()
    page.select_option("select[name=word]", word)
    expect(page.locator("#told")).to_have_text(re.compile(rf"^\d+ of {many} runs"))
    assert {one.partition(" ")[2] for one in page.locator("#runs .badge").all_inner_texts()} == {word}
    assert f"{rows.count()} of {many} runs" in page.inner_text("#told")
    kept = page.url
    assert kept.endswith(f"#word={word}")
    page.click("button[type=reset]")
    expect(rows).to_have_count(many)
    page.fill("input[name=text]", "no such thing <b>")
    expect(rows).to_have_count(0)
    page.goto("about:blank")
    page.goto(kept)
    assert {one.partition(" ")[2] for one in page.locator("#runs .badge").all_inner_texts()} == {word}


LETTERS = """[...document.querySelectorAll('svg.drawing text')].filter(one => one.checkVisibility()).map(one => {
  const svg = one.ownerSVGElement
  return parseFloat(getComputedStyle(one).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width
})"""
"""Heights in pixels of the letters that are seen in drawings."""


def test_a_rollout_shows_its_timeline_and_two_runs_side_by_side(page: Any, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    page.locator("#runs td a[href^=rollout]").first.click()
    badges = page.locator("h2:text-is('Runs') + div tbody .badge")
    assert page.locator("svg.drawing.wide a circle").count() == badges.count()
    first = page.inner_text("#compared")
    assert "Decision" in first
    page.select_option("#left", "0")
    assert page.locator("#compared tr").first.locator(".badge").count() == 2
    page.locator("h2:text-is('Runs') + div td a").first.click()
    assert page.locator("section.banner").count() == 1, "the run's own report"


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_of_page_is_for_every_reader(browser: Any, site: Path, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=True, color_scheme=scheme)
    page = context.new_page()
    for kind in ("index", "rollout-*", "gate-*"):
        page.goto(next(iter(sorted(site.glob(f"{kind}.html")))).as_uri())
        page.evaluate(AXE_SCRIPT)
        # All text on a desk; where only the width is another, one of each kind of text.
        assert axe(page, but=() if width == 1440 else ("color-contrast",)) == []
        assert contrast(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{kind} at {width}"
        letters = [float(one) for one in page.evaluate(LETTERS)]
        assert min(letters, default=11) >= 10.9, f"{kind} at {width}: letters of a drawing"
        if kind == "index" and width == 1440:
            wide = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth).length"
            assert page.evaluate(wide) == 0, "no column is cut on a desk"
    context.close()
