"""The display of a running rehearsal: every step of the rollout in one table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from runbook_lib.rehearse.play.stage import Progress

_COLOURS = {"PROMOTE": "green", "DONE": "green", "SOAK": "blue", "PLANNED": "blue", "HOLD": "yellow", "ROLLBACK": "red"}


@dataclass
class Row:
    """The progress of one step of the rollout."""

    key: str
    title: str
    state: str = ""
    doing: str = ""
    runs: int = 0
    seconds: float = 0.0
    since: str = ""


@dataclass
class _Board:
    rows: dict[str, Row]
    clock: Callable[[], dt.datetime]
    doing: list[str] = field(default_factory=list)


class Board(Progress):
    """Progress with a table of steps. On a terminal it is redrawn in place while lines scroll above it."""

    def __init__(self, quiet: bool = False) -> None:
        super().__init__(quiet)
        self._board: _Board | None = None
        self._live: Any = None
        self._turn = threading.RLock()

    @contextmanager
    def showing(self, steps: Sequence[tuple[str, str]], clock: Callable[[], dt.datetime]) -> Iterator[None]:
        """Shows a table of `steps` (key, title) with the virtual time of `clock` until the end of the block."""
        self._board = _Board({key: Row(key, title) for key, title in steps}, clock)
        if not self.console.is_terminal:
            yield
            return
        from rich.live import Live

        with Live(console=self.console, get_renderable=self._table, refresh_per_second=4, transient=True) as self._live:
            yield
        self._live = None

    @contextmanager
    def step(self, title: str, key: str = "") -> Iterator[list[str]]:
        """One step, timed; safe in several threads. `key` names its row in the table."""
        said: list[str] = []
        start = time.monotonic()
        board = self._board
        row = board.rows.get(key) if board else None
        with self._turn:
            if board:
                board.doing.append(title)
            if row:
                row.doing, row.since = title, row.since or (f"{board.clock():%d %b %H:%M}" if board else "")
        ok = False
        try:
            yield said
            ok = True
        finally:
            with self._turn:
                spent = time.monotonic() - start
                if board:
                    board.doing.remove(title)
                if row:
                    row.doing, row.runs, row.seconds = "", row.runs + 1, row.seconds + spent
                    row.state = said[-1] if said else row.state
                mark = "[green]✔[/]" if ok else "[red]✘[/]"
                tail = f": {said[-1]}" if said else ""
                self.console.print(f"{mark} {title}{tail} [dim]({spent:.1f} s)[/]")

    def summary(self) -> Any:
        """The table as it is now."""
        return self._table()

    def _table(self) -> Any:
        from rich.table import Table

        assert self._board is not None  # noqa: S101
        board = self._board
        with self._turn:
            head = f"{board.clock():%a %d %b %H:%M} UTC (virtual)" if self._live else ""
            table = Table(title=head or None, title_justify="left", caption=" · ".join(board.doing) or None)
            for name in ("step", "", "since (virtual)", "runs", "seconds", "decision"):
                table.add_column(name, no_wrap=True, justify="right" if name in ("runs", "seconds") else "left")
            for row in board.rows.values():
                state = f"[{_COLOURS.get(row.state, 'white')}]{row.state}[/]" if row.state else ""
                shown = f"[bold]… {row.doing}[/]" if row.doing else state
                table.add_row(
                    row.key,
                    row.title,
                    row.since,
                    str(row.runs or ""),
                    f"{row.seconds:.1f}" if row.runs else "",
                    shown,
                )
        return table
