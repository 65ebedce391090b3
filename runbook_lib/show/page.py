"""The smaller parts of a phase's report: a line, the evidence, the proof."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from runbook_lib.base import foreign
from runbook_lib.judge import words
from runbook_lib.judge.model import Evidence, GateResult
from runbook_lib.judge.terms import measure_told
from runbook_lib.show.tables import Cell, Shown, between, inline, stack, table


def line(text: str) -> Shown:
    """One sentence as a line."""
    return Shown(f'<div style="font-size:14px;margin:4px 0">{inline(text)}</div>', text)


ONE_SHEET = "runbook_one_sheet"
"""Key in the metadata of an output that is printed on one sheet."""


class Page:
    """A page of Markdown: rendered in a notebook and a report, plain in a terminal.

    Args:
        one_sheet: whether a printed report keeps it on one page, because it is printed and signed.
    """

    def __init__(self, text: str, *, one_sheet: bool = False) -> None:
        self._text = text
        self._facts = {ONE_SHEET: True} if one_sheet else {}

    def _repr_markdown_(self) -> tuple[str, dict[str, bool]]:
        return self._text, self._facts

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def within(text: str) -> Page:
    """A page of Markdown as a part of a report: its headings are below the report's own, and its HTML is escaped.

    The callers escape foreign text in it (`foreign.markdown`).
    """
    parts = re.split(rf"((?<![\\`])`[^`\n]*`|{foreign.LITERAL.pattern})", text)
    plain = (part if at % 2 else part.replace("<", "&lt;") for at, part in enumerate(parts))
    return Page(re.sub(r"^(#+ )", r"###\1", "".join(plain), flags=re.MULTILINE))


def show(shown: Shown, more: Mapping[str, Any] | None = None) -> None:
    """Displays in a notebook, prints elsewhere; `more` has further MIME types of the same output, for machines."""
    if "IPython" in sys.modules:
        from IPython import display

        bundle = {"text/html": shown._repr_html_(), "text/plain": str(shown), **(more or {})}
        display.display(bundle, raw=True)  # type: ignore[no-untyped-call]
    else:
        print(shown)


def evidence_table(evidence: Mapping[str, Evidence]) -> Shown:
    """The table of evidence: each measure with its values, window, notes and query."""
    rows = [
        [
            Cell(measure_told(name), f"<b>{foreign.html(measure_told(name))}</b>", nowrap=True),
            Cell(seen(item), nowrap=True),
            between(item.start, item.end) if item.start else "–",
            "; ".join(
                part
                for part in (
                    item.proven_zero_by and f"zero because: {item.proven_zero_by}",
                    "partial" if item.partial else "",
                    f"{item.in_flight} in flight" if item.in_flight else "",
                    *item.notes,
                )
                if part
            ),
            Cell(
                item.query,
                "<details><summary style='cursor:pointer;white-space:nowrap'>how asked</summary>"
                f"<div style='max-width:34em'>{foreign.html(item.query)}</div></details>",
            ),
        ]
        for name, item in evidence.items()
    ]
    return table(("Measure", "Seen", "Window", "Notes", ""), rows, caption="Evidence")


def seen(item: Evidence) -> str:
    """The evidence in a few words: counts, a quantile with its n, a gauge's peak."""
    match item.kind:
        case "rate" | "split":
            noun = "bad" if item.kind == "rate" else "async"
            return f"{item.bad:,} {noun} of {item.n:,}" if item.n is not None and item.bad is not None else "no data"
        case "gauge":
            peak = max(item.values, default=None)
            live = f", live {item.live:g}" if item.live is not None else ""
            return f"peak {peak:g} over {len(item.values):,} periods{live}" if peak is not None else f"no points{live}"
        case _:
            unit = "USD" if item.kind == "amount" else "s"
            count = f" (n = {item.n:,})" if item.n else ""
            return f"{words.number(item.value, unit)}{count}" if item.value is not None else "no data"


def proof_table(before: Any, after: Any, split: GateResult | None) -> Shown:
    """A table of dial, switch and weight, before this run and read back after it, and the observed split."""
    rows = [
        ["dial", f"{before.dial_percent:g} %", f"{after.dial_percent:g} %"],
        ["switch", "on" if before.switch_on else "off", "on" if after.switch_on else "off"],
        ["weight in force", f"{before.weight:g} %", f"{after.weight:g} %"],
        ["deployment of the dial", _deployment(before.dial_deployment), _deployment(after.dial_deployment)],
    ]
    shown = table(("", "When this run began", "Read back now"), rows, caption="Read back from AWS")
    told = words.shown(split.reason) if split else "The observed split is judged once the shift is in effect."
    return stack(shown, line(told))


def _deployment(deployment: Any) -> str:
    return f"{deployment.number} ({deployment.state})" if deployment else "none"
