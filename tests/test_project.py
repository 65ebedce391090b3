"""The project's own promises: one truth for dependencies, notebooks that share one parameters cell, no outputs."""

from __future__ import annotations

import ast
import contextlib
import importlib
import itertools
import json
import os
import re
import subprocess
import textwrap
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from coverage import Coverage
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from runbook_lib.params.load import FLAT_NAMES, Flat, read_yaml
from runbook_lib.run.launch import START
from tests import killed as deaths
from tests import lines, memory, unsaid
from tests.conftest import (
    QUICK,
    _forks,
    draw_few,
    pytest_collection_modifyitems,
    pytest_generate_tests,
    pytest_make_parametrize_id,
)

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(one for one in (ROOT / "notebooks").glob("*.ipynb") if one.stem != START)
BEFORE = ["Parameters", "Where am I", "May I run"]
SEEN, DONE = ["What is true", "What it looks like", "Verdict"], ["Action", "Proof"]
ROOMS = {False: [*BEFORE, *SEEN, *DONE], True: [*BEFORE, *DONE, *SEEN]}
"""A rollback acts first and tells afterwards (docs/adr/0004)."""
EXPLORED = re.compile(r"0[5-8]_|10_|rollback_")
"""Phases and rollbacks: there is evidence to look further into."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements() -> dict[str, Requirement]:
    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


@pytest.mark.slow
def test_make_test_counts_the_lines_that_a_tracer_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a module with each kind of statement, some of which are run, and some of which are not."""
    path = tmp_path / "every_kind.py"
    path.write_text(EVERY_KIND)
    measured = Coverage(data_file=None, config_file=False, include=[str(path)])
    measured.start()
    exec(compile(EVERY_KIND, str(path), "exec", dont_inherit=True), {"__name__": __name__})
    measured.stop()
    _, statements, _, missed, _ = measured.analysis2(str(path))
    monkeypatch.setattr(lines, "_RUN", {})
    lines.Loader(__name__, str(path)).exec_module(ModuleType(__name__))
    assert list(tmp_path.iterdir()) == [path], "what has marks is not kept for those who want none"
    assert sorted({*lines.run_of(str(path))} & {*statements}) == sorted({*statements} - {*missed})
    assert len(missed) > 5


EVERY_KIND = '''
"""A docstring."""

from __future__ import annotations

import functools
from dataclasses import dataclass


@dataclass
class Pair:
    """Of two."""

    left: int
    """The first."""
    right: int = 1

    @property
    def both(self) -> int:
        """Their sum."""
        return (
            self.left
            + self.right
        )


@functools.cache
def kind(
    of: object,
) -> str:
    global HOW
    match of:
        case int():
            HOW = "counted"
        case Pair(left=3):
            return "never"
        case _:
            HOW = "otherwise"
    if of == 1:
        return "one"
    elif of == 2:
        return "two"
    else:
        return "many"


def tried(what: str) -> int:
    try:
        found = int(what)
    except ValueError:
        found = -1
    except OSError:
        found = -2
    else:
        found += 1
    finally:
        kind(3)
    while found > 5:
        found -= 1
        if found == 7:
            continue
    else:
        found = found + 0
    for _ in range(0):
        found = 100
    with open(__import__("os").devnull) as nothing:
        nothing.read()
    return found


def never() -> None:
    """Nobody calls it."""
    raise ValueError


HOW = ""
SAID = [kind(1), kind(2), str(Pair(1).both), tried("9"), tried("x")]
try:
    raise KeyError
    SAID.append("not reached")
except KeyError:
    pass
if SAID: SAID.append("same line")
'''


def test_environment_yml_says_what_pyproject_says() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    pip = next(line["pip"] for line in environment["dependencies"] if isinstance(line, dict))
    said = {
        Requirement(line).name: Requirement(line) for line in [*conda, *pip] if line not in ("pip", "-e . --no-deps")
    }
    python = said.pop("python")
    assert str(python.specifier) == PROJECT["requires-python"]
    assert {name: str(r) for name, r in said.items()} == {name: str(r) for name, r in requirements().items()}


def test_the_lock_pins_everything_the_project_asks_for() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pins = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^ \\]+)", lock, re.M))
    assert "--index-url" not in lock
    assert "--hash=sha256:" in lock
    for name, requirement in requirements().items():
        pinned = pins[re.sub(r"[-_.]+", "-", name).lower()]
        assert requirement.specifier.contains(pinned, prereleases=True), f"{name}: {pinned}"


