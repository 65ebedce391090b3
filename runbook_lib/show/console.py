"""Shows the output of long work live: the last lines while it runs, all lines folded when it is done."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from runbook_lib.base import foreign
from runbook_lib.show.tables import Shown, inline

_LINES = 8
_EVERY_S = 0.5
_TITLE, _HEAD, _TAIL = 190, 90, 80
"""Most characters of a title, and how many of a longer one are shown of its beginning and its end."""


class Live:
    """A display in a notebook with the last lines of running work; plain lines elsewhere.

    Several threads may write to it.
    """

    def __init__(self, title: str) -> None:
        self._title, self._lines, self._drawn = title, [""] * 0, time.monotonic()
        self._handle: Any = None
        self._turn = threading.Lock()

    def __call__(self, line: str) -> None:
        """Adds a line."""
        with self._turn:
            self._lines = [*self._lines, line][-_LINES:]
            if time.monotonic() - self._drawn >= _EVERY_S:
                self._drawn = time.monotonic()
                self._draw()

    def _draw(self) -> None:
        if "IPython" not in sys.modules:
            print(self._lines[-1])
            return
        from IPython import display

        shown = folded(self._title, self._lines, opened=True)
        bundle = {"text/html": shown._repr_html_(), "text/plain": str(shown)}
        if self._handle is None:
            self._handle = display.display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)

    def close(self) -> None:
        """Removes the running lines: the next output shows how the work ended."""
        if self._handle is not None:
            self._handle.update({"text/html": "", "text/plain": ""}, raw=True)


def folded(title: str, lines: Sequence[str], *, opened: bool = False) -> Shown:
    """A title with lines of output that unfold below it.

    A first line that only repeats the title is left out; a long title, such as a command with many names, is shortened
    and unfolds as a whole.
    """
    if list(lines) == [title]:
        return Shown(f'<div style="font-size:13px;margin:3px 0">{inline(title)}</div>', title)
    full, lines = title, list(lines[1:] if lines[:1] == [title] else lines)
    if len(title) > _TITLE:
        title, lines = f"{_cut(title, _HEAD)} … {_cut(title[::-1], _TAIL)[::-1]}", [full, *lines]
    style = "font-size:12px;line-height:1.35;max-height:24em;overflow:auto;margin:4px 0 8px 14px;white-space:pre-wrap"
    body = foreign.html("\n".join(lines))
    markup = (
        f'<details{" open" if opened else ""} style="font-size:13px;margin:3px 0"><summary style="cursor:pointer">'
        f'{foreign.html(title)}</summary><pre style="{style}">{body}</pre></details>'
    )
    below = lines[1:] if title != full else lines
    return Shown(markup, "\n".join([full, *(f"  {line}" for line in below)]))


def _cut(text: str, most: int) -> str:
    """The beginning of a text, up to the end of a word."""
    return text[:most].rpartition(" ")[0] or text[:most]
