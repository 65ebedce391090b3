"""How a notebook shows a pandas table: as every other table of the runbook, with one head and times as people read
them. The table itself, and what it prints as text, are pandas' own.
"""

from __future__ import annotations

import sys
from typing import Any

from runbook_lib.base.foreign import terminal
from runbook_lib.base.window import when
from runbook_lib.show.tables import Shown, table

_MISSING = ("nan", "NaT", "<NA>")
_HOMES = ("pandas", "pandas.core.frame")
"""Modules that a pandas table says it is from: since pandas 3, and before."""
_ROWS, _COLUMNS = 60, 12
"""A larger table is left to pandas, which leaves out its middle."""


def install() -> None:
    """From now on this notebook's kernel shows pandas tables so; elsewhere it does nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        for module in _HOMES:
            shell.display_formatter.formatters["text/html"].for_type_by_name(module, "DataFrame", markup)


def markup(frame: Any) -> str:
    """A pandas table as HTML."""
    if len(frame) > _ROWS or len(frame.columns) > _COLUMNS or frame.columns.nlevels > 1:
        return Shown(terminal(frame._repr_html_()), "")._repr_html_()
    return shown(frame)._repr_html_()


def shown(frame: Any) -> Shown:
    """A pandas table; its index is its first columns, unless it only counts the rows."""
    names = ["" if name is None else str(name) for name in frame.index.names]
    counts = names == [""] and type(frame.index).__name__ == "RangeIndex"
    firsts = [() if counts else one if isinstance(one, tuple) else (one,) for one in frame.index]
    rows = [
        [_told(value) for value in (*first, *row)]
        for first, row in zip(firsts, frame.itertuples(index=False, name=None), strict=True)
    ]
    return table([*([] if counts else names), *map(str, frame.columns)], rows)


def _told(value: Any) -> str:
    """A value in words: a time as people read it, a number without needless digits, nothing for a missing one."""
    if value is None or str(value) in _MISSING:
        return ""
    if hasattr(value, "to_pydatetime"):
        return when(value.isoformat())
    return f"{value:,.10g}" if isinstance(value, float) else str(value)
