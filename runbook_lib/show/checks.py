"""The table of checks: what does not hold comes first, what a person vouched for is marked."""

from __future__ import annotations

import html
from collections.abc import Iterable

from runbook_lib.judge.checks import Check
from runbook_lib.show.tables import Cell, Shown, badge, table

_ORDER = ("FAIL", "NO_DATA", "INCONCLUSIVE", "PASS")


def checks_table(checks: Iterable[Check], caption: str = "", *, keep_order: bool = False) -> Shown:
    """Verdict, what, expected, found, why; required ones first, the bad ones on top unless `keep_order`."""
    found = list(checks)
    if not keep_order:
        found.sort(key=lambda one: (_ORDER.index(one.verdict), not one.required))
    bad = sum(one.required and not one.ok for one in found)
    advice = sum(not one.required and not one.ok for one in found)
    required = sum(one.required for one in found)
    told = [f"{required - bad} of {required} required checks pass"] if required else []
    told += [f"{advice} advisory to look at"] if advice else []
    rows = [[badge(one.verdict), _title(one), one.expected or "–", one.found or "–", one.reason] for one in found]
    head = ("Verdict", "Check", "Expected", "Found", "Why")
    return table(head, rows, caption=": ".join(part for part in (caption, " · ".join(told)) if part))


def _title(one: Check) -> Cell:
    aside = ", ".join(word for word, said in (("advisory", not one.required), ("attested", one.attested)) if said)
    text = one.title + (f" ({aside})" if aside else "")
    markup = f"<b>{html.escape(one.title)}</b>"
    small = f"{one.id} · {aside}" if aside else one.id
    return Cell(text, f'{markup}<br><span style="opacity:.7;font-size:12px">{html.escape(small)}</span>')
