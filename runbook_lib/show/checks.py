"""The table of checks: failed ones come first, attested ones are marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from runbook_lib.base import foreign
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.terms import Verdict, Word
from runbook_lib.show import style
from runbook_lib.show.tables import Cell, Shown, badge, caption_line, inline, stack, table

_SAID = {Verdict.PASS: "as expected", Verdict.FAIL: "not so"}


def checks_table(checks: Iterable[Check], caption: str = "", *, keep_order: bool = False, fold: bool = False) -> Shown:
    """A table of checks: verdict, title, expected, found, why. Bad and required ones come first; with
    `keep_order` they stay in the order of their steps.

    A check that applying the plan mends is TO DO, not FAIL. With `fold`, the checks that pass are one line that
    unfolds, and so are those that are to do, and advice: the sections above have shown them row by row.
    """
    found = list(checks)
    if not keep_order:
        found.sort(key=lambda one: (style.rank(_word(one)), not one.required))
    todo = sum(one.required and one.mends and not one.ok for one in found)
    advice = sum(not one.required and not one.ok for one in found)
    required = sum(one.required for one in found)
    passed = sum(one.required and one.ok for one in found)
    told = [f"{passed} of {words.count(required, 'required check')} {words.verb(required, 'pass')}"] if required else []
    if todo and todo == required:
        told = [f"{words.count(todo, 'required check')} to be made by applying"]
    elif todo:
        told += [f"{todo} to be made by applying"]
    told += [f"{advice} advisory to look at"] if advice else []
    title = ": ".join(part for part in (caption, " · ".join(told)) if part)
    if not fold:
        return _rows(found, title)
    rest, advised, later, held = _parted(found)
    parts = [_rows(rest, title) if rest or not found else caption_line(title)]
    parts += [_folded(advised, f"! {words.count(len(advised), 'advisory check')} to look at")] if advised else []
    parts += [_folded(later, f"✎ {words.count(len(later), 'check')} to be made by applying")] if later else []
    advisory = sum(not one.required for one in held)
    aside = f", {advisory} of them advisory" if advisory else ""
    folded = f"✔ {words.count(len(held), 'check')} that {words.verb(len(held), 'pass')}{aside}"
    return stack(*parts, *([_folded(held, folded)] if held else []))


def _rows(checks: Iterable[Check], caption: str) -> Shown:
    rows = [[badge(_word(one)), _title(one), one.expected, _found(one), _why(one)] for one in checks]
    return table(("Verdict", "Check", "Expected", "Found", "Why"), rows, caption=caption, kind="checks")


def _found(one: Check) -> str:
    """The finding; where there is none, whether the expectation was met; empty: why says all."""
    seen = one.found not in ("", "–", "-")
    return one.found if seen else _SAID.get(one.verdict, "not seen") if one.expected else ""


def _parted(checks: Iterable[Check]) -> tuple[list[Check], ...]:
    """The checks in four parts: those that must be looked at, advice, those that applying mends, those that pass."""
    parts: tuple[list[Check], ...] = ([], [], [], [])
    for one in checks:
        parts[3 if one.ok else 2 if one.mends else 0 if one.required else 1].append(one)
    return parts


def _folded(checks: Sequence[Check], title: str) -> Shown:
    inner = _rows(checks, "")
    summary = f'<summary style="cursor:pointer">{title}</summary>'
    markup = f'<details style="font-size:13px;margin:3px 0">{summary}{inner._repr_html_()}</details>'
    return Shown(markup, f"{title}\n{inner}")


def _word(one: Check) -> Word:
    return Word.TO_DO if one.mends and not one.ok else words.said(one.verdict)


def _why(one: Check) -> Cell:
    """The reason without the title and the finding, which are in the same row; empty: nothing is left of it."""
    text = untitled(one.reason, one.title)
    return Cell("") if text == one.found else Cell(text, inline(text))


def untitled(reason: str, title: str) -> str:
    """A reason beside its check's title, which it does not repeat."""
    return re.sub(rf"\A(?:\w+ )?'?{re.escape(title)}'?: ", "", reason, flags=re.IGNORECASE)


def _title(one: Check) -> Cell:
    aside = ", ".join(word for word, said in (("advisory", not one.required), ("attested", one.attested)) if said)
    text = one.title + (f" ({aside})" if aside else "")
    markup = f"<b>{foreign.html(one.title)}</b>"
    small = f"{one.id} · {aside}" if aside else one.id
    return Cell(text, f'{markup}<br><span style="opacity:.7;font-size:12px">{foreign.html(small)}</span>')
