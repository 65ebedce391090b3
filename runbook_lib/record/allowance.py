"""How much of its output a run keeps: a cell that prints without end fills neither the record nor this machine, and
what follows it, the verdict above all, is kept all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from runbook_lib.base.foreign import told
from runbook_lib.base.redact import redact_text

MOST = 10_000_000
"""Characters of output that a run keeps; a whole rehearsed phase has one million."""
EACH = 1_000_000
"""Characters that each cell may keep, whatever those before it have used up."""
_ONE = 500
"""What an output costs beside its text: the report has a block for each."""
CUT = "[the output is cut here: it was longer than a record keeps]"
_UNFINISHED = 5_000
"""Most characters before a cut that may be the first part of a secret."""
_END = 100_000
"""Characters of each end of an error in which secrets are searched: a hundred times what is kept of it."""


class Allowance:
    """What a run may still keep of its cells' outputs.

    Args:
        most: characters of a run.
        each: characters that a cell has in any case.
    """

    def __init__(self, most: int = MOST, each: int = EACH) -> None:
        self.most, self.each = most, each
        self.left_out: dict[int, int] = {}
        """Number of a cell to how many characters of it are not kept."""
        self._used = self._cell = self._number = 0
        self._cut = False
        self._displays: dict[str, int] = {}

    def begin(self, number: int) -> None:
        """A cell begins."""
        self._number, self._cell, self._cut = number, 0, False

    def cleared(self) -> None:
        """The cell took back what it had shown."""
        self._used -= self._cell
        self.begin(self._number)

    def take(self, output: dict[str, Any], display: str = "") -> bool:
        """Cuts an output (or the content of a message, which has the same fields) in place to what may be kept.

        Args:
            display: the id of the display that it shows or updates.

        Returns:
            Whether anything of it is kept.
        """
        size = _size(output)
        before = self._displays.get(display, 0)
        room = max(self.most - self._used, self.each - self._cell)
        if size - before <= room:
            self._use(max(0, size - before))
            if display:
                self._displays[display] = max(size, before)
            return True
        self.left_out[self._number] = self.left_out.get(self._number, 0) + size - _ONE
        first, self._cut = not self._cut, True
        if "traceback" in output:  # why the run ended is always kept
            output["evalue"] = _ends(str(output.get("evalue", "")))
            output["traceback"] = [_ends("\n".join(map(str, output["traceback"])))]
            return True
        if not first:
            return False
        if isinstance(output.get("text"), str):
            kept = output["text"][: max(0, room - _ONE)]
            self._use(len(kept) + _ONE)
            self.left_out[self._number] -= len(kept)
            output["text"] = f"{kept}\n{CUT}\n"
        elif "data" in output:
            output |= {"data": {"text/plain": CUT}, "metadata": {}}
        return True

    def _use(self, size: int) -> None:
        self._used += size
        self._cell += size

    def dropped(self, size: int) -> None:
        """So many characters more of this cell are not kept."""
        if size:
            self.left_out[self._number] = self.left_out.get(self._number, 0) + size

    @property
    def sentence(self) -> str:
        """What is not in the record; empty: nothing."""
        cells = ", ".join(f"{size:,} characters of code cell {number}" for number, size in self.left_out.items())
        return f"the record has not all that the cells printed: {cells} are left out" if cells else ""


def without_unfinished(outputs: Iterable[Any]) -> int:
    """Drops, in place, the line that the cut of a cell's outputs stands in: half a secret looks like none.

    Returns:
        How many characters it dropped.
    """
    dropped, last = 0, dict[str, Any]()
    for output in outputs:
        text = output.get("text")
        if isinstance(text, str):
            before, cut, behind = text.partition(f"\n{CUT}\n")
            last[str(output.get("name"))] = output
            if cut:
                kept = _finished(before)
                dropped += len(before) - len(kept)
                output["text"] = f"{kept}{cut}{behind}"
        if (isinstance(text, str) and CUT in text) or (output.get("data") or {}).get("text/plain") == CUT:
            for stream in last.values():  # what it would have gone on with is not there either
                kept = _finished(stream["text"])
                dropped += len(stream["text"]) - len(kept)
                stream["text"] = kept
            break
    return dropped


def _finished(text: str) -> str:
    return text[: max(text.rfind("\n") + 1, len(text) - _UNFINISHED)]


def _ends(text: str) -> str:
    """The two ends of an error. Secrets are masked before it is cut, which would leave a half of one."""
    if len(text) > 2 * _END:
        text = f"{text[:_END]}\n{text[-_END:]}"
    return told(redact_text(text))


def _size(output: dict[str, Any]) -> int:
    parts = [output.get(name) for name in ("text", "evalue", "traceback", "data", "metadata")]
    return _ONE + sum(_length(part) for part in parts)


def _length(part: Any) -> int:
    if isinstance(part, str):
        return len(part)
    if isinstance(part, dict):
        return sum(len(str(key)) + _length(item) for key, item in part.items())
    if isinstance(part, list) and all(isinstance(line, str) for line in part):
        return sum(map(len, part))
    try:
        return 0 if part is None else len(json.dumps(part))
    except (ValueError, TypeError, RecursionError):
        return EACH
