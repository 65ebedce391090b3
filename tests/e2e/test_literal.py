"""Foreign text reads in a real JupyterLab as it was written: as Markdown, and in the tables of our outputs."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from runbook_lib.base import foreign
from runbook_lib.show.page import within
from runbook_lib.show.tables import table

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIGNS = (
    r"${A_B} $5 $6 $$ \( \) \[ \] \\( \\) \$ \\ \begin{a} \end{a} \ref{x} \eqref{y} { } x_1 @octocat a@b.invalid #12 "
    r"acme/x#3 :rocket: :100: http://evil.invalid ftp://a.b www.evil.invalid @@0@@ @@1@@ arn:aws:x::1:r ~~ * ** _ ` `` "
    r"[a](b) ![a](b) <b> </b> &amp; &#36; | # - + > 1. ``` ~~~ ~D ~T a b C:\Users"
)
SAID = r"the variable ${A_B} was empty, costs $5 and $6, see \(x_1\), \[y\] and \begin{a}x\end{a} in \\host\share"
READ = """() => [...document.querySelectorAll('.jp-RenderedMarkdown, .jp-RenderedHTML')].map(one => ({
    said: [...one.querySelectorAll('p, td:last-child')].map(each => each.textContent),
    alive: one.querySelectorAll('mjx-container, p a, td a').length}))"""


def drawn() -> list[str]:
    dice = random.Random(7)
    texts = ["".join(dice.choice([*SIGNS.split(), " "]) for _ in range(dice.randint(1, 9))).strip() for _ in range(120)]
    return [SAID, *filter(None, texts)]


def cells(texts: list[str]) -> Iterator[dict[str, Any]]:
    said = [foreign.markdown(text) for text in texts]
    lines = "\n\n".join(said)
    rows = "\n".join(f"| x | {text} |" for text in said)
    yield {"cell_type": "markdown", "source": f"{lines}\n\n| A | B |\n|---|---|\n{rows}"}
    shown = (
        {"text/markdown": str(within(lines))},
        {"text/html": table(("", ""), [["x", text] for text in texts])._repr_html_()},
    )
    outputs = [{"output_type": "display_data", "metadata": {}, "data": one} for one in shown]
    yield {"cell_type": "code", "source": "1", "outputs": outputs, "execution_count": 1}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A notebook of drawn texts in a JupyterLab of its own."""
    home = tmp_path_factory.mktemp("literal")
    note = {"cells": [{"metadata": {}, **one} for one in cells(drawn())], "metadata": {}, "nbformat": 4}
    (home / "said.ipynb").write_text(json.dumps({**note, "nbformat_minor": 4}))
    options = ["--no-browser", "--port=0", "--allow-root", f"--ServerApp.root_dir={home}"]
    log = home / "log"
    with log.open("w") as out:
        running = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], stdout=out, stderr=out)
    try:
        until = time.monotonic() + 90
        while (found := re.search(r"(http://127\.0\.0\.1:\d+/lab)\?token=(\w+)", log.read_text())) is None:
            assert time.monotonic() < until and running.poll() is None, log.read_text()
            time.sleep(0.1)
        yield f"{found[1]}/tree/said.ipynb?token={found[2]}"
    finally:
        running.terminate()
        running.wait()


def test_what_is_read_is_what_was_written(address: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 30_000})
    page.goto(address)
    page.locator(".jp-RenderedHTML td").first.wait_for(timeout=90_000)
    page.wait_for_timeout(3_000)  # formulas are set after the text is shown
    found = page.evaluate(READ)
    page.close()
    want = {" ".join(foreign.field(text).split()) for text in drawn()}
    assert len(found) == 3
    for part in found:
        assert part["alive"] == 0
        assert {" ".join(text.split()) for text in part["said"]} == want
