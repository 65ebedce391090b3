"""docs/domain.md holds every trap that code, parameters and documents cite, and cites nothing that is not there."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOMAIN = ROOT / "docs" / "domain.md"
PAGES = (DOMAIN, ROOT / "docs" / "emulator.md")
ANCHOR = re.compile(r'^<a id="trap-(\d+)"></a>\n### Trap (\d+): \S', re.M)
ONE = r"\d+(?:-\d+)?"
CITED = re.compile(rf"\b[Tt]rap (\d+)|\b[Tt]raps ({ONE}(?:(?:, and |, | and ){ONE})*)")
SUFFIXES = (".py", ".yaml", ".yml", ".md", ".ipynb", ".json", ".j2", ".html")


def files(*folders: str) -> Iterator[Path]:
    """Text files of these folders; not the decision records, which stay as they were written."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and "adr" not in path.relative_to(ROOT).parts and path.name != "CHANGELOG.md":
                yield path


def text_of(path: Path) -> str:
    """The file on one line, so that a citation may be wrapped; of a notebook, the sources of its cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return re.sub(r"\s*\n\s*(?:#\s*)?", " ", text)


def cited(text: str) -> set[int]:
    """The numbers of all traps that `text` names: `trap 5`, `traps 13, 14, 18-20`, `traps 18 and 19`."""
    found: set[int] = set()
    for one, many in CITED.findall(text):
        for part in re.findall(ONE, one or many):
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return found


@pytest.mark.parametrize(
    ("text", "traps"),
    [
        ("see trap 5, 10 minutes later", {5}),
        ("Traps 13, 14, 18-20; more", {13, 14, 18, 19, 20}),
        ("traps 18 and 19", {18, 19}),
        ("traps 1, 2, and 3", {1, 2, 3}),
        ("trap 13's rule", {13}),
        ("mousetrap 7 and trap door", set()),
    ],
)
def test_citations_are_read(text: str, traps: set[int]) -> None:
    assert cited(text) == traps


def test_every_trap_has_one_section_and_they_count_from_1() -> None:
    text = DOMAIN.read_text()
    pairs = ANCHOR.findall(text)
    assert all(anchor == heading for anchor, heading in pairs)
    assert [int(anchor) for anchor, _ in pairs] == list(range(1, len(pairs) + 1))
    assert Counter(re.findall(r'id="trap-(\d+)"', text)) == Counter(anchor for anchor, _ in pairs)
    assert len(re.findall(r"^#+ Trap \d", text, re.M)) == len(pairs)


@pytest.mark.slow
def test_every_trap_that_is_named_has_its_section() -> None:
    known = {int(number) for number in re.findall(r'<a id="trap-(\d+)"></a>', DOMAIN.read_text())}
    named = {path: cited(text_of(path)) for path in files("runbook_lib", "notebooks", "params", "docs", "tests")}
    del named[Path(__file__).resolve()]
    assert set().union(*(traps for path, traps in named.items() if path != DOMAIN)), "nothing was read"
    unknown = {str(path.relative_to(ROOT)): sorted(traps - known) for path, traps in named.items() if traps - known}
    assert not unknown


def test_every_trap_says_which_module_holds_it() -> None:
    _, *sections = re.split(r'(?=<a id="trap-)', DOMAIN.read_text())
    bare = [section.splitlines()[1] for section in sections if not re.search(r"`runbook_lib/[\w/]+\.py`", section)]
    assert not bare


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    paths = re.findall(r"`((?:runbook_lib|params|docs|\.github)/[\w./-]+)`", page.read_text())
    links = [f"docs/{link}" for link in re.findall(r"\]\(([\w./-]+\.md)\)", page.read_text())]
    assert paths
    assert not [path for path in {*paths, *links} if not (ROOT / path).exists()]


def test_the_headings_that_are_cited_exist() -> None:
    headings = set(re.findall(r"^#+ (.+)$", DOMAIN.read_text(), re.M))
    named = set()
    for path in files("runbook_lib", "notebooks", "params"):
        named |= set(re.findall(r'docs/domain\.md, "([^"]+)"', text_of(path)))
    assert named
    assert named <= headings


def test_nothing_cites_the_pages_by_their_former_names() -> None:
    former = re.compile(r"\b(?:DOMAIN|EMULATOR)\.md\b")
    found = [path for path in files("runbook_lib", "params", "notebooks", "docs") if former.search(path.read_text())]
    assert not [str(path.relative_to(ROOT)) for path in found]
