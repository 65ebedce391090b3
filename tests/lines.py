"""Which lines of some rooms the tests run: a mark before each statement, where a tracer would hear of every call.

Below Python 3.12 `coverage` is told of each call and line in the process, whatever it measures, and the tests took up
to twice the processor time. Here the modules of the rooms alone are compiled with a mark before each statement, a byte
in an array; `coverage` gets the lines that were marked, and makes its report of them. No line counts that was not run.

A plugin of pytest, named in `PYTEST_PLUGINS` so that each worker loads it before it imports anything of the library.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from coverage import CoverageData

ROOMS = ("act", "judge", "record")
"""Whose coverage `make test` demands."""
NAME = "__lines__"
"""Of the array in each of their modules."""
_PACKAGES = tuple(f"runbook_lib.{room}" for room in ROOMS)
_RUN: dict[str, bytearray] = {}
"""Path of a module to a byte for each of its lines: whether it was run."""


def marked(tree: ast.Module) -> ast.Module:
    """`tree` with a mark before each statement; what it does stays the same, and so do its line numbers."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                whole = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                kept = int(whole and ast.get_docstring(node, clean=False) is not None)  # it has to stay the first
                setattr(node, name, [*block[:kept], *_head(node), *_with_marks(block[kept:])])
    return ast.fix_missing_locations(tree)


def _with_marks(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in block:
        first = getattr(statement, "module", "") == "__future__"  # before all code
        if first:
            yield statement
        if not isinstance(statement, ast.Global | ast.Nonlocal):  # no code
            yield from (_mark(one.lineno) for one in (statement, *getattr(statement, "decorator_list", ())))
        if not first:
            yield statement


def _head(node: ast.AST) -> Iterator[ast.stmt]:
    """Of a block that begins with a line of its own: it has been run where the block is."""
    match node:
        case ast.ExceptHandler():
            yield _mark(node.lineno)
        case ast.match_case():
            yield _mark(node.pattern.lineno)


def _mark(line: int) -> ast.stmt:
    place = ast.Subscript(ast.Name(NAME, ast.Load()), ast.Constant(line), ast.Store())
    return ast.Assign([place], ast.Constant(1), lineno=line, end_lineno=line, col_offset=0, end_col_offset=0)


class Loader(SourceFileLoader):
    """Compiles a module with marks, and never keeps that on disk."""

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path)
        _RUN.setdefault(self.path, bytearray(source.count(b"\n") + 2))
        return compile(marked(ast.parse(source, self.path)), self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        code = self.get_code(module.__name__)
        setattr(module, NAME, _RUN[self.path])
        exec(code, module.__dict__)


class Finder(PathFinder):
    """Finds the modules of the rooms."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if ".".join(fullname.split(".")[:2]) not in _PACKAGES:
            return None
        found = super().find_spec(fullname, path, target)
        if found is not None and isinstance(found.loader, SourceFileLoader):
            found.loader = Loader(found.loader.name, found.loader.path)
        return found


def run_of(path: str) -> list[int]:
    """Numbers of the lines of a module that were run."""
    return [line for line, run in enumerate(_RUN[path]) if run]


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """From now on modules are compiled so."""
    sys.meta_path.insert(0, Finder)


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """The workers have been started by now: what the tests start is measured by nobody."""
    os.environ.pop("PYTEST_PLUGINS", None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each worker leaves a file beside the others', which `coverage combine` puts together."""
    root = session.config.rootpath
    data = CoverageData(str(root / ".coverage"), suffix=True)
    data.add_lines({path: run_of(path) for path in _RUN})
    data.touch_files(str(path) for room in ROOMS for path in Path(root, "runbook_lib", room).rglob("*.py"))
    data.write()
