"""Which changes of a module are tried, and that a function which another has made is changed too."""

from __future__ import annotations

import ast
from types import FunctionType

from tests.benchmarks.mutate_judge import _with_inner
from tests.benchmarks.mutations import at_import, mutants

SOURCE = """
def _once():
    return 1 + 1

def _made():
    def inner(n):
        return n < 3
    return inner

def _later():
    return 2 < 3

def asked():
    return _later()

ONCE = _once()
MADE = _made()
"""


def test_what_runs_at_import_alone_is_not_changed() -> None:
    assert at_import(ast.parse(SOURCE)) == {"_once"}
    assert at_import(ast.parse("def _f():\n    return 1\nX = lambda: _f()\n")) == set()
    assert {one.function for one in mutants(SOURCE, "x.py")} == {"_made", "_later", "asked"}


def test_the_code_of_a_function_that_was_made_at_import_is_among_the_changed() -> None:
    spaces: dict[str, object] = {}
    exec(compile(SOURCE, "x.py", "exec"), spaces)
    made = spaces["MADE"]
    assert isinstance(made, FunctionType) and made(3) is False
    (edge,) = (one for one in mutants(SOURCE, "x.py") if one.after == "n <= 3")
    for code in _with_inner(edge.code):
        if code.co_qualname == made.__qualname__:
            made.__code__ = code
    assert made(3) is True
