"""`make mutate-judge`: small changes of the judge, drawn at random, against its own tests; the page docs/mutation.md.

The tests are collected once and run once, to see which of them reach which function. Each change is then tried in a
fork of that process: the function's code is exchanged, the tests that reach it run until one fails.
"""

from __future__ import annotations

import argparse
import functools
import gc
import importlib
import itertools
import os
import random
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, FunctionType

import pytest
from _pytest.runner import runtestprotocol

from tests.benchmarks.mutations import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
JUDGE = ROOT / "runbook_lib" / "judge"
MOST_CPU_S = 30
"""Of a fork: a change with which the tests run on and on is found by that."""
MOST_BYTES = 3 * 2**30
PAGE = ROOT / "docs" / "mutation.md"
HEAD = """\
# Mutation testing of the judge

Made by `make mutate-judge SEED={seed}`; do not edit. A mutant is one small change of one function of
`runbook_lib/judge`: another comparison, operator, constant or word, a negated condition, an argument left out,
nothing returned, nothing assigned, a loop left or gone on. Of each module's mutants some are drawn at random, and
tried by the tests in `tests/judge` that reach the function, except slow simulations. A mutant is killed if one of
them fails, or if a test runs without end with it. Properties draw at most 15 examples each, the same every time, where
the suite draws more; tests of other rooms use the judge too. So a survivor here may die there. Functions that run at
import alone, and constants of modules, are not changed.

**{gone:,} of {drawn:,} killed** ({share:.1%}), of {there:,} that there are.

| module | mutants | drawn | killed | of these without end | survive |
|---|---|---|---|---|---|
"""


class Trial:
    """A plugin of pytest that runs the collected tests against each mutant in place of running them once."""

    def __init__(self, drawn: dict[Path, list[Mutant]], jobs: int) -> None:
        self.drawn = drawn
        self.jobs = jobs
        self.reach = defaultdict[tuple[str, str], list[pytest.Item]](list)
        """Path and qualified name of a function to the tests that call it."""
        self.took = dict[str, float]()
        self.functions = defaultdict[tuple[str, str, int], list[FunctionType]](list)
        self.caches = list[functools._lru_cache_wrapper]()
        self.ended = dict[Mutant, str]()
        """Each mutant: killed, no end or survives."""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Once as it is, then each mutant."""
        self._look_through()
        if not self.functions:
            pytest.exit(f"no function of {JUDGE} is found, and so none would be changed", returncode=1)
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            self._as_it_is(item, following)
        if not self.reach:
            pytest.exit(f"no test calls a function in {JUDGE}: another copy of the library is tested", returncode=1)
        gc.freeze()  # a fork that looks through it for garbage copies it
        running = dict[int, Mutant]()
        todo = [(path, one) for path, several in self.drawn.items() for one in several]
        for done, (path, one) in enumerate(todo, 1):
            if len(running) >= self.jobs:
                self._wait(running)
            child = os.fork()
            if not child:
                os._exit(self._tried(path, one))
            running[child] = one
            if done % 50 == 0:
                print(f"{done:,} of {len(todo):,} changes", file=sys.stderr, flush=True)
        while running:
            self._wait(running)
        return True

    def _as_it_is(self, item: pytest.Item, following: pytest.Item | None) -> None:
        called = set[tuple[str, str]]()

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_code.co_filename.startswith(str(JUDGE)):
                called.add((frame.f_code.co_filename, frame.f_code.co_qualname))

        self._forget()
        began = time.process_time()
        sys.setprofile(note)
        try:
            reports = runtestprotocol(item, log=False, nextitem=following)
        finally:
            sys.setprofile(None)
        if any(one.failed for one in reports):
            pytest.exit(f"{item.nodeid} fails without any change", returncode=1)
        self.took[item.nodeid] = time.process_time() - began
        for one in called:
            self.reach[one].append(item)

    def _look_through(self) -> None:
        """The judge's functions, however they are wrapped, and its caches; also of a module that a function imports."""
        gc.unfreeze()  # `tests/conftest.py` freezes what is collected, and the collector shows nothing of that
        for path in self.drawn:
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for one in gc.get_objects():
            if isinstance(one, functools._lru_cache_wrapper) and one.__module__.startswith("runbook_lib.judge"):
                self.caches.append(one)
            elif isinstance(one, FunctionType) and one.__code__.co_filename.startswith(str(JUDGE)):
                self.functions[_key(one.__code__)].append(one)

    def _forget(self) -> None:
        """A test calls by itself what another has called before it."""
        for cache in self.caches:
            cache.cache_clear()

    def _tried(self, path: Path, mutant: Mutant) -> int:
        """In the fork: 1 if a test fails, else 0."""
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        self._forget()
        for code in _with_inner(mutant.code):
            for function in self.functions[_key(code)]:  # a function made by another may have been made at import
                if function.__code__.co_freevars == code.co_freevars:
                    function.__code__ = code
        own = f"test_{path.stem}"
        tests = sorted(
            self._reaching(path, mutant.function),
            key=lambda item: (not item.path.stem.startswith(own), self.took[item.nodeid]),
        )
        for item in tests:
            if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
                return 1
        return 0

    def _reaching(self, path: Path, function: str) -> list[pytest.Item]:
        """The tests that call the function, or one that it has made."""
        inner = f"{function}.<locals>."
        called = [items for (file, name), items in self.reach.items() if file == str(path) and name.startswith(inner)]
        return list(dict.fromkeys(itertools.chain(self.reach.get((str(path), function), ()), *called)))

    def _wait(self, running: dict[int, Mutant]) -> None:
        child, status = os.wait()
        ended = "no end" if os.WIFSIGNALED(status) else "killed" if os.WEXITSTATUS(status) else "survives"
        self.ended[running.pop(child)] = ended


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _with_inner(one)


