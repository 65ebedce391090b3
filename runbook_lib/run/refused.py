"""The output of the cells below a refusal in JupyterLab.

A cell that fails ends Run All: a person who looks at the last cell sees it empty, screens below the red line. So by
hand the refusal is shown at its cell, each later cell that needs the run repeats it instead of running, and the last
one, which closes the run, says what to do and fails. A cell that needs what a cell above makes, and which was not run,
says that instead of a NameError. Through papermill none of this happens: the first error ends the run.
"""

from __future__ import annotations

import ast
import builtins
import sys
from typing import Any

from runbook_lib.base.errors import NO_PYTHON, NOTHING, Refused, RunbookError, UsageError
from runbook_lib.show.page import show
from runbook_lib.show.verdicts import refused_note

NAME = "_refused"
"""The function that a cell below a refusal calls instead of its own code."""
AGAIN = "Correct it (the parameters are in the first code cell), then run all cells again."
MADE = frozenset(
    ("run", "start", "phase", "step", "preflight", "dashboard", "alarms", "week", "acceptance", "incident", "rollback")
) | {"outcome"}
"""Names that a notebook's cells make for those below; a test compares them with the notebooks."""
_OURS = "runbook_lib"
_ORDER = "_out_of_order"
"""The function that a cell calls in place of its own code if a cell above it was not run."""


def watch(run: Any) -> None:
    """From now on an error of ours does not end Run All by hand in this kernel; an earlier refusal is forgotten.

    Args:
        run: the class whose `open` begins a run, and whose `refused` ends it.
    """
    shell = _shell()
    if shell is None:
        return
    for one in [one for one in shell.input_transformers_post if isinstance(one, (Refusal, _Order))]:
        shell.input_transformers_post.remove(one)
    shell.input_transformers_post.append(_Order(shell))
    shell.user_ns.pop(NAME, None)
    watcher = shell.user_ns_hidden.get(_Watcher.__name__)
    if watcher is None:
        watcher = shell.user_ns_hidden[_Watcher.__name__] = _Watcher(shell)
        shell.events.register("post_run_cell", watcher)
    watcher.run = run


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if hasattr(shell, "input_transformers_post") else None


class _Watcher:
    """Checks at the end of each cell whether it was refused."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.run: Any = None

    def __call__(self, result: Any) -> None:
        error = result.error_in_exec
        told = NAME in self.shell.user_ns or isinstance(error, OutOfOrder)
        if not isinstance(error, RunbookError) or told or _closes(str(result.info.raw_cell)):
            return
        result.error_in_exec = None  # the kernel goes on with the next cell
        refusal = Refusal(self.shell, self.run, error)
        self.shell.user_ns[NAME] = refusal
        self.shell.input_transformers_post.append(refusal)


class Refusal:
    """The reason, repeated by each later cell of the run."""

    def __init__(self, shell: Any, run: Any, error: RunbookError) -> None:
        self.shell, self.run, self.error = shell, run, error
        self.word = "REFUSED" if isinstance(error, (UsageError, Refused)) else "STOPPED"
        self.sentence = f"{error}{NOTHING if error.nothing_changed else ''}"

    def __call__(self, lines: list[str]) -> list[str]:
        """Replaces the lines of a cell that needs the run; IPython calls it as a transformer."""
        text = "".join(lines)
        if not self._needs_the_run(text):
            return lines
        return [f"{NAME}.close()\n" if _closes(text) else f"{NAME}.say()\n"]

    def say(self) -> None:
        """Shows the reason in a cell that is not run."""
        show(refused_note(self.word, self.sentence))

    def close(self) -> None:
        """Shows the reason in the last cell; an open run is sealed as failed.

        Raises:
            RunbookError: always: the reason, and what to do.
        """
        self.run.refused(self.error)
        show(refused_note(self.word, self.sentence, AGAIN))
        end = "" if self.sentence.endswith((".", "?", "!")) else "."
        raise type(self.error)(f"{self.sentence}{end} {AGAIN}")

    def _needs_the_run(self, text: str) -> bool:
        try:
            nodes = list(ast.walk(ast.parse(text)))
        except NO_PYTHON:
            return False
        if any(isinstance(node, ast.Attribute) and node.attr == "open" for node in nodes):
            return False  # it opens a run: this refusal is forgotten
        if any(isinstance(node, ast.ImportFrom) and str(node.module).startswith(_OURS) for node in nodes):
            return True
        named = [node for node in nodes if isinstance(node, ast.Name)]
        made = {node.id for node in named if isinstance(node.ctx, ast.Store)}
        return any(self._is_ours(node.id) for node in named if node.id not in made)

    def _is_ours(self, name: str) -> bool:
        """Whether a name belongs to this library, or is undefined: a cell that was not run would have defined it."""
        known = self.shell.user_ns
        if name not in known:
            return not hasattr(builtins, name)
        return type(known[name]).__module__.startswith(_OURS)


class OutOfOrder(UsageError):
    """A cell needs what a cell above makes, and that one was not run, or failed."""


class _Order:
    """Finds such a cell before it is run; IPython calls it as a transformer."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    def __call__(self, lines: list[str]) -> list[str]:
        if NAME in self.shell.user_ns:
            return lines
        self.shell.user_ns[_ORDER] = self._say
        try:
            nodes = [node for node in ast.walk(ast.parse("".join(lines))) if isinstance(node, ast.Name)]
        except NO_PYTHON:
            return lines
        made = {node.id for node in nodes if not isinstance(node.ctx, ast.Load)} | self.shell.user_ns.keys()
        missing = next((node.id for node in nodes if node.id in MADE - made), None)
        return lines if missing is None else [f"{_ORDER}({missing!r})\n"]

    @staticmethod
    def _say(name: str) -> None:
        raise OutOfOrder(
            f"this cell needs '{name}', which a cell above makes; that one was not run, or it failed: "
            "run all cells, from the first on"
        )


def _closes(text: str) -> bool:
    return "run.close(" in text
