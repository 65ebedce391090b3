"""Tests side by side: what `tests/workers.py` promises, shown by a run of a few small tests."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers import modules

ROOT = Path(__file__).parents[1]
MODULE = """
import os, sys, time, warnings
from pathlib import Path
import pytest

COLLECTED_BY = os.getpid()

def note(text):
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{{text}} {name} {{os.getpid()}} {{os.environ['RUNBOOK_TESTS_WORKER']}}\\n")

@pytest.fixture(scope="module", autouse=True)
def built(tmp_path_factory):
    note(f"built {{COLLECTED_BY}}")
    yield tmp_path_factory.mktemp("one")
    note("down")

def test_passes(built, tmp_path):
    assert built.parent == tmp_path.parent and built.parent.name == os.environ["RUNBOOK_TESTS_WORKER"]

def test_fails():
    print("to standard output")
    os.write(2, b"by its descriptor")
    assert {name!r} != "b"

@pytest.mark.skip(reason="not today")
def test_is_skipped():
    pass

def test_warns():
    warnings.warn("be careful", stacklevel=1)

def test_dies():
    if {name!r} == "c" and not Path(os.environ["NOTES"] + ".died").exists():
        Path(os.environ["NOTES"] + ".died").touch()
        if os.fork() == 0:  # holds all that its parent has open
            time.sleep(4)
            note("slept")
            os._exit(0)
        os._exit(7)

def test_comes_after_it(capfd):
    print("said")
    assert capfd.readouterr().out == "said\\n"
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A run of three modules in two workers: a test of `b` fails, one of `c` ends its worker."""
    folder = tmp_path_factory.mktemp("ran")
    for name in "abc":
        (folder / f"test_{name}.py").write_text(MODULE.format(name=name))
    plain = ["-p", "no:cacheprovider", "--disable-plugin-autoload", "-c", "/dev/null", f"--rootdir={folder}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plain, "-p", "tests.workers", "--workers", "2", "-rsf", str(folder)],
        env={"PATH": "", "NOTES": str(folder / "notes"), "TMPDIR": str(folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    notes = [line.split() for line in (folder / "notes").read_text().splitlines()]
    return SimpleNamespace(code=done.returncode, said=done.stdout, notes=notes, trouble=done.stderr)


@pytest.mark.slow
def test_each_test_is_run_and_told_once(ran: SimpleNamespace) -> None:
    assert (ran.code, ran.trouble) == (1, "")
    assert "2 failed, 13 passed, 3 skipped, 3 warnings" in ran.said, ran.said
    assert "not today" in ran.said and "be careful" in ran.said


@pytest.mark.slow
def test_what_a_test_wrote_is_told_where_it_failed_and_nowhere_else(ran: SimpleNamespace) -> None:
    assert ran.said.count("to standard output") == 1 + ran.said.count('print("to standard output")')
    assert ran.said.count("by its descriptor") == 1 + ran.said.count('b"by its descriptor"')
    assert re.search(r"^FAILED .*test_b.py::test_fails", ran.said, re.M)


@pytest.mark.slow
def test_all_are_collected_once_and_a_module_stays_with_one_worker(ran: SimpleNamespace) -> None:
    built = [line for line in ran.notes if line[0] == "built"]
    assert len({collected for _, collected, *_ in built}) == 1
    assert not {collected for _, collected, *_ in built} & {pid for _, _, _, pid, _ in built}, "no worker collects"
    assert sorted(name for _, _, name, *_ in built) == ["a", "b", "c", "c"], "once more after the worker's end"
    assert sorted(line[1] for line in ran.notes if line[0] == "down") == ["a", "b", "c"]


@pytest.mark.slow
def test_a_test_that_ends_its_worker_has_failed_and_the_others_are_run(ran: SimpleNamespace) -> None:
    """Whatever the worker has left running."""
    assert re.search(r"^FAILED .*test_c.py::test_dies", ran.said, re.M)
    assert re.search(r"^the worker w\d ended with 7 while it ran this test$", ran.said, re.M)
    assert len({line[-1] for line in ran.notes if line[0] == "built" and line[2] == "c"}) == 2, "another took its place"
    assert [line[0] for line in ran.notes if line[0] == "slept" or line[1:2] == ["c"]] == ["down", "slept"]


@given(st.lists(st.integers(0, 3), max_size=20))
def test_tests_are_given_module_by_module_in_their_order(paths: list[int]) -> None:
    parts = modules([SimpleNamespace(path=path) for path in paths])  # type: ignore[misc]
    assert [place for part in parts for place in part] == list(range(len(paths)))
    assert all(len({paths[place] for place in part}) == 1 for part in parts)
    assert all(paths[one[-1]] != paths[other[0]] for one, other in itertools.pairwise(parts))
