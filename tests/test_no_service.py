"""The library and the notebooks know no service: names, metrics, words and routes are the project's parameters."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "runbook_lib"
KEPT = ("cost_per_vpr", "usd_per_vpr", "vpr_generated", "vpr_cost_usd", '"vpr_"', "VPRJobCreated counts")
"""What stands in sealed records, and has to be found there: ids of measures, of metrics, a column of JSON and CSV, and
a word of the rules of version 0.1."""
TRANSLATION = LIBRARY / "commands" / "init" / "rewrite.py"
"""`runbook init` turns the delivered service's words into another's: it has to name them."""
_WORDS = re.compile(r"vpr|careervp", re.IGNORECASE)


def _without(text: str) -> str:
    for one in KEPT:
        text = text.replace(one, "")
    return text


def test_the_library_has_no_word_of_one_service() -> None:
    files = [one for one in LIBRARY.rglob("*") if one.is_file() and "__pycache__" not in one.parts]
    files = [one for one in files if one != TRANSLATION and one.relative_to(LIBRARY).parts[0] != "delivered"]
    found = [
        f"{one.relative_to(ROOT)}: {line.strip()}"
        for one in files
        for line in _without(one.read_text("utf-8", errors="replace")).splitlines()
        if _WORDS.search(line)
    ]
    assert len(files) > 300 and found == []


def test_the_notebooks_texts_have_none() -> None:
    """Only the parameters cell holds a release's name, which every run overrides."""
    found = [
        f"{path.name}: {line}"
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        if "parameters" not in cell["metadata"].get("tags", ())
        for line in "".join(cell["source"]).splitlines()
        if _WORDS.search(line)
    ]
    assert found == []


def test_the_second_service_has_none() -> None:
    example = ROOT / "examples" / "orders-export"
    files = [one for one in example.rglob("*") if one.is_file() and not {"archive", "__pycache__"} & set(one.parts)]
    text = "".join(_without(one.read_text("utf-8")) for one in files if one.suffix in (".py", ".yaml", ".md"))
    assert len(files) > 10 and _WORDS.findall(text) == []