def _key(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def page(there: dict[Path, int], drawn: dict[Path, list[Mutant]], ended: dict[Mutant, str], seed: int) -> str:
    """docs/mutation.md."""
    return "\n".join(_lines(there, drawn, ended, seed)) + "\n"


def _lines(
    there: dict[Path, int], drawn: dict[Path, list[Mutant]], ended: dict[Mutant, str], seed: int
) -> Iterator[str]:
    found = [ended[one] for several in drawn.values() for one in several]
    gone = len(found) - found.count("survives")
    yield from HEAD.format(
        seed=seed, gone=gone, drawn=len(found), share=gone / max(1, len(found)), there=sum(there.values())
    ).splitlines()
    for path, several in drawn.items():
        ends = [ended[one] for one in several]
        dead, endless = len(ends) - ends.count("survives"), ends.count("no end")
        cells = (f"`{_name(path)}`", there[path], len(ends), dead, endless, ends.count("survives"))
        yield "| " + " | ".join(map(str, cells)) + " |"
    yield from ("", "## Survivors", "", "Words of a reason, most of them; or a change that no input tells apart.", "")
    for path, several in drawn.items():
        yield from (f"- `{_name(path)}`: {one}" for one in several if ended[one] == "survives")


def _name(path: Path) -> str:
    return str(path.relative_to(JUDGE).with_suffix(""))


def main(arguments: Sequence[str] | None = None) -> int:
    """1 if the tests do not pass as they are, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=25, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[""], help="modules whose path has one of these in it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="write docs/mutation.md")
    asked = parser.parse_args(arguments)
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    there, drawn = dict[Path, int](), dict[Path, list[Mutant]]()
    for path in sorted(JUDGE.rglob("*.py")):
        every = list(mutants(path.read_text(), str(path))) if any(one in str(path) for one in asked.only) else []
        if every:
            there[path] = len(every)
            few = random.Random(f"{asked.seed} {_name(path)}").sample(every, min(asked.most, len(every)))
            drawn[path] = sorted(few, key=lambda one: one.line)
    trial = Trial(drawn, asked.jobs)
    code = pytest.main(
        ["tests/judge", "-q", "-m", "not slow or mutants", "-p", "no:cacheprovider", "-p", "no:xdist"], plugins=[trial]
    )
    if code:
        return int(code)
    text = page(there, drawn, trial.ended, asked.seed)
    print(text)
    if asked.write:
        PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
