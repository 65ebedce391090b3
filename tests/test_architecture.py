"""docs/architecture.md and CONTRIBUTING.md say what is there: the picture, the files, the names in them, the links. And
the steps are built as the page says.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import architecture

ROOT = architecture.ROOT
PAGES = (architecture.PAGE, ROOT / "CONTRIBUTING.md")
PATH = re.compile(r"`((?:runbook_lib|tests|docs|params|notebooks|\.github|\.ci)/[\w./-]*)(?:::([\w.]+))?`")
"""A path in backticks, and after `::` a name that the file defines."""
MOST_LINES = 350
WORDS = {11: "eleven", 12: "twelve", 13: "thirteen", 14: "fourteen"}
"""Of a module of the library. One that needs more has more than one purpose."""


def names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """What a file or a class defines: functions, classes with their members, and what is assigned."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name
        elif isinstance(node, ast.ClassDef):
            yield prefix + node.name
            yield from names(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


@pytest.mark.slow
def test_the_picture_is_current() -> None:
    text = architecture.PAGE.read_text("utf-8")
    assert text.count(architecture.BEGIN) == text.count(architecture.END) == 1
    assert architecture.page(text) == text, "make architecture"


@pytest.mark.slow
def test_arrows_lead_down() -> None:
    place = {room: level for level, floor in enumerate(architecture.floors()) for room in floor}
    assert all(place[high] < place[low] for high, low in architecture.arrows())
    assert len(place) == 13


def test_every_room_has_its_paragraph_in_the_order_of_the_floors() -> None:
    told = re.findall(r"^\*\*`runbook_lib/(\w+)`\*\*", architecture.PAGE.read_text("utf-8"), re.M)
    assert told == [room for floor in architecture.floors() for room in floor]
    assert f"{WORDS[len(told)]} rooms on {WORDS[len(architecture.floors())]} floors" in architecture.PAGE.read_text(
        "utf-8"
    )


def test_every_module_is_read_at_one_sitting() -> None:
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / "runbook_lib").rglob("*.py")}
    assert {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > MOST_LINES} == {}


def test_no_module_takes_scipys_distributions() -> None:
    """They, and what integrates, take half a second to import: in each command, kernel and look."""
    heavy = re.compile(r"scipy\.(stats|integrate|optimize)|scipy import .*\b(stats|integrate|optimize)\b")
    found = [
        path
        for path in (ROOT / "runbook_lib").rglob("*.py")
        if re.search(rf"^\s*(from|import) .*({heavy.pattern})", path.read_text("utf-8"), re.M)
    ]
    assert [str(path) for path in found] == []


def test_one_module_takes_scipy() -> None:
    """It leaves numpy's reader of Fortran out: a tenth of a second in each command."""
    named = re.compile(r"^\s*(from|import) scipy\b", re.M)
    found = [path.stem for path in (ROOT / "runbook_lib").rglob("*.py") if named.search(path.read_text("utf-8"))]
    assert found == ["special"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = [path for path, _ in PATH.findall(page.read_text("utf-8"))]
    assert len(named) > (100 if page == architecture.PAGE else 0)
    assert not [one for one in named if not (ROOT / one).exists()]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_name_that_a_page_names_is_defined_there(page: Path) -> None:
    named = {(path, name) for path, name in PATH.findall(page.read_text("utf-8")) if name}
    defined = {path: set(names(ast.parse((ROOT / path).read_text("utf-8")).body)) for path, _ in named}
    assert not sorted(f"{path}::{name}" for path, name in named if name not in defined[path])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert links
    assert not [link for link in links if not (page.parent / link).exists()]


def test_a_step_has_what_it_works_with_and_inherits_over_one_level_at_most() -> None:
    """And what an object has is said where its class is: an attribute that is assigned is one that `__init__` makes."""
    bases: dict[str, list[str]] = {}
    made: dict[str, set[str]] = {}
    assigned: dict[str, set[str]] = {}
    for path in (ROOT / "runbook_lib" / "steps").rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
                methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
                cached = {one.name for one in methods if any("cached" in ast.unparse(d) for d in one.decorator_list)}
                made[node.name] = cached | {name for one in methods if one.name == "__init__" for name in stored(one)}
                assigned[node.name] = {name for one in methods for name in stored(one)}
    assert {"Phase", "Incident", "Backlog"} <= set(bases)
    assert not [name for name, above in bases.items() for one in above for deep in bases.get(one, []) if deep in bases]
    own = {name: made[name].union(*(made.get(base, set()) for base in bases[name])) for name in bases}
    assert not {name: later for name in bases if (later := assigned[name] - own[name])}


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_what_a_cell_calls_is_there(notebook: Path) -> None:
    """No cell runs in this test: mypy does not read notebooks, and a rehearsal of all of them takes minutes."""
    cells = [one for one in json.loads(notebook.read_text("utf-8"))["cells"] if one["cell_type"] == "code"]
    tree = ast.parse("\n".join("".join(cell["source"]) for cell in cells))
    modules = {
        one.name: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for one in node.names
    }
    made = {
        node.targets[0].id: getattr(importlib.import_module(modules[node.value.func.id] or ""), node.value.func.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
        if isinstance(node.value.func, ast.Name) and node.value.func.id in modules
    }
    called = [
        (node.func.value.id, node.func.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
        if node.func.value.id in made
    ]
    assert called
    assert not [f"{name}.{what}()" for name, what in called if not callable(getattr(made[name], what, None))]


def stored(function: ast.FunctionDef) -> Iterator[str]:
    """Attributes of `self` that a method assigns."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr
