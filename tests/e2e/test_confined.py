"""A notebook whose outputs try to hide, cover or take in the rest of its report, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.record.record import Record
from runbook_lib.record.report import report_html

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COVER = "position:{};inset:0;top:0;left:0;width:100vw;height:100vh;background:red;z-index:99999"
HOSTILE = {
    "a style sheet": "<style>.banner, footer, .cells > .prose {display:none !important}</style>",
    "a fixed part": f"<div style='{COVER.format('fixed')}'>x</div>",
    "an escaped property": "<div style='" + COVER.format("fixed").replace("position", r"po\73ition") + "'>x</div>",
    "what ends its place": f"</div></section></div></main></body><div style='{COVER.format('absolute')}'>x</div>",
    "a class of the page": "<div class='contents' style='inset:0;width:100vw;background:red'>x</div>",
    "a margin": "<div style='margin:-3000px -900px;height:6000px;background:red'>x</div>",
    "a transform": "<div style='transform:scale(90);background:red'>x</div>",
    "no height": "<div style='height:0;display:flex;align-items:end'><b style='padding:900px'>x</b></div>",
    "a shadow": "<div style='box-shadow:0 0 0 9999px red;outline:9999px solid red'>x</div>",
    "an open detail": "<details><summary>more</summary>",
    "a hidden part": "<div hidden><section hidden>",
    "a comment": "<p>x</p><!-- ",
    "a text field": "<textarea>",
    "plain text": "<plaintext>",
    "a drawing": "<svg><style>footer {display:none}</style><foreignObject><div style='position:fixed'>",
    "a table": "<table hidden><tr><td>",
    "the button's label": "<label for='show-code'>x</label><input type='checkbox' id='show-code' checked>",
    "an anchor": "<p id='after' style='height:0'></p><p id='gates'></p>",
    "what rises to the top": "<button popovertarget='p'>x</button><dialog open popover id='p'>x</dialog>",
}
SEEN = """selector => [...document.querySelectorAll(selector)].map(one => {
    one.scrollIntoView({block: "center", behavior: "instant"});
    const box = one.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + Math.min(box.width, 60) / 2, box.y + box.height / 2);
    return one.checkVisibility() && one.contains(top);
})"""


def _report() -> str:
    """Each hostile output in Markdown and as an output, with a cell between that nobody may touch."""
    cells: list[dict[str, Any]] = []
    for name, markup in HOSTILE.items():
        shown = {"output_type": "display_data", "data": {"text/html": markup}, "metadata": {}}
        cells += [
            {"cell_type": "code", "source": "1", "outputs": [shown], "execution_count": 1, "metadata": {}},
            {"cell_type": "markdown", "source": f"Nobody touches this after {name}.", "metadata": {}},
            {"cell_type": "markdown", "source": markup, "metadata": {}},
            {"cell_type": "markdown", "source": f"Nor this after {name} as text.", "metadata": {}},
        ]
    cells += [{"cell_type": "markdown", "source": f"## {name}", "metadata": {}} for name in ("After", "And more")]
    told = {"decision": "HOLD", "reason": "a gate failed", "next": "look"}
    record = Record(run_id="a" * 12, env="prod", release="r1", notebook="06", decision="HOLD", outcome=told)
    return report_html({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, record)


@pytest.mark.parametrize("media", ["screen", "print"])
def test_no_output_hides_covers_or_takes_in_anything_of_its_report(browser: Any, media: str) -> None:
    page = browser.new_page(viewport={"width": 1500, "height": 800})
    page.emulate_media(media=media)
    page.set_content(_report())
    nobody = [one for one in page.locator(".cells > .prose > p").all_text_contents() if one.startswith("No")]
    assert len(nobody) == 2 * len(HOSTILE), "each cell is a part of its own"
    assert page.locator("body > main > .cells, body > footer, body > header, main > .banner").count() == 4
    page.evaluate(
        "document.querySelectorAll('.cells > .prose > p').forEach(p => p.textContent.startsWith('No') && (p.id = 'no'))"
    )
    last = "body > footer > p" if media == "screen" else ".paper"
    for selector in (".banner .word", ".banner .reason", "h1", "#no", ".cells h2", last):
        seen = page.evaluate(SEEN, selector)
        assert seen and all(seen), (selector, [n for n, one in enumerate(seen) if not one], [*HOSTILE])
    led = page.locator(".contents a", has_text="After").get_attribute("href")
    assert page.locator(led).evaluate_all("all => all.map(one => one.tagName)") == ["H2"]
    assert not page.locator("#show-code").is_checked()
    page.close()