def parameters_cell(notebook: Path) -> str:
    cells = json.loads(notebook.read_text())["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1, f"{notebook.name}: {len(tagged)} cells tagged parameters"
    return "".join(tagged[0]["source"])


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_parameters_cell_is_the_same_everywhere_and_has_the_flat_names(notebook: Path) -> None:
    source = parameters_cell(notebook)
    assert source == parameters_cell(NOTEBOOKS[0])
    values: dict[str, Any] = {
        node.targets[0].id: ast.literal_eval(node.value)  # type: ignore[attr-defined]
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
    }
    assert tuple(values) == FLAT_NAMES
    assert values == read_yaml(ROOT / "params" / "dev.yaml"), "the cell's defaults are dev.yaml"
    for line in source.splitlines():
        assert "  # " in line, f"no comment: {line}"
    Flat.model_validate(values)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_prose_with_a_little_code(notebook: Path) -> None:
    cells = json.loads(notebook.read_text())["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"] and cell["execution_count"] is None, "committed with outputs"
            if "parameters" not in cell["metadata"].get("tags", []):
                assert len(cell["source"]) <= 8, f"{len(cell['source'])} lines in a cell"
    headings = [
        line for cell in cells if cell["cell_type"] == "markdown" for line in cell["source"] if line.startswith("## ")
    ]
    assert [int(re.match(r"## (\d+)\. ", line)[1]) for line in headings] == list(range(1, len(headings) + 1))  # type: ignore[index]
    rooms = [re.sub(r"## \d+\. ", "", line).strip() for line in headings]
    more = ["Explore"] if EXPLORED.match(notebook.stem) else []
    assert rooms == [*ROOMS[notebook.stem.startswith("rollback_")], *more, "Close"]


def test_prod_is_never_the_default() -> None:
    assert all('env = "dev"' in parameters_cell(notebook) for notebook in NOTEBOOKS)


def test_no_link_is_committed() -> None:
    """A linked .venv once slipped past `.venv/` in .gitignore: it names a folder of one machine."""
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert [line for line in listed.stdout.splitlines() if line.startswith("120000")] == []
    assert ".venv" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_nobody_fights_the_formatter() -> None:
    marks = re.compile(r"#\s*fmt:\s*(skip|off)")
    places = [one for folder in ("runbook_lib", "tests") for one in (ROOT / folder).rglob("*.py")]
    assert [str(one) for one in places if marks.search(one.read_text("utf-8"))] == []


def test_nothing_lies_loose_in_the_library() -> None:
    here = {path.name for path in (ROOT / "runbook_lib").iterdir() if path.name != "__pycache__"}
    assert {name for name in here if "." in name} == {"__init__.py", "py.typed"}


def test_the_tests_are_the_same_tree() -> None:
    """Each test file lies in the folder of a module whose name its own begins with."""
    wrong = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        place = path.relative_to(ROOT / "tests").parent
        if place.parts[:1] in ((), ("e2e",)):
            continue
        tested = ROOT / ("tests" if place.parts[0] == "benchmarks" else "runbook_lib") / place
        there = {one.stem for one in tested.glob("*.py")} | {"handlers"}
        if not any(path.stem.removeprefix("test_").startswith(name) for name in there):
            wrong.append(str(path.relative_to(ROOT)))
    assert not wrong


def test_every_test_that_is_named_exists() -> None:
    """A test's path in a parameter, a page or a comment is followed by whoever reads it, and by the rehearsal."""
    places = [*(ROOT / "params").glob("*.yaml"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "Makefile"]
    places += (ROOT / "runbook_lib").rglob("*.py")
    named = {
        (found, path.name) for path in places for found in re.findall(r"tests/[\w/]+\.py", path.read_text("utf-8"))
    }
    assert named
    assert not [(found, place) for found, place in sorted(named) if not (ROOT / found).is_file()]


def scripts() -> list[tuple[str, ast.Module]]:
    """The programs that tests give to another process as text: no type checker reads them."""
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        code = path.read_text()
        for node in ast.walk(ast.parse(code)) if "from runbook_lib" in code else ():
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if re.search(r"^\s*from runbook_lib\S* import ", text, re.M):
                try:
                    found.append((f"{path.relative_to(ROOT)}:{node.lineno}", ast.parse(textwrap.dedent(text))))
                except SyntaxError:
                    continue  # a sentence that quotes a line
    return found


@pytest.mark.slow
def test_scripts_within_tests_name_what_there_is() -> None:
    missing = []
    for where, tree in scripts():
        known: dict[str, Any] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("runbook_lib"):
                module = importlib.import_module(str(node.module))
                for one in node.names:
                    if not hasattr(module, one.name):
                        importlib.import_module(f"{node.module}.{one.name}")
                    known[one.asname or one.name] = getattr(module, one.name)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                owner = known.get(node.value.id)
                if owner is not None and not hasattr(owner, node.attr):
                    missing.append(f"{where}: {node.value.id}.{node.attr}")
    assert len(scripts()) > 10 and missing == []


def test_properties_are_drawn_with_few_examples_where_that_is_asked_for() -> None:
    seen: list[int] = []

    @settings(max_examples=200, database=None)
    @given(st.integers())
    def test(number: int) -> None:
        seen.append(number)

    test()
    assert len(seen) == 200
    seen.clear()
    draw_few(SimpleNamespace(obj=test))  # type: ignore[arg-type]
    few = test._hypothesis_internal_use_settings
    draw_few(SimpleNamespace(obj=test))  # type: ignore[arg-type]
    assert test._hypothesis_internal_use_settings is few, "its next case nests no settings"
    test()
    assert len(seen) == QUICK


def test_modules_that_fork_their_process_are_known() -> None:
    def kills() -> None:
        deaths.killed(kills, 1)

    assert _forks(vars(deaths)) and _forks({"kills": kills, "NAME": "x"}) and not _forks(vars(memory))


def test_folders_are_in_memory_only_where_there_is_room_and_programs_run(monkeypatch: pytest.MonkeyPatch) -> None:
    here, found = ROOT / "tests", SimpleNamespace(f_bavail=memory.ROOM // 4096, f_frsize=4096, f_flag=0)
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    assert memory.fits(here) and not memory.fits(here / "none")
    found.f_flag = os.ST_NOEXEC
    assert not memory.fits(here)
    found.f_bavail, found.f_flag = memory.ROOM // 4096 - 1, 0
    assert not memory.fits(here)


@pytest.mark.parametrize(
    ("name", "report", "told"),
    [
        ("logstart", None, False),
        ("logfinish", None, False),
        ("runtest_protocol_complete", None, True),
        ("testreport", {"when": "call"}, True),
        ("testreport", {"when": "setup"}, False),
        ("testreport", {"when": "teardown"}, False),
        ("testreport", {"when": "setup", "outcome": "failed"}, True),
        ("testreport", {"when": "setup", "outcome": "skipped"}, True),
        ("testreport", {"when": "teardown", "sections": [("Captured stderr", "a")]}, True),
        ("testreport", {"when": "teardown", "user_properties": [("a", 1)]}, True),
        ("testreport", {"when": "setup", "duration": 0.006}, True),
    ],
)
def test_a_worker_tells_all_that_something_is_made_of(name: str, report: dict[str, Any] | None, told: bool) -> None:
    quick = {"outcome": "passed", "sections": [], "user_properties": [], "duration": 0.001}
    assert unsaid.told(name, None if report is None else quick | report) is told


def test_each_worker_has_the_same_cases_under_the_same_names() -> None:
    """Text is hashed in another way in each process: cases named after a set once kept every test from running."""
    assert [pytest_make_parametrize_id(case) for case in ({"b", "a"}, {"a", "b"}, frozenset(), "b")] == [
        "a, b",
        "a, b",
        "nothing",
        None,
    ]
    for cases, ids, refused in (
        (["a", "b"], None, False),
        ({"a", "b"}, None, True),
        ([{"a", "b"}], None, False),
        ([({"a", "b"}, 1)], str, True),
        ([("a", 1)], str, False),
    ):
        mark = pytest.mark.parametrize("name", cases, ids=ids).mark
        own = SimpleNamespace(definition=SimpleNamespace(nodeid="test_it", iter_markers=lambda _, mark=mark: [mark]))
        with pytest.raises(pytest.UsageError, match="test_it") if refused else contextlib.nullcontext():
            pytest_generate_tests(own)  # type: ignore[arg-type]


def test_the_wheel_has_every_file_of_the_library() -> None:
    """`runbook run 11` once failed from an installed package: its map of the requirement had stayed behind."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    kept = {
        path
        for package, patterns in data.items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    packages = {path.parent for path in (ROOT / "runbook_lib").rglob("__init__.py")}
    for path in (ROOT / "runbook_lib").rglob("*"):
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        module = path.suffix == ".py" and path.parent in packages
        assert module or path in kept, path.relative_to(ROOT)


def test_the_heaviest_modules_come_first(request: pytest.FixtureRequest) -> None:
    """Else a worker is left with one at the end, and the others wait for it."""
    items = list(request.session.items)
    light, walk = Mock(path=ROOT / "tests" / "test_a.py"), Mock(path=ROOT / "tests" / "e2e" / "test_b.py")
    for one in (light, walk):
        one.obj = None
        one.get_closest_marker.return_value = None
    ordered = [light, *items, walk]
    pytest_collection_modifyitems(ordered)
    assert ordered.index(walk) < ordered.index(light) and len(ordered) == len(items) + 2
    modules = [path for path, _ in itertools.groupby(ordered, key=lambda item: item.path)]
    assert len(modules) == len(set(modules))  # each whole, for one worker
