"""The documentation site is whole: every link, every command, every message that a page quotes."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import pages

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"^```(?:console|bash|sh)\n(.*?)^```", re.S | re.M)


def told() -> Iterator[tuple[str, str, bool]]:
    """(page, command, whether it is a line to be pasted and not only a mention)."""
    for source in pages.sources():
        name, text = source.relative_to(ROOT).as_posix(), source.read_text("utf-8")
        for block in _FENCE.findall(text):
            for line in block.splitlines():
                if line.startswith("$ "):
                    yield name, line[2:].split("  #")[0].strip(), True
        for line in re.findall(r"`((?:runbook|make) [^`]+)`", text.replace("\n", " ")):
            yield name, line, False


def parsed(line: str, whole: bool) -> None:
    """Reads a command as the terminal would; raises where it would be refused for its words."""
    words = shlex.split(line.split(" > ", maxsplit=1)[0].split(" < ", maxsplit=1)[0])
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
        assert words[1] in targets, line
        return
    known = pages.commands()
    found = next((" ".join(words[1 : 1 + n]) for n in (2, 1) if " ".join(words[1 : 1 + n]) in known), None)
    if found is None:  # a group, as in `runbook dlq`
        assert any(name.startswith(f"{words[1]} ") for name in known) and len(words) == 2, line
        return
    command: Any = known[found]
    given_ = words[1 + len(found.split()) :]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    unknown = {word.split("=")[0] for word in given_ if re.match(r"--?[a-z]", word)} - options
    assert not unknown, line
    if whole:
        with command.make_context(found, list(given_), resilient_parsing=False):
            pass


@pytest.mark.parametrize(("page", "line", "whole"), sorted(set(told())))
def test_a_command_in_a_page_is_one(page: str, line: str, whole: bool) -> None:
    if line.split(maxsplit=1)[0] in ("runbook", "make"):
        parsed(line, whole)


@given(st.sampled_from(sorted(pages.commands())), st.from_regex(r"--[a-z]{3,9}-[a-z]{3,9}x", fullmatch=True))
def test_a_word_that_no_command_knows_is_found(name: str, option: str) -> None:
    with pytest.raises(AssertionError):
        parsed(f"runbook {name} {option}", False)
    with pytest.raises(AssertionError):
        parsed(f"runbook {name.replace(name[0], 'x', 1)}x", False)


@cache
def sentences() -> str:
    """All text of the library; a value within a sentence is a mark of its own."""

    def text(node: ast.AST) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if isinstance(node, ast.JoinedStr):
            return "".join(text(part) if isinstance(part, ast.Constant) else "\0" for part in node.values)
        return ""

    files = sorted((ROOT / "runbook_lib").rglob("*.py"))
    return "\n".join(text(node) for path in files for node in ast.walk(ast.parse(path.read_text("utf-8"))))


def quoted(page: str) -> list[str]:
    """Messages that a table of a page quotes: its first column in backticks."""
    rows = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / page).read_text("utf-8"), re.M)
    return [part for row in rows for part in row.split("…") if page == "troubleshooting.md" or " " in row]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "message"), [(page, one) for page in ("troubleshooting.md", "operate.md") for one in quoted(page)]
)
def test_a_message_that_a_page_quotes_is_in_the_code(page: str, message: str) -> None:
    assert message.strip() in sentences()


def test_the_pages_quote_messages() -> None:
    assert len(quoted("troubleshooting.md")) >= 30 and len(quoted("operate.md")) > 8


def test_every_page_is_in_the_navigation() -> None:
    shown = set(re.findall(r'"([\w/.-]+\.md)"', (ROOT / "zensical.toml").read_text()))
    there = {pages._inside(one) for one in pages.sources()} | {"cli.md"}
    assert {one for one in there if not one.startswith("adr/0")} == shown


def test_the_reference_has_each_command_with_each_option() -> None:
    text = pages.cli_reference()
    for name, command in pages.commands().items():
        assert f"## runbook {name}\n" in text
        for one in command.params:
            assert one.name == "help" or f"`{one.opts[0]}`" in text, (name, one.name)


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    here = tmp_path / "docs" / "a.md"
    here.write_text("[x](nowhere.md)")
    with pytest.raises(ValueError, match=r"a\.md: nowhere\.md leads nowhere"):
        pages.page(here)


@pytest.mark.slow
def test_the_site_is_built_strictly_and_asks_nobody() -> None:
    """Each link and anchor leads somewhere; no page loads anything from another address."""
    assert pages.build() == 0
    built = list(pages.SITE.rglob("*.html"))
    assert len(built) > 35
    loads = re.compile(r"<(?:script|img|iframe)[^>]+src=\"?https?:|<link[^>]+href=\"?https?:(?![^>]*rel=\"?canonical)")
    assert [one.name for one in built if loads.search(one.read_text("utf-8"))] == []
