"""In a real IPython shell: a refusal does not end Run All, and every later cell of the run says it."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from runbook_lib.base.errors import Refused, RunbookError, UsageError
from runbook_lib.run import refused
from runbook_lib.run.launch import START

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted(path for path in (ROOT / "notebooks").glob("*.ipynb") if path.stem != START)
ENDED: list[RunbookError] = []
RUNS = SimpleNamespace(refused=ENDED.append)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell of its own, in which `Run.open` is watched from the first cell on."""
    ENDED.clear()
    InteractiveShell.clear_instance()
    one = InteractiveShell.instance()
    monkeypatch.setattr(refused, "_shell", lambda: one)
    refused.watch(RUNS)
    one.user_ns |= {"refuse": refuse, "said": []}
    yield one
    InteractiveShell.clear_instance()


def refuse(kind: type[RunbookError] = UsageError) -> None:
    raise kind("confirm is '', expects 'prod'", nothing_changed=True)


def run(shell: Any, text: str) -> Any:
    """As a front end runs a cell: the callbacks decide whether the kernel takes it for an error."""
    result = shell.run_cell(text)
    return result.error_in_exec


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_below_a_refusal_says_it_and_the_last_one_what_to_do(
    shell: InteractiveShell, notebook: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(refused, "show", shown.append)
    cells = [one for one in json.loads(notebook.read_text())["cells"] if one["cell_type"] == "code"]
    sources = ["".join(one["source"]) for one in cells]
    opened = next(place for place, text in enumerate(sources) if "Run.open(" in text)
    assert run(shell, sources[0]) is None
    assert run(shell, "refuse()") is None, "Run All goes on"
    for text in sources[opened + 1 : -1]:
        before = len(shown)
        assert run(shell, text) is None
        assert len(shown) == before + 1 and "REFUSED: confirm is ''" in str(shown[-1])
    last = run(shell, sources[-1])
    assert isinstance(last, UsageError) and refused.AGAIN in str(last) and "nothing was changed" in str(last)
    assert [str(one) for one in ENDED] == ["confirm is '', expects 'prod'"]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_cell_out_of_order_names_what_is_missing_and_refuses_nothing_else(
    shell: InteractiveShell, notebook: Path
) -> None:
    sources = [
        "".join(one["source"]) for one in json.loads(notebook.read_text())["cells"] if one["cell_type"] == "code"
    ]
    opened = next(place for place, text in enumerate(sources) if "Run.open(" in text)
    made = {
        node.id
        for text in sources[opened:]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assert made <= refused.MADE
    shell.user_ns["run"] = RUNS
    with pytest.raises(refused.OutOfOrder, match=r"needs 'outcome'.*run all cells") as said:
        raise run(shell, sources[-1])
    assert said.value.exit_code == 2 and refused.NAME not in shell.user_ns
    assert run(shell, "outcome = 1; said.append(outcome)") is None and shell.user_ns["said"] == [1]
    assert isinstance(run(shell, "pritn(1)"), NameError), "a mistake of one's own is Python's to tell"
    shell.user_ns.pop("run")
    assert isinstance(run(shell, "run.where_am_i()"), refused.OutOfOrder)


def test_what_is_no_cell_of_the_run_goes_on_and_a_run_opened_anew_forgets(shell: InteractiveShell) -> None:
    run(shell, "refuse()")
    assert run(shell, "env = 'prod'; said.append(env.upper())") is None
    assert shell.user_ns["said"] == ["PROD"]
    refused.watch(RUNS)
    assert run(shell, "said.append(len('run'))") is None and shell.user_ns["said"] == ["PROD", 3]
    assert refused.NAME not in shell.user_ns


def test_a_cell_that_opens_a_run_is_never_replaced(shell: InteractiveShell) -> None:
    run(shell, "refuse()")
    shell.user_ns["Run"] = SimpleNamespace(open=lambda *_: refused.watch(RUNS))
    assert run(shell, "run = Run.open('06', globals())") is None
    assert refused.NAME not in shell.user_ns


def test_an_error_of_nobodys_ends_run_all_as_it_always_did(shell: InteractiveShell) -> None:
    assert isinstance(run(shell, "1 / 0"), ZeroDivisionError)
    assert refused.NAME not in shell.user_ns


def test_the_last_cell_itself_is_not_forgiven(shell: InteractiveShell) -> None:
    shell.user_ns["run"] = SimpleNamespace(close=lambda _: refuse(Refused))
    assert isinstance(run(shell, "run.close(0)"), Refused)


@pytest.mark.parametrize(("said", "ends"), [("no name", "no name."), ("'prod'?", "'prod'?"), ("No.", "No.")])
def test_the_last_sentence_has_one_mark_at_its_end(said: str, ends: str) -> None:
    shell = SimpleNamespace(user_ns={})
    with pytest.raises(UsageError) as told:
        refused.Refusal(shell, SimpleNamespace(refused=lambda _: None), UsageError(said, nothing_changed=False)).close()
    assert str(told.value) == f"{ends} {refused.AGAIN}"


@given(st.text(max_size=80))
@example("\0")
@example("1+" * 50_000 + "1")
@example("-" * 100_000 + "1")
def test_any_text_is_left_or_replaced_and_never_an_error(text: str) -> None:
    one = refused.Refusal(SimpleNamespace(user_ns={}), RUNS, UsageError("no"))
    lines = text.splitlines(keepends=True)
    assert one(lines) in (lines, [f"{refused.NAME}.say()\n"], [f"{refused.NAME}.close()\n"])


def test_outside_ipython_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert refused._shell() is None
    refused.watch(RUNS)


@pytest.mark.kernel
def test_in_a_real_kernel_run_all_comes_to_its_last_cell() -> None:
    nb = nbformat.read(ROOT / "notebooks" / "06_phase1_10_percent.ipynb", 4)  # type: ignore[no-untyped-call]
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    code[0].source = code[0].source.replace('mode = "plan"', 'mode = "aply"')
    client = NotebookClient(nb, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}})
    with pytest.raises(CellExecutionError, match=r"(?s)'mode' is 'aply'.*Correct it"):
        client.execute()
    told = [next(iter(cell.outputs)).get("data", {}).get("text/plain", "") for cell in code[2:]]
    assert all("REFUSED" in one and "'mode' is 'aply'" in one for one in told) and len(told) > 10
    assert [cell.outputs[-1].output_type for cell in (code[1], code[-1])] == ["error", "error"]
