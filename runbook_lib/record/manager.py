"""papermill's manager of a notebook that runs: when it is saved, and what is said while it runs."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from runbook_lib.base.foreign import one_line
from runbook_lib.base.telling import busy

_SAVED_EVERY_S = 0.5
_LONGEST = 60
"""Most characters of a heading in a line for a terminal."""


@functools.cache
def manager_class() -> Any:
    """The class of the manager. Loads papermill, which imports the engine at its own import: so not before it is asked
    for.
    """
    from papermill.engines import NotebookExecutionManager

    from runbook_lib.record import kernel as kernels

    class Manager(NotebookExecutionManager):  # type: ignore[misc]
        """Saves the notebook after code cells, not before them, not for prose, and at most every half second.

        The notebook's end and an error in it are always saved.
        """

        doing = "the kernel starts"
        """What the person who waits is told: a kernel has no terminal of its own."""
        news, running, heading = True, None, ""
        saved = -_SAVED_EVERY_S
        settle: Callable[[], None] = staticmethod(lambda: None)

        def waits(self, tells: bool) -> AbstractContextManager[None]:
            """Inside it the person who waits is told what is done, if it `tells`."""
            return busy(lambda: self.doing) if tells else nullcontext()

        def save(self, **given: Any) -> None:
            if self.news:
                self.settle()
                with kernels.without_secrets(self.running or {}):
                    super().save(**given)

        def cell_start(self, cell: Any, cell_index: int | None = None, **given: Any) -> None:
            self.news, self.running = False, cell
            super().cell_start(cell, cell_index, **given)
            self.news = True
            if cell.cell_type == "markdown":
                self.heading = heading_of(cell.source) or self.heading
            else:
                where = f" ('{self.heading}')" if self.heading else ""
                self.doing = f"cell {(cell_index or 0) + 1} of {len(self.nb.cells)}{where} is running"

        def cell_complete(self, cell: Any, cell_index: int | None = None, **given: Any) -> None:
            now = time.monotonic()
            self.news = cell.cell_type == "code" and now >= self.saved + _SAVED_EVERY_S
            self.saved = now if self.news else self.saved
            self.running = None  # it is redacted already
            if (cell_index or 0) + 1 == len(self.nb.cells):
                self.doing = "the record is sealed"
            super().cell_complete(cell, cell_index, **given)
            self.news = True

    return Manager


def heading_of(source: str) -> str:
    """The last heading in a cell of Markdown; empty: it has none."""
    found = [line.lstrip("#").strip() for line in source.splitlines() if line.startswith("#")]
    return one_line(found[-1])[:_LONGEST] if found else ""
